//! What an incoming row, or its absence, means for the row's entries. Pure, and the one place where this is decided.
//!
//! Per field, or group of fields that mean nothing apart: base is the oldest entry's `old`, local the newest entry's
//! `new`, and the merge of `crate::merge` decides. What stays in the journal gets the server's value as its base.

mod foreign;
mod gone;
mod steps;

pub(super) use self::foreign::is_foreign;
use self::steps::{keep_steps, reopened};
use super::policy::{group, Policy};
use crate::journal::{squash, was_sent_for, Entry, EntryState, RowRequest, Squashed};
use crate::merge::{merge, newer, Merged, Rule};
use crate::model::{planted, Bug, Millis};
use crate::model::{Change, Clash, ETag, EntityRef, FieldEdit, Hlc, OpId, Row, Seq, ServerTime, Side, Value};
use flette_odata::edm::{Column, Table};
use flette_odata::rules::money::CURRENCY;
use flette_odata::rules::{initial_value, waits_for_row};
use flette_odata::stamps::Stamps;
use std::collections::{BTreeMap, BTreeSet};

/// A row on this side.
#[derive(Debug, Clone, Copy)]
pub struct Local<'a> {
    /// Its entries, in order; at least one.
    pub entries: &'a [Entry],
    /// What the server said last, before now.
    pub mirror: Option<&'a Row>,
}

impl<'a> Local<'a> {
    /// The row that an entry was made upon, besides what was made of it here.
    fn known(&self, entry: Option<&'a Entry>) -> Option<&'a Row> {
        entry.and_then(Entry::row_before).or(self.mirror)
    }
}

/// What the server says now.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub enum Incoming<'a> {
    Row {
        row: &'a Row,
        etag: &'a ETag,
        /// When its fields were edited, as far as the server tells.
        stamps: &'a Stamps,
    },
    /// The row was deleted, or may not be seen any more.
    Gone,
}

/// What becomes of a row's entries.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// Entries that stay, as they are to be stored, in order. All others leave.
    pub keep: Vec<Entry>,
    /// Of these: entries that now mean another request than the one their operation stood for. Each needs an id of
    /// its own, since the server may hold a receipt for the old one.
    pub renew: BTreeSet<Seq>,
    /// Of these: entries that had been sent and were merged. They need a new id too, unless the server is known to
    /// have refused them.
    pub merged_sent: BTreeSet<Seq>,
    /// For the conflict log.
    pub clashes: Vec<Clashed>,
}

/// A conflict without its identity.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Clashed {
    pub clash: Clash,
    pub local_at: Hlc,
    pub server_at: Option<ServerTime>,
    pub server_author: Option<EntityRef>,
    pub op: OpId,
    pub winner: Side,
    pub manual: bool,
}

/// Decides. The mirror takes the incoming row in any case; this is about the journal alone.
pub fn reconcile(table: &Table, local: Local, incoming: Incoming, policy: &Policy) -> Decision {
    let Some(first) = local.entries.first() else { return Decision::default() };
    match incoming {
        Incoming::Gone => gone::gone(table, local, policy.table(&table.logical_name)),
        // The row is at the version that the entries build upon: it says nothing new.
        Incoming::Row { etag, .. } if first.base.as_ref() == Some(etag) => {
            Decision { keep: local.entries.to_vec(), ..Decision::default() }
        }
        // The server refuses the create, and a human decides.
        Incoming::Row { row, .. } if is_foreign(first, row) => {
            Decision { keep: local.entries.to_vec(), ..Decision::default() }
        }
        Incoming::Row { row, etag, stamps } => Merge { table, policy, row, etag, stamps }.row(local),
    }
}

/// The server's row, against which entries are merged.
struct Merge<'a> {
    table: &'a Table,
    policy: &'a Policy,
    row: &'a Row,
    etag: &'a ETag,
    stamps: &'a Stamps,
}

