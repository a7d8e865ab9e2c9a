// How components read the live state.
import { QueryClientProvider, useQuery } from "@tanstack/react-query";
import { type ReactNode, createContext, useContext, useEffect, useState, useSyncExternalStore } from "react";
import { bearerOf } from "../session/renewal.ts";
import { type Brain, emptyBrain } from "./brain.ts";
import type { Link } from "./connection.ts";
import { BRAIN, Live } from "./live.ts";
import type { Unsent } from "./outbox.ts";

const Context = createContext<Live | null>(null);
const NOTHING = emptyBrain();

/** Lives as long as one log-in; the next one begins with what the server and this browser kept. */
export function LiveProvider({ userId, children }: { userId: string; children: ReactNode }) {
  const [live, setLive] = useState<Live | null>(null);
  useEffect(() => {
    const made = new Live(userId, bearerOf(userId));
    setLive(made);
    void made.start();
    return () => made.stop();
  }, [userId]);
  if (live === null) return null;
  return (
    <QueryClientProvider client={live.queries}>
      <Context.Provider value={live}>{children}</Context.Provider>
    </QueryClientProvider>
  );
}

export function useLive(): Live {
  const live = useContext(Context);
  if (live === null) throw new Error("used outside of LiveProvider");
  return live;
}

/** `select` must be a stable function: it runs for every frame. */
export function useBrain<T>(select: (brain: Brain) => T): T {
  const { data } = useQuery<Brain, Error, T>({ queryKey: BRAIN, enabled: false, select });
  return data === undefined ? select(NOTHING) : data;
}

/** Whether the first snapshot is there. */
export const useIsLoaded = (): boolean => useBrain(hasVersion);
const hasVersion = (brain: Brain): boolean => brain.userId !== "";

export function useLink(): Link {
  const live = useLive();
  return useSyncExternalStore(live.subscribe, live.readLink);
}

export function useOutbox(): readonly Unsent[] {
  const { outbox } = useLive();
  return useSyncExternalStore(outbox.subscribe, outbox.list);
}

export function useIsUnanswered(): boolean {
  const { outbox } = useLive();
  return useSyncExternalStore(outbox.subscribe, outbox.isUnanswered);
}
