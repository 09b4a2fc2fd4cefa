import { createRouter, createWebHistory, type RouteMeta, type RouteRecordRaw, START_LOCATION } from "vue-router";
import { Problem } from "@/api/client";
import { desk } from "@/i18n/desk";
import { failed } from "@/lib/toast";
import { loadMe, may, me } from "@/session";

declare module "vue-router" {
  interface RouteMeta {
    /** The permission without which the screen makes no sense; the server decides again on every call. */
    need?: string;
    /** A second one, where the server asks for both. */
    also?: string;
    /** Key of the navigation entry; screens without one are reached from others. */
    nav?: string;
    dark?: boolean;
  }
}

const routes: RouteRecordRaw[] = [
  { path: "/", name: "home", component: { render: () => null } },
  { path: "/console/:code?", name: "console", component: () => import("@/screens/console/ConsoleScreen.vue"), meta: { need: "case.accept", nav: "console" } },
  { path: "/tasks/:id?", name: "tasks", component: () => import("@/screens/tasks/TasksScreen.vue"), meta: { need: "task.act", nav: "tasks" } },
  { path: "/cockpit", name: "cockpit", component: () => import("@/screens/cockpit/CockpitScreen.vue"), meta: { need: "indicator.read", also: "case.read", nav: "cockpit", dark: true } },
  { path: "/indicators/:name?/:side?", name: "indicators", component: () => import("@/screens/indicators/IndicatorsScreen.vue"), meta: { need: "indicator.read", also: "case.read", nav: "indicators" } },
  { path: "/cases", name: "cases", component: () => import("@/screens/cases/CasesScreen.vue"), meta: { need: "case.read", nav: "cases" } },
  { path: "/cases/:code", name: "case", component: () => import("@/screens/cases/CaseScreen.vue"), meta: { need: "case.read" } },
  { path: "/homes/:code?", name: "homes", component: () => import("@/screens/homes/HomesScreen.vue"), meta: { need: "people.absence", nav: "homes" } },
  { path: "/admin/org", name: "org", component: () => import("@/screens/admin/OrgScreen.vue"), meta: { need: "org.read", nav: "org" } },
  { path: "/admin/codes/:region", name: "codes", component: () => import("@/screens/admin/ReportCodesScreen.vue"), meta: { need: "house.read" } },
  { path: "/admin/devices", name: "devices", component: () => import("@/screens/admin/DevicesScreen.vue"), meta: { need: "device.read", nav: "devices" } },
  { path: "/admin/packs", name: "packs", component: () => import("@/screens/admin/PacksScreen.vue"), meta: { need: "pack.read", nav: "packs" } },
  { path: "/admin/packs/:name/detectors", name: "detectors", component: () => import("@/screens/admin/DetectorsScreen.vue"), meta: { need: "pack.read" } },
  { path: "/admin/accounts", name: "accounts", component: () => import("@/screens/admin/AccountsScreen.vue"), meta: { need: "user.read", nav: "accounts" } },
  { path: "/audit", name: "audit", component: () => import("@/screens/admin/AuditScreen.vue"), meta: { need: "look.read", nav: "audit" } },
  { path: "/denied", name: "denied", component: () => import("@/screens/shell/DeniedScreen.vue") },
  { path: "/:rest(.*)*", name: "lost", component: () => import("@/screens/shell/LostScreen.vue") },
];

export const router = createRouter({ history: createWebHistory(), routes });

/** Whether this person has what a screen needs. */
export const open = ({ need, also }: RouteMeta): boolean => (!need || may(need)) && (!also || may(also));
export const navigation = routes.filter((route) => route.meta?.nav);

/** Where a person's work begins. */
export function home(): string {
  if (may("case.accept")) return "/console";
  if (may("task.act")) return "/tasks";
  if (may("audit.read")) return "/audit";
  if (may("role.grant")) return "/admin/accounts";
  if (may("org.edit") || may("process.edit")) return may("org.edit") ? "/admin/org" : "/admin/packs";
  if (may("indicator.read")) return "/cockpit";
  return may("case.read") ? "/cases" : "/denied";
}

/** Who only reports works on the phone's pages; on a phone so does who handles tasks but keeps no desk. */
function onPhonePages(): boolean {
  if (home() === "/denied") return may("case.report");
  return home() === "/tasks" && matchMedia("(max-width: 640px)").matches;
}

router.beforeEach(async (to) => {
  if (!me.value && !(await loadMe())) return true; // App shows the fault, or the log-in page is on its way
  if (to.name === "home" && onPhonePages()) {
    location.replace("/m/");
    return false;
  }
  if (to.name === "home") return { path: home(), query: to.query };
  if (!open(to.meta)) return { name: "denied", query: { from: to.path } };
  return true;
});

const NOT_LOADED = /dynamically imported module|importing a module|preload css/i;

/** A screen that did not come: without a network it is said; else the house has been rebuilt since, or the browser remembers the failure. */
router.onError(async (error: unknown, to, from) => {
  if (!(error instanceof Error && NOT_LOADED.test(error.message))) return;
  const reached = await fetch("/healthz", { cache: "no-store" }).then(
    () => true,
    () => false,
  );
  // The first screen of a page is not loaded again for ever.
  if (reached && from !== START_LOCATION) return location.assign(to.fullPath);
  const { t } = desk.global;
  failed(new Problem(reached ? 503 : 0), (key, values) => t(key, values ?? {}));
});
