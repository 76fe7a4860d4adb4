//! `flette_odata::collate::fold` as a function of PostgreSQL, made from Rust's own table of characters, so
//! that the two cannot part ways: when a newer Rust knows more characters, the function's text changes, and
//! with it its fingerprint (see [`fingerprint`]), which tells that indexes have to be built anew.

use super::dialect::FOLD;
use flette_odata::collate::fold;
use sha2::{Digest, Sha256};

/// Last characters of the short tables: Latin-1, and Latin with its extensions A and B. `translate` goes
/// through its whole table for every character of a text, so the shortest one that will do is used.
const SHORT_TABLE_LAST: [char; 2] = ['\u{FF}', '\u{24F}'];

/// One character's fold, where it is another one.
struct Change {
    from: char,
    to: String,
}

/// Every character beyond ASCII that folds to something else.
fn changes() -> Vec<Change> {
    ('\u{80}'..=char::MAX)
        .filter_map(|from| {
            let mut bytes = [0; 4];
            let text: &str = from.encode_utf8(&mut bytes);
            let to = fold(text);
            (to != text).then(|| Change { from, to: to.into_owned() })
        })
        .collect()
}

/// SQL text of an expression that folds `$1` with the characters up to `last`.
fn folded(changes: &[Change], last: char) -> String {
    let changes = || changes.iter().filter(|change| change.from <= last);
    let single = || changes().filter(|change| change.to.chars().count() == 1);
    let from: String = single().map(|change| change.from).collect();
    let to: String = single().map(|change| change.to.as_str()).collect();
    let mut sql = format!("translate(lower($1 COLLATE \"C\"), '{from}', '{to}')");
    for change in changes().filter(|change| change.to.chars().count() != 1) {
        sql = format!("replace({sql}, '{}', '{}')", change.from, change.to);
    }
    sql
}

/// SQL text that makes the function. In the collation `C`, `lower` knows ASCII only and is fast. Of the texts
/// with further characters most hold none that folds; the others go through a table.
pub(super) fn definition() -> String {
    let changes = changes();
    let folding: String = changes.iter().map(|change| change.from).collect();
    let mut wide = format!("CASE WHEN $1 COLLATE \"C\" !~ '[{folding}]' THEN lower($1 COLLATE \"C\")");
    for last in SHORT_TABLE_LAST {
        let (code, table) = (u32::from(last), folded(&changes, last));
        wide.push_str(&format!(" WHEN $1 COLLATE \"C\" !~ '[^\\u0001-\\u{code:04X}]' THEN {table}"));
    }
    let whole = folded(&changes, char::MAX);
    format!(
        "CREATE OR REPLACE FUNCTION {FOLD}_wide(text) RETURNS text \
         LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $flette$ \
         SELECT {wide} ELSE {whole} END $flette$; \
         CREATE OR REPLACE FUNCTION {FOLD}(text) RETURNS text \
         LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $flette$ \
         SELECT CASE WHEN octet_length($1) = length($1) THEN lower($1 COLLATE \"C\") \
         ELSE {FOLD}_wide($1) END $flette$"
    )
}

/// Says which folds the definition gives.
pub(super) fn fingerprint() -> String {
    let hash = Sha256::digest(definition().as_bytes());
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_what_folds_and_needs_no_quoting() {
        let changes = changes();
        let find = |from: char| changes.iter().find(|c| c.from == from).map(|c| c.to.as_str());
        assert_eq!(find('Å'), Some("å"));
        assert_eq!(find('ς'), Some("σ"));
        assert_eq!(find('İ'), Some("i\u{307}"));
        assert_eq!(find('å'), None);
        let sql = definition();
        assert!(!changes.iter().any(|c| c.from == '\'' || c.to.contains(['\'', '$'])));
        assert_eq!(sql.matches("$flette$").count(), 4);
        assert_eq!(fingerprint().len(), 16);
    }
}
