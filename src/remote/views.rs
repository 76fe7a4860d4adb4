//! Views by which rows are chosen: local data groups, as the old client called them.

use super::definitions::{Part, READS_AT_ONCE_MAX};
use super::query::encoded;
use super::{About, Outcome, Remote};
use crate::platform::Transport;
use serde::Deserialize;
use uuid::Uuid;

/// `querytype` of views that say what goes offline.
pub const OFFLINE_FILTERS: i32 = 16;
/// Tables of views: those of the organisation come first, then somebody's own. Set and key.
const TABLES: [(&str, &str); 2] = [("savedqueries", "savedqueryid"), ("userqueries", "userqueryid")];

#[derive(Deserialize)]
struct Views {
    value: Vec<View>,
}

#[derive(Deserialize)]
struct View {
    fetchxml: Option<String>,
}

impl<T: Transport> Remote<'_, T> {
    /// FetchXML of active views of the type [`OFFLINE_FILTERS`], given as table and name or id, in order; `Err` holds
    /// why there is none, for people.
    ///
    /// # Errors
    /// When the answer as a whole says something else, or one of its parts asks to wait.
    pub async fn views(&self, wanted: &[(&str, &str)]) -> Result<Vec<Result<String, String>>, Outcome> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let urls: Vec<String> = wanted.iter().flat_map(|(table, view)| urls(table, view)).collect();
        let urls: Vec<&String> = urls.iter().collect();
        let mut parts = Vec::with_capacity(urls.len());
        for chunk in urls.chunks(READS_AT_ONCE_MAX) {
            parts.extend(self.read_parts(chunk, About::Batch("savedquery", chunk.len())).await?);
        }
        let mut parts = parts.into_iter();
        // All of them are taken, also where the first one is enough: those of the next view stand behind them.
        let found = wanted.iter().map(|(_, view)| {
            let told: Vec<Part> = parts.by_ref().take(TABLES.len()).collect();
            chosen(view, told)
        });
        Ok(found.collect())
    }
}

fn urls(table: &str, view: &str) -> [String; 2] {
    TABLES.map(|(set, key)| {
        let is = match Uuid::try_parse(view) {
            Ok(id) => format!("{key} eq {id}"),
            Err(_) => format!("name eq '{}'", view.replace('\'', "''")),
        };
        let filter = format!(
            "returnedtypecode eq '{table}' and querytype eq {OFFLINE_FILTERS} and statecode eq 0 and {is}"
        );
        format!("{set}?$select=fetchxml&$filter={}", encoded(&filter))
    })
}

/// The one view that is meant.
fn chosen(view: &str, parts: Vec<Part>) -> Result<String, String> {
    let mut refused = None;
    for part in parts {
        let mut views = match part {
            Part::Refused(reason) => {
                refused = Some(reason);
                continue;
            }
            Part::Body(body) => match flette_odata::json::read::<Views>(&body) {
                Ok(views) => views.value,
                Err(_) => return Err(format!("the view '{view}' cannot be read")),
            },
        };
        match (views.pop(), views.is_empty()) {
            (None, _) => {}
            (Some(view), true) => return Ok(view.fetchxml.unwrap_or_default()),
            (Some(_), false) => return Err(format!("several views are called '{view}'")),
        }
    }
    Err(match refused {
        Some(reason) => format!("the view '{view}' cannot be read ({} {})", reason.status, reason.code),
        None => format!("there is no active view '{view}' of query type {OFFLINE_FILTERS}"),
    })
}
