//! The engine: the front door for requests, the back door for rounds, and what the two must know of each other: whether
//! the server can be reached, and whether the user chose to be offline.

mod control;
mod offline;
mod outward;
mod parity;
mod parts;
mod passed;
mod views;

use crate::api::{self, Answer, Door};
use crate::error::Result;
pub use crate::model::Profile;
use crate::model::{Millis, Patience, TraceEvent};
use crate::platform::{Platform, Transport, TransportError};
pub use crate::replica::Identity;
use crate::replica::{Draft, Random, Replica};
use crate::store::Durability;
use crate::sync::{self, Outside, Progress, Report, SyncConfig};
use flette_odata::batch::{parse_batch, BatchItem};
use flette_odata::{Method, ODataError, Request, Response};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Says on every API answer who gave it.
pub const SOURCE_HEADER: &str = "Flette-Source";

/// Path of the control API.
pub const CONTROL_ROOT: &str = "/flette/";

/// Longest time that the segments are merged after a round, milliseconds. What is left undone waits for the next one.
const COMPACTION_MILLIS_MAX: i64 = 2_000;

/// What a round says that did not take place because another context runs them.
const NOT_PRIMARY: &str = "Another context is the primary client.";

/// What a round says that did not take place because the server asked for patience.
const NOT_YET: &str = "The server asked to be left alone for a while.";

/// How an engine is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// Path of the API on this origin, or an absolute URL, ending in `/`.
    pub root: String,
    /// Name of the replica; the lock of the primary client is named after it.
    pub database: String,
    /// Whose replica it is.
    pub identity: Identity,
    /// Logical names of the tables that are offline, in pull order.
    pub tables: Vec<String>,
    /// Rows asked for per pulled page, `1..=5000`.
    pub page_size: u32,
    /// Requests sent in one batch, `1..=100`; of a change set all go in one, whatever is set here.
    pub batch_size: u32,
    /// What of the tables goes offline, and whose value stands in a conflict.
    pub profile: Profile,
}

/// What is known only while the engine runs.
#[derive(Default)]
struct Live {
    /// Whether the last exchange reached the server; `None` before the first.
    reachable: Cell<Option<bool>>,
    /// Whether the server takes this user's session.
    signed_in: Cell<bool>,
    /// Whether the user has signed out: the replica is about to be deleted, so nothing may be promised any more.
    ended: Cell<bool>,
    /// Whether a round is under way.
    syncing: Cell<bool>,
    /// Whether this context ran the last round.
    primary: Cell<bool>,
    /// Why the last round did not end well.
    problem: RefCell<Option<String>>,
    /// How far the round under way is.
    progress: Progress,
    /// When, and with how many rows, this life of the engine began to go offline.
    pace: Cell<Option<(Millis, u64)>>,
    /// How long the server wants to be left alone, as its last answer to a round said, to this life of the engine or an
    /// earlier one.
    patience: Cell<Option<Patience>>,
}

impl Live {
    /// What is left of the time for which the server wants to be left alone, milliseconds; `None` when nothing is.
    fn patience_left(&self, now: Millis) -> Option<u64> {
        self.patience.get().and_then(|patience| patience.left(now))
    }
}

/// See the module.
pub struct Engine<P: Platform> {
    platform: Rc<P>,
    config: Config,
    replica: Replica<P::Store>,
    live: Live,
}

