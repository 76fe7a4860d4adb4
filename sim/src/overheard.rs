//! What was heard beside the line: requests that reached a server with the answers that it gave, whether or not a device
//! heard them too. Knows HTTP messages only.

use crate::account::{Account, WATCHED};
use crate::traffic::row_of;
use flette_odata::batch::{parse_batch, parse_batch_response, BatchAnswer, BatchItem};
use flette_odata::{Method, Request, Response, Uuid};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Names an operation, however often it is sent.
const OPERATION: &str = "Repeatability-Request-ID";

/// See the module.
#[derive(Debug, Default)]
pub struct Overheard {
    /// The version that an operation came to, where it came to one.
    results: BTreeMap<String, Option<String>>,
}

impl Overheard {
    /// A request and its answer, of a batch or not. What was taken over or shown stands in the account.
    ///
    /// # Errors
    /// I-4: an operation that was done comes to something else when it is sent again, and the server has receipts.
    pub fn take(
        &mut self,
        request: &Request,
        answer: &Response,
        account: &mut Account,
    ) -> Result<(), String> {
        if !request.url.ends_with("$batch") {
            return self.one(request, answer, account);
        }
        let kind =
            |headers: &flette_odata::Headers| headers.get("Content-Type").unwrap_or_default().to_owned();
        let items = parse_batch(&kind(&request.headers), &request.body).unwrap_or_default();
        let answers = parse_batch_response(&kind(&answer.headers), &answer.body).unwrap_or_default();
        for (item, answer) in items.iter().zip(&answers) {
            match (item, answer) {
                (BatchItem::Single(part), BatchAnswer::Single(answer)) => {
                    self.one(&part.request, answer, account)?;
                }
                (BatchItem::ChangeSet(parts), BatchAnswer::ChangeSet(answers)) => {
                    for (part, (_, answer)) in parts.iter().zip(answers) {
                        self.one(&part.request, answer, account)?;
                    }
                }
                // A change set that was refused.
                (BatchItem::ChangeSet(_), BatchAnswer::Single(_)) => {}
                (BatchItem::Single(_), BatchAnswer::ChangeSet(_)) => {}
            }
        }
        Ok(())
    }

    fn one(&mut self, request: &Request, answer: &Response, account: &mut Account) -> Result<(), String> {
        if !answer.is_success() {
            return Ok(());
        }
        if let Some(operation) = request.headers.get(OPERATION).filter(|_| account.has_receipts()) {
            let version = answer.headers.get("ETag").map(str::to_owned);
            let first = self.results.entry(operation.to_owned()).or_insert_with(|| version.clone());
            if *first != version {
                return Err(format!("I-4: {operation} came to {first:?}, and sent again to {version:?}"));
            }
        }
        let row = row_of(&request.url);
        if request.method == Method::Delete {
            row.into_iter().for_each(|row| account.goes(row));
        } else if request.method != Method::Get {
            let plain = request.headers.get("If-Match") == Some("*");
            tell(&request.body, row, |cell, value| {
                account.stands(cell.0, cell.1, value);
                if plain {
                    account.written_plainly(cell, value);
                }
            });
        }
        tell(&answer.body, row, |(row, column), value| account.stands(row, column, value));
        Ok(())
    }
}

/// Rows in a body: one, or the rows of a list.
fn tell(body: &[u8], row: Option<Uuid>, mut each: impl FnMut((Uuid, &str), &str)) {
    let Ok(body) = serde_json::from_slice::<Json>(body) else { return };
    let rows = body["value"].as_array().map_or_else(|| std::slice::from_ref(&body), Vec::as_slice);
    for shown in rows {
        let own = WATCHED.iter().find_map(|(_, key, _)| shown[*key].as_str()?.parse().ok());
        let Some(id) = own.or(row) else { continue };
        for (column, value) in shown.as_object().into_iter().flatten() {
            if let Some(value) = value.as_str() {
                each((id, column), value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
