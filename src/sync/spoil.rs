//! Pages taken in wrongly: for bugs that are planted, and for nothing else.

use crate::model::{planted, Bug, Value};
use crate::replica::{decode_page, Draft, Item, Page, PageError, SegmentBuilder};
use flette_odata::edm::Table;

/// What stands before the rows of a page.
const ROWS: &str = "\"value\":[";

/// A page as a planted bug reads it; as it is when none is planted.
pub(super) fn read(body: &[u8], table: &Table) -> Result<Page, PageError> {
    match decode_page(body, table) {
        Err(error) if planted(Bug::CutAccepted) => {
            let text = String::from_utf8_lossy(body);
            let some = text.rfind("},{").and_then(|end| Some(format!("{}}}]}}", text.get(..end)?)));
            let none = || text.find(ROWS).and_then(|at| Some(format!("{}{ROWS}]}}", text.get(..at)?)));
            some.or_else(none).map_or(Err(error), |whole| decode_page(whole.as_bytes(), table))
        }
        read => read,
    }
}

/// The page without what a planted bug loses.
pub(super) fn lose(draft: &Draft, table: &Table, page: Page) -> Page {
    let bugs = [Bug::TombstoneIgnored, Bug::PageBorderSkipped, Bug::MaskedFieldKept];
    if !bugs.into_iter().any(planted) {
        return page;
    }
    let mut segment = SegmentBuilder::new(table);
    let items: Vec<Item> = page.items().collect();
    let last = items.len().saturating_sub(1);
    for (at, item) in items.into_iter().enumerate() {
        match item {
            Item::Tombstone(_) if planted(Bug::TombstoneIgnored) => {}
            Item::Tombstone(id) => segment.push_tombstone(id),
            Item::Row(_) if planted(Bug::PageBorderSkipped) && page.next_link.is_some() && at == last => {}
            Item::Row(id) => {
                let mut row = page.row(at);
                if planted(Bug::MaskedFieldKept) {
                    let key = crate::model::Key::new(table.logical_name.clone(), id);
                    let known = draft.state().mirror_row(&key).map(|(row, _)| row).unwrap_or_default();
                    for (name, value) in row.iter_mut().filter(|(_, value)| value.is_null()) {
                        *value = known.get(name).cloned().unwrap_or(Value::Null);
                    }
                }
                // The values come from a row of the same table, so they fit.
                let _ = segment.push_row(id, &page.etag(at).unwrap_or_default(), &row);
            }
        }
    }
    Page { segment, ..page }
}
