// The page: conversations, the chat, and a panel beside it. Which conversation and which panel stands in the address.
import { useAuiState } from "@assistant-ui/react";
import { Navigate, createFileRoute, useNavigate } from "@tanstack/react-router";
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { ChatRuntime } from "../chat/runtime.tsx";
import { Thread } from "../chat/Thread.tsx";
import { useI18n } from "../i18n/i18n.tsx";
import { LiveProvider } from "../live/context.tsx";
import { PANELS, PANEL_ICONS, Panel, type PanelName } from "../panels/Panel.tsx";
import { Sidebar } from "../panels/Sidebar.tsx";
import { logInEra, login, stamp, subscribe } from "../session/token.ts";
import { Banners } from "../ui/Banners.tsx";
import { HomeZone } from "../ui/HomeZone.tsx";
import { Icon } from "../ui/Icon.tsx";
import { watchTurn } from "../voice/turn.ts";

interface Place {
  /** The conversation. */
  c?: string;
  /** The message in it that is looked for. */
  m?: string;
  panel?: PanelName;
}

const ID = /^[A-Za-z0-9_-]{1,64}$/;
const idOf = (value: unknown): string | undefined => (typeof value === "string" && ID.test(value) ? value : undefined);

export const Route = createFileRoute("/")({
  validateSearch: (search: Record<string, unknown>): Place => {
    const [c, m] = [idOf(search.c), idOf(search.m)];
    const panel = PANELS.find((name) => name === search.panel);
    return { ...(c && { c }), ...(m && { m }), ...(panel && { panel }) };
  },
  component: Home,
});

function Home() {
  useSyncExternalStore(subscribe, stamp, () => "");
  const user = login();
  if (user === null) return <Navigate to="/login" replace />;
  return (
    <LiveProvider key={logInEra()} userId={user.userId}>
      <Frame />
    </LiveProvider>
  );
}

function Frame() {
  const { t } = useI18n();
  const navigate = useNavigate({ from: "/" });
  const { c = "main", m, panel } = Route.useSearch();
  const [menu, setMenu] = useMenu();
  useEffect(watchTurn, []);
  const open = useCallback(
    (id: string, message?: string) => {
      setMenu(false);
      void navigate({
        search: ({ panel: shown }) => ({
          ...(id !== "main" && { c: id }),
          ...(message && { m: message }),
          ...(shown && { panel: shown }),
        }),
      });
    },
    [navigate, setMenu],
  );
  const show = (name: PanelName | null) => {
    setMenu(false);
    void navigate({ search: ({ panel: _, ...rest }) => (name === null ? rest : { ...rest, panel: name }) });
  };
  useEffect(() => {
    document.title = panel === undefined ? "Micro CoS" : `${t(`panel_${panel}`)} – Micro CoS`;
  }, [panel, t]);
  return (
    <ChatRuntime conversationId={c} open={open}>
      <HomeZone />
      {/* While the menu is open nothing behind it can be reached, and a press beside it closes it. */}
      <div
        className={`app${menu ? " with-menu" : ""}${panel ? " with-panel" : ""}`}
        onClick={menu ? (event) => besideMenu(event.target) && setMenu(false) : undefined}
      >
        <Sidebar open={open} show={show} onClose={() => setMenu(false)} />
        <main>
          <header className="top">
            <button
              type="button"
              className="icon only-phone"
              aria-label={t("openMenu")}
              aria-expanded={menu}
              inert={menu}
              onClick={() => setMenu(true)}
            >
              <Icon name="menu" />
            </button>
            <Title />
            <div className="panel-buttons" role="group" aria-label={t("panels")} inert={menu}>
              {PANELS.map((name) => (
                <button
                  key={name}
                  type="button"
                  className="icon"
                  aria-label={t(`panel_${name}`)}
                  title={t(`panel_${name}`)}
                  aria-pressed={panel === name}
                  onClick={() => show(panel === name ? null : name)}
                >
                  <Icon name={PANEL_ICONS[name]} />
                </button>
              ))}
            </div>
          </header>
          <Banners />
          <Thread conversationId={c} sought={m} inert={menu} />
        </main>
        {panel && <Panel name={panel} inert={menu} onClose={() => show(null)} />}
      </div>
    </ChatRuntime>
  );
}

const besideMenu = (target: EventTarget): boolean => target instanceof Element && target.closest(".sidebar") === null;

/** Whether the menu of a phone is open. The focus goes into it, and back to the button that opened it. */
function useMenu() {
  const menu = useState(false);
  const [isOpen] = menu;
  useEffect(() => {
    if (!isOpen) return;
    const opener = document.querySelector<HTMLElement>(".top .only-phone");
    document.querySelector<HTMLElement>(".sidebar .only-phone")?.focus();
    return () => opener?.focus();
  }, [isOpen]);
  return menu;
}

function Title() {
  const title = useAuiState((s) => s.threadListItem.title);
  return <h1 className="title">{title ?? "Micro CoS"}</h1>;
}
