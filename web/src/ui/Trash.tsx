// Deletes at the second press: the first one asks, and whoever turns to something else has answered no.
import { useState } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import { Icon } from "./Icon.tsx";

export function Trash({ label, disabled, onDelete }: { label: string; disabled?: boolean; onDelete: () => void }) {
  const { t } = useI18n();
  const [asks, setAsks] = useState(false);
  return (
    <button
      type="button"
      className={asks ? "danger asks" : "icon quiet"}
      aria-label={asks ? `${t("really")} ${label}` : label}
      disabled={disabled}
      onBlur={() => setAsks(false)}
      onClick={() => (asks ? onDelete() : setAsks(true))}
    >
      {asks ? t("really") : <Icon name="trash" />}
    </button>
  );
}
