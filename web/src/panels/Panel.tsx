// The side panel: agenda, tasks, calendar, trips, memory. Which one is open stands in the address.
import type { ComponentType } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import { Icon, type IconName } from "../ui/Icon.tsx";
import { Agenda } from "./Agenda.tsx";
import { Calendar } from "./Calendar.tsx";
import { MemoryPanel } from "./MemoryPanel.tsx";
import { Tasks } from "./Tasks.tsx";
import { Trips } from "./Trips.tsx";

export const PANELS = ["agenda", "tasks", "calendar", "trips", "memory"] as const;
export type PanelName = (typeof PANELS)[number];

export const PANEL_ICONS: Record<PanelName, IconName> = {
  agenda: "sun",
  tasks: "check",
  calendar: "calendar",
  trips: "plane",
  memory: "brain",
};

const BODIES: Record<PanelName, ComponentType> = {
  agenda: Agenda,
  tasks: Tasks,
  calendar: Calendar,
  trips: Trips,
  memory: MemoryPanel,
};

export function Panel({ name, inert, onClose }: { name: PanelName; inert: boolean; onClose: () => void }) {
  const { t } = useI18n();
  const Body = BODIES[name];
  return (
    <aside
      className="panel"
      inert={inert}
      aria-label={t(`panel_${name}`)}
      onKeyDown={(event) => event.key === "Escape" && onClose()}
    >
      <header>
        <h2>{t(`panel_${name}`)}</h2>
        <button type="button" className="icon" aria-label={t("closePanel")} onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <div className="panel-body" tabIndex={0}>
        <Body />
      </div>
    </aside>
  );
}
