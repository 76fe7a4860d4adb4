//! The control API below `/flette/`: what the page shows and does about the replica itself.

use super::{offline, parity, path_of, views, Engine, CONTROL_ROOT};
use crate::error::{Error, Result};
use crate::model::{OpId, Side};
use crate::platform::Platform;
use crate::replica::Draft;
use crate::store::Durability;
use flette_odata::{Method, ODataError, Request, Response};
use serde::de::DeserializeOwned;
use serde::Deserialize;
use uuid::Uuid;

/// Most rows that are offered to merge a refused one into.
const LOOK_ALIKES_MAX: usize = 10;

#[derive(Deserialize)]
struct ResolveBody {
    take: Side,
}

#[derive(Deserialize)]
struct MergeBody {
    id: Uuid,
}

#[derive(Deserialize, Default)]
struct SignOutBody {
    #[serde(default)]
    unsent: Unsent,
}

#[derive(Deserialize, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Unsent {
    /// Refuse to sign out while changes wait.
    #[default]
    KeepRefuse,
    /// Give them up.
    Discard,
}

impl<P: Platform + 'static> Engine<P> {
    pub(super) async fn control(&self, request: Request) -> Response {
        let path = path_of(&request.url).strip_prefix(CONTROL_ROOT).unwrap_or_default().to_owned();
        let segments: Vec<&str> = path.split('/').collect();
        self.route(&request, &segments).await.unwrap_or_else(|error| error.to_odata().to_response())
    }

    async fn route(&self, request: &Request, segments: &[&str]) -> Result<Response> {
        match (request.method, segments) {
            (Method::Get, ["status"]) => self.status().await,
            (Method::Get, ["journal"]) => Ok(json(&views::journal(&self.replica.state()))),
            (Method::Get, ["conflicts"]) => self.conflicts().await,
            (Method::Get, ["export"]) => Ok(self.export()),
            (Method::Get, ["parity"]) => self.parity().await,
            (Method::Get, ["trace"]) => Ok(self.trace(after(&request.url)?).await),
            (Method::Get, ["trace", "export"]) => Ok(attached(self.trace(0).await, "flette-trace.json")),
            (Method::Post, ["sync"]) => Ok(json(&views::report(&self.round().await))),
            (Method::Post, ["go-offline"]) => Ok(json(&views::report(&self.go_offline().await?))),
            (Method::Post, ["go-offline", "cancel"]) => {
                self.cancel_offline().await?;
                Ok(Response::empty(204))
            }
            (Method::Post, ["go-online"]) => Ok(json(&views::report(&self.go_online().await?))),
            (Method::Post, ["journal", op, "retry"]) => {
                let op = op_id(op)?;
                self.decide(|draft| draft.retry(op)).await
            }
            (Method::Post, ["journal", op, "discard"]) => {
                let op = op_id(op)?;
                self.decide(|draft| draft.discard(op)).await
            }
            (Method::Post, ["journal", op, "merge"]) => {
                let (op, body) = (op_id(op)?, parse::<MergeBody>(&request.body)?);
                self.decide(|draft| draft.merge_into(op, body.id)).await
            }
            (Method::Get, ["journal", op, "duplicates"]) => self.duplicates(op_id(op)?).await,
            (Method::Get, ["journal", op, "export"]) => self.export_one(op_id(op)?),
            (Method::Post, ["conflicts", id, "resolve"]) => {
                let (id, body) = (uuid(id)?, parse::<ResolveBody>(&request.body)?);
                self.decide(|draft| draft.resolve_conflict(id, body.take)).await
            }
            (Method::Post, ["sign-out"]) => self.sign_out(&request.body).await,
            (_, known) if is_known(known) => {
                Err(ODataError::method_not_allowed(request.method.as_str(), &known.join("/")).into())
            }
            (_, unknown) => Err(ODataError::segment_not_found(&unknown.join("/")).into()),
        }
    }

    /// A human's decision, as one durable transaction.
    async fn decide(&self, decide: impl FnMut(&mut Draft) -> Result<()>) -> Result<Response> {
        let scope = self.scope();
        let tables: Vec<&str> = scope.iter().map(String::as_str).collect();
        self.replica.transact(self.platform.now(), Durability::Strict, &tables, decide).await?;
        Ok(Response::empty(204))
    }

    async fn status(&self) -> Result<Response> {
        // What another context sent and received since is told, too, where the store can say.
        let is_newest = self.catch_up().await;
        self.load_all().await?;
        let (memory, scope) = (self.platform.memory_bytes(), self.scope());
        let state = self.replica.state();
        let now = self.platform.now();
        let going = offline::on_the_way(&state, &scope, &self.live, now);
        let profile = &self.config.profile;
        let mut status = views::status(&state, (&scope, profile), &self.live, (memory, going), now);
        status.synced &= is_newest;
        Ok(json(&status))
    }

    async fn parity(&self) -> Result<Response> {
        self.load_all().await?;
        Ok(json(&parity::parity(&self.replica.state(), &self.scope())))
    }

    async fn conflicts(&self) -> Result<Response> {
        self.load_all().await?;
        Ok(json(&views::conflicts(&self.replica.state())))
    }

    pub(super) async fn load_all(&self) -> Result<()> {
        let scope = self.scope();
        let tables: Vec<&str> = scope.iter().map(String::as_str).collect();
        self.replica.load(&tables).await
    }

    /// Events after one, oldest first, with the number of the newest.
    async fn trace(&self, after: u64) -> Response {
        // Without what was stored before, what happened since the start is shown.
        let _ = self.replica.recall_trace().await;
        let trace = self.replica.trace();
        let body = format!("{{\"last\":{},\"events\":[{}]}}", trace.last(), trace.after(after).join(","));
        Response::json(200, body.into_bytes()).header("Content-Type", "application/json")
    }

    /// Everything of the user's that the server does not have, as a file to keep.
    fn export(&self) -> Response {
        let body = views::export(&self.replica.state());
        attached(json(&body), "flette-journal.json")
    }

    /// One change in the form of the whole file.
    fn export_one(&self, op: OpId) -> Result<Response> {
        let one = views::export_one(&self.replica.state(), op);
        let unknown =
            || ODataError::new(404, "0x80040217", format!("The journal holds no operation {}.", op.0));
        Ok(attached(json(&one.ok_or_else(unknown)?), "flette-change.json"))
    }

    /// Rows that a refused new row may be meant to be.
    async fn duplicates(&self, op: OpId) -> Result<Response> {
        let scope = self.scope();
        let tables: Vec<&str> = scope.iter().map(String::as_str).collect();
        let look = |draft: &mut Draft| draft.look_alikes(op, LOOK_ALIKES_MAX);
        let found = self.replica.transact(self.platform.now(), Durability::Relaxed, &tables, look).await?;
        Ok(json(&views::named(&self.replica.state(), &found)))
    }

    /// Whether the replica may be deleted now; the caller deletes it. From here on no request is answered, so that no
    /// change is acknowledged and then deleted.
    async fn sign_out(&self, body: &[u8]) -> Result<Response> {
        let body = if body.is_empty() { SignOutBody::default() } else { parse(body)? };
        self.live.ended.set(true);
        let allowed = self.may_sign_out(&body).await;
        self.live.ended.set(allowed.is_ok());
        allowed.map(|()| Response::empty(204))
    }

    async fn may_sign_out(&self, body: &SignOutBody) -> Result<()> {
        // In its turn: a write that is being committed counts.
        let count = |draft: &mut Draft| Ok(draft.state().journal.len());
        let unsent = self.replica.transact(self.platform.now(), Durability::Relaxed, &[], count).await?;
        if unsent > 0 && body.unsent == Unsent::KeepRefuse {
            let message = format!("{unsent} changes have not been sent. Send, export or discard them first.");
            return Err(ODataError::new(409, "0x80044188", message).into());
        }
        Ok(())
    }
}

