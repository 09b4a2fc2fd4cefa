import "element-plus/es/components/message-box/style/css"; // called by name, so the build cannot see that its styles are needed
import "element-plus/es/components/base/style/css";
import "element-plus/theme-chalk/dark/css-vars.css";
import "@/styles/tokens.css";
import "@/styles/element.css";
import "@/styles/app.css";
import { QueryClient, VueQueryPlugin } from "@tanstack/vue-query";
import { createApp } from "vue";
import { onUnauthorised, Problem } from "@/api/client";
import App from "@/App.vue";
import { desk } from "@/i18n/desk";
import { router } from "@/router";
import { toLogin } from "@/session";

onUnauthorised(toLogin);

const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      refetchOnWindowFocus: true,
      // Faults of the caller do not go away by asking again.
      retry: (count, error) => count < 2 && error instanceof Problem && (error.status === 0 || error.status >= 500),
    },
  },
});

createApp(App).use(router).use(desk).use(VueQueryPlugin, { queryClient }).mount("#app");
