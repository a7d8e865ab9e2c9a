// TanStack Start teaches every client to call functions on its server, and ships a codec for that. Ours has no server
// functions, as the server is another program: without the adapter that names them the codec is in nobody's way.
import type { Plugin } from "vite";

const HYDRATION = /@tanstack\/start-client-core\/dist\/esm\/client\/hydrateStart\.js$/;
const ADAPTER = "serializationAdapters.push(ServerFunctionSerializationAdapter);";

export function shakeStart(): Plugin {
  return {
    name: "shake-start",
    apply: "build",
    transform(code, id) {
      if (!HYDRATION.test(id)) return null;
      if (!code.includes(ADAPTER)) throw new Error("TanStack Start adds its server functions elsewhere now");
      return { code: code.replace(ADAPTER, ""), map: null };
    },
  };
}
