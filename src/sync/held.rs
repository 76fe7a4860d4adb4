//! What is told of rows that others hold: the parties of an activity as one set, pairs as links between two rows. Their
//! entries are those of rows like any other; here they become requests of the rows that hold them. What the server made
//! of them is read back in the same batch, since the server may give such rows other ids than they have here.

use super::added::{added, Names};
use super::pairs;
use super::parties::{come, is_same, Come};
use super::reconcile::Incoming;
use super::step::{meet, News, Told};
use super::wave::{first_sent, Ready};
use super::Policy;
use crate::error::Result;
use crate::journal::{was_sent_for, Reason, RowRequest, Unit};
use crate::model::{Change, ETag, EntityRef, Key, Row, Seq, Value};
use crate::remote::{stamps_of_row, BodyWriter, Outcome, RowAnswer, RowCall};
use crate::replica::{decode_page, decode_row, is_held, Draft, Item, PARTY_HOLDER};
use flette_odata::alike::all_equal;
use flette_odata::edm::{Column, ColumnKind, ManyToMany, Schema, Table};
use flette_odata::filter::Filter;
use flette_odata::ordered;
use flette_odata::path::PARTY_TABLE;
use flette_odata::stamps::Stamps;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A condition on the server's row that holds whatever its version: the request before it in the same change set has
/// named the version.
pub(super) const ANY_VERSION: &str = "*";

/// A unit's requests by the way in which they are told.
#[derive(Debug, Default)]
pub(super) struct Split<'u> {
    /// Requests about rows of their own.
    pub(super) own: Vec<&'u RowRequest>,
    /// Parties that come and go, by their activity.
    pub(super) sets: BTreeMap<Key, Vec<&'u RowRequest>>,
    /// Pairs that come and go.
    pub(super) pairs: Vec<&'u RowRequest>,
    /// Entries about rows that were gone before anything could be told of them.
    pub(super) needless: Vec<Seq>,
}

pub(super) fn split<'u>(draft: &Draft, unit: &'u Unit) -> Split<'u> {
    let schema = &draft.schema();
    let deletions = unit.requests.iter().filter(|request| request.change == Change::Delete);
    let deleted = ordered::set(deletions.map(|request| &request.key));
    let added = added(draft, unit.requests.iter());
    let mut split = Split::default();
    for request in &unit.requests {
        let held = is_held(schema, &request.key.table);
        match request.holders.first() {
            _ if !held => split.own.push(request),
            // It goes with the row that holds it; should that one stay, it is told then.
            Some(_) if request.holders.iter().any(|holder| deleted.contains(holder)) => {}
            Some(activity) if request.key.table == PARTY_TABLE => {
                split.sets.entry(activity.clone()).or_default().push(request);
            }
            // It goes when the server has told the id of the new row.
            Some(_) if request.holders.iter().any(|holder| added.contains_key(holder)) => {}
            Some(_) => split.pairs.push(request),
            None => split.needless.extend(&request.seqs),
        }
    }
    split
}

/// The collection of an activity that holds its parties.
fn collection<'s>(schema: &'s Schema, activity: &Key) -> Option<&'s str> {
    let column = schema.table(PARTY_TABLE)?.column(PARTY_HOLDER)?;
    let ColumnKind::Lookup { targets } = &column.kind else { return None };
    let target = targets.iter().find(|target| target.table == activity.table)?;
    Some(&target.collection)
}

/// New parties of a new activity: its collection, and the rows for its body.
pub(super) fn new_parties(
    names: &Names,
    activity: &Key,
    requests: &[&RowRequest],
) -> std::result::Result<(String, Vec<Vec<u8>>), Reason> {
    let schema = names.draft.schema();
    if schema.table(&activity.table).is_none() {
        return Err(Reason::out_of_scope(&format!("Table '{}'", activity.table)));
    }
    let collection =
        collection(&schema, activity).ok_or_else(|| Reason::out_of_scope("The table of parties"))?;
    Ok((collection.to_owned(), parties(names, &schema, activity, requests)?))
}

/// The request that makes the parties of an activity what they are here. `base`: the version of the activity that it
/// builds upon; none when an earlier request of the unit has named it.
pub(super) fn replace(
    names: &Names,
    activity: &Key,
    requests: &[&RowRequest],
    base: Option<ETag>,
) -> std::result::Result<Option<Ready>, Reason> {
    let (collection, rows) = new_parties(names, activity, requests)?;
    let Some(first) = requests.first() else { return Ok(None) };
    let call = RowCall::Replace {
        key: names.draft.resolve(activity),
        op: first.op,
        first_sent: first_sent(names.draft, requests.iter().copied()),
        base: base.unwrap_or_else(|| ETag(ANY_VERSION.to_owned())),
        collection,
        body: crate::remote::list_body(&rows),
    };
    Ok(Ready::of_held(names.draft, call, requests))
}

