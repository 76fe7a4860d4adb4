//! A wave on its way to the server, how it is sent, and whether the next one may set out before it is answered.

use super::answered::Answered;
use super::held;
use super::step::Run;
use super::unclear::boundary;
use super::wave::{Ready, Wave};
use crate::model::Change;
use crate::platform::Transport;
use crate::remote::{Outcome, RowAnswer, RowCall};
use crate::store::Store;
use flette_odata::batch::BATCH_PARTS_MAX;
use flette_odata::edm::{ColumnKind, Schema, Table};
use futures_util::future::{maybe_done, FutureExt, LocalBoxFuture, MaybeDone};
use std::future::{poll_fn, Future};
use std::pin::{pin, Pin};
use std::rc::Rc;
use std::task::{Context, Poll};

/// A wave that was answered, and is to be taken over.
pub(super) struct Sent {
    /// By which it was sent.
    pub(super) schema: Rc<Schema>,
    pub(super) answered: Vec<Answered>,
    /// Whether the one before it got no answer.
    pub(super) overtook: bool,
}

/// What came of a wave: its answers, none where nothing was in it, or what became of the batch as a whole.
type Ended = std::result::Result<Option<Sent>, Outcome>;

/// A wave that is being sent.
pub(super) struct Flight<'f> {
    pub(super) wave: Rc<Wave>,
    sending: Pin<Box<MaybeDone<LocalBoxFuture<'f, Ended>>>>,
}

impl<'f> Flight<'f> {
    /// Sets out when it is polled for the first time.
    pub(super) fn of<S: Store, T: Transport>(run: &'f Run<'_, S, T>, wave: Wave) -> Flight<'f> {
        let wave = Rc::new(wave);
        let sending = send(run, Rc::clone(&wave)).boxed_local();
        Flight { wave, sending: Box::pin(maybe_done(sending)) }
    }

    /// Does some work while it is on its way.
    pub(super) async fn beside<W>(&mut self, work: impl Future<Output = W>) -> W {
        let mut work = pin!(work);
        poll_fn(|context| {
            // Ready or not: what it ended with is kept.
            let _: Poll<()> = self.poll(context);
            work.as_mut().poll(context)
        })
        .await
    }

    /// Whether it is known by now that the batch was not done as a whole.
    pub(super) fn is_refused(&mut self) -> bool {
        self.sending.as_mut().output_mut().is_some_and(|ended| ended.is_err())
    }

    /// What came of it.
    pub(super) async fn ended(mut self) -> Ended {
        self.land().await;
        self.sending.as_mut().take_output().unwrap_or(Ok(None))
    }

    /// Waits until it is answered, or given up.
    pub(super) async fn land(&mut self) {
        poll_fn(|context| self.poll(context)).await;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.sending.as_mut().poll(context)
    }
}

/// Whether a wave may set out while another one is under way, so that the server may carry them out in any order: where both hold
/// nothing but updates of rows that no other row's change can have to do with. What a wave depends on is never under way when it is
/// chosen, but values may be taken by other rows still (alternate keys), and what a row is tied to may change with it (lookups, states).
pub(super) fn may_go_beside(schema: &Schema, under_way: &Wave, next: &Wave) -> bool {
    let is_apart = |unit: &Vec<Ready>| matches!(unit.as_slice(), [ready] if stands_alone(schema, ready));
    let all_apart =
        |wave: &Wave| wave.unknown.is_empty() && !wave.units.is_empty() && wave.units.iter().all(is_apart);
    all_apart(under_way) && all_apart(next)
}

fn stands_alone(schema: &Schema, ready: &Ready) -> bool {
    let RowCall::Update { key, .. } = &ready.call else { return false };
    let Change::Update(edits) = &ready.request.change else { return false };
    let is_free = |table: &Table| edits.iter().all(|edit| is_free(table, &edit.name));
    ready.held.is_empty() && ready.request.holders.is_empty() && schema.table(&key.table).is_some_and(is_free)
}

/// Whether a column's value means nothing to other rows.
fn is_free(table: &Table, name: &str) -> bool {
    let in_key = || table.keys.iter().any(|key| key.columns.iter().any(|column| column == name));
    table.column(name).is_some_and(|column| match column.kind {
        ColumnKind::Lookup { .. } | ColumnKind::State { .. } | ColumnKind::Status { .. } => false,
        _ => !in_key(),
    })
}

