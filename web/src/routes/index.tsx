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

interface Place {
  c?: string;
  panel?: PanelName;
}

const CONVERSATION = /^[A-Za-z0-9_-]{1,64}$/;

export const Route = createFileRoute("/")({
  validateSearch: (search: Record<string, unknown>): Place => {
    const { c, panel } = search;
    const found = PANELS.find((name) => name === panel);
    return { ...(typeof c === "string" && CONVERSATION.test(c) ? { c } : {}), ...(found ? { panel: found } : {}) };
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
  const { c = "main", panel } = Route.useSearch();
  const [menu, setMenu] = useState(false);
  const open = useCallback(
    (id: string) => {
      setMenu(false);
      void navigate({ search: ({ c: _, ...rest }) => (id === "main" ? rest : { ...rest, c: id }) });
    },
    [navigate],
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
      <div className={`app${menu ? " with-menu" : ""}${panel ? " with-panel" : ""}`}>
        <Sidebar open={open} show={show} onClose={() => setMenu(false)} />
        <main>
          <header className="top">
            <button
              type="button"
              className="icon only-phone"
              aria-label={t("openMenu")}
              aria-expanded={menu}
              onClick={() => setMenu(true)}
            >
              <Icon name="menu" />
            </button>
            <Title />
            <div className="panel-buttons" role="group" aria-label={t("panels")}>
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
          <Thread conversationId={c} />
        </main>
        {panel && <Panel name={panel} onClose={() => show(null)} />}
      </div>
    </ChatRuntime>
  );
}

function Title() {
  const title = useAuiState((s) => s.threadListItem.title);
  return <h1 className="title">{title ?? "Micro CoS"}</h1>;
}