/// When the server's side was edited: as it is told, and the last moment that this can mean.
#[derive(Clone, Copy)]
struct EditedAt {
    told: ServerTime,
    end: Millis,
}

/// One edit of a column, and the index of its entry.
struct Step {
    entry: usize,
    edit: FieldEdit,
}

/// All that happened to one column here, after what the server is known to have taken.
struct Chain {
    base: Value,
    steps: Vec<Step>,
}

/// A column with its three values.
struct Member<'c> {
    column: &'c Column,
    base: Value,
    local: Value,
    server: Value,
}

/// What stays, by entry and column.
type Kept = BTreeMap<usize, Vec<FieldEdit>>;

impl Merge<'_> {
    fn row(&self, local: Local) -> Decision {
        let Some((last, earlier)) = local.entries.split_last() else { return Decision::default() };
        if !matches!(last.change, Change::Delete) {
            return self.fields(local);
        }
        let earlier = Local { entries: earlier, ..local };
        let edited_at = match self.edits_there(local) {
            Some(edits) if edits.is_empty() => return self.delete(last, earlier),
            Some(edits) => self.edited_at(edits.into_iter()),
            None => self.edited_at(std::iter::empty()),
        };
        if self.deletion_wins(last, edited_at) {
            return self.delete(last, earlier);
        }
        let mut decision = self.fields(earlier);
        let rule = self.policy.table(&self.table.logical_name);
        decision.clashes.push(self.clashed(
            Clash::DeletedHere,
            (last.at, last.op),
            edited_at,
            (Side::Server, rule),
        ));
        decision
    }

    fn deletion_wins(&self, deletion: &Entry, edited_at: Option<EditedAt>) -> bool {
        match self.policy.table(&self.table.logical_name) {
            Rule::Newest if planted(Bug::DeletionAlwaysWins) => true,
            Rule::Newest => newer(deletion.at, edited_at.map(|at| at.end)) == Side::Local,
            Rule::Server | Rule::Manual => false,
            Rule::Local => true,
        }
    }

    /// The deletion stays, upon the row as it is now, and so does what is left of the edits before it: it counts again should the
    /// deletion lose after all.
    fn delete(&self, deletion: &Entry, earlier: Local) -> Decision {
        let mut decision = self.fields(earlier);
        self.keep(&mut decision, deletion, Change::Delete);
        decision
    }

    /// Columns that anyone else changed since the mirror's row: values there that neither the mirror nor a sent entry
    /// explains. `None` without knowing the row as it was: then it counts as edited.
    fn edits_there(&self, local: Local) -> Option<Vec<&str>> {
        let before = match local.entries.first().map(|e| (&e.change, &e.state)) {
            Some((Change::Create(created), EntryState::Sent)) => Some(created),
            Some((Change::Create(_), EntryState::Waiting | EntryState::Parked(_))) => None,
            Some((Change::Update(_) | Change::Delete, _)) | None => local.known(local.entries.last()),
        };
        let before = before?;
        let explained = |column: &Column, server: &Value| {
            let name = &column.logical_name;
            let known = before.get(name).is_none_or(|value| value == server);
            let waits =
                || waits_for_row(self.table, before, name) && *server == initial_value(self.table, column);
            known
                || local.mirror.is_none() && waits()
                || self.is_up(column)
                || (name == CURRENCY && before.get(name).is_some_and(Value::is_null))
                || (column.is_lookup() && server.is_null() && local.mirror.is_none())
                || was_sent_for(local.entries, name, server)
        };
        let edited = self.columns().filter(|column| match self.row.get(&column.logical_name) {
            Some(server) => !explained(column, server),
            None => false,
        });
        Some(edited.map(|column| column.logical_name.as_str()).collect())
    }

    /// Columns a user can change. All others follow from these, or are the server's own.
    fn columns(&self) -> impl Iterator<Item = &Column> {
        self.table.columns.iter().filter(|column| column.valid_for_update)
    }

    fn fields(&self, local: Local) -> Decision {
        let chains = self.chains(local.entries);
        let mut decision = Decision::default();
        let mut kept = Kept::new();
        let mut done: BTreeSet<&str> = BTreeSet::new();
        let currency = self.currency_changes(local, &chains);
        for column in self.columns() {
            let edited = chains.get(&column.logical_name).is_some_and(|chain| !chain.steps.is_empty());
            if !edited || done.contains(column.logical_name.as_str()) {
                continue;
            }
            let columns = group(self.table, column, currency);
            let known = newest(&columns, &chains).and_then(|at| local.known(local.entries.get(at)));
            let member = |column| self.member(column, known, &chains);
            let members: Vec<Member> = columns.into_iter().map(member).collect();
            done.extend(members.iter().map(|m| m.column.logical_name.as_str()));
            self.group(local, &chains, &members, &mut kept, &mut decision);
        }
        for (at, edits) in kept {
            if let Some(entry) = local.entries.get(at) {
                self.keep(&mut decision, entry, Change::Update(edits));
            }
        }
        decision
    }

    /// Merges one group and writes down what stays and what is logged.
    fn group(
        &self,
        local: Local,
        chains: &BTreeMap<String, Chain>,
        members: &[Member],
        kept: &mut Kept,
        decision: &mut Decision,
    ) {
        let steps_of = |m: &Member| chains.get(&m.column.logical_name).map_or(&[][..], |chain| &chain.steps);
        let columns: Vec<&Column> = members.iter().map(|m| m.column).collect();
        let Some((newest, entry)) =
            newest(&columns, chains).and_then(|at| Some((at, local.entries.get(at)?)))
        else {
            return;
        };
        let moved = members.iter().filter(|m| m.server != m.base);
        let edited_at = self.edited_at(moved.map(|m| m.column.logical_name.as_str()));
        let side = newer(entry.at, edited_at.map(|at| at.end));
        let base: Vec<&Value> = members.iter().map(|m| &m.base).collect();
        let mine: Vec<&Value> = members.iter().map(|m| &m.local).collect();
        let theirs: Vec<&Value> = members.iter().map(|m| &m.server).collect();
        let rule = self.rule(members);
        let merged = merge(&base, &mine, &theirs, rule, side);
        let winner = match merged {
            Merged::Server => return reopened(members, &steps_of, kept),
            Merged::Local => None,
            Merged::Conflict(winner) => Some(winner),
        };
        for member in members.iter().filter(|m| m.local != m.server) {
            let name = &member.column.logical_name;
            let steps = steps_of(member);
            let lost = match winner {
                None => false,
                Some(Side::Local) => member.server != member.base,
                Some(Side::Server) => member.local != member.base,
            };
            if let (true, Some(winner)) = (lost, winner) {
                let by = steps.last().and_then(|step| local.entries.get(step.entry)).unwrap_or(entry);
                let clash = Clash::Field {
                    name: name.clone(),
                    local: member.local.clone(),
                    server: member.server.clone(),
                };
                decision.clashes.push(self.clashed(clash, (by.at, by.op), edited_at, (winner, rule)));
            }
            match winner {
                Some(Side::Server) => {}
                // The group stands as a whole: what the server changed in it is put back.
                Some(Side::Local) | None if steps.is_empty() => {
                    kept.entry(newest).or_default().push(FieldEdit {
                        name: name.clone(),
                        old: member.server.clone(),
                        new: member.local.clone(),
                    });
                }
                Some(Side::Local) | None => keep_steps(steps, &member.server, kept),
            }
        }
    }

    fn rule(&self, members: &[Member]) -> Rule {
        let names = members.iter().map(|m| m.column.logical_name.as_str());
        self.policy.fields(&self.table.logical_name, names)
    }

    /// Whether what the server says of a column counts for nothing.
    fn is_up(&self, column: &Column) -> bool {
        self.policy.is_up(&self.table.logical_name, &column.logical_name)
    }

    /// A column with its values, where the row is `known` as it was when its group was edited last.
    fn member<'c>(
        &self,
        column: &'c Column,
        known: Option<&Row>,
        chains: &BTreeMap<String, Chain>,
    ) -> Member<'c> {
        let name = &column.logical_name;
        let now = self.row.get(name);
        let (base, local) = match chains.get(name) {
            Some(chain) => (
                chain.base.clone(),
                chain.steps.last().map_or_else(|| chain.base.clone(), |step| step.edit.new.clone()),
            ),
            None => {
                let before = known.and_then(|row| row.get(name)).or(now).cloned().unwrap_or_default();
                (before.clone(), before)
            }
        };
        // A column that the answer does not hold says nothing.
        let server = now.filter(|_| !self.is_up(column)).cloned().unwrap_or_else(|| base.clone());
        Member { column, base, local, server }
    }

    fn currency_changes(&self, local: Local, chains: &BTreeMap<String, Chain>) -> bool {
        self.table.column(CURRENCY).is_some_and(|column| {
            let member = self.member(column, local.known(local.entries.last()), chains);
            // A row without a currency gets one by itself, which says nothing about its amounts.
            let there = !member.base.is_null() && member.base != member.server;
            member.base != member.local || there
        })
    }

    /// Per column what happened here. Everything up to the last value that was sent and now stands on the server
    /// has been applied: it is history, not an edit. So is what was sent along with it, whatever stands there by now.
    fn chains(&self, entries: &[Entry]) -> BTreeMap<String, Chain> {
        let mut chains: BTreeMap<String, Chain> = BTreeMap::new();
        for (at, entry) in entries.iter().enumerate() {
            match &entry.change {
                Change::Create(created) => chains.extend(self.created(at, created)),
                Change::Update(edits) => {
                    for edit in edits.iter().filter(|edit| self.is_column(&edit.name)) {
                        let chain = chains
                            .entry(edit.name.clone())
                            .or_insert_with(|| Chain { base: edit.old.clone(), steps: Vec::new() });
                        if planted(Bug::OldValueLost) {
                            chain.base = edit.old.clone();
                        }
                        chain.steps.push(Step { entry: at, edit: edit.clone() });
                    }
                }
                Change::Delete => {}
            }
        }
        let sent = |step: &Step| entries.get(step.entry).is_some_and(|e| e.state == EntryState::Sent);
        let arrived = self.has_arrived(entries);
        let made = Self::made(entries);
        for (name, chain) in &mut chains {
            let server = self.row.get(name);
            let arrived = arrived && !made.as_ref().is_some_and(|row| waits_for_row(self.table, row, name));
            let created =
                |step: &Step| entries.get(step.entry).is_some_and(|e| matches!(e.change, Change::Create(_)));
            let stands = |step: &Step| Some(&step.edit.new) == server;
            let applied = |step: &Step| sent(step) && !created(step) && (arrived || stands(step));
            if let Some(at) = chain.steps.iter().rposition(applied) {
                chain.base =
                    chain.steps.drain(..=at).next_back().map(|step| step.edit.new).unwrap_or_default();
            }
        }
        chains
    }

    /// Whether the row shows that what was sent for it was carried out: one of the values stands there with the very stamp
    /// that it was sent with. A row has one request on its way at most, and that is carried out as a whole.
    fn has_arrived(&self, entries: &[Entry]) -> bool {
        entries.iter().filter(|entry| entry.state == EntryState::Sent).any(|entry| match &entry.change {
            Change::Update(edits) => edits.iter().any(|edit| {
                let stands = edit.old != edit.new && self.row.get(&edit.name) == Some(&edit.new);
                stands && self.stamps.of(&edit.name) == Some(entry.at.wall.0)
            }),
            Change::Create(_) | Change::Delete => false,
        })
    }

    /// The row as it was asked for, where it is a new one that was sent.
    fn made(entries: &[Entry]) -> Option<Row> {
        entries.first().filter(|first| matches!(first.change, Change::Create(_)))?;
        let sent: Vec<&Entry> = entries.iter().filter(|entry| entry.state == EntryState::Sent).collect();
        match squash(&sent) {
            Some(Squashed::Request(RowRequest { change: Change::Create(row), .. })) => Some(row),
            Some(Squashed::Request(_) | Squashed::Nothing) | None => None,
        }
    }

    /// The columns of a new row that was sent and stands on the server: its values were applied and are the base of
    /// what followed, but for lookups that could not be set yet, and for what waits until the row stands.
    fn created(&self, at: usize, created: &Row) -> Vec<(String, Chain)> {
        let chain = |column: &Column| {
            let name = column.logical_name.clone();
            let value = created.get(&name).cloned().unwrap_or_default();
            let now = self.row.get(&name);
            let unset = column.is_lookup() && now.is_some_and(Value::is_null);
            if !unset && !waits_for_row(self.table, created, &name) {
                return (name, Chain { base: value, steps: Vec::new() });
            }
            let base = if unset { Value::Null } else { initial_value(self.table, column) };
            let edit = FieldEdit { name: name.clone(), old: base.clone(), new: value };
            let steps = if edit.new.is_null() { Vec::new() } else { vec![Step { entry: at, edit }] };
            (name, Chain { base, steps })
        };
        self.columns().map(chain).collect()
    }

    fn is_column(&self, name: &str) -> bool {
        self.table.column(name).is_some_and(|column| column.valid_for_update)
    }

    /// Keeps an entry with what is left of it, upon the server's row as it is now.
    fn keep(&self, decision: &mut Decision, entry: &Entry, change: Change) {
        let before = gone::as_known(self.table, &change, (self.etag, self.row));
        let mut entry = Entry { base: Some(self.etag.clone()), before, ..entry.clone() };
        if matches!(entry.change, Change::Create(_)) {
            decision.renew.insert(entry.seq);
            entry.change_set = None;
        }
        if entry.state == EntryState::Sent {
            decision.merged_sent.insert(entry.seq);
            entry.state = EntryState::Waiting;
        }
        entry.change = change;
        decision.keep.push(entry);
    }

    fn clashed(
        &self,
        clash: Clash,
        (local_at, op): (Hlc, OpId),
        edited_at: Option<EditedAt>,
        (winner, rule): (Side, Rule),
    ) -> Clashed {
        let server_author = match self.row.get("modifiedby") {
            Some(Value::Lookup(who)) => Some(who.clone()),
            Some(_) | None => None,
        };
        Clashed {
            clash,
            local_at,
            server_at: edited_at.map(|at| at.told),
            server_author,
            op,
            winner,
            manual: rule == Rule::Manual,
        }
    }

    /// When the newest of these columns was edited there: by their own stamps where the server keeps such, else by the
    /// row's `modifiedon`, which is when it heard of the last change of any column.
    fn edited_at<'n>(&self, names: impl Iterator<Item = &'n str>) -> Option<EditedAt> {
        if let Some(at) = names.filter_map(|name| self.stamps.of(name)).max() {
            return Some(EditedAt { told: ServerTime(at), end: Millis(at) });
        }
        match self.row.get("modifiedon") {
            Some(Value::DateTime(at)) => Some(EditedAt { told: ServerTime(*at), end: ServerTime(*at).end() }),
            Some(_) | None => None,
        }
    }
}

/// The last entry that edits any of these columns.
fn newest(columns: &[&Column], chains: &BTreeMap<String, Chain>) -> Option<usize> {
    let last = |column: &&Column| chains.get(&column.logical_name)?.steps.last();
    columns.iter().filter_map(last).map(|step| step.entry).max()
}

#[cfg(test)]
mod tests;