impl<P: Platform + 'static> Engine<P> {
    /// Opens the replica of one user.
    ///
    /// # Errors
    /// When the store cannot be opened or read.
    pub async fn open(platform: P, config: Config) -> Result<Engine<P>> {
        let platform = Rc::new(platform);
        let chance = platform.clone();
        let random: Random = Box::new(move |bytes| chance.random(bytes));
        let replica = Replica::open(platform.store().clone(), random, config.identity).await?;
        replica.trace().note(platform.now(), &TraceEvent::Started);
        let patience = Cell::new(replica.state().record.patience);
        let live = Live { signed_in: Cell::new(true), patience, ..Live::default() };
        Ok(Engine { platform, config, replica, live })
    }

    /// Answers any request below the API's root or [`CONTROL_ROOT`]. Never fails: an error is a response.
    pub async fn handle(&self, request: Request) -> Response {
        if path_of(&request.url).starts_with(CONTROL_ROOT) {
            return self.control(request).await;
        }
        if self.live.ended.get() {
            let ended = ODataError::new(503, "0x80040216", "The user of this replica has signed out.");
            return ended.to_response().header(SOURCE_HEADER, "replica");
        }
        match self.answer(&request).await {
            Answer::Here(response) => response.header(SOURCE_HEADER, "replica"),
            Answer::Elsewhere(fallback) if self.is_offline_chosen() => {
                fallback.header(SOURCE_HEADER, "replica")
            }
            Answer::Elsewhere(_) if may_write(&request) => self.pass_write_on(request).await,
            Answer::Elsewhere(fallback) => match self.parts_to_read(&request) {
                Some(parts) => self.answer_parts(&request, parts).await,
                None => self.pass_on(self.outward(request), fallback).await,
            },
        }
    }

    async fn answer(&self, request: &Request) -> Answer {
        let scope = self.scope();
        let door = Door { root: &self.config.root, scope: &scope, now: self.platform.now() };
        let answer = api::answer(&self.replica, request, door).await;
        self.replica.rest();
        answer
    }

    /// What the server says, else the replica's answer.
    async fn pass_on(&self, request: Request, fallback: Response) -> Response {
        match self.forward(request).await {
            Ok(response) => response.header(SOURCE_HEADER, "network"),
            Err(_) => fallback.header(SOURCE_HEADER, "replica"),
        }
    }

    /// Its row may be in a page that is on its way. A page that came in before this began, here or in another context, may
    /// have brought it, so the replica is asked again; one that comes in later, and is older than the write, is not taken
    /// over.
    async fn pass_write_on(&self, request: Request) -> Response {
        let _passing = self.live.progress.passes();
        self.replica.calm().await;
        self.catch_up().await;
        match self.answer(&request).await {
            Answer::Here(response) => response.header(SOURCE_HEADER, "replica"),
            Answer::Elsewhere(fallback) => {
                let request = self.outward(request);
                match self.forward(request.clone()).await {
                    Ok(answer) if passed::leaves_open(&answer) => {
                        self.learn(&request, None).await;
                        passed::in_words(answer).header(SOURCE_HEADER, "network")
                    }
                    Ok(answer) => {
                        self.learn(&request, Some(&answer)).await;
                        answer.header(SOURCE_HEADER, "network")
                    }
                    Err(TransportError::Unreachable(_)) => fallback.header(SOURCE_HEADER, "replica"),
                    Err(TransportError::Timeout | TransportError::Cut(_)) => {
                        self.learn(&request, None).await;
                        passed::unanswered().to_response().header(SOURCE_HEADER, "network")
                    }
                }
            }
        }
    }

    /// Hears what another context has committed. Where that fails, what is known here goes on to count. Tells whether it is the
    /// newest.
    async fn catch_up(&self) -> bool {
        self.replica.catch_up().await.unwrap_or(false)
    }

    /// Passes a request on to the server as it is.
    async fn forward(&self, request: Request) -> std::result::Result<Response, TransportError> {
        let answer = self.platform.transport().send(request).await;
        self.live.reachable.set(Some(answer.is_ok()));
        if let Ok(response) = &answer {
            self.live.signed_in.set(response.status != 401);
        }
        answer
    }

    /// A round that nobody asked for: as [`Engine::round`], but not while the server wants to be left alone
    /// (`Retry-After`); then [`Report::retry_after_millis`] says for how long.
    pub async fn round_if_due(&self) -> Report {
        match self.live.patience_left(self.platform.now()) {
            Some(left) => Report { retry_after_millis: Some(left), ..idle(NOT_YET) },
            None => self.round().await,
        }
    }

    /// One round, if this context is the primary client and the user did not choose to be offline. Ends at a slice
    /// border after a bounded time; [`Report::more`] says that another round is due at once. Never fails: what went wrong
    /// is told in the report.
    pub async fn round(&self) -> Report {
        if self.is_offline_chosen() {
            return idle("The user works offline.");
        }
        if !self.is_going_offline() {
            return self.round_now().await;
        }
        let Some(_lock) = self.lock().await else {
            return idle(NOT_PRIMARY);
        };
        // Whoever wished for it does not wait any more: the worker was stopped meanwhile.
        match self.step_offline().await {
            Ok(report) => report,
            Err(error) => self.refuse_offline(&error).await,
        }
    }

    async fn round_now(&self) -> Report {
        match self.lock().await {
            Some(_lock) => self.locked_round().await,
            None => idle(NOT_PRIMARY),
        }
    }

    /// A round of whoever holds the lock.
    async fn locked_round(&self) -> Report {
        let syncing = self.begin();
        let config = self.sync_config();
        let now = || self.platform.now();
        let random = |bytes: &mut [u8]| self.platform.random(bytes);
        let outside = self.outside(&now, &random);
        let mut report = sync::round(&self.replica, &outside, &config, &self.live.progress).await;
        drop(syncing);
        self.upkeep(&mut report).await;
        self.note_ended(&report).await;
        report
    }

    /// The right to run rounds, for as long as it is held; `None` when another context has it.
    async fn lock(&self) -> Option<P::Lock> {
        let name = format!("flette-round:{}", self.config.database);
        let lock = self.platform.try_lock(&name).await;
        self.live.primary.set(lock.is_some());
        lock
    }

    /// Something that [`Progress::stop`] ends begins.
    fn begin(&self) -> Reset<'_> {
        self.live.progress.resume();
        self.live.syncing.set(true);
        Reset(&self.live.syncing)
    }

    fn sync_config(&self) -> SyncConfig {
        SyncConfig {
            root: self.config.root.clone(),
            tables: self.scope(),
            page_size: self.config.page_size,
            batch_size: self.config.batch_size,
            profile: self.config.profile.clone(),
        }
    }

    fn outside<'a>(
        &'a self,
        now: &'a dyn Fn() -> Millis,
        random: &'a dyn Fn(&mut [u8]),
    ) -> Outside<'a, P::Transport> {
        Outside { transport: self.platform.transport(), now, random }
    }

    async fn note_ended(&self, report: &Report) {
        self.live.reachable.set(Some(report.reachable));
        self.live.signed_in.set(!report.signed_out);
        self.live.problem.replace(report.problem.clone());
        let asked = report.retry_after_millis.map(|millis| Patience::asked(millis, self.platform.now()));
        self.live.patience.set(asked);
        self.keep_patience(asked).await;
    }

    /// So that the next life of the engine, which may begin a minute later, leaves the server alone, too. Where that cannot be
    /// written, the server is asked too early, and says it again.
    async fn keep_patience(&self, asked: Option<Patience>) {
        if self.replica.state().record.patience == asked {
            return;
        }
        let keep = |draft: &mut Draft| {
            draft.record.patience = asked;
            Ok(())
        };
        let _ = self.replica.transact(self.platform.now(), Durability::Relaxed, &[], keep).await;
    }

    /// After a round, unless another one is due at once: the segments that it left are merged, as long as time is left.
    async fn upkeep(&self, report: &mut Report) {
        let end = self.platform.now().0.saturating_add(COMPACTION_MILLIS_MAX);
        while !report.more && self.platform.now().0 < end {
            match self.compact().await {
                // Requests that came meanwhile go first.
                Ok(true) => self.platform.sleep(0).await,
                Ok(false) => break,
                Err(error) => {
                    report.ok = false;
                    report.problem.get_or_insert(error.to_string());
                    break;
                }
            }
        }
        self.replica.rest();
    }

    /// One short slice of merging segments; tells whether there is more to do. Rounds end with as many as there is time
    /// for.
    ///
    /// # Errors
    /// When the store cannot be written; then everything is as it was.
    pub async fn compact(&self) -> Result<bool> {
        let scope = self.scope();
        let tables: Vec<&str> = scope.iter().map(String::as_str).collect();
        self.replica.compact(self.platform.now(), &tables).await
    }

    /// Sets how many bytes of unpacked columns may be kept between requests, instead of what suits the mirror's size.
    pub fn limit_unpacked(&self, bytes_max: usize) {
        self.replica.limit_unpacked(bytes_max);
    }

    /// How many bytes of unpacked columns are kept now.
    pub fn unpacked_bytes(&self) -> usize {
        self.replica.unpacked_bytes()
    }

    fn is_offline_chosen(&self) -> bool {
        self.replica.state().record.offline_chosen
    }
}

/// Whether a request may change anything.
fn may_write(request: &Request) -> bool {
    let writes = |request: &Request| request.method != Method::Get;
    let is_batch = path_of(&request.url).ends_with("/$batch");
    if !is_batch {
        return writes(request);
    }
    let kind = request.headers.get("Content-Type").unwrap_or_default();
    // What cannot be read is left to the server.
    parse_batch(kind, &request.body).is_ok_and(|items| {
        items.iter().any(|item| match item {
            BatchItem::Single(part) => writes(&part.request),
            BatchItem::ChangeSet(_) => true,
        })
    })
}

/// The report of a round that did not take place.
fn idle(problem: &str) -> Report {
    Report { problem: Some(problem.to_owned()), ..Report::default() }
}

/// Clears a flag when a round ends, however it ends: a dropped future included.
struct Reset<'a>(&'a Cell<bool>);

impl Drop for Reset<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// The path of a URL, absolute or not, without its query.
fn path_of(url: &str) -> &str {
    let path = match url.find("://") {
        Some(at) => url[at + 3..].find('/').map_or("/", |slash| &url[at + 3 + slash..]),
        None => url,
    };
    path.split(['?', '#']).next().unwrap_or_default()
}
