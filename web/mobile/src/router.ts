import { createRouter, createWebHistory, type RouteRecordRaw } from "vue-router";

declare module "vue-router" {
  interface RouteMeta {
    /** Text key of the top bar. */
    title: string;
    /** Screens for people with an account. */
    account?: boolean;
    tabs?: boolean;
  }
}

/** Full paths: the server gives this shell for /m/… and, to a reporter's link, for /track/…. */
export const routes: RouteRecordRaw[] = [
  {
    path: "/m/",
    name: "tasks",
    component: () => import("./tasks/TasksScreen.vue"),
    meta: { title: "tasks.title", account: true, tabs: true },
  },
  { path: "/m/tasks/:id", name: "task", component: () => import("./tasks/TaskScreen.vue"), meta: { title: "task.title", account: true } },
  { path: "/m/report", name: "report", component: () => import("./report/ReportScreen.vue"), meta: { title: "report.title", tabs: true } },
  { path: "/m/me", name: "me", component: () => import("./me/MeScreen.vue"), meta: { title: "me.title", tabs: true } },
  { path: "/m/track/:code", redirect: (to) => ({ name: "track", params: to.params, query: to.query }) },
  { path: "/track/:code", name: "track", component: () => import("./track/TrackScreen.vue"), meta: { title: "track.title" } },
  { path: "/:rest(.*)*", name: "lost", component: () => import("./parts/LostScreen.vue"), meta: { title: "state.missing", tabs: true } },
];

export const router = createRouter({
  history: createWebHistory("/"),
  routes,
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
});
