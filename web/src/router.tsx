import { createRouter } from "@tanstack/react-router";
import { routeTree } from "./routeTree.gen.ts";
import { Shell } from "./ui/Shell.tsx";

export function getRouter() {
  return createRouter({
    routeTree,
    defaultPendingComponent: Shell,
    defaultPendingMs: 0,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof getRouter>;
  }
}
