//! Field stamps: when each column of a row was last changed. An extension that Dataverse does not have.
//!
//! A row's `modifiedon` is the time at which the server heard of a change, and of the row as a whole. To know which of two
//! edits of one field is the newer, a client needs the time of each field's last edit. A server that keeps it announces
//! `field-stamps` in [`EXTENSIONS_HEADER`]; a client that names the annotation in `odata.include-annotations`
//! gets it, and may send it with a write. Nobody else sees anything of it.

use crate::ordered;
use crate::planted::{planted, Bug};
use std::collections::BTreeMap;

/// The annotation: on a row for columns without one of their own, on a property for its column. Milliseconds.
pub const ANNOTATION: &str = "Flette.ModifiedOn";
/// What stands after a property's name.
pub(crate) const SUFFIX: &str = "@Flette.ModifiedOn";
/// Header of `WhoAmI` in which a server lists its extensions, parted by commas.
pub const EXTENSIONS_HEADER: &str = "Flette-Extensions";

/// When the columns of one row were last changed, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamps {
    /// Columns that have no stamp of their own: they have not changed since the row was made. `None`: not known.
    pub row: Option<i64>,
    /// Columns by logical name.
    pub columns: BTreeMap<String, i64>,
}

impl Stamps {
    /// Reads what [`Stamps::to_text`] wrote. What cannot be read is not known.
    pub fn parse(text: &str) -> Stamps {
        let mut columns: BTreeMap<String, i64> = serde_json::from_slice(text.as_bytes()).unwrap_or_default();
        Stamps { row: columns.remove(""), columns }
    }

    /// The stamps as one text, to be kept beside the row. `None` when nothing is known.
    pub fn to_text(&self) -> Option<String> {
        let columns = self.columns.iter().map(|(name, at)| (name.as_str(), *at));
        let all = ordered::map(self.row.iter().map(|at| ("", *at)).chain(columns));
        if all.is_empty() {
            return None;
        }
        serde_json::to_string(&all).ok()
    }

    /// When a column was last changed; `None` when it is not known.
    pub fn of(&self, column: &str) -> Option<i64> {
        self.columns.get(column).copied().or(self.row)
    }

    /// The stamps of a new row with these columns. `told` is what the client says ([`crate::payload::Write::stamps`]).
    pub fn created(told: &[(String, i64)], given: &[String], now: i64) -> Stamps {
        let mut stamps =
            Stamps { row: Some(told_at(told, "", now).unwrap_or(now)), columns: BTreeMap::new() };
        for name in given {
            if let Some(at) = told_at(told, name, now).filter(|at| Some(*at) != stamps.row) {
                stamps.columns.insert(name.clone(), at);
            }
        }
        stamps
    }

    /// Takes an update: `given` are the columns that the client wrote, `changed` those whose value differs now.
    ///
    /// A value that changes gets the client's stamp as it is, though it be older than the one before: the value is then
    /// that older edit's, and can be recognised as such. A value that stays gets a told stamp only when that is newer:
    /// somebody chose it again. Without a told stamp a value that stays keeps its own, since clients that send whole rows
    /// have not edited every field of them. No stamp is later than `now`.
    pub fn update(&mut self, told: &[(String, i64)], given: &[String], changed: &[String], now: i64) {
        for name in changed {
            let at = told_at(told, name, now).or_else(|| told_at(told, "", now)).unwrap_or(now);
            self.columns.insert(name.clone(), at);
        }
        for name in given.iter().filter(|name| !changed.contains(name)) {
            let at = told_at(told, name, now).or_else(|| told_at(told, "", now));
            if let Some(at) = at.filter(|at| self.of(name).is_none_or(|before| before < *at)) {
                self.columns.insert(name.clone(), at);
            }
        }
    }
}

/// What the client says of one name, not later than now.
fn told_at(told: &[(String, i64)], name: &str, now: i64) -> Option<i64> {
    let now = if planted(Bug::FutureStamp) { i64::MAX } else { now };
    told.iter().find(|(told, _)| told == name).map(|(_, at)| (*at).min(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Vec<String> {
        list.split_whitespace().map(str::to_owned).collect()
    }

    fn told(list: &[(&str, i64)]) -> Vec<(String, i64)> {
        list.iter().map(|(name, at)| ((*name).to_owned(), *at)).collect()
    }

    #[test]
    fn a_new_row_has_one_stamp_unless_the_client_tells_more() {
        fn check(list: &[(&str, i64)], expected: &str) {
            let stamps = Stamps::created(&told(list), &names("a b"), 1000);
            assert_eq!(stamps.to_text().unwrap(), expected, "{list:?}");
            assert_eq!(Stamps::parse(expected), stamps);
        }
        check(&[], r#"{"":1000}"#);
        check(&[("", 900)], r#"{"":900}"#);
        check(&[("a", 900)], r#"{"":1000,"a":900}"#);
        check(&[("", 800), ("a", 900)], r#"{"":800,"a":900}"#);
        check(&[("", 2000), ("a", 3000)], r#"{"":1000}"#);
        check(&[("c", 900)], r#"{"":1000}"#);
    }

    #[test]
    fn an_update_moves_what_was_edited_and_nothing_else() {
        fn check(list: &[(&str, i64)], given: &str, changed: &str, expected: [Option<i64>; 3]) {
            let mut stamps = Stamps::parse(r#"{"":100,"b":500}"#);
            stamps.update(&told(list), &names(given), &names(changed), 1000);
            assert_eq!(["a", "b", "c"].map(|name| stamps.of(name)), expected, "{list:?} {given} {changed}");
        }
        let all = |a, b, c| [Some(a), Some(b), Some(c)];
        check(&[], "a b", "", all(100, 500, 100));
        check(&[], "a b", "a", all(1000, 500, 100));
        // An older edit is kept as old as it is.
        check(&[("b", 400)], "b", "b", all(100, 400, 100));
        check(&[("", 400)], "a b", "a b", all(400, 400, 100));
        check(&[("", 400), ("a", 300)], "a b", "a b", all(300, 400, 100));
        // The same value again: only a newer choice counts.
        check(&[("b", 400)], "b", "", all(100, 500, 100));
        check(&[("b", 600)], "b", "", all(100, 600, 100));
        // Clocks that run ahead.
        check(&[("b", 5000)], "b", "b", all(100, 1000, 100));
        // What the service changes itself.
        check(&[], "", "c", all(100, 500, 1000));
    }

    #[test]
    fn what_cannot_be_read_is_not_known() {
        for text in ["", "[]", "{\"a\":\"x\"}", "{"] {
            assert_eq!(Stamps::parse(text), Stamps::default(), "{text}");
        }
        assert_eq!(Stamps::default().to_text(), None);
        let mut unknown = Stamps::default();
        unknown.update(&[], &names("a"), &names("a"), 7);
        assert_eq!((unknown.of("a"), unknown.of("b")), (Some(7), None));
    }
}
