// Short notices at the foot of the page, read out by screen readers, gone after a while.
import { type ReactNode, createContext, useCallback, useContext, useEffect, useState } from "react";
import { type Translate, useI18n } from "../i18n/i18n.tsx";
import { Problem } from "../live/client.ts";
import { Icon } from "./Icon.tsx";

const SECONDS = 8;
/** A text, or the error that has to be told. */
type Notify = (what: unknown) => void;

const Context = createContext<Notify>(() => undefined);

export function NotifyProvider({ children }: { children: ReactNode }) {
  const { t } = useI18n();
  const [notice, setNotice] = useState<{ text: string; at: number } | null>(null);
  const notify = useCallback<Notify>(
    (what) => setNotice({ text: typeof what === "string" ? what : messageOf(what, t), at: Date.now() }),
    [t],
  );
  useEffect(() => {
    if (notice === null) return;
    const timer = setTimeout(() => setNotice(null), SECONDS * 1_000);
    return () => clearTimeout(timer);
  }, [notice]);
  return (
    <Context.Provider value={notify}>
      {children}
      <div className="notices" role="status">
        {notice && (
          <div className="notice">
            <span>{notice.text}</span>
            <button type="button" className="icon" aria-label={t("dismiss")} onClick={() => setNotice(null)}>
              <Icon name="close" />
            </button>
          </div>
        )}
      </div>
    </Context.Provider>
  );
}

/** What an error says; one without words means that nobody answered. */
export function messageOf(error: unknown, t: Translate): string {
  if (error instanceof Problem) return error.isPassing ? t("busy") : t.maybe(`problem_${error.code}`, error.message);
  return error instanceof Error && error.message !== "" ? error.message : t("away");
}

export const useNotify = () => useContext(Context);
