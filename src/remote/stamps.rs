//! When each field of a row was edited, as servers with field stamps say it beside the values. Pure.

use flette_odata::edm::Table;
use flette_odata::ordered;
use flette_odata::stamps::{Stamps, ANNOTATION};
use flette_odata::time::parse_datetime;
use flette_odata::Uuid;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// Members of an object whose values are text; the others are passed over.
type Members<'b> = BTreeMap<String, &'b RawValue>;

#[derive(Deserialize)]
struct Rows<'b> {
    #[serde(borrow, default)]
    value: Vec<&'b RawValue>,
}

/// The stamps of the row that a body is. What cannot be read is not known.
pub fn stamps_of_row(body: &[u8], table: &Table) -> Stamps {
    let members: Members = serde_json::from_slice(body).unwrap_or_default();
    stamps(&members, table)
}

/// The stamps of some of the rows of a page, by id. Of a row that stands there twice, the last one counts.
pub fn stamps_of_rows(body: &[u8], table: &Table, ids: &BTreeSet<Uuid>) -> BTreeMap<Uuid, Stamps> {
    let Ok(rows) = serde_json::from_slice::<Rows>(body) else { return BTreeMap::new() };
    let wanted = rows.value.into_iter().filter_map(|row| {
        let members: Members = serde_json::from_slice(row.get().as_bytes()).ok()?;
        let id = text(members.get(&table.primary_id)?)?.parse().ok()?;
        ids.contains(&id).then(|| (id, stamps(&members, table)))
    });
    ordered::map(wanted)
}

fn stamps(members: &Members, table: &Table) -> Stamps {
    let mut stamps = Stamps::default();
    for (name, raw) in members {
        let property = name.strip_suffix(ANNOTATION).and_then(|name| name.strip_suffix('@'));
        let at = property.and_then(|_| parse_datetime(&text(raw)?));
        match (property, at) {
            (Some(""), at) => stamps.row = at,
            (Some(property), Some(at)) => {
                let column = table.column_by_property(property);
                stamps.columns.extend(column.map(|column| (column.logical_name.clone(), at)));
            }
            (Some(_) | None, _) => {}
        }
    }
    stamps
}

fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_slice(raw.get().as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = r#"{"accountid":"00000000-0000-0000-0000-000000000001","name":"x",
        "@Flette.ModifiedOn":"1970-01-01T00:00:01Z","name@Flette.ModifiedOn":"1970-01-01T00:00:02.5Z",
        "_primarycontactid_value@Flette.ModifiedOn":"1970-01-01T00:00:03Z",
        "numberofemployees":5,"telephone1@Flette.ModifiedOn":7,"unheardof@Flette.ModifiedOn":"1970-01-01T00:00:03Z"}"#;

    fn account() -> Table {
        flette_server::schema::schema().table("account").cloned().unwrap()
    }

    #[test]
    fn stamps_are_told_by_column_and_the_rows_own_stands_for_the_others() {
        let stamps = stamps_of_row(ROW.as_bytes(), &account());
        let of = ["name", "primarycontactid", "telephone1", "unheardof"].map(|name| stamps.of(name));
        assert_eq!(of, [Some(2500), Some(3000), Some(1000), Some(1000)]);
        assert_eq!(stamps.columns.len(), 2);
        for body in ["", "[]", "{", r#"{"name":"x"}"#] {
            assert_eq!(stamps_of_row(body.as_bytes(), &account()), Stamps::default(), "{body}");
        }
    }

    #[test]
    fn of_a_page_only_the_rows_asked_for_are_read() {
        let page = format!(r#"{{"@odata.context":"x","value":[{ROW},{{"id":"y","reason":"deleted"}}]}}"#);
        let ids = |id: u128| BTreeSet::from([Uuid::from_u128(id)]);
        assert_eq!(stamps_of_rows(page.as_bytes(), &account(), &ids(1)).len(), 1);
        assert!(stamps_of_rows(page.as_bytes(), &account(), &ids(2)).is_empty());
        assert!(stamps_of_rows(b"{\"value\":[{", &account(), &ids(1)).is_empty());
    }
}
