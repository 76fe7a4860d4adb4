//! Tables of which nothing changed: their places in the feed move on together, in one transaction. For most rounds that is
//! all there is to write.

use super::ahead::changes;
use super::cursor::Place;
use super::outside;
use super::page::{take_over, Part};
use super::pages::{Replies, Reply};
use super::spoil;
use super::step::{Run, Stop};
use crate::platform::Transport;
use crate::remote::Read;
use crate::replica::{Draft, Page, Target};
use crate::store::{Durability, Store};
use flette_odata::edm::Table;
use std::collections::BTreeSet;

/// An answer that says that nothing changed is no longer than this, bytes: most of it is the link.
const UNCHANGED_BYTES_MAX: usize = 16 * 1024;

/// Takes over those answers of a group which say that nothing changed, and gives their tables. A single one is left to be taken
/// over like any other.
///
/// # Errors
/// When the replica cannot be written.
pub(super) async fn unchanged<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    group: &[String],
    asked: &mut Replies,
) -> std::result::Result<BTreeSet<String>, Stop> {
    let schema = run.schema();
    let says_so = |name: &&String| {
        let (Some(table), Some(reply)) = (schema.table(name), asked.get(*name)) else { return false };
        let page = body(reply).filter(|_| changes(run, name).as_ref() == Some(&reply.call));
        page.is_some_and(|body| empty_page(body, table).is_some())
    };
    let names: Vec<&String> = group.iter().filter(says_so).collect();
    if names.len() < 2 {
        return Ok(BTreeSet::new());
    }
    let places: Vec<Place> = {
        let state = run.replica.state();
        let cursor = |name: &&String| state.tables.get(*name).map(|table| Place::of(&table.cursor));
        names.iter().map(|name| cursor(name).unwrap_or_default()).collect()
    };
    let taken = run.replica.transact(run.at(), Durability::Relaxed, &[], |draft| {
        draft.hear(run.remote.heard());
        let mut taken = BTreeSet::new();
        for (name, place) in names.iter().zip(&places) {
            let (Some(table), Some(reply)) = (schema.table(name), asked.get(*name)) else { continue };
            let fits = !run.progress.is_overtaken(reply.moment) && Place::of(&draft.cursor(name)) == *place;
            if fits && take(draft, table, reply, (&run.policy, run.remote.keeps_receipts()))? {
                taken.insert((*name).clone());
            }
        }
        Ok(taken)
    });
    let taken = taken.await?;
    for name in &taken {
        if let (Some(table), Some(reply)) = (schema.table(name), asked.remove(name)) {
            outside::release(run, table, reply.moment).await?;
        }
    }
    Ok(taken)
}

fn body(reply: &Reply) -> Option<&[u8]> {
    match &reply.read {
        Read::Body(body) if body.len() <= UNCHANGED_BYTES_MAX => Some(body),
        Read::Body(_) | Read::Not(_) => None,
    }
}

/// The last page of a delta, if nothing is in it.
fn empty_page(body: &[u8], table: &Table) -> Option<Page> {
    let page = spoil::read(body, table).ok()?;
    let is_last = page.next_link.is_none() && page.delta_link.is_some();
    (is_last && page.rows == 0 && page.tombstones == 0).then_some(page)
}

fn take(
    draft: &mut Draft,
    table: &Table,
    reply: &Reply,
    rules: (&super::Policy, bool),
) -> crate::error::Result<bool> {
    let Some((body, page)) = body(reply).and_then(|body| Some((body, empty_page(body, table)?))) else {
        return Ok(false);
    };
    let part = Part { table, target: Target::Live, fresh: None, strict: false, body };
    Ok(take_over(draft, &part, page, rules)?.is_some())
}