/// All parties as they shall be, each as a body: those that the server told of and nobody takes away here, then the new
/// ones. Who stands in both stands once.
fn parties(
    names: &Names,
    schema: &Schema,
    activity: &Key,
    requests: &[&RowRequest],
) -> std::result::Result<Vec<Vec<u8>>, Reason> {
    let table = schema.table(PARTY_TABLE).ok_or_else(|| Reason::out_of_scope("The table of parties"))?;
    let refer = |to: &EntityRef| names.refer(to);
    let writer = BodyWriter { schema, table, refer: &refer, edited: Stamps::default() };
    let Come { gone, new } = come(names.draft, table, requests);
    let told_anew = |id: &Uuid, row: &Row| gone.contains(id) || new.iter().any(|(_, new)| is_same(new, row));
    let known = names.draft.state().told_where(PARTY_TABLE, &of_activity(activity));
    let mut bodies = Vec::new();
    for (_, row) in known.iter().filter(|(id, row)| !told_anew(id, row)) {
        bodies.push(writer.member_row(row, PARTY_HOLDER, None)?);
    }
    for (id, row) in new {
        bodies.push(writer.member_row(row, PARTY_HOLDER, Some(id))?);
    }
    Ok(bodies)
}

pub(super) fn of_activity(activity: &Key) -> Filter {
    all_equal([(PARTY_HOLDER, &Value::Guid(activity.id))])
}

pub(super) fn relationship<'s>(schema: &'s Schema, intersect: &str) -> Option<&'s ManyToMany> {
    schema.many_to_many.iter().find(|pairs| pairs.intersect == intersect)
}

/// The request that makes or takes away a pair.
pub(super) fn link(draft: &Draft, request: &RowRequest) -> std::result::Result<Option<Ready>, Reason> {
    let schema = draft.schema();
    let pairs =
        relationship(&schema, &request.key.table).ok_or_else(|| Reason::out_of_scope("The relationship"))?;
    let [near, far] = request.holders.as_slice() else {
        return Err(Reason::out_of_scope("A row of the pair"));
    };
    // The request is made at the near row, and names the far one where it joins them.
    if schema.table(&near.table).is_none() {
        return Err(Reason::out_of_scope("A row of the pair"));
    }
    let (key, far) = (draft.resolve(near), draft.resolve(far));
    let (op, collection) = (request.op, pairs.first.navigation.clone());
    let first_sent = first_sent(draft, [request]);
    let call = match &request.change {
        Change::Delete => RowCall::Part { key, op, first_sent, collection, other: far.id },
        Change::Create(_) | Change::Update(_) => {
            let table = schema.table(&far.table).ok_or_else(|| Reason::out_of_scope("A row of the pair"))?;
            RowCall::Join {
                key,
                op,
                first_sent,
                collection,
                other: format!("{}({})", table.set_name, far.id),
            }
        }
    };
    Ok(Ready::of_held(draft, call, &[request]))
}

/// What is read after a request, to know what became of the rows that it speaks for. And of a row that was asked for before:
/// a receipt tells of it as it was made, which may be long ago.
pub(super) fn reads(schema: &Schema, ready: &Ready) -> Vec<RowCall> {
    let key = ready.call.key().clone();
    let Some(held) = ready.held.first() else {
        let asked_before = matches!(ready.call, RowCall::Create { .. }) && !ready.first;
        return asked_before.then_some(RowCall::Read { key }).into_iter().collect();
    };
    if held.key.table == PARTY_TABLE {
        let row = matches!(ready.call, RowCall::Replace { .. }).then(|| RowCall::Read { key: key.clone() });
        return row.into_iter().chain(set_list(schema, &key)).collect();
    }
    pair_list(schema, held, &key).into_iter().collect()
}

/// Reads the parties of an activity, where both are in scope.
pub(super) fn set_list(schema: &Schema, activity: &Key) -> Option<RowCall> {
    let (table, parties) = (schema.table(&activity.table)?, schema.table(PARTY_TABLE)?);
    let collection = collection(schema, activity)?;
    let (set, id) = (&table.set_name, activity.id);
    let url = format!("{set}({id})/{collection}?$select={}", properties(parties));
    Some(RowCall::List { key: activity.clone(), url })
}

fn pair_list(schema: &Schema, held: &RowRequest, near: &Key) -> Option<RowCall> {
    let (table, pairs) = (schema.table(&held.key.table)?, relationship(schema, &held.key.table)?);
    let [_, far] = held.holders.as_slice() else { return None };
    let filter = format!("{} eq {} and {} eq {}", pairs.first.column, near.id, pairs.second.column, far.id);
    let (set, filter) = (&table.set_name, filter.replace(' ', "%20"));
    let url = format!("{set}?$select={}&$filter={filter}", properties(table));
    Some(RowCall::List { key: near.clone(), url })
}

