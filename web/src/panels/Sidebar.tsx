// Conversations: new, open, rename, archive, delete, search; and who is logged in.
import { ThreadListItemPrimitive, ThreadListPrimitive, useAui, useAuiState } from "@assistant-ui/react";
import { useState } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import { Icon } from "../ui/Icon.tsx";
import { useNotify } from "../ui/notify.tsx";
import { Account } from "./Account.tsx";
import type { PanelName } from "./Panel.tsx";
import { Search } from "./Search.tsx";

const ITEMS = { ThreadListItem: Item };

export function Sidebar(props: {
  open: (id: string, message?: string) => void;
  show: (panel: PanelName) => void;
  onClose: () => void;
}) {
  const { open, show, onClose } = props;
  const { t } = useI18n();
  const [query, setQuery] = useState("");
  const archived = useAuiState((s) => s.threads.archivedThreadIds);
  const isArchived = useAuiState((s) => s.threadListItem.status === "archived"); // the one that is open
  return (
    <nav className="sidebar" aria-label={t("conversations")} onKeyDown={(event) => event.key === "Escape" && onClose()}>
      <header>
        <p className="brand">Micro CoS</p>
        <button type="button" className="icon only-phone" aria-label={t("closeMenu")} onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <label className="search">
        <Icon name="search" />
        <input
          type="search"
          aria-label={t("search")}
          placeholder={t("search")}
          value={query}
          onChange={(e) => setQuery(e.target.value)}
        />
      </label>
      {query.trim() === "" ? (
        <ThreadListPrimitive.Root className="threads">
          <ThreadListPrimitive.New className="new-thread">
            <Icon name="plus" /> {t("newConversation")}
          </ThreadListPrimitive.New>
          <ThreadListPrimitive.Items components={ITEMS} />
          {archived.length > 0 && (
            <details open={isArchived}>
              <summary>{t("archived", { count: archived.length })}</summary>
              <ThreadListPrimitive.Items archived components={ITEMS} />
            </details>
          )}
        </ThreadListPrimitive.Root>
      ) : (
        <Search query={query.trim()} open={open} show={show} />
      )}
      <Account />
    </nav>
  );
}

function Item() {
  const { t } = useI18n();
  const aui = useAui();
  const notify = useNotify();
  const title = useAuiState((s) => s.threadListItem.title ?? "");
  const isArchived = useAuiState((s) => s.threadListItem.status === "archived");
  const isMain = useAuiState((s) => s.threadListItem.id === "main");
  const [editing, setEditing] = useState(false);
  const [deleting, setDeleting] = useState(false);
  const item = () => aui.threadListItem;
  const tell = (done: Promise<void> | void) => void Promise.resolve(done).catch(notify);
  const rename = (given: string) => {
    setEditing(false);
    if (given.trim() !== "" && given.trim() !== title) tell(item().rename(given.trim()));
  };
  if (editing) return <Rename title={title} onDone={rename} onCancel={() => setEditing(false)} />;
  return (
    <ThreadListItemPrimitive.Root className="thread-item">
      <ThreadListItemPrimitive.Trigger className="thread-title">
        <ThreadListItemPrimitive.Title fallback={t("newConversation")} />
      </ThreadListItemPrimitive.Trigger>
      {deleting ? (
        <span className="sure">
          <button type="button" className="link problem" onClick={() => tell(item().delete())}>
            {t("deleteForGood")}
          </button>
          <button type="button" className="link" onClick={() => setDeleting(false)}>
            {t("keep")}
          </button>
        </span>
      ) : (
        <span className="item-actions">
          <button
            type="button"
            className="icon quiet"
            aria-label={t("renameOne", { title })}
            onClick={() => setEditing(true)}
          >
            <Icon name="edit" />
          </button>
          <button
            type="button"
            className="icon quiet"
            aria-label={t(isArchived ? "restoreOne" : "archiveOne", { title })}
            onClick={() => tell(isArchived ? item().unarchive() : item().archive())}
          >
            <Icon name="archive" />
          </button>
          <button
            type="button"
            className="icon quiet"
            aria-label={t("deleteOne", { title })}
            onClick={() => setDeleting(true)}
          >
            <Icon name="trash" />
          </button>
        </span>
      )}
      {isMain && <span className="only-read">{t("mainConversation")}</span>}
    </ThreadListItemPrimitive.Root>
  );
}

function Rename(props: { title: string; onDone: (title: string) => void; onCancel: () => void }) {
  const { t } = useI18n();
  const [text, setText] = useState(props.title);
  return (
    <form
      className="thread-item"
      onSubmit={(event) => {
        event.preventDefault();
        props.onDone(text);
      }}
    >
      <input
        ref={(input) => input?.focus()}
        aria-label={t("newName")}
        value={text}
        maxLength={500}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.stopPropagation();
          props.onCancel();
        }}
        onBlur={() => props.onDone(text)}
      />
    </form>
  );
}
