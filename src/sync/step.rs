//! What all steps of a round share: its limits, why it stops, and how a decision becomes part of a transaction.

use super::known::Known;
use super::reconcile::{reconcile, Decision, Incoming, Local};
use super::related;
use super::{Outside, Policy, Progress, Report, SyncConfig};
use crate::error::{Error, Result};
use crate::journal::{bound, Entry, EntryState, Reason};
use crate::model::{code_shown, planted, Bug, Conflict, ETag, Key, Millis, OpId, Row, Seq, TraceEvent};
use crate::platform::Transport;
use crate::remote::{Hold, Outcome, Remote};
use crate::replica::{Draft, Replica, SegmentBuilder, Target};
use crate::store::{Durability, Store};
use flette_odata::edm::{Schema, Table};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A round gives way after this long, milliseconds: a worker may be stopped after 30 s.
pub(super) const BUDGET_MILLIS: i64 = 20_000;

/// Why a round ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// Its time is up; all is well.
    Budget,
    /// It was told to stop.
    Cancelled,
    /// The server's answer, or the lack of one.
    Outcome(Outcome),
    /// The server knows the caller as somebody else.
    OtherUser,
    /// The replica could not be read or written.
    Replica(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Replica(error)
    }
}

impl Stop {
    /// The same in one word, for the trace.
    pub(super) fn why(&self) -> &'static str {
        match self {
            Stop::Budget => "time-up",
            Stop::Cancelled => "cancelled",
            Stop::OtherUser => "other-user",
            Stop::Replica(_) => "replica",
            Stop::Outcome(Outcome::Hold(Hold::SignedOut)) => "signed-out",
            Stop::Outcome(Outcome::Hold(Hold::Gateway)) => "gateway",
            Stop::Outcome(Outcome::Hold(Hold::Busy { .. })) => "busy",
            Stop::Outcome(Outcome::Retry(_)) => "no-answer",
            Stop::Outcome(Outcome::Park(_)) => "refused",
            Stop::Outcome(Outcome::Resolve(_) | Outcome::Done) => "nonsense",
        }
    }

    /// The event of a queue that waits, if it does.
    pub(super) fn hold(&self) -> Option<TraceEvent> {
        let retry_after_millis = match self {
            Stop::Outcome(Outcome::Hold(Hold::Busy { retry_after_millis })) => *retry_after_millis,
            Stop::Outcome(Outcome::Hold(Hold::SignedOut | Hold::Gateway)) | Stop::OtherUser => None,
            Stop::Budget | Stop::Cancelled | Stop::Replica(_) | Stop::Outcome(_) => return None,
        };
        Some(TraceEvent::Hold { why: self.why(), retry_after_millis })
    }

    /// What the report says of it.
    pub(super) fn note(self, report: &mut Report) {
        report.ok = false;
        match self {
            Stop::Budget => report.more = true,
            Stop::Cancelled => report.problem = Some("it was stopped".to_owned()),
            Stop::OtherUser => {
                report.signed_out = true;
                report.problem = Some("another user is signed in".to_owned());
            }
            Stop::Replica(error) => report.problem = Some(error.to_string()),
            Stop::Outcome(Outcome::Hold(Hold::SignedOut)) => {
                report.signed_out = true;
                report.problem = Some("the server wants you to sign in".to_owned());
            }
            Stop::Outcome(Outcome::Hold(Hold::Gateway)) => {
                report.problem = Some("something on the way to the server refuses requests".to_owned());
            }
            Stop::Outcome(Outcome::Hold(Hold::Busy { retry_after_millis })) => {
                report.retry_after_millis = retry_after_millis;
                report.problem = Some("the server is busy".to_owned());
            }
            Stop::Outcome(Outcome::Retry(what)) => report.problem = Some(what),
            Stop::Outcome(Outcome::Park(reason)) => report.problem = Some(words(&reason)),
            Stop::Outcome(Outcome::Resolve(_) | Outcome::Done) => {
                report.problem = Some("the server's answer makes no sense here".to_owned());
            }
        }
    }
}

