// Log-in: the link that `microcos dev` prints, an issuer's page, or a token that somebody has.
import { createFileRoute, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useCallback, useEffect, useRef, useState } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import { type LogInConfig, getConfig, stranger } from "../session/config.ts";
import { beginOidc, finishOidc } from "../session/oidc.ts";
import { type Login as Found, farewell, isExpired, login, logIn, readToken } from "../session/token.ts";
import { messageOf } from "../ui/notify.tsx";

export const Route = createFileRoute("/login")({ component: Login });

/** The answer of the issuer, or the code of a link, is in the address when the page opens; it is taken out of it. */
function takeAddress(): { code: string | null; query: URLSearchParams | null } {
  const code = new URLSearchParams(window.location.hash.slice(1)).get("code");
  const query = new URLSearchParams(window.location.search);
  if (code !== null || query.has("state")) window.history.replaceState(window.history.state, "", "/login");
  return { code, query: query.has("state") ? query : null };
}

function Login() {
  const { t } = useI18n();
  const navigate = useNavigate();
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [config, setConfig] = useState<LogInConfig | null>(null);
  const began = useRef(false);

  const attempt = useCallback(
    async (how: () => Promise<Found | null>) => {
      setBusy(true);
      setProblem(null);
      try {
        const found = await how();
        if (found === null) return;
        logIn(found);
        await navigate({ to: "/", replace: true });
      } catch (error) {
        setProblem(messageOf(error, t));
      } finally {
        setBusy(false);
      }
    },
    [navigate, t],
  );

  useEffect(() => {
    if (began.current) return;
    began.current = true;
    const { code, query } = takeAddress();
    void attempt(async () => {
      if (code !== null) return exchange(code);
      const known = login();
      if (query === null && known !== null && !isExpired(known)) return known; // logged in already
      const found = await getConfig();
      setConfig(found);
      return query !== null && found.oidc !== null ? finishOidc(found.oidc, query) : null;
    });
  }, [attempt]);

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = String(new FormData(event.currentTarget).get("code")).trim();
    void attempt(() => takeGiven(given, t("notALogin")));
  };
  const oidc = config?.oidc ?? null;
  return (
    <main className="login">
      <h1>Micro CoS</h1>
      <p className="quiet" role="status">
        {t(login() === null ? (farewell() ?? "tagline") : "expired")}
      </p>
      {problem !== null && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {oidc !== null && (
        <button type="button" className="primary" disabled={busy} onClick={() => void attempt(() => beginOidc(oidc))}>
          {t("logIn")}
        </button>
      )}
      {oidc === null && <ByHand mode={config?.mode ?? "dev"} busy={busy} onSubmit={submit} />}
    </main>
  );
}

function ByHand(props: {
  mode: LogInConfig["mode"];
  busy: boolean;
  onSubmit: (event: FormEvent<HTMLFormElement>) => void;
}) {
  const { t } = useI18n();
  return (
    <form onSubmit={props.onSubmit}>
      <label>
        {t(props.mode === "token" ? "pasteToken" : "pasteLink")}
        <input name="code" required autoFocus autoComplete="off" spellCheck={false} />
      </label>
      <button type="submit" className="primary" disabled={props.busy}>
        {t("logIn")}
      </button>
    </form>
  );
}

async function takeGiven(given: string, otherwise: string): Promise<Found> {
  const token = readToken(given);
  if (token !== null) return token;
  const code = given.split("#code=").at(-1) ?? "";
  if (!/^[\w-]{16,128}$/.test(code)) throw new Error(otherwise);
  return exchange(code);
}

async function exchange(code: string): Promise<Found> {
  const { token } = await stranger.json<{ token: string }>("/auth/dev", { method: "POST", body: { code } });
  const found = readToken(token);
  if (found === null) throw new Error("The server sent no token.");
  return found;
}
