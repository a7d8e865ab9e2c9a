import { tanstackStart } from "@tanstack/react-start/plugin/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { shakePrimitives } from "./scripts/shake-primitives.ts";
import { shakeStart } from "./scripts/shake-start.ts";

// Development: `microcos dev` answers what is not the page itself.
const API = process.env.MICROCOS_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [
    tanstackStart({
      // A prerendered shell and no server of its own: the API serves the built files.
      // One chunk: there are two pages, and a chunk for each costs 3 kB and a round trip.
      router: { codeSplittingOptions: { defaultBehavior: [] } },
      spa: { enabled: true, maskPath: "/login", prerender: { outputPath: "/index.html" } },
    }),
    react(),
    shakePrimitives(),
    shakeStart(),
  ],
  server: { port: 5173, proxy: { "/api": { target: API, ws: true }, "/auth": API } },
  build: { target: "es2022" },
});
