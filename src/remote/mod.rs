//! The CRM server as typed calls. Knows the wire and its answers, nothing of the replica.

mod batch;
mod body;
mod classify;
mod counts;
mod definition_changes;
mod definitions;
mod lists;
mod query;
mod stamps;
mod views;

pub use batch::{content_id, request_bytes, Reply, RowAnswer, RowCall};
pub use body::{link_body, list_body, BodyWriter, Reference};
pub use classify::{classify, Asked, Hold, Outcome, Resolve};
pub use counts::{Counted, COUNT_MAX};
pub use definition_changes::{DefinitionChanges, CHANGES_TABLES_MAX};
pub use definitions::Described;
pub use lists::Lists;
pub use query::{collection_url, listing_url, row_url, rows_url, sweep_url};
pub use stamps::{stamps_of_row, stamps_of_rows};

use crate::model::{Heard, Millis, Trace, TraceEvent};
use crate::platform::{Transport, TransportError};
use flette_odata::changes_only;
use flette_odata::exact_time;
use flette_odata::known_versions::{self, KnownVersions};
use flette_odata::same_user;
use flette_odata::stamps::EXTENSIONS_HEADER;
use flette_odata::time::parse_http_date;
use flette_odata::{Request, Response};
use query::link_url;
use serde::Deserialize;
use std::cell::Cell;
use uuid::Uuid;

/// Names the server database's lineage; on answers to `WhoAmI` of servers that have one.
const LINEAGE_HEADER: &str = "Flette-Lineage";
/// Asks for what a lookup with several target tables points to; without it, it cannot be resolved.
const LOOKUP_ANNOTATION: &str = "odata.include-annotations=\"Microsoft.Dynamics.CRM.lookuplogicalname\"";
/// The same, and when each field was edited; of servers that keep that.
const STAMPS_ANNOTATION: &str =
    "odata.include-annotations=\"Microsoft.Dynamics.CRM.lookuplogicalname,Flette.ModifiedOn\"";
/// Asks pages for the version of the definitions by which they were written.
const DEFINITIONS_ANNOTATION: &str = "Microsoft.Dynamics.CRM.globalmetadataversion";
/// The extension by which a server says that it keeps field stamps.
const FIELD_STAMPS: &str = "field-stamps";
/// The extension by which a server says that it keeps receipts: OASIS Repeatable Requests 1.0.
const RECEIPTS: &str = "repeatable-requests";

/// One exchange: when it was sent, when answered, and the answer.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Exchange {
    pub sent: Millis,
    pub received: Millis,
    pub answer: Result<Response, TransportError>,
}

impl Exchange {
    /// The server's clock, as it says itself ([`exact_time`]) or else by `Date`.
    pub fn heard(&self) -> Option<Heard> {
        let headers = &self.answer.as_ref().ok()?.headers;
        let exact = exact_time::read(headers).map(|at| Heard::exactly(self.sent, self.received, Millis(at)));
        exact.or_else(|| {
            let date = parse_http_date(headers.get("Date")?)?;
            Some(Heard::in_second(self.sent, self.received, Millis(date)))
        })
    }
}

/// Who the server says is calling.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Caller {
    /// `systemuserid`
    #[serde(rename = "UserId")]
    pub user: Uuid,
    /// His business unit.
    #[serde(rename = "BusinessUnitId")]
    pub business_unit: Uuid,
    /// Identity of the server's database, where it tells one.
    #[serde(skip)]
    pub lineage: Option<String>,
}

/// What became of a call that only reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// The whole body.
    Body(Vec<u8>),
    /// Anything but [`Outcome::Done`].
    Not(Outcome),
}

/// The way to the server.
pub struct Remote<'a, T: Transport> {
    transport: &'a T,
    root: &'a str,
    now: &'a dyn Fn() -> Millis,
    /// Server time minus device time, for a `Retry-After` that is a date.
    offset_millis: Cell<i64>,
    /// What came with the latest rows.
    heard: Cell<Option<Heard>>,
    answered: Cell<bool>,
    was_late: Cell<bool>,
    keeps_stamps: Cell<bool>,
    keeps_receipts: Cell<bool>,
    tells_changes: Cell<bool>,
    knows_versions: Cell<bool>,
    /// Who is named in requests to servers that refuse what is meant for another user.
    named: Cell<Option<Uuid>>,
    trace: &'a Trace,
}

