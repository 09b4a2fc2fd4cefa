import { fileURLToPath, URL } from "node:url";
import vue from "@vitejs/plugin-vue";
import Components from "unplugin-vue-components/vite";
import { ElementPlusResolver } from "unplugin-vue-components/resolvers";
import { defineConfig } from "vite";

const server = process.env.GRIDLOOP_URL ?? "http://127.0.0.1:8000";
const proxied = ["/api", "/_allauth", "/login", "/static", "/track"];

export default defineConfig({
  plugins: [
    vue(),
    // Only the Element Plus parts a screen names are bundled; the whole kit would double every route.
    Components({ dts: "src/components.d.ts", dirs: [], resolvers: [ElementPlusResolver({ importStyle: "css" })] }),
  ],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  define: { __VUE_I18N_FULL_INSTALL__: "false", __VUE_I18N_LEGACY_API__: "false", __INTLIFY_PROD_DEVTOOLS__: "false" },
  build: {
    target: "es2022", // MapLibre 6 is ESM with a separate worker
    outDir: "dist",
    emptyOutDir: true, // the phone is built after the desk, into dist/m
    chunkSizeWarningLimit: 1100,
    // The content policy forbids data: scripts; small assets stay files.
    assetsInlineLimit: 0,
  },
  server: { proxy: Object.fromEntries(proxied.map((path) => [path, { target: server, changeOrigin: false }])) },
});
