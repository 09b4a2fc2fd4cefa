import "@/styles/tokens.css";
import "vant/es/style/base.css";
import "vant/es/button/index.css";
import "vant/es/loading/index.css";
import "vant/es/pull-refresh/index.css";
import "vant/es/stepper/index.css";
import "vant/es/switch/index.css";
import "./phone.css";
import { onUnauthorised } from "@/api/client";
import { createApp } from "vue";
import App from "./App.vue";
import { i18n } from "./i18n";
import { listenForNetwork } from "./lib/network";
import { loadMe, me, toLogin, user } from "./lib/session";
import { listenForInstall } from "./me/install";
import { sweepDrafts } from "./queue/draft";
import { entries, start } from "./queue/outbox";
import { router } from "./router";

createApp(App).use(i18n).use(router).mount("#app");

// On pages of an account; what the outbox is just sending waits there, and whoever handed it in goes on to the log-in by himself.
onUnauthorised(() => {
  const sending = entries.value.some((entry) => entry.state === "sending");
  if (me.value && router.currentRoute.value.meta.account && !sending) toLogin();
});
listenForInstall();
listenForNetwork();
void loadMe()
  .then(() => start(() => user.value))
  .then(() => sweepDrafts());
