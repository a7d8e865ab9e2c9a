// assistant-ui exports each family of primitives as one object, which no bundler can shake. The same members are
// exports of the family's module too: importing those as a namespace ships only the ones that the client uses.
import type { Plugin } from "vite";

const INDEX = /@assistant-ui\/react\/dist\/index\.js$/;
const FAMILY = /^import \{ (\w+_exports) \} from ("\.\/primitives\/\w+\.js");$/gm;

export function shakePrimitives(): Plugin {
  return {
    name: "shake-primitives",
    transform(code, id) {
      return INDEX.test(id) ? { code: code.replace(FAMILY, "import * as $1 from $2;"), map: null } : null;
    },
  };
}