/// An answer as a file to keep.
fn attached(response: Response, name: &str) -> Response {
    response.header("Content-Disposition", format!("attachment; filename=\"{name}\""))
}

/// What `after` says in a query; 0 when it is not there.
fn after(url: &str) -> Result<u64> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let Some(text) = query.split('&').find_map(|option| option.strip_prefix("after=")) else { return Ok(0) };
    Ok(text.parse().map_err(|_| ODataError::bad_request("'after' must be the number of an event."))?)
}

/// Every request of the control API: method and path below [`CONTROL_ROOT`], with `*` for what varies.
const ROUTES: [(Method, &str); 18] = [
    (Method::Get, "status"),
    (Method::Get, "journal"),
    (Method::Get, "conflicts"),
    (Method::Get, "export"),
    (Method::Get, "parity"),
    (Method::Get, "trace"),
    (Method::Get, "trace/export"),
    (Method::Post, "sync"),
    (Method::Post, "go-offline"),
    (Method::Post, "go-offline/cancel"),
    (Method::Post, "go-online"),
    (Method::Post, "journal/*/retry"),
    (Method::Post, "journal/*/discard"),
    (Method::Get, "journal/*/export"),
    (Method::Get, "journal/*/duplicates"),
    (Method::Post, "journal/*/merge"),
    (Method::Post, "conflicts/*/resolve"),
    (Method::Post, "sign-out"),
];

