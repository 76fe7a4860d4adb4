//! What a draft does to entries, by row: many rows of one draft ask for each other, by their ids, values and links.

use super::{Draft, SeenRow};
use crate::journal::Entry;
use crate::model::{Change, Key, Seq, Value};
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use uuid::Uuid;

/// Rows by the id of a row that entries of theirs point to, or did.
type Pointing = HashMap<Uuid, BTreeSet<Key>>;

/// See the module.
#[derive(Default)]
pub(super) struct Drafted {
    /// Of each row the entries that are added, changed or taken away.
    seqs: BTreeMap<Key, BTreeSet<Seq>>,
    /// Rows as they are after the draft, as far as they were asked for and are still true.
    rows: RefCell<HashMap<Key, Option<Rc<SeenRow>>>>,
    /// Whether a row is deleted, or was for a while: then rows depend on others.
    pub(super) deletes: bool,
    pointing: OnceCell<Pointing>,
}

impl Drafted {
    /// Notes that the entry at `seq`, of these rows before and after, is written or (`None`) removed.
    pub(super) fn add(&mut self, seq: Seq, keys: &[Key], entry: Option<&Entry>) {
        for key in keys {
            self.seqs.entry(key.clone()).or_default().insert(seq);
            self.rows.get_mut().remove(key);
        }
        self.deletes |= entry.is_some_and(|entry| entry.change.is_delete());
        if let (Some(pointing), Some(entry)) = (self.pointing.get_mut(), entry) {
            note_links(pointing, entry);
        }
    }

    /// Forgets what rows are: they may be called otherwise.
    pub(super) fn forget_rows(&mut self) {
        self.rows.get_mut().clear();
    }

    /// Entries of a row that are written or removed, in order.
    pub(super) fn of(&self, key: &Key) -> impl Iterator<Item = Seq> + '_ {
        self.seqs.get(key).into_iter().flatten().copied()
    }

    /// Rows of a table whose entries are added to or taken away from.
    pub(super) fn keys_of<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a Key> {
        let first = Key::new(table, Uuid::nil());
        self.seqs.range(first..).map(|(key, _)| key).take_while(move |key| key.table == table)
    }
}

impl Draft<'_> {
    /// [`Draft::row`] of a row whose entries this draft adds to or takes away from, folded once.
    pub(super) fn drafted_row(&self, key: &Key) -> Option<Rc<SeenRow>> {
        if self.drafted.deletes {
            return self.row(key).map(Rc::new);
        }
        if let Some(known) = self.drafted.rows.borrow().get(key) {
            return known.clone();
        }
        let row = self.row(key).map(Rc::new);
        self.drafted.rows.borrow_mut().insert(key.clone(), row.clone());
        row
    }

    /// Rows with an entry that points to a row by a value that it sets, by id; some whose entry does so no more.
    pub(super) fn with_links_to(&self, target: &Key) -> BTreeSet<Key> {
        let pointing = self.drafted.pointing.get_or_init(|| {
            let mut pointing = Pointing::new();
            self.all_entries().for_each(|entry| note_links(&mut pointing, entry));
            pointing
        });
        pointing.get(&target.id).cloned().unwrap_or_default()
    }
}

fn note_links(pointing: &mut Pointing, entry: &Entry) {
    let mut note = |value: &Value| {
        if let Value::Lookup(to) = value {
            pointing.entry(to.id).or_default().insert(entry.key.clone());
        }
    };
    match &entry.change {
        Change::Create(row) => row.values().for_each(note),
        Change::Update(edits) => edits.iter().for_each(|edit| note(&edit.new)),
        Change::Delete => {}
    }
}
