// The web CRM: one page, all data through `dynamics-web-api`, offline by Flette. What the tests rely on (data-testid,
// data-id and the like) is listed in www/README.md.

import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/notices.css";
import "./styles/frame.css";
import "./styles/state.css";
import "./styles/avatar.css";
import "./styles/list.css";
import "./styles/record.css";
import "./styles/sync.css";
import "./theme.ts";
import { render } from "preact";
import { useEffect } from "preact/hooks";
import { lookAtStorage } from "./persist.ts";
import { replace, route } from "./router.ts";
import { account, centreOpen, findUser, start } from "./state.ts";
import { useStore } from "./store.ts";
import { viewOfSet, views } from "./tables.ts";
import { QuestionDialog, Toasts } from "./views/dialogs.tsx";
import { Frame } from "./views/frame.tsx";
import { ListPage } from "./views/list.tsx";
import { RecordPage } from "./views/record.tsx";
import { SignInDialog, SignInPage } from "./views/sign-in.tsx";
import { SyncCentre } from "./views/sync-centre.tsx";

function App() {
  const { phase } = useStore(account);
  if (phase === "starting") return <div class="starting" aria-busy="true" data-testid="starting" />;
  return (
    <>
      {phase === "out" ? (
        <SignInPage />
      ) : (
        <Frame>
          <Page />
        </Frame>
      )}
      <SyncCentre />
      <SignInDialog />
      <QuestionDialog />
      <Toasts />
    </>
  );
}

function Page() {
  const { page, id } = useStore(route);
  const view = viewOfSet(page) ?? views.contacts;
  useEffect(() => {
    document.title = `${view.labels} – Flette CRM`;
    if (page !== "sync") return;
    // The sync centre lies over a list.
    centreOpen.set(true);
    replace("#/contacts");
  }, [page, view]);
  useEffect(() => {
    const main = document.getElementById("main");
    main?.scrollTo(0, 0);
    main?.focus({ preventScroll: true });
  }, [page, id]);
  if (!id) return <ListPage key={view.set} view={view} />;
  return <RecordPage key={`${view.set}/${id}`} view={view} id={id} />;
}

const root = document.getElementById("app");
if (root) render(<App />, root);
void start().then(findUser);
void lookAtStorage();
