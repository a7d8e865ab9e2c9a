// What a list shows while it is read, when it is empty, and when it cannot be had.
import { useI18n } from "../i18n/i18n.tsx";
import { Problem } from "../live/client.ts";
import { messageOf } from "../ui/notify.tsx";

interface Query {
  isLoading: boolean;
  error: Error | null;
  refetch(): unknown;
}

export function Missing({ query, empty, text }: { query: Query; empty: boolean; text: string }) {
  const { t } = useI18n();
  if (query.isLoading) return <p className="quiet">{t("loading")}</p>;
  if (query.error instanceof Problem && query.error.status === 404) return <p className="quiet">{t("notHere")}</p>;
  if (query.error !== null) {
    return (
      <p className="problem" role="alert">
        {messageOf(query.error, t)}{" "}
        <button type="button" className="link" onClick={() => void query.refetch()}>
          {t("retry")}
        </button>
      </p>
    );
  }
  return empty ? <p className="quiet">{text}</p> : null;
}
