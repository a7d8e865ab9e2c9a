// The document around every page, and the shell that is shown before the client runs.
import { ClientOnly, HeadContent, Outlet, Scripts, createRootRoute } from "@tanstack/react-router";
import { useEffect } from "react";
import { I18nProvider } from "../i18n/i18n.tsx";
import { startRenewal } from "../session/renewal.ts";
import { start } from "../session/token.ts";
import icon from "../styles/icon.svg?url&no-inline";
import styles from "../styles/all.css?url";
import { NotifyProvider } from "../ui/notify.tsx";
import { Shell } from "../ui/Shell.tsx";
import { paint } from "../ui/taste.ts";

if (typeof window !== "undefined") {
  startRenewal();
  start();
  paint();
}

export const Route = createRootRoute({
  ssr: false,
  head: () => ({
    meta: [
      { charSet: "utf-8" },
      {
        name: "viewport",
        content: "width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content",
      },
      { name: "color-scheme", content: "light dark" },
      { name: "description", content: "Your personal chief of staff." },
      { title: "Micro CoS" },
    ],
    links: [
      { rel: "stylesheet", href: styles },
      { rel: "icon", href: icon, type: "image/svg+xml" },
    ],
  }),
  component: Document,
});

function Document() {
  useEffect(() => {
    document.body.dataset.ready = "true";
  }, []);
  return (
    <html lang="en" suppressHydrationWarning>
      <head>
        <HeadContent />
      </head>
      <body>
        <I18nProvider>
          <NotifyProvider>
            {/* The shell is taken over as it is, and the page drawn then: on a slow machine the router may be done before
                React has taken over what stands inside a boundary, and would be met by another page than it expects. */}
            <ClientOnly fallback={<Shell />}>
              <Outlet />
            </ClientOnly>
          </NotifyProvider>
        </I18nProvider>
        <Scripts />
      </body>
    </html>
  );
}