fn properties(table: &Table) -> String {
    table.columns.iter().map(Column::property).collect::<Vec<_>>().join(",")
}

/// Takes over what was read after a request that was carried out: the rows are what the server says, and their entries
/// are settled. `false`: it was not read, so they stay as sent.
///
/// # Errors
/// Never; fallible as all that runs in a transaction.
pub(super) fn settle(
    draft: &mut Draft,
    ready: &Ready,
    reads: &[(RowCall, RowAnswer)],
    (policy, told): (&Policy, &mut Vec<Told>),
) -> Result<bool> {
    let Some(held) = ready.held.first() else { return Ok(true) };
    let schema = draft.schema();
    let mut settled = None;
    for (call, answer) in reads.iter().filter(|(_, answer)| answer.outcome == Outcome::Done) {
        if let RowCall::Read { key } = call {
            learn_row(draft, &schema, key, (answer, policy), told);
        } else {
            let filter = match held.key.table == PARTY_TABLE {
                true => of_activity(call.key()),
                false => of_pair(&schema, held),
            };
            settled = learn_list(draft, &schema, (&held.key.table, &filter), answer, told);
        }
    }
    let Some(listed) = settled else { return Ok(false) };
    ready.held.iter().flat_map(|request| &request.seqs).for_each(|seq| draft.remove(*seq));
    if let (Some(pair), true) = (listed.first(), held.key.table != PARTY_TABLE) {
        // Whoever took it away meanwhile means the one that stands.
        pairs::adopt(draft, &held.key, &Key::new(held.key.table.clone(), *pair));
    }
    Ok(true)
}

fn of_pair(schema: &Schema, held: &RowRequest) -> Filter {
    let columns =
        relationship(schema, &held.key.table).map(|pairs| [&pairs.first.column, &pairs.second.column]);
    let ids: Vec<Value> = held.holders.iter().map(|holder| Value::Guid(holder.id)).collect();
    all_equal(columns.into_iter().flatten().map(String::as_str).zip(&ids))
}

fn learn_row(
    draft: &mut Draft,
    schema: &Schema,
    key: &Key,
    (answer, policy): (&RowAnswer, &Policy),
    told: &mut Vec<Told>,
) {
    let Some(table) = schema.table(&key.table) else { return };
    let Ok(page) = decode_row(&answer.body, table) else { return };
    let (Some(Item::Row(id)), Some(etag)) = (page.items().next(), page.etag(0).map(ETag)) else { return };
    if id != key.id {
        return;
    }
    let (mut row, entries) = (page.row(0), draft.entries_of(key));
    let stamps = stamps_of_row(&answer.body, table);
    let known = draft.state().mirror_row(key).map(|(row, _)| row);
    meet(draft, table, key, Incoming::Row { row: &row, etag: &etag, stamps: &stamps }, (policy, false));
    policy.carry(&key.table, (&mut row, known.as_ref()), &|name, told| was_sent_for(&entries, name, told));
    tell(told, key.clone(), Some((News::Row(row), etag)));
}

/// Rows that pass a filter are those that were listed; gives their ids, if the list could be read.
pub(super) fn learn_list(
    draft: &Draft,
    schema: &Schema,
    (name, filter): (&str, &Filter),
    answer: &RowAnswer,
    told: &mut Vec<Told>,
) -> Option<BTreeSet<Uuid>> {
    let page = schema.table(name).and_then(|table| decode_page(&answer.body, table).ok())?;
    let mut listed = BTreeSet::new();
    for (at, item) in page.items().enumerate() {
        if let (Item::Row(id), Some(etag)) = (item, page.etag(at)) {
            listed.insert(id);
            tell(told, Key::new(name, id), Some((News::Row(page.row(at)), ETag(etag))));
        }
    }
    let known = draft.state().told_where(name, filter).into_iter().map(|(id, _)| id);
    for gone in known.filter(|id| !listed.contains(id)) {
        tell(told, Key::new(name, gone), None);
    }
    Some(listed)
}

/// The parties of an activity that was read, as they were listed beside it; gives whether the list could be read.
pub(super) fn learn_set(draft: &Draft, call: &RowCall, answer: &RowAnswer, told: &mut Vec<Told>) -> bool {
    let filter = of_activity(call.key());
    answer.outcome == Outcome::Done
        && learn_list(draft, &draft.schema(), (PARTY_TABLE, &filter), answer, told).is_some()
}

/// Of a row that is told of twice, the last word counts.
pub(super) fn tell(told: &mut Vec<Told>, key: Key, news: Option<(News, ETag)>) {
    told.retain(|(known, _)| *known != key);
    told.push((key, news));
}
