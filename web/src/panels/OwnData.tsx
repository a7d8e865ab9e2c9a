// All of one's own data: take it along as a file, or have it erased for good.
import { type FormEvent, useId, useRef, useState } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import { useLive } from "../live/context.tsx";
import { logOut } from "../session/token.ts";
import { Icon } from "../ui/Icon.tsx";
import { messageOf, useNotify } from "../ui/notify.tsx";

export function Export() {
  const { t } = useI18n();
  const live = useLive();
  const notify = useNotify();
  const [busy, setBusy] = useState(false);
  const save = async () => {
    setBusy(true);
    try {
      const url = URL.createObjectURL(await (await live.client.send("/api/v1/export")).blob());
      const link = Object.assign(document.createElement("a"), { href: url, download: "microcos-export.zip" });
      link.click();
      URL.revokeObjectURL(url);
    } catch (error) {
      notify(error);
    }
    setBusy(false);
  };
  return (
    <button type="button" disabled={busy} onClick={() => void save()}>
      <Icon name="down" /> {t("export")}
    </button>
  );
}

/** Asks first, in a dialog that wants a word typed. */
export function Erase() {
  const { t } = useI18n();
  const live = useLive();
  const title = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const [word, setWord] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const open = () => {
    setWord("");
    setProblem("");
    dialog.current?.showModal();
  };
  const erase = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    try {
      await live.client.send("/api/v1/erase", { method: "POST", body: {} });
      logOut("erased");
    } catch (error) {
      setProblem(messageOf(error, t));
      setBusy(false);
    }
  };
  return (
    <>
      <button type="button" className="problem" onClick={open}>
        <Icon name="trash" /> {t("erase")}
      </button>
      <dialog
        ref={dialog}
        aria-labelledby={title}
        onCancel={(event) => busy && event.preventDefault()}
        onKeyDown={(event) => event.stopPropagation()}
      >
        <form onSubmit={(event) => void erase(event)}>
          <h2 id={title}>{t("eraseTitle")}</h2>
          <p>{t("eraseWhat")}</p>
          <p>{t("eraseFirst")}</p>
          <Export />
          <label>
            {t("eraseType", { word: t("eraseWord") })}
            <input
              value={word}
              autoComplete="off"
              spellCheck={false}
              disabled={busy}
              onChange={(event) => setWord(event.target.value)}
            />
          </label>
          {problem !== "" && (
            <p className="problem" role="alert">
              {problem}
            </p>
          )}
          {busy && <progress aria-label={t("erasing")} />}
          <div className="buttons">
            <button type="button" disabled={busy} onClick={() => dialog.current?.close()}>
              {t("eraseNot")}
            </button>
            <button type="submit" className="danger" disabled={busy || word.trim() !== t("eraseWord")}>
              {t(busy ? "erasing" : "eraseNow")}
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}
