// One record: head with actions, grouped fields, related lists.

import { useEffect, useState } from "preact/hooks";
import { deleteSoon } from "../deleting.ts";
import { address, go, route } from "../router.ts";
import { account, ask, waiting } from "../state.ts";
import { useStore } from "../store.ts";
import { type TableView, views } from "../tables.ts";
import { initials, tint } from "../words.ts";
import { Field } from "./field.tsx";
import { Icon } from "./icons.tsx";
import { Badge } from "./list.tsx";
import { RelatedList } from "./related.tsx";
import { type Form, useRecord } from "./use-record.ts";

export function RecordPage({ view, id }: { view: TableView; id: string }) {
  const { query } = useStore(route);
  const { user } = useStore(account);
  const form = useRecord(view, id, query, user?.userid ?? "");
  const isNew = id === "new";
  if (form.problem && !form.definition) {
    return (
      <section class="page narrow">
        <BackLink view={view} />
        <p class="problem block" role="alert" data-testid="record-problem">
          {form.problem}
          <button type="button" class="button small quiet" onClick={form.reload}>
            Try again
          </button>
        </p>
      </section>
    );
  }
  return (
    <section
      class="page record"
      aria-labelledby="record-title"
      data-testid={`record-${view.set}`}
      data-id={id}
      data-loaded={form.definition ? "true" : "false"}
    >
      <Head view={view} id={id} form={form} />
      {form.problem ? (
        <p class="problem block" role="alert" data-testid="record-problem">
          {form.problem}
        </p>
      ) : null}
      {form.definition ? (
        <div class="record-columns">
          <Groups view={view} isNew={isNew} form={form} />
          <div class="related-lists">
            {isNew
              ? null
              : view.related.map((related) => (
                  <RelatedList
                    key={related.set}
                    related={related}
                    view={views[related.set]}
                    parent={{ table: view.table, id, name: form.title }}
                  />
                ))}
          </div>
        </div>
      ) : (
        <p class="empty muted">Loading…</p>
      )}
    </section>
  );
}

function BackLink({ view }: { view: TableView }) {
  return (
    <a class="back" href={address(view.set)} data-testid="back">
      <Icon name="back" />
      <span>{view.labels}</span>
    </a>
  );
}

function Head({ view, id, form }: { view: TableView; id: string; form: Form }) {
  const pending = useStore(waiting).get(`${view.set}:${id}`);
  const isNew = id === "new";
  const title = isNew ? form.title || `New ${view.label.toLowerCase()}` : form.title;
  const askDelete = async () => {
    const choice = await ask({
      title: `Delete ${view.label.toLowerCase()}?`,
      text: `“${title}” will be deleted for everyone. You can undo this for a few seconds.`,
      choices: [
        { value: "keep", label: "Keep", tone: "main" },
        { value: "delete", label: "Delete", tone: "danger" },
      ],
    });
    if (choice !== "delete") return;
    form.leave();
    deleteSoon(view, id, title);
    go(address(view.set));
  };
  return (
    <header class="record-head">
      <BackLink view={view} />
      <div class="record-title">
        <span class={`avatar big tint-${tint(title)} ${view.set}`} aria-hidden="true">
          {view.set === "tasks" ? <Icon name="tasks" /> : initials(title)}
        </span>
        <div>
          <p class="muted kicker">{view.label}</p>
          <h1 id="record-title" data-testid="title">
            {title || "…"}
          </h1>
        </div>
        {pending ? (
          <Badge state={pending.some((entry) => entry.state === "parked") ? "parked" : "waiting"} />
        ) : null}
      </div>
      <div class="buttons">
        {form.dirty ? (
          <span class="muted unsaved" data-testid="unsaved">
            Not saved
          </span>
        ) : null}
        {isNew || !form.definition ? null : (
          <button type="button" class="button quiet" onClick={askDelete} data-testid="delete">
            <Icon name="trash" />
            <span>Delete</span>
          </button>
        )}
        <button
          type="submit"
          form="record-form"
          class="button main"
          disabled={form.saving || (!form.dirty && !isNew)}
          data-testid="save"
        >
          {form.saving ? "Saving…" : "Save"}
        </button>
      </div>
    </header>
  );
}

function Groups({ view, isNew, form }: { view: TableView; isNew: boolean; form: Form }) {
  useEffect(() => {
    const save = (event: KeyboardEvent) => {
      if (event.key !== "s" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      void form.save();
    };
    addEventListener("keydown", save);
    return () => removeEventListener("keydown", save);
  }, [form]);
  const [tried, setTried] = useState(false);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    setTried(true);
    void form.save();
  };
  return (
    <form id="record-form" class="groups" noValidate onSubmit={submit} data-testid="form">
      {view.groups.map((group) => {
        const columns = group.fields
          .map((name) => form.definition?.columns.get(name))
          // The server gives a new row its first status.
          .filter((column) => column !== undefined)
          .filter((column) => !(isNew && column.kind === "status"));
        if (columns.length === 0) return null;
        return (
          <fieldset key={group.title} class="group" disabled={form.saving}>
            <legend>{group.title}</legend>
            {columns.map((column) => (
              <Field
                key={column.name}
                column={column}
                states={form.definition?.states ?? []}
                value={form.values[column.name] ?? null}
                complaint={form.complaints[column.name] ?? ""}
                eager={tried}
                readOnly={isNew ? !column.create : !column.update}
                onChange={(value) => form.edit(column.name, value)}
              />
            ))}
          </fieldset>
        );
      })}
    </form>
  );
}