impl<'a, T: Transport> Remote<'a, T> {
    /// The API at `root`, which ends in `/`. What is asked of it is traced.
    pub fn new(
        transport: &'a T,
        root: &'a str,
        now: &'a dyn Fn() -> Millis,
        trace: &'a Trace,
    ) -> Remote<'a, T> {
        let no = || Cell::new(false);
        let (answered, was_late) = (no(), no());
        let (keeps_stamps, keeps_receipts) = (no(), no());
        let (tells_changes, knows_versions) = (no(), no());
        let (offset_millis, heard, named) = (Cell::new(0), Cell::new(None), Cell::new(None));
        Remote {
            transport,
            root,
            now,
            offset_millis,
            heard,
            answered,
            was_late,
            keeps_stamps,
            keeps_receipts,
            tells_changes,
            knows_versions,
            named,
            trace,
        }
    }

    /// API root, ending in `/`.
    pub fn root(&self) -> &str {
        self.root
    }

    /// The server's clock when it last showed rows.
    pub fn heard(&self) -> Option<Heard> {
        self.heard.get()
    }

    /// Whether any answer came so far, whatever it was.
    pub fn answered(&self) -> bool {
        self.answered.get()
    }

    /// Whether the exchange that ended last did so without a whole answer in time, so that less might have arrived. To be asked
    /// before anything else is awaited.
    pub fn was_late(&self) -> bool {
        self.was_late.get()
    }

    /// Whether the server has said that it keeps, tells and takes the time of each field's last edit.
    pub fn keeps_stamps(&self) -> bool {
        self.keeps_stamps.get()
    }

    /// Whether the server has said that it answers a request which it gets a second time as it did the first time.
    pub fn keeps_receipts(&self) -> bool {
        self.keeps_receipts.get()
    }

    /// Whether the server has said that it can answer an update with what differs from the version that it names.
    pub fn tells_changes(&self) -> bool {
        self.tells_changes.get()
    }

    /// Whether the server has said that it leaves versions which are named to it out of what it tells of changes.
    pub fn knows_versions(&self) -> bool {
        self.knows_versions.get()
    }

    /// What to ask for beside values, where rows are merged.
    fn annotations(&self) -> &'static str {
        match self.keeps_stamps() {
            true => STAMPS_ANNOTATION,
            false => LOOKUP_ANNOTATION,
        }
    }

    async fn exchange(&self, request: Request, about: About<'_>) -> Exchange {
        let sent = (self.now)();
        let method = request.method.as_str();
        let request = match self.named.get() {
            Some(user) => request.header(same_user::HEADER, user.to_string()),
            None => request,
        };
        let request = request
            .header("Accept", "application/json")
            .header("OData-MaxVersion", "4.0")
            .header("OData-Version", "4.0");
        let answer = self.transport.send(request).await;
        let exchange = Exchange { sent, received: (self.now)(), answer };
        if exchange.answer.is_ok() {
            self.answered.set(true);
        }
        self.was_late.set(match &exchange.answer {
            Err(TransportError::Timeout | TransportError::Cut(_)) => true,
            Err(TransportError::Unreachable(_)) | Ok(_) => false,
        });
        self.trace.note(exchange.received, &traced(method, about, &exchange));
        if let Some(heard) = exchange.heard() {
            self.offset_millis.set(heard.from.0.saturating_sub(exchange.received.0));
        }
        exchange
    }

    /// Classifies by the server's clock.
    fn judge(&self, asked: Asked, exchange: &Exchange) -> Outcome {
        let now = Millis(exchange.received.0.saturating_add(self.offset_millis.get()));
        classify(asked, exchange.answer.as_ref(), now)
    }

    fn read(&self, asked: Asked, exchange: Exchange) -> Read {
        match (self.judge(asked, &exchange), exchange.answer) {
            (Outcome::Done, Ok(response)) => Read::Body(response.body),
            (Outcome::Done, Err(_)) => Read::Not(Outcome::Retry("no answer".to_owned())),
            (other, _) => Read::Not(other),
        }
    }

    /// `WhoAmI`, and the exchange, from which the clock learns.
    pub async fn who_am_i(&self) -> (Result<Caller, Outcome>, Exchange) {
        let exchange =
            self.exchange(Request::get(format!("{}WhoAmI", self.root)), About::Alone("WhoAmI")).await;
        let caller = match (self.judge(Asked::Read, &exchange), &exchange.answer) {
            (Outcome::Done, Ok(response)) => {
                let extensions = response.headers.get(EXTENSIONS_HEADER).unwrap_or_default();
                let announced = |name: &str| extensions.split(',').any(|known| known.trim() == name);
                self.keeps_stamps.set(announced(FIELD_STAMPS));
                self.keeps_receipts.set(announced(RECEIPTS));
                self.tells_changes.set(announced(changes_only::NAME));
                self.knows_versions.set(announced(known_versions::NAME));
                let caller = caller(response);
                // Whoever it is now: a cookie may be another user's from one request to the next.
                let user = caller.as_ref().ok().map(|caller| caller.user);
                self.named.set(user.filter(|_| announced(same_user::NAME)));
                caller
            }
            (Outcome::Done, Err(_)) => Err(Outcome::Retry("no answer".to_owned())),
            (Outcome::Resolve(_), _) => Err(Outcome::Retry("the API is not where it should be".to_owned())),
            (other, _) => Err(other),
        };
        (caller, exchange)
    }

    /// One page of a collection, from its first URL or from a link the server gave, which is followed at the root's own origin.
    pub async fn page(&self, page: &PageCall) -> (Read, Option<Heard>) {
        let annotations = if page.merged { self.annotations() } else { LOOKUP_ANNOTATION };
        let annotations = annotations.trim_end_matches('"');
        let mut prefer =
            format!("odata.maxpagesize={},{annotations},{DEFINITIONS_ANNOTATION}\"", page.rows_max);
        if page.track_changes {
            prefer = format!("odata.track-changes,{prefer}");
        }
        if !page.known.is_empty() {
            prefer = format!("{prefer},{}=\"{}\"", known_versions::PREFERENCE, page.known.to_text());
        }
        let is_link = page.asked == Asked::Link;
        let url = if is_link { link_url(self.root, &page.url) } else { page.url.clone() };
        let request = Request::get(url).header("Prefer", prefer);
        let exchange = self.exchange(request, About::Alone(&page.table)).await;
        let heard = exchange.heard();
        let read = self.read(page.asked, exchange);
        if matches!(read, Read::Body(_)) {
            self.heard.set(heard);
        }
        (read, heard)
    }
}

