import { fileURLToPath, URL } from "node:url";
import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";
import { VitePWA } from "vite-plugin-pwa";

const server = process.env.GRIDLOOP_URL ?? "http://127.0.0.1:8000";
const proxied = ["/api", "/_allauth", "/login", "/static"];

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "/m/",
  plugins: [
    vue(),
    VitePWA({
      registerType: "prompt",
      scope: "/m/",
      // The worker carries the shell only: data lives in IndexedDB, so nobody is shown somebody else's answers or stale ones unmarked.
      workbox: {
        globPatterns: ["**/*.{js,css,html,svg,woff2,webmanifest}"],
        globIgnores: ["**/maplibre*", "**/*worker*.mjs"], // 0.4 MB that only a tap on a map needs
        navigateFallback: "/m/index.html",
        navigateFallbackAllowlist: [/^\/m\//],
        cleanupOutdatedCaches: true,
      },
      manifest: {
        id: "/m/",
        name: "网格闭环",
        short_name: "网格闭环",
        description: "任务、随手报、进度",
        lang: "zh-CN",
        start_url: "/m/",
        scope: "/m/",
        display: "standalone",
        background_color: "#f4f6f9",
        theme_color: "#0b5cad",
        icons: [
          { src: "/m/icon-192.png", sizes: "192x192", type: "image/png" },
          { src: "/m/icon-512.png", sizes: "512x512", type: "image/png" },
          { src: "/m/icon-512.png", sizes: "512x512", type: "image/png", purpose: "maskable" },
        ],
        shortcuts: [{ name: "随手报", url: "/m/report", icons: [{ src: "/m/icon-192.png", sizes: "192x192" }] }],
      },
    }),
  ],
  resolve: { alias: { "@": fileURLToPath(new URL("../src", import.meta.url)) } },
  define: { __VUE_I18N_FULL_INSTALL__: "false", __VUE_I18N_LEGACY_API__: "false", __INTLIFY_PROD_DEVTOOLS__: "false" },
  build: { target: "es2022", outDir: "../dist/m", emptyOutDir: true, assetsInlineLimit: 0 },
  server: { proxy: Object.fromEntries(proxied.map((path) => [path, { target: server, changeOrigin: false }])) },
});
