// Short notices at the foot of the page, read out by screen readers, gone after a while.
import { type ReactNode, createContext, useCallback, useContext, useEffect, useState } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import { Icon } from "./Icon.tsx";

const SECONDS = 8;
const Context = createContext<(text: string) => void>(() => undefined);

export function NotifyProvider({ children }: { children: ReactNode }) {
  const { t } = useI18n();
  const [notice, setNotice] = useState<{ text: string; at: number } | null>(null);
  const notify = useCallback((text: string) => setNotice({ text, at: Date.now() }), []);
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

export const useNotify = () => useContext(Context);
