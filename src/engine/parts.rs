//! A batch of reads of which the replica can answer some and only the server the others, while changes wait of which the
//! server does not know: each part is answered as it would be alone, and the server is asked once.

use super::{path_of, Engine, SOURCE_HEADER};
use crate::api::Answer;
use crate::platform::Platform;
use flette_odata::batch::{
    content_reference, parse_batch, parse_batch_response, unknown_reference, write_batch_request,
    write_batch_response, BatchAnswer, BatchItem, Part,
};
use flette_odata::prefer::Prefer;
use flette_odata::{Method, Request, Response};

/// Headers of an answer that mean something in a part of a batch; the others are about the connection.
const PART_HEADERS: [&str; 8] = [
    "Content-Type",
    "ETag",
    "Flette-Incomplete",
    "Location",
    "OData-EntityId",
    "OData-Version",
    "Preference-Applied",
    SOURCE_HEADER,
];

impl<P: Platform + 'static> Engine<P> {
    /// The requests of a batch of reads that is not to be answered by the server as a whole, since changes wait; `None` for
    /// any other request.
    pub(super) fn parts_to_read(&self, request: &Request) -> Option<Vec<Request>> {
        if self.replica.state().journal.is_empty() {
            return None;
        }
        let root = path_root(&request.url)?;
        let kind = request.headers.get("Content-Type").unwrap_or_default();
        let items = parse_batch(kind, &request.body).ok()?;
        let read = |item| match item {
            BatchItem::Single(part) if part.request.method == Method::Get => Some(part.request),
            BatchItem::Single(_) | BatchItem::ChangeSet(_) => None,
        };
        let parts: Option<Vec<Request>> = items.into_iter().map(read).collect();
        let named = |part: Request| Request { url: url_of(&part.url, root), ..part };
        Some(parts?.into_iter().map(named).collect())
    }

    /// The answer to the batch with these parts ([`Engine::parts_to_read`]). Without `odata.continue-on-error` it ends with the
    /// first failure, whose status is then the batch's.
    pub(super) async fn answer_parts(&self, batch: &Request, parts: Vec<Request>) -> Response {
        let (mut answers, mut beyond) = (Vec::with_capacity(parts.len()), Vec::new());
        for (place, part) in parts.into_iter().enumerate() {
            let answer = match self.answer_part(&part).await {
                Answer::Here(answer) => answer,
                Answer::Elsewhere(fallback) => {
                    beyond.push((place, part));
                    fallback
                }
            };
            answers.push(answer.header(SOURCE_HEADER, "replica"));
        }
        let heard = self.hear_parts(batch, &beyond).await;
        let source = if heard.is_some() { "network" } else { "replica" };
        for ((place, _), answer) in beyond.iter().zip(heard.unwrap_or_default()) {
            if let Some(kept) = answers.get_mut(*place) {
                *kept = answer.header(SOURCE_HEADER, source);
            }
        }
        let goes_on = Prefer::parse(&batch.headers).continue_on_error;
        let failed = answers.iter().position(|answer| answer.status >= 400).filter(|_| !goes_on);
        let status = failed.and_then(|at| answers.get(at)).map_or(200, |answer| answer.status);
        answers.truncate(failed.map_or(answers.len(), |at| at + 1));
        let boundary = self.replica.new_id(self.platform.now());
        let answers: Vec<BatchAnswer> = answers.into_iter().map(as_part).collect();
        let mut response = write_batch_response(&answers, boundary, status);
        if goes_on {
            response.headers.set("Preference-Applied", "odata.continue-on-error");
        }
        response.header(SOURCE_HEADER, source)
    }

    async fn answer_part(&self, part: &Request) -> Answer {
        match content_reference(&part.url) {
            Some(_) => Answer::Here(unknown_reference(&part.url).to_response()),
            None => self.answer(part).await,
        }
    }

    /// What the server answers to some of the parts, in a batch of their own; `None` where it is not asked, or does not answer.
    async fn hear_parts(&self, batch: &Request, parts: &[(usize, Request)]) -> Option<Vec<Response>> {
        if parts.is_empty() {
            return None;
        }
        let single = |(_, request): &(usize, Request)| {
            BatchItem::Single(Part { content_id: None, request: request.clone() })
        };
        let items: Vec<BatchItem> = parts.iter().map(single).collect();
        let (kind, body) = write_batch_request(&items, self.replica.new_id(self.platform.now()));
        let mut request = Request { body, ..batch.clone() };
        request.headers.set("Content-Type", kind);
        request.headers.push("Prefer", "odata.continue-on-error");
        let response = self.forward(self.outward(request)).await.ok()?;
        let kind = response.headers.get("Content-Type").unwrap_or_default();
        let answers = parse_batch_response(kind, &response.body).unwrap_or_default();
        let answers: Vec<Response> = answers.into_iter().filter_map(alone).collect();
        match answers.len() == parts.len() {
            true => Some(answers),
            // Nobody is signed in, or the server is busy: that goes for each.
            false if response.status >= 400 => Some(vec![response; parts.len()]),
            false => None,
        }
    }
}

fn alone(answer: BatchAnswer) -> Option<Response> {
    match answer {
        BatchAnswer::Single(response) => Some(response),
        BatchAnswer::ChangeSet(_) => None,
    }
}

/// An answer as a part of a batch.
fn as_part(mut answer: Response) -> BatchAnswer {
    let means = |(name, _): &(&str, &str)| PART_HEADERS.iter().any(|kept| name.eq_ignore_ascii_case(kept));
    answer.headers = answer.headers.iter().filter(means).collect();
    BatchAnswer::Single(answer)
}

/// The root that the URL of a batch names: all before `$batch`. `None` where it is none.
fn path_root(url: &str) -> Option<&str> {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    url.get(..end)?.strip_suffix("$batch").filter(|root| root.ends_with('/'))
}

/// The URL of a part, which may be absolute, a path, or relative to the root, as that of a request of its own.
fn url_of(part: &str, root: &str) -> String {
    if part.contains("://") || content_reference(part).is_some() {
        return part.to_owned();
    }
    match part.starts_with('/') {
        true => format!("{}{part}", root.strip_suffix(path_of(root)).unwrap_or_default()),
        false => format!("{root}{part}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_the_url_that_it_would_have_alone() {
        for (batch, part, expected) in [
            ("/v/$batch", "accounts", "/v/accounts"),
            ("/v/$batch?x=1", "/v/accounts?$top=1", "/v/accounts?$top=1"),
            ("http://h/v/$batch", "accounts", "http://h/v/accounts"),
            ("http://h/v/$batch", "/v/accounts", "http://h/v/accounts"),
            ("http://h/v/$batch", "http://h/v/accounts", "http://h/v/accounts"),
            ("/v/$batch", "$1/name", "$1/name"),
        ] {
            assert_eq!(url_of(part, path_root(batch).unwrap()), expected, "{batch} {part}");
        }
        assert_eq!(path_root("/v/accounts?x=/$batch"), None);
    }
}
