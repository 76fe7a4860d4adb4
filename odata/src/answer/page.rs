//! Where a list goes on: the tokens in next and delta links. Opaque to clients, checked when they come back.

use super::base64;
use crate::edm::{Column, ColumnKind};
use crate::error::{ODataError, Result};
use crate::json;
use crate::path::encoding::{percent_decode, Plus};
use crate::query::split_outside;
use crate::value::Value;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Longest token that is looked at, bytes.
const TOKEN_LENGTH_MAX: usize = 32_768;

/// What a `$skiptoken` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Page {
    /// Goes on after a row with these order values and this key.
    Rows {
        /// Values of the order columns, the key last.
        after: Vec<Value>,
        /// Rows already given, which `$top` counts.
        taken: u64,
    },
    /// Goes on in a view.
    View {
        /// Number of the page that came last.
        ended: u32,
        /// Where that page ended, as FetchXML says it.
        cookie: String,
    },
    /// Goes on in the feed of changes: a signed token, see `ticket`.
    Changes(String),
}

impl Page {
    /// The token's text: letters, digits, `-` and `_`.
    pub fn write(&self) -> String {
        base64::encode(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads a token.
    ///
    /// # Errors
    /// 400 `0x8004112a` when it was written nowhere.
    pub fn read(text: &str) -> Result<Page> {
        let short = text.len() <= TOKEN_LENGTH_MAX;
        let bytes = short.then(|| base64::decode(text)).flatten();
        bytes.and_then(|bytes| json::read(&bytes).ok()).ok_or_else(ODataError::bad_skip_token)
    }
}

/// Whether a value may stand in a column: a token may come from anywhere.
pub(super) fn fits(column: &Column, value: &Value) -> bool {
    use ColumnKind as Kind;
    match value {
        // Behind a path even a key may be missing.
        Value::Null => true,
        Value::Bool(_) => matches!(column.kind, Kind::Boolean { .. }),
        Value::Int(_) => matches!(
            column.kind,
            Kind::Integer { .. }
                | Kind::BigInt
                | Kind::Picklist { .. }
                | Kind::State { .. }
                | Kind::Status { .. }
        ),
        Value::Decimal(_) => matches!(column.kind, Kind::Decimal { .. } | Kind::Money { .. }),
        Value::Double(number) => number.is_finite() && matches!(column.kind, Kind::Double { .. }),
        Value::Text(_) => {
            matches!(column.kind, Kind::Text { .. } | Kind::Memo { .. } | Kind::MultiPicklist { .. })
        }
        Value::Guid(_) => matches!(column.kind, Kind::Id | Kind::Guid),
        Value::DateTime(_) => matches!(column.kind, Kind::DateTime),
        Value::Date(_) => matches!(column.kind, Kind::Date),
        Value::Lookup(_) => column.is_lookup(),
    }
}

/// The link that carries on with the same query: `name` is `$skiptoken` or `$deltatoken`.
pub fn link(root: &str, url: &str, name: &str, token: &str) -> String {
    let url = url.split('#').next().unwrap_or_default();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let kept = query.split('&').filter(|option| {
        let key = option.split('=').next().unwrap_or_default();
        let key = percent_decode(key, Plus::Literal).unwrap_or_default();
        !key.is_empty() && key != "$skiptoken" && key != "$deltatoken"
    });
    let mut link = format!("{root}{}?", below(root, path));
    for option in kept {
        link.push_str(option);
        link.push('&');
    }
    link + name + "=" + token
}

/// The link to the rest of an expanded collection: the collection of its own at `url`, with the options that
/// stood in `$expand`, parted by `;`, and the place where it goes on.
pub(super) fn options_link(url: &str, options: &str, page: &Page) -> String {
    let mut link = format!("{url}?");
    for option in split_outside(options, ';').map(str::trim).filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        link.push_str(name.trim());
        link.push('=');
        push_option_value(&mut link, value);
        link.push('&');
    }
    link + "$skiptoken=" + &page.write()
}

/// Adds the value of a query option, with escapes for what cannot stand in one as it is.
fn push_option_value(link: &mut String, value: &str) {
    for c in value.chars() {
        let plain = c.is_ascii() && !c.is_ascii_control() && !" \"#%&+<>".contains(c);
        let mut utf8 = [0; 4];
        for byte in c.encode_utf8(&mut utf8).bytes() {
            // Writing to a String never fails.
            let _ = if plain { link.write_char(c) } else { write!(link, "%{byte:02X}") };
        }
    }
}

/// The part of a path below the root, whatever host it was asked under.
fn below<'p>(root: &str, path: &'p str) -> &'p str {
    let authority_end = root.find("://").and_then(|at| root[at + 3..].find('/').map(|slash| at + 3 + slash));
    let root_path = &root[authority_end.unwrap_or(0)..];
    match path.find(root_path) {
        Some(at) => &path[at + root_path.len()..],
        None => path.trim_start_matches('/'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_link_keeps_the_query_as_it_was_written() {
        fn check(url: &str, expected: &str) {
            assert_eq!(link("http://h/v/", url, "$skiptoken", "T"), expected, "{url}");
        }
        check("/v/accounts", "http://h/v/accounts?$skiptoken=T");
        check("accounts?$top=3", "http://h/v/accounts?$top=3&$skiptoken=T");
        check("https://other/v/accounts(1)/x?a=/v/", "http://h/v/accounts(1)/x?a=/v/&$skiptoken=T");
        check("/v/accounts?$select=name", "http://h/v/accounts?$select=name&$skiptoken=T");
        check(
            "/v/accounts?%24filter=name%20eq%20'a%26b'",
            "http://h/v/accounts?%24filter=name%20eq%20'a%26b'&$skiptoken=T",
        );
        check("/v/accounts?$select=name&$skiptoken=S", "http://h/v/accounts?$select=name&$skiptoken=T");
        check("/v/accounts?%24skiptoken=S&$top=3&", "http://h/v/accounts?$top=3&$skiptoken=T");
        check("/v/accounts?$deltatoken=S#x", "http://h/v/accounts?$skiptoken=T");
    }

    #[test]
    fn a_link_to_the_rest_of_a_collection_repeats_its_options() {
        let page = Page::Rows { after: Vec::new(), taken: 1 };
        let link = options_link("u", "$select=name; $filter=name eq 'a;b&c%'", &page);
        let expected = format!("u?$select=name&$filter=name%20eq%20'a;b%26c%25'&$skiptoken={}", page.write());
        assert_eq!(link, expected);
        assert_eq!(options_link("u", "", &page), format!("u?$skiptoken={}", page.write()));
    }

    #[test]
    fn tokens_survive_a_round_trip_and_others_are_refused() {
        let page = Page::Rows {
            after: vec![Value::Null, Value::Text("æ".into()), Value::Guid(Uuid::max())],
            taken: 7,
        };
        assert_eq!(Page::read(&page.write()).unwrap(), page);
        for text in ["", "x", "!", "e30", "bnVsbA", &"A".repeat(TOKEN_LENGTH_MAX + 1)] {
            assert_eq!(Page::read(text).unwrap_err().status, 400, "{text}");
        }
    }
}
