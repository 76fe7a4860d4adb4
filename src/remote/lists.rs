//! Rows by their ids, several lists in one batch.

use super::definitions::Part;
use super::query::rows_url;
use super::{About, Outcome, Remote};
use crate::platform::Transport;
use flette_odata::edm::Table;
use flette_odata::Request;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// Most ids in the filter of one list. Dataverse takes 500 conditions, and others may stand beside these.
pub const LIST_IDS_MAX: usize = 200;

/// What lists of rows came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lists {
    /// The rows as one page.
    pub body: Vec<u8>,
    /// Whether rows that are not among them are not there, or do not pass the filter.
    pub whole: bool,
}

#[derive(Deserialize)]
struct Rows<'b> {
    #[serde(borrow)]
    value: Vec<&'b RawValue>,
    #[serde(rename = "@odata.nextLink", default)]
    next_link: Option<serde::de::IgnoredAny>,
}

impl<T: Transport> Remote<'_, T> {
    /// Those of the rows with these ids that pass a filter, with these properties.
    ///
    /// # Errors
    /// When the answer as a whole says something else, or one of its parts was refused or asks to wait.
    pub async fn rows(
        &self,
        table: &Table,
        columns: &[String],
        filter: Option<&str>,
        ids: &[Uuid],
    ) -> Result<Lists, Outcome> {
        let list = |ids: &[Uuid]| {
            let url = format!("{}{}", self.root(), rows_url(table, columns, filter, ids));
            Request::get(url).header("Prefer", self.annotations())
        };
        let requests: Vec<Request> = ids.chunks(LIST_IDS_MAX).map(list).collect();
        let about = About::Batch(&table.logical_name, requests.len());
        let mut bodies = Vec::with_capacity(requests.len());
        for part in self.read_requests(requests, about).await? {
            match part {
                Part::Body(body) => bodies.push(body),
                Part::Refused(reason) => return Err(Outcome::Park(reason)),
            }
        }
        joined(&bodies)
            .ok_or_else(|| Outcome::Retry(format!("lists of {} could not be read", table.logical_name)))
    }
}

/// Several lists as one.
fn joined(bodies: &[Vec<u8>]) -> Option<Lists> {
    let mut lists = Lists { body: b"{\"value\":[".to_vec(), whole: true };
    let mut is_first = true;
    for body in bodies {
        let rows: Rows = serde_json::from_slice(body).ok()?;
        lists.whole &= rows.next_link.is_none();
        for row in rows.value {
            if !std::mem::take(&mut is_first) {
                lists.body.push(b',');
            }
            lists.body.extend_from_slice(row.get().as_bytes());
        }
    }
    lists.body.extend_from_slice(b"]}");
    Some(lists)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_joined_as_they_were_written() {
        let bodies = [&br#"{"@odata.context":"x","value":[{"a":1.50},{"b":"]}"}]}"#[..], br#"{"value":[]}"#]
            .map(<[u8]>::to_vec);
        let lists = joined(&bodies).unwrap();
        assert_eq!(lists.body, br#"{"value":[{"a":1.50},{"b":"]}"}]}"#);
        assert!(lists.whole);
        let paged = br#"{"value":[{"a":1}],"@odata.nextLink":"more"}"#.to_vec();
        let lists = joined(&[bodies[1].clone(), paged]).unwrap();
        assert_eq!((lists.body.as_slice(), lists.whole), (&br#"{"value":[{"a":1}]}"#[..], false));
        for cut in [&b"{\"value\":[{}"[..], b"{}", b""] {
            assert!(joined(&[cut.to_vec()]).is_none());
        }
    }
}