/// Sends a wave, if there is anything in it.
///
/// # Errors
/// What became of the batch as a whole.
async fn send<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    wave: Rc<Wave>,
) -> std::result::Result<Option<Sent>, Outcome> {
    if wave.units.is_empty() {
        return Ok(None);
    }
    let schema = run.schema();
    // Answers are told by their places: what cannot be asked has none.
    let units =
        wave.units.iter().map(|unit| unit.iter().filter(|r| with_table(&schema, r).is_some()).collect());
    let units: Vec<Vec<&Ready>> = units.filter(|unit: &Vec<&Ready>| !unit.is_empty()).collect();
    let own = || units.iter().flatten().copied();
    let groups = units.iter().map(|unit| unit.iter().filter_map(|r| with_table(&schema, r)).collect());
    let mut groups: Vec<Vec<(&RowCall, &Table)>> = groups.collect();
    let reads: Vec<Vec<RowCall>> = own().map(|ready| askable(&schema, ready)).collect();
    let lists = own().zip(&reads);
    let mut lists: Vec<Vec<(&RowCall, &Table)>> = lists
        .flat_map(|(ready, reads)| {
            reads.iter().filter_map(|read| Some(vec![(read, table_of(&schema, ready, read)?)]))
        })
        .collect();
    // Of a change set with hundreds of rows or pairs the reads have to follow.
    let follow = lists.split_off(lists.len().min(BATCH_PARTS_MAX.saturating_sub(own().count())));
    groups.extend(lists);
    let mut answers = run.remote.batch(&groups, boundary(run)).await?;
    for lists in follow.chunks(BATCH_PARTS_MAX) {
        answers.extend(run.remote.batch(lists, boundary(run)).await.map_err(unread)?);
    }
    let mut answers = answers.into_iter();
    let told: Vec<RowAnswer> = answers.by_ref().take(units.len()).flatten().collect();
    let mut read = answers.flatten();
    let all = own().zip(told).zip(reads);
    let answered = all.map(|((ready, answer), reads)| Answered {
        ready: ready.clone(),
        answer,
        reads: reads.into_iter().zip(read.by_ref()).collect(),
    });
    let answered = answered.collect();
    Ok(Some(Sent { schema, answered, overtook: false }))
}

/// What came of reads that follow what was carried out: no refusal of that.
fn unread(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Retry(_) | Outcome::Hold(_) => outcome,
        Outcome::Park(_) | Outcome::Resolve(_) | Outcome::Done => {
            Outcome::Retry("what was sent could not be read".to_owned())
        }
    }
}

/// The table whose rows a call reads after a request.
fn table_of<'s>(schema: &'s Schema, ready: &Ready, read: &RowCall) -> Option<&'s Table> {
    match read {
        RowCall::List { .. } => schema.table(&ready.held.first()?.key.table),
        _ => schema.table(&read.key().table),
    }
}

/// What is read after a request, as far as it can be asked.
fn askable(schema: &Schema, ready: &Ready) -> Vec<RowCall> {
    held::reads(schema, ready).into_iter().filter(|read| table_of(schema, ready, read).is_some()).collect()
}

fn with_table<'a>(schema: &'a Schema, ready: &'a Ready) -> Option<(&'a RowCall, &'a Table)> {
    Some((&ready.call, schema.table(&ready.call.key().table)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flette_odata::edm::AlternateKey;

    #[test]
    fn values_that_may_mean_something_to_other_rows_are_not_free() {
        let schema = flette_server::schema::schema();
        let mut table = schema.table("account").cloned().unwrap();
        let free = ["name", "telephone1", "revenue", "industrycode", "donotphone"];
        free.iter().for_each(|name| assert!(is_free(&table, name), "{name}"));
        let bound = ["statecode", "statuscode", "ownerid", "primarycontactid", "parentaccountid", "nothing"];
        bound.iter().for_each(|name| assert!(!is_free(&table, name), "{name}"));
        table.keys.push(by_name());
        assert!(!is_free(&table, "name") && is_free(&table, "telephone1"));
    }

    fn by_name() -> AlternateKey {
        AlternateKey {
            name: "by_name".to_owned(),
            schema_name: "by_name".to_owned(),
            display_name: "By name".to_owned(),
            columns: vec!["name".to_owned()],
            metadata_id: uuid::Uuid::nil(),
        }
    }
}