/// A page to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageCall {
    /// Logical name of the table.
    pub table: String,
    /// URL of our own making, or a link verbatim.
    pub url: String,
    /// Which of the two.
    pub asked: Asked,
    /// Whether to ask for change tracking: on first calls only.
    pub track_changes: bool,
    /// Most rows wanted.
    pub rows_max: u32,
    /// Whether its rows may have been edited here: then it matters when each field was edited there.
    pub merged: bool,
    /// Versions that need not be told.
    pub known: KnownVersions,
}

/// What an exchange is about, for the trace: a URL may hold a value.
#[derive(Debug, Clone, Copy)]
enum About<'a> {
    /// A table or a function.
    Alone(&'a str),
    /// So many requests about something.
    Batch(&'a str, usize),
}

fn traced(method: &'static str, about: About<'_>, exchange: &Exchange) -> TraceEvent {
    let (about, parts) = match about {
        About::Alone(name) => (name, None),
        About::Batch(name, parts) => (name, Some(parts)),
    };
    let failed = exchange.answer.as_ref().err().map(|error| match error {
        TransportError::Unreachable(_) => "unreachable",
        TransportError::Timeout => "timeout",
        TransportError::Cut(_) => "cut",
    });
    TraceEvent::Request {
        method,
        about: about.to_owned(),
        parts,
        status: exchange.answer.as_ref().ok().map(|response| response.status),
        failed,
        bytes: exchange.answer.as_ref().map_or(0, |response| response.body.len()),
        millis: exchange.received.0.saturating_sub(exchange.sent.0),
    }
}

fn caller(response: &Response) -> Result<Caller, Outcome> {
    let foreign = |_| Outcome::Retry("the answer to WhoAmI is not the server's".to_owned());
    let mut caller: Caller = flette_odata::json::read(&response.body).map_err(foreign)?;
    caller.lineage = response.headers.get(LINEAGE_HEADER).map(str::to_owned);
    Ok(caller)
}