/// A refusal in words; the server's message may hold a value, so it is not among them.
pub(super) fn words(reason: &Reason) -> String {
    format!("the server refused ({} {})", reason.status, reason.code)
}

/// One round under way.
pub(super) struct Run<'a, S: Store, T: Transport> {
    pub(super) replica: &'a Replica<S>,
    pub(super) remote: Remote<'a, T>,
    pub(super) outside: &'a Outside<'a, T>,
    pub(super) config: &'a SyncConfig,
    pub(super) policy: Policy,
    pub(super) progress: &'a Progress,
    pub(super) report: RefCell<Report>,
    pub(super) deadline: Millis,
    /// Most rows of a page in this round.
    pub(super) rows_max: u32,
    pub(super) known: Known,
}

impl<'a, S: Store, T: Transport> Run<'a, S, T> {
    pub(super) fn new(
        replica: &'a Replica<S>,
        outside: &'a Outside<'a, T>,
        config: &'a SyncConfig,
        progress: &'a Progress,
    ) -> Run<'a, S, T> {
        Run {
            replica,
            remote: Remote::new(outside.transport, &config.root, outside.now, replica.trace()),
            outside,
            config,
            policy: Policy::of(&config.profile),
            progress,
            report: RefCell::new(Report::default()),
            deadline: Millis((outside.now)().0.saturating_add(BUDGET_MILLIS)),
            rows_max: replica.state().record.page_rows.max(config.page_size),
            known: Known::default(),
        }
    }

    /// The report of what ended so, and the same in one word.
    pub(super) fn end(self, ended: std::result::Result<(), Stop>) -> (Report, &'static str) {
        self.progress.set(None);
        let at = self.at();
        let mut report = self.report.into_inner();
        report.reachable = self.remote.answered();
        let mut why = if report.problem.is_none() { "whole" } else { "problem" };
        match ended {
            Ok(()) => report.ok = report.problem.is_none(),
            Err(stop) => {
                why = stop.why();
                stop.hold().into_iter().for_each(|event| self.replica.trace().note(at, &event));
                stop.note(&mut report);
            }
        }
        (report, why)
    }

    /// This device's time, as told from outside.
    pub(super) fn at(&self) -> Millis {
        (self.outside.now)()
    }

    pub(super) fn in_time(&self) -> std::result::Result<(), Stop> {
        if self.progress.stopped.get() {
            Err(Stop::Cancelled)
        } else if self.at() < self.deadline {
            Ok(())
        } else {
            Err(Stop::Budget)
        }
    }

    pub(super) fn schema(&self) -> Rc<Schema> {
        self.replica.state().schema.clone()
    }

    /// Rows that came in so far.
    pub(super) fn pulled(&self) -> u64 {
        self.report.borrow().pulled
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Report)) {
        change(&mut self.report.borrow_mut());
    }

    /// Whether the schema was read in this round, so that it can hardly be older than the server's.
    pub(super) fn has_read_schema(&self) -> bool {
        let began = self.deadline.0.saturating_sub(BUDGET_MILLIS);
        self.replica.state().record.schema_checked.is_some_and(|Millis(at)| at >= began)
    }

    /// The page that was awaited last did not come: fewer rows are asked for from the next round on, if it was for their number.
    ///
    /// # Errors
    /// When the replica cannot be written.
    pub(super) async fn shrink_pages(&self) -> Result<()> {
        let shrink = |draft: &mut Draft| {
            draft.record.page_rows.failed(self.rows_max);
            Ok(())
        };
        self.replica.transact(self.at(), Durability::Relaxed, &[], shrink).await
    }

    /// A problem that does not end the round. The first one is told.
    pub(super) fn problem(&self, what: String) {
        self.report.borrow_mut().problem.get_or_insert(what);
    }
}

/// What the server told of a row: what it is with its etag, or that it is gone.
pub(super) type Told = (Key, Option<(News, ETag)>);

/// What the server told of a row that stands.
#[derive(Debug, Clone)]
pub(super) enum News {
    Row(Row),
    /// These columns are others than in the row that the mirror has; it has every column.
    Changes(Row),
}

