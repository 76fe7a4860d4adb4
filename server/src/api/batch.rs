//! `$batch`: requests one after the other, change sets in one transaction each.

use super::{parse, repeat, write, Asked, Call, Duplicates, Service};
use crate::db::Writer;
use flette_odata::batch::{
    content_reference, resolve_url, unknown_reference, write_batch_response, BatchAnswer, BatchItem, Part,
};
use flette_odata::error::Result;
use flette_odata::prefer::Prefer;
use flette_odata::{EntityRef, Method, ODataError, Request, Response, Uuid};
use std::borrow::Cow;
use std::collections::HashMap;

impl Service {
    /// Answers a batch. Without continue-on-error it stops at the first failure, whose status becomes the
    /// outer one; what was done before it stays done.
    pub(super) fn batch(&self, asked: &Asked, request: &Request, items: Vec<BatchItem>) -> Response {
        let go_on = Prefer::parse(&request.headers).continue_on_error;
        let mut answers = Vec::with_capacity(items.len());
        let mut status = 200;
        for item in items {
            let answer = match item {
                BatchItem::Single(part) => {
                    let answer = match content_reference(&part.request.url) {
                        Some(_) => Err(unknown_reference(&part.request.url)),
                        None => self.part(asked, &part.request),
                    };
                    BatchAnswer::Single(answer.unwrap_or_else(|error| error.to_response()))
                }
                BatchItem::ChangeSet(parts) => self.change_set(asked, &parts),
            };
            let failed = match &answer {
                BatchAnswer::Single(response) if response.status >= 400 => Some(response.status),
                BatchAnswer::Single(_) | BatchAnswer::ChangeSet(_) => None,
            };
            answers.push(answer);
            if let Some(failed) = failed.filter(|_| !go_on) {
                status = failed;
                break;
            }
        }
        let response = write_batch_response(&answers, Uuid::new_v4(), status);
        match go_on {
            true => response.header("Preference-Applied", "odata.continue-on-error"),
            false => response,
        }
    }

    fn part(&self, asked: &Asked, request: &Request) -> Result<Response> {
        let act_for = asked.act_for.of_part(&request.headers)?;
        self.single(&Asked { act_for, ..*asked }, request)
    }

    /// All of it or nothing; a failure is one answer for the whole set.
    fn change_set(&self, asked: &Asked, parts: &[Part]) -> BatchAnswer {
        let answers = self.write(asked, |writer, call| {
            let mut made = HashMap::new();
            let one = |part: &Part| {
                let act_for = asked.act_for.of_part(&part.request.headers)?;
                if act_for == asked.act_for {
                    return change(writer, call, part, &mut made);
                }
                let caller = self.caller_of(writer, &Asked { act_for, ..*asked })?;
                change(writer, &Call { caller: &caller, ..*call }, part, &mut made)
            };
            parts.iter().map(one).collect::<Result<Vec<_>>>()
        });
        match answers {
            Ok(answers) => BatchAnswer::ChangeSet(answers),
            Err(error) => BatchAnswer::Single(error.to_response()),
        }
    }
}

/// Whether an item of a batch needs the writer.
pub(super) fn may_write(item: &BatchItem) -> bool {
    match item {
        BatchItem::Single(part) => part.request.method != Method::Get,
        BatchItem::ChangeSet(_) => true,
    }
}

fn change(
    writer: &Writer,
    call: &Call,
    part: &Part,
    made: &mut HashMap<String, EntityRef>,
) -> Result<(Option<String>, Response)> {
    let call = &Call { duplicates: Duplicates::asked(&part.request), ..*call };
    let references = |name: &str| made.get(name).cloned();
    let mut request = Cow::Borrowed(&part.request);
    if content_reference(&request.url).is_some() {
        let resolved = resolve_url(&request.url, &references, writer.schema, call.root);
        request.to_mut().url = resolved.ok_or_else(|| unknown_reference(&part.request.url))?;
    }
    let outcome = repeat::once(writer, call, &part.request, || {
        let operation = parse(writer, call, &request, &references)?;
        match operation.is_write() {
            true => write::carry_out(writer, call, operation),
            false => Err(ODataError::bad_payload("A change set holds only requests that change rows.")),
        }
    });
    let effect = outcome?.into_effect()?;
    if let (Some(id), Some(row)) = (&part.content_id, effect.row) {
        made.insert(format!("${id}"), row);
    }
    Ok((part.content_id.clone(), effect.response))
}
