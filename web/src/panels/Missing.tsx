// What a list shows while it is read, when it is empty, and when it cannot be had.
import { useI18n } from "../i18n/i18n.tsx";
import { Problem } from "../live/client.ts";

export function Missing(props: { query: { isLoading: boolean; error: Error | null }; empty: boolean; text: string }) {
  const { t } = useI18n();
  const { query, empty, text } = props;
  if (query.isLoading) return <p className="quiet">{t("loading")}</p>;
  if (query.error instanceof Problem) {
    const isAbsent = query.error.status === 404;
    return <p className={isAbsent ? "quiet" : "problem"}>{isAbsent ? t("notHere") : query.error.message}</p>;
  }
  if (query.error !== null) return <p className="quiet">{t("away")}</p>;
  return empty ? <p className="quiet">{text}</p> : null;
}