/// Writes told rows into the mirror; into the shadow too while one is filled, so that the swap does not undo them.
///
/// # Errors
/// [`Error::Damaged`] when a value does not fit its column, which decoding should have found.
pub(super) fn mirror(draft: &mut Draft, told: &[Told]) -> Result<()> {
    let mut by_table: BTreeMap<&str, Vec<&Told>> = BTreeMap::new();
    for row in told {
        by_table.entry(row.0.table.as_str()).or_default().push(row);
    }
    for (name, rows) in by_table {
        let told = rows.iter().map(|(key, told)| (key.id, told.as_ref().map(|(_, etag)| etag.0.clone())));
        related::stir_by(draft, name, told.collect());
        draft.add_segment(name, Target::Live, builder(draft, name, &rows)?)?;
        if draft.cursor(name).shadow.is_some() {
            draft.add_segment(name, Target::Shadow, builder(draft, name, &rows)?)?;
        }
    }
    Ok(())
}

fn builder(draft: &Draft, name: &str, rows: &[&Told]) -> Result<SegmentBuilder> {
    let schema = draft.schema();
    let table = schema.table(name).ok_or_else(|| Error::Damaged(format!("no table {name} in the schema")))?;
    let mut builder = SegmentBuilder::new(table);
    for (key, told) in rows {
        match told {
            Some((News::Row(row), etag)) => builder.push_row(key.id, &etag.0, row),
            Some((News::Changes(changes), etag)) => {
                let known = draft.state().known(key);
                let known = known.ok_or_else(|| Error::Damaged(format!("no row {} in {name}", key.id)))?;
                builder.push_changed(known, &etag.0, changes)
            }
            None => {
                builder.push_tombstone(key.id);
                Ok(())
            }
        }
        .map_err(|wrong| Error::Damaged(format!("column {} of {name}", wrong.column)))?;
    }
    Ok(builder)
}

/// Merges a row's entries with what the server says of it; `receipts`: the server keeps some. Gives how many conflicts were logged
/// and how many rows were merged without one. What the mirror shows of the row is left to the caller.
pub(super) fn meet(
    draft: &mut Draft,
    table: &Table,
    key: &Key,
    incoming: Incoming,
    (policy, receipts): (&Policy, bool),
) -> (u64, u64) {
    let entries = draft.entries_of(key);
    if entries.is_empty() {
        return (0, 0);
    }
    let known = draft.state().mirror_row(key).map(|(row, _)| row);
    let decision = reconcile(table, Local { entries: &entries, mirror: known.as_ref() }, incoming, policy);
    carry_out(draft, &entries, decision, receipts)
}

/// Keeps the row as it was with those of its `entries` that were made upon it: what is new shows, and is met later.
pub(super) fn keep_known(draft: &mut Draft, entries: &[Entry]) {
    let row = entries.first().and_then(|first| draft.state().mirror_row(&first.key));
    let Some((row, _)) = row else { return };
    for entry in entries.iter().filter(|entry| entry.row_before().is_none()) {
        let before = entry.base.clone().map(|base| Box::new((base, row.clone())));
        draft.put(Entry { before, ..entry.clone() });
    }
}

/// Makes a decision about a row's `entries` that was made by what the server tells without having been asked, part of the draft, unless
/// it has to be asked first. Gives how many conflicts were logged and how many rows were merged without one.
pub(super) fn carry_out(
    draft: &mut Draft,
    entries: &[Entry],
    decision: Decision,
    receipts: bool,
) -> (u64, u64) {
    if receipts && awaits_receipt(entries, &decision) {
        keep_known(draft, entries);
        return (0, 0);
    }
    let merged = merged(draft, entries, &decision);
    (decide(draft, entries, decision, false), merged)
}

/// Whether something that was sent would be sent once more, under another operation, or be given up, though it may have been carried
/// out and written over since. A server with receipts can tell: it is asked again, and the row is met after that.
fn awaits_receipt(entries: &[Entry], decision: &Decision) -> bool {
    let is_update = entries.first().is_some_and(|first| first.base.is_some());
    let gives_up =
        || !decision.clashes.is_empty() && entries.iter().any(|entry| entry.state == EntryState::Sent);
    is_update && (!decision.merged_sent.is_empty() || gives_up())
}

