//! Rows that must not be alike: alternate keys, and duplicate detection for those who ask for it. Which rows are there
//! only their keeper knows, so the questions stand here as conditions on rows.

use crate::edm::{AlternateKey, Table};
use crate::error::ODataError;
use crate::filter::{CompareOp, Filter};
use crate::http::Request;
use crate::value::{Row, Value};

/// What `MSCRM.SuppressDuplicateDetection` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duplicates {
    /// Nothing, or `true`: rows are not compared.
    #[default]
    Allowed,
    /// `false`: a row that resembles another one is refused.
    Refused,
}

impl Duplicates {
    /// What a request says.
    pub fn asked(request: &Request) -> Duplicates {
        match request.headers.get("MSCRM.SuppressDuplicateDetection") {
            Some(value) if value.trim().eq_ignore_ascii_case("false") => Duplicates::Refused,
            Some(_) | None => Duplicates::Allowed,
        }
    }
}

/// Columns that together make a duplicate: the rules that a new organisation has. Texts are compared without case; a
/// rule does not hold for a row that lacks one of its values.
const RULES: [(&str, &[&str]); 5] = [
    ("account", &["name"]),
    ("account", &["emailaddress1"]),
    ("contact", &["firstname", "lastname"]),
    ("contact", &["emailaddress1"]),
    ("lead", &["emailaddress1"]),
];

/// The condition that every one of these columns has its value; texts are compared without case.
pub fn all_equal<'v>(values: impl IntoIterator<Item = (&'v str, &'v Value)>) -> Filter {
    let equal = |(column, value): (&str, &Value)| Filter::Compare {
        column: column.to_owned(),
        op: CompareOp::Equal,
        value: match value {
            Value::Lookup(to) => Value::Guid(to.id),
            other => other.clone(),
        },
    };
    Filter::And(values.into_iter().map(equal).collect())
}

/// The alternate keys of `row` whose values were `changed`, each with the condition that another row has the same. A key
/// with a null in it names no row.
pub fn keys<'t>(table: &'t Table, row: &Row, changed: &[&str]) -> Vec<(&'t AlternateKey, Filter)> {
    let at_stake = |key: &'t AlternateKey| {
        let columns: Vec<&str> = key.columns.iter().map(String::as_str).collect();
        let filter = same(&columns, row, changed, |value| !value.is_null())?;
        Some((key, filter))
    };
    table.keys.iter().filter_map(at_stake).collect()
}

/// Whether [`keys`] or, where they are `asked` for, [`duplicates`] can have anything to say of a row in which nothing but these columns
/// was changed.
pub fn may_matter(table: &Table, changed: &[&str], asked: Duplicates) -> bool {
    let among = |name: &str| changed.contains(&name);
    let of_a_key = table.keys.iter().flat_map(|key| &key.columns).any(|name| among(name));
    let mut rules = RULES.iter().filter(|(name, _)| *name == table.logical_name);
    of_a_key
        || (asked == Duplicates::Refused && rules.any(|(_, columns)| columns.iter().any(|name| among(name))))
}

/// Conditions that another row makes `row` a duplicate, as far as what they look at was `changed`.
pub fn duplicates(table: &Table, row: &Row, changed: &[&str]) -> Vec<Filter> {
    let has_text = |value: &Value| value.as_text().is_some_and(|text| !text.is_empty());
    let rules = RULES.iter().filter(|(name, _)| *name == table.logical_name);
    rules.filter_map(|(_, columns)| same(columns, row, changed, has_text)).collect()
}

/// The condition that another row has the same values, when all of them count and one was changed.
fn same(columns: &[&str], row: &Row, changed: &[&str], counts: impl Fn(&Value) -> bool) -> Option<Filter> {
    let values: Vec<(&str, &Value)> =
        columns.iter().filter_map(|name| Some((*name, row.get(*name)?))).collect();
    let whole = values.len() == columns.len() && values.iter().all(|(_, value)| counts(value));
    (whole && columns.iter().any(|name| changed.contains(name))).then(|| all_equal(values))
}

/// 412 and not 500: no client may take it for something that passes.
pub fn duplicate() -> ODataError {
    let message =
        "A record was not created or updated because a duplicate of the current record already exists.";
    ODataError::new(412, "0x80040333", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[(&str, Value)]) -> Row {
        values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn only_whole_keys_that_changed_are_at_stake() {
        let key = AlternateKey { columns: vec!["a".into(), "b".into()], ..AlternateKey::default() };
        let table = Table { keys: vec![key], ..Table::default() };
        for (values, changed, at_stake) in [
            (vec![("a", text("1")), ("b", text("2"))], vec!["b", "c"], 1),
            (vec![("a", text("1")), ("b", text("2"))], vec!["c"], 0),
            (vec![("a", text("1")), ("b", Value::Null)], vec!["a"], 0),
            (vec![("a", text("1"))], vec!["a"], 0),
        ] {
            assert_eq!(keys(&table, &row(&values), &changed).len(), at_stake, "{values:?} {changed:?}");
            let matters = may_matter(&table, &changed, Duplicates::Allowed);
            assert!(matters || at_stake == 0, "{values:?} {changed:?}");
            assert_eq!(matters, changed.contains(&"a") || changed.contains(&"b"));
        }
    }

    #[test]
    fn duplicates_need_every_text_of_a_rule() {
        let contact = Table { logical_name: "contact".into(), ..Table::default() };
        for (values, rules) in [
            (vec![("firstname", text("A")), ("lastname", text("B"))], 1),
            (vec![("firstname", text("")), ("lastname", text("B"))], 0),
            (vec![("lastname", text("B")), ("emailaddress1", text("a@example.org"))], 1),
        ] {
            let all: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
            assert_eq!(duplicates(&contact, &row(&values), &all).len(), rules, "{values:?}");
        }
    }

    #[test]
    fn only_false_asks_for_a_comparison() {
        for (value, asked) in
            [("false", Duplicates::Refused), (" False ", Duplicates::Refused), ("true", Duplicates::Allowed)]
        {
            let request = Request::get("accounts").header("MSCRM.SuppressDuplicateDetection", value);
            assert_eq!(Duplicates::asked(&request), asked, "{value}");
        }
        assert_eq!(Duplicates::asked(&Request::get("accounts")), Duplicates::Allowed);
    }
}
