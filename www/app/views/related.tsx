// Rows that point to the record shown: contacts of an account, tasks of both.

import { address } from "../router.ts";
import type { Related, TableView } from "../tables.ts";
import { Icon } from "./icons.tsx";
import { RowTable } from "./list.tsx";
import { useList } from "./use-list.ts";

const SIZE = 10;

interface Parent {
  table: string;
  id: string;
  name: string;
}

export function RelatedList({
  related,
  view,
  parent,
}: {
  related: Related;
  view: TableView;
  parent: Parent;
}) {
  const property = `_${related.lookup}_value`;
  const filter = `${property} eq ${parent.id}`;
  const found = useList(view, { search: "", sort: view.sort, filter }, parent.id, SIZE);
  const add = address(view.set, "new", { [related.lookup]: `${parent.table}:${parent.id}:${parent.name}` });
  return (
    <section class="related" aria-label={related.title} data-testid={`related-${related.set}`}>
      <header>
        <h2>{related.title}</h2>
        <span class="count" data-testid={`related-${related.set}-count`}>
          {found.page?.total ?? ""}
        </span>
        <a class="button small quiet" href={add} data-testid={`related-${related.set}-new`}>
          <Icon name="plus" />
          <span>New {view.label.toLowerCase()}</span>
        </a>
      </header>
      {found.problem ? <p class="problem">{found.problem}</p> : null}
      {found.rows.length > 0 ? (
        <RowTable view={view} rows={found.rows} without={property} />
      ) : found.page ? (
        <p class="empty muted small">None yet.</p>
      ) : null}
      {found.page?.next ? (
        <button type="button" class="button quiet wide" onClick={found.more} disabled={found.busy}>
          Load more
        </button>
      ) : null}
    </section>
  );
}
