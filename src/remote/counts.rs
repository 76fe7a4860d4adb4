//! How many rows there are.

use super::definitions::Part;
use super::query::encoded;
use super::{About, Asked, Outcome, Remote};
use crate::model::Reason;
use crate::platform::Transport;
use flette_odata::batch::BATCH_PARTS_MAX;
use flette_odata::Request;
use serde::Deserialize;

pub use flette_odata::answer::COUNT_MAX;

/// What the server says of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counted {
    /// So many rows that the caller may see, [`COUNT_MAX`] at most.
    Rows(u64),
    /// It does not give them.
    Refused(Reason),
}

impl<T: Transport> Remote<'_, T> {
    /// Counts collections, given as set name and filter, in order.
    ///
    /// # Errors
    /// When the answer as a whole says something else, or one of its parts asks to wait.
    pub async fn counts(&self, sets: &[(&str, Option<String>)]) -> Result<Vec<Counted>, Outcome> {
        let url = |(set, filter): &(&str, Option<String>)| match filter {
            Some(filter) => format!("{set}/$count?$filter={}", encoded(filter)),
            None => format!("{set}/$count"),
        };
        let urls: Vec<String> = sets.iter().map(url).collect();
        let urls: Vec<&String> = urls.iter().collect();
        let mut counted = Vec::with_capacity(urls.len());
        for chunk in urls.chunks(BATCH_PARTS_MAX) {
            for part in self.read_parts(chunk, About::Batch("$count", chunk.len())).await? {
                counted.push(match part {
                    Part::Body(body) => Counted::Rows(number(&body).ok_or_else(unreadable)?),
                    Part::Refused(reason) => Counted::Refused(reason),
                });
            }
        }
        Ok(counted)
    }

    /// Rows of tables whoever may see them, beyond [`COUNT_MAX`]; of those only that the server tells.
    ///
    /// # Errors
    /// When there is no answer, or one that asks to wait.
    pub async fn total_counts(&self, tables: &[&str]) -> Result<Vec<(String, u64)>, Outcome> {
        const NAME: &str = "RetrieveTotalRecordCount";
        let mut totals = Vec::new();
        for chunk in tables.chunks(COUNTED_TABLES_MAX) {
            let names: Vec<String> = chunk.iter().map(|name| format!("%22{name}%22")).collect();
            let url = format!("{}{NAME}(EntityNames=@p)?@p=%5B{}%5D", self.root(), names.join(","));
            let exchange = self.exchange(Request::get(url), About::Alone(NAME)).await;
            match (self.judge(Asked::Read, &exchange), exchange.answer) {
                (Outcome::Done, Ok(response)) => totals.extend(totals_of(&response.body)),
                (wait @ (Outcome::Hold(_) | Outcome::Retry(_)), _) => return Err(wait),
                // A server without the function: what was counted stands.
                (Outcome::Done | Outcome::Resolve(_) | Outcome::Park(_), _) => {}
            }
        }
        Ok(totals)
    }
}

/// Most tables of one `RetrieveTotalRecordCount`.
const COUNTED_TABLES_MAX: usize = 50;

fn unreadable() -> Outcome {
    Outcome::Retry("a count could not be read".to_owned())
}

/// The number that a count is, after a byte order mark where there is one.
fn number(body: &[u8]) -> Option<u64> {
    std::str::from_utf8(body).ok()?.trim_start_matches('\u{feff}').trim().parse().ok()
}

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "EntityRecordCountCollection")]
    collection: Collection,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Collection {
    keys: Vec<String>,
    values: Vec<u64>,
}

fn totals_of(body: &[u8]) -> Vec<(String, u64)> {
    let read = serde_json::from_slice::<Body>(body).map(|body| body.collection);
    read.map(|all| all.keys.into_iter().zip(all.values).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_with_and_without_a_byte_order_mark() {
        assert_eq!(number("\u{feff}5000".as_bytes()), Some(5000));
        assert_eq!(number(b"0\r\n"), Some(0));
        for wrong in ["", "many", "-1", "1.5", "<html>"] {
            assert_eq!(number(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn totals_are_read_by_table() {
        let body = br#"{"EntityRecordCountCollection":{"Count":1,"Keys":["account"],"Values":[70000]}}"#;
        assert_eq!(totals_of(body), [("account".to_owned(), 70_000)]);
        assert!(totals_of(b"{}").is_empty());
    }
}