/// Whether a path is one of the control API, by whatever method.
fn is_known(segments: &[&str]) -> bool {
    let fits = |path: &str| {
        path.split('/').count() == segments.len()
            && path.split('/').zip(segments).all(|(part, segment)| part == "*" || part == *segment)
    };
    ROUTES.iter().any(|(_, path)| fits(path))
}

fn json<T: serde::Serialize>(value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => Response::json(200, body).header("Content-Type", "application/json"),
        Err(error) => Error::Damaged(error.to_string()).to_odata().to_response(),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    // The parser's own words name members and places, never values.
    let refuse = |e: serde_json::Error| {
        ODataError::bad_payload(format!("The body cannot be read: {:?}", e.classify()))
    };
    Ok(flette_odata::json::read(body).map_err(refuse)?)
}

fn uuid(text: &str) -> Result<Uuid> {
    Ok(Uuid::try_parse(text).map_err(|_| ODataError::bad_request("The path holds no valid GUID."))?)
}

fn op_id(text: &str) -> Result<OpId> {
    uuid(text).map(OpId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_request_and_no_other() {
        let text = include_str!("../../docs/control-api.md");
        let requests = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let listed: Vec<&str> = requests.filter(|request| request.contains(CONTROL_ROOT)).collect();
        let routes: Vec<String> = ROUTES
            .iter()
            .map(|(method, path)| format!("{} {CONTROL_ROOT}{}", method.as_str(), path.replace('*', "{id}")))
            .collect();
        assert_eq!(listed, routes);
    }

    #[test]
    fn a_known_path_is_known_by_its_parts() {
        for (known, path) in
            [(true, "journal/x/retry"), (false, "journal/x/burn"), (false, "journal/x"), (false, "")]
        {
            assert_eq!(is_known(&path.split('/').collect::<Vec<_>>()), known, "{path}");
        }
    }

    #[test]
    fn the_number_after_which_events_are_wanted_stands_in_the_query() {
        let number = |url: &str| after(url).ok();
        assert_eq!(number("/flette/trace"), Some(0));
        assert_eq!(number("/flette/trace?x=1&after=17"), Some(17));
        assert_eq!(number("/flette/trace?after=-1"), None);
        assert_eq!(number("/flette/trace?after="), None);
    }
}
