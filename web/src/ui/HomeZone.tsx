// Tells the server which clock the user lives by, once: without it "tomorrow at 5" would be on the server's.
import { useEffect } from "react";
import type { Brain } from "../live/brain.ts";
import { useBrain, useIsLoaded, useLive } from "../live/context.tsx";
import { homeZone } from "../panels/lists.ts";

const zoneOf = (brain: Brain) => brain.preferences.timezone;

export function HomeZone() {
  const live = useLive();
  const loaded = useIsLoaded();
  const known = useBrain(zoneOf);
  useEffect(() => {
    if (!loaded || known !== undefined) return;
    const value = homeZone();
    // Two tabs ask for the same with the same key. A zone that the server does not know stays unset.
    live.client
      .json("/api/v1/preferences/timezone", { method: "PUT", body: { value }, key: `home-zone-${value}` })
      .catch(() => undefined);
  }, [live, loaded, known]);
  return null;
}
