import "@/styles/tokens.css";
import "vant/es/style/base.css";
import "vant/es/button/index.css";
import "vant/es/loading/index.css";
import "vant/es/pull-refresh/index.css";
import "vant/es/stepper/index.css";
import "vant/es/switch/index.css";
import "./phone.css";
import { createApp } from "vue";
import App from "./App.vue";
import { i18n } from "./i18n";
import { listenForNetwork } from "./lib/network";
import { loadMe, user } from "./lib/session";
import { listenForInstall } from "./me/install";
import { start } from "./queue/outbox";
import { router } from "./router";

createApp(App).use(i18n).use(router).mount("#app");

listenForInstall();
listenForNetwork();
void loadMe().then(() => start(() => user.value));
