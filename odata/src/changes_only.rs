//! Answers to updates that tell what has changed, and nothing else. An extension that Dataverse does not have.
//!
//! A client that names in `If-Match` the version which it knows has the rest of the row already. A server that announces
//! [`NAME`] in [`crate::stamps::EXTENSIONS_HEADER`] answers `return=representation` to whoever adds [`PREFERENCE`] with the
//! key and the columns whose values are others than in that version. `Preference-Applied` tells so; without it the answer
//! is the whole row.

use crate::http::Headers;
use crate::prefer::{name_and_value, split_list};

/// The extension.
pub const NAME: &str = "changes-only";
/// What asks for it, beside `return=representation`.
pub const PREFERENCE: &str = "flette.changes-only";

/// Whether an answer tells only what has changed.
pub fn is_applied(headers: &Headers) -> bool {
    headers.all("Preference-Applied").flat_map(split_list).any(is_it)
}

/// One value of `Prefer` as it would be without the preference; `None` when nothing else stands in it.
pub fn without(prefer: &str) -> Option<String> {
    let others: Vec<&str> = split_list(prefer).filter(|preference| !is_it(preference)).collect();
    (!others.is_empty()).then(|| others.join(","))
}

fn is_it(preference: &str) -> bool {
    name_and_value(preference).0 == PREFERENCE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_by_name_that_it_tells_changes_only() {
        fn check(applied: &[&str], expected: bool) {
            let headers: Headers = applied.iter().map(|value| ("preference-applied", *value)).collect();
            assert_eq!(is_applied(&headers), expected, "{applied:?}");
        }
        check(&[], false);
        check(&["return=representation"], false);
        check(&["return=representation,flette.changes-only"], true);
        check(&["return=representation", "Flette.Changes-Only"], true);
        check(&["odata.include-annotations=\"a,flette.changes-only\""], false);
    }

    #[test]
    fn nothing_but_the_preference_is_taken_out() {
        fn check(prefer: &str, expected: Option<&str>) {
            assert_eq!(without(prefer).as_deref(), expected, "{prefer}");
        }
        check("flette.changes-only", None);
        check("return=representation", Some("return=representation"));
        check("return=representation,flette.changes-only", Some("return=representation"));
        check("a, flette.changes-only, b=\"c,flette.changes-only\"", Some("a, b=\"c,flette.changes-only\""));
        check("", Some(""));
    }
}