/// Makes a decision about a row's `entries` part of the draft; gives the number of conflicts logged. `refused` says
/// that the server is known not to have applied what was sent, so that it may go again under the same operation.
pub(super) fn decide(draft: &mut Draft, entries: &[Entry], decision: Decision, refused: bool) -> u64 {
    for entry in entries {
        if !decision.keep.iter().any(|kept| kept.seq == entry.seq) {
            draft.remove(entry.seq);
        }
    }
    for mut entry in decision.keep {
        let renew = decision.renew.contains(&entry.seq);
        if renew || (!refused && decision.merged_sent.contains(&entry.seq)) {
            // Under the new one nothing was sent before now.
            (entry.op, entry.first_sent) = (OpId(draft.new_id()), Some(draft.corrected_now()));
        }
        if refused && entry.state == EntryState::Sent {
            entry.state = EntryState::Waiting;
        }
        if !entries.contains(&entry) {
            draft.put(entry);
        }
    }
    let mut logged = 0;
    for clashed in decision.clashes {
        let (key, id) = (entries[0].key.clone(), draft.new_id());
        logged += 1;
        draft.note(TraceEvent::Conflict {
            op: clashed.op,
            table: key.table.clone(),
            kind: clashed.clash.kind(),
            winner: clashed.winner,
        });
        if planted(Bug::LoserNotKept) {
            continue;
        }
        draft.log(Conflict {
            id,
            key,
            clash: clashed.clash,
            local_at: clashed.local_at,
            server_at: clashed.server_at,
            server_author: clashed.server_author,
            op: clashed.op,
            winner: clashed.winner,
            manual: clashed.manual,
            resolved: None,
        });
    }
    logged
}

/// Traces what a merge with the server's row makes of `entries`, before [`decide`] carries it out; gives 1 when it was
/// a merge without a conflict, else 0.
pub(super) fn merged(draft: &mut Draft, entries: &[Entry], decision: &Decision) -> u64 {
    let mut any = false;
    for entry in entries {
        let kept = decision.keep.iter().find(|kept| kept.seq == entry.seq);
        if kept.is_some_and(|kept| kept.base == entry.base && kept.change == entry.change) {
            continue;
        }
        let (op, table, kind) = (entry.op, entry.key.table.clone(), entry.change.kind());
        // What was sent and is not to be sent any more has been carried out: its answer was lost.
        if kept.is_none() && entry.state == EntryState::Sent && decision.clashes.is_empty() {
            draft.note(TraceEvent::Accepted { op, table, kind });
        } else {
            draft.note(TraceEvent::Merged { op, table, kind, left: kept.is_some() });
            any = true;
        }
    }
    u64::from(any && decision.clashes.is_empty())
}

/// Parks entries, and what is in change sets with them; gives how many.
pub(super) fn park(draft: &mut Draft, seqs: &[Seq], reason: &Reason) -> u64 {
    let mut parked = 0;
    for seq in together(draft, seqs) {
        if planted(Bug::ParkedIsDropped) {
            draft.remove(seq);
        } else if let Some(mut entry) = draft.entry(seq).filter(|entry| !entry.is_parked()) {
            draft.note(TraceEvent::Parked {
                op: entry.op,
                table: entry.key.table.clone(),
                kind: entry.change.kind(),
                class: reason.class(),
                status: reason.status,
                code: code_shown(&reason.code),
            });
            entry.state = EntryState::Parked(reason.clone());
            draft.put(entry);
            parked += 1;
        }
    }
    parked
}

/// These entries, and those of change sets that their rows have a part in.
fn together(draft: &Draft, seqs: &[Seq]) -> BTreeSet<Seq> {
    let state = draft.state();
    let rows = seqs.iter().filter_map(|seq| Some(draft.entry(*seq)?.key)).collect();
    let rows = bound(state.journal.iter(), rows);
    let of_sets = rows.iter().flat_map(|row| state.journal.of(row)).filter(|e| e.change_set.is_some());
    seqs.iter().copied().chain(of_sets.map(|entry| entry.seq)).collect()
}
