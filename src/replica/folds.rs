//! Rows that have entries, as the app sees them. Every query over a table sees all of its rows, so these are folded once and
//! kept until anything changes that they are made of.

use super::{draft::Effects, SeenRow, State};
use crate::journal::Entry;
use crate::model::Key;
use flette_odata::rules::money::CURRENCIES;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// Most rows that are kept: some 20 MB. Those beyond are folded anew for each query.
const ROWS_MAX: usize = 4_096;

/// See the module. A row that is gone is kept as `None`.
#[derive(Debug, Default)]
pub(super) struct Folds {
    rows: RefCell<HashMap<Key, Option<Rc<SeenRow>>>>,
}

impl Folds {
    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.rows.get_mut().clear();
    }

    /// Forgets what changes made untrue.
    pub(super) fn forget(&mut self, stale: &Stale) {
        match stale {
            Stale::All => self.clear(),
            Stale::Rows(keys) => keys.iter().for_each(|key| drop(self.rows.get_mut().remove(key))),
        }
    }

    fn get_or_fold(&self, key: &Key, fold: impl FnOnce() -> Option<SeenRow>) -> Option<Rc<SeenRow>> {
        if let Some(known) = self.rows.borrow().get(key) {
            return known.clone();
        }
        let row = fold().map(Rc::new);
        let mut rows = self.rows.borrow_mut();
        if rows.len() < ROWS_MAX {
            rows.insert(key.clone(), row.clone());
        }
        row
    }
}

/// Which folded rows are no longer true.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stale {
    All,
    Rows(Vec<Key>),
}

impl State {
    /// A row as the app sees it, folded once.
    pub(super) fn seen_row(&self, key: &Key) -> Option<Rc<SeenRow>> {
        self.folds.get_or_fold(key, || self.row(key))
    }

    /// What is no longer true once changes are made. Entries matter to their own rows and to those that hold these, unless rows
    /// are deleted here, which others hang on, or a currency changes, by which the amounts of others are reckoned.
    /// `is_aftermath_kept`: what hangs on rows deleted here stays as it is, but for what is added, of which is known which rows
    /// it concerns.
    pub(super) fn stale_by(&self, effects: &Effects, is_aftermath_kept: bool) -> Stale {
        let reaches_far =
            |entry: &Entry| (entry.change.is_delete() && !is_aftermath_kept) || entry.key.table == CURRENCIES;
        let changed = || self.changed_by(effects);
        let far = || {
            let deleted = !is_aftermath_kept && self.journal.deletions().next().is_some();
            deleted || self.journal.keys_of(CURRENCIES).next().is_some()
        };
        if !effects.is_of_entries_alone() || changed().any(reaches_far) || far() {
            return Stale::All;
        }
        Stale::Rows(changed().flat_map(|entry| entry.holders.iter().chain([&entry.key])).cloned().collect())
    }

    /// The same of rows on which something else hangs than before, as they are in what hangs on rows deleted here.
    pub(super) fn stale_after(rows: BTreeSet<Key>) -> Stale {
        if rows.iter().any(|key| key.table == CURRENCIES) {
            return Stale::All;
        }
        Stale::Rows(rows.into_iter().collect())
    }

    /// Entries that are written or removed, as they were and as they will be.
    pub(super) fn changed_by<'e>(&'e self, effects: &'e Effects) -> impl Iterator<Item = &'e Entry> {
        let before = effects.entries.keys().filter_map(|seq| self.journal.get(*seq));
        before.chain(effects.entries.values().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EntityRef, FieldEdit, Millis, Row, Value};
    use crate::replica::aftermath::Aftermath;
    use crate::replica::{Draft, Identity, Replica, SegmentBuilder, Target};
    use crate::store::{memory::MemoryStore, Durability};
    use proptest::prelude::*;
    use uuid::Uuid;

    /// A table, one of its rows, and what is done: made or edited by a number, deleted, or settled.
    type Step = (usize, u128, u8);

    const TABLES: [(&str, &str); 4] = [
        ("account", "name"),
        ("contact", "lastname"),
        ("opportunity", "name"),
        ("transactioncurrency", "currencyname"),
    ];

    fn replica() -> Replica<MemoryStore> {
        let user = Uuid::from_u128(1);
        let identity = Identity { user, business_unit: user, organization: user };
        let opened = Replica::open(MemoryStore::new(), Box::new(|bytes| bytes.fill(7)), identity);
        let replica = pollster::block_on(opened).unwrap();
        change(&replica, |draft| draft.set_schema(flette_server::schema::schema()));
        change(&replica, |draft| TABLES.iter().enumerate().for_each(|(table, _)| told(draft, table)));
        replica
    }

    /// Rows of a table as the server knows them.
    fn told(draft: &mut Draft, table: usize) {
        let name = TABLES[table].0;
        let mut builder = SegmentBuilder::new(draft.schema().table(name).unwrap());
        for id in 0..3 {
            let row = values((table, id, 0)).into_iter().map(|(name, value)| (name.to_owned(), value));
            builder.push_row(key((name, id)).id, "W/\"1\"", &row.collect()).unwrap();
        }
        draft.add_segment(name, Target::Live, builder).unwrap();
    }

    fn change(replica: &Replica<MemoryStore>, mut act: impl FnMut(&mut Draft)) {
        let tables = TABLES.map(|(table, _)| table);
        let done = replica.transact(Millis(1000), Durability::Strict, &tables, |draft| {
            act(draft);
            Ok(())
        });
        pollster::block_on(done).unwrap();
    }

    fn key((table, id): (&str, u128)) -> Key {
        Key::new(table, Uuid::from_u128(100 + id))
    }

    fn link(to: (&str, u128)) -> Value {
        Value::Lookup(EntityRef { table: to.0.to_owned(), id: key(to).id })
    }

    /// What a step sets: of a currency its rate, of any other row a name, a link and an amount.
    fn values((table, id, kind): Step) -> Vec<(&'static str, Value)> {
        let number = i64::from(kind % 3);
        let mut values = vec![(TABLES[table].1, Value::Text(format!("v{number}")))];
        match TABLES[table].0 {
            "contact" => values.push(("parentcustomerid", link(("account", u128::from(kind) % 3)))),
            "opportunity" => {
                values.push(("estimatedvalue", Value::Decimal(number.into())));
                values.push(("transactioncurrencyid", link(("transactioncurrency", id))));
                values.push(("parentaccountid", link(("account", u128::from(kind) % 3))));
            }
            "transactioncurrency" => values.push(("exchangerate", Value::Decimal((number + 1).into()))),
            _ => {}
        }
        values
    }

    fn step(draft: &mut Draft, step: Step) {
        let (table, id, kind) = step;
        let key = key((TABLES[table].0, id));
        match (draft.row(&key), kind) {
            (_, 9) => draft.entries_of(&key).first().into_iter().for_each(|entry| draft.remove(entry.seq)),
            (Some(_), 7 | 8) => draft.delete(&key),
            (Some(seen), _) => {
                let edit = |(name, new): (&str, Value)| {
                    let old = seen.row.get(name).cloned().unwrap_or_default();
                    FieldEdit { name: name.to_owned(), old, new }
                };
                draft.update(&key, values(step).into_iter().map(edit).collect());
            }
            (None, _) => {
                let row = values(step).into_iter().map(|(name, value)| (name.to_owned(), value));
                let own = (draft.schema().table(&key.table).unwrap().primary_id.clone(), Value::Guid(key.id));
                draft.create(key, row.chain([own]).collect::<Row>());
            }
        }
    }

    fn kept_are_true(replica: &Replica<MemoryStore>) {
        let state = replica.state();
        assert_eq!(*state.aftermath(), Aftermath::of(&state));
        for (table, _) in TABLES {
            for key in (0..3).map(|id| key((table, id))) {
                assert_eq!(state.seen_row(&key).as_deref(), state.row(&key).as_ref(), "{table}");
            }
        }
    }

    /// Its edit had been made when the link was lost already.
    #[test]
    fn an_edit_that_is_given_up_uncovers_the_link_that_was_lost_before_it() {
        let replica = replica();
        for one in [(0, 0, 7), (2, 0, 1), (2, 0, 9)] {
            change(&replica, |draft| step(draft, one));
            kept_are_true(&replica);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn rows_that_are_kept_are_as_if_they_were_folded_now(
            steps in prop::collection::vec((0..TABLES.len(), 0..3u128, 0..10u8), 1..40),
            at_once in 1..4usize,
        ) {
            let replica = replica();
            for some in steps.chunks(at_once) {
                change(&replica, |draft| some.iter().for_each(|one| step(draft, *one)));
                kept_are_true(&replica);
            }
        }
    }

    #[test]
    fn an_edit_leaves_other_rows_as_they_were_folded() {
        let replica = replica();
        (0..3).for_each(|id| change(&replica, |draft| step(draft, (1, id, 0))));
        let kept = |id| replica.state().seen_row(&key(("contact", id))).unwrap();
        let (first, second) = (kept(0), kept(1));
        change(&replica, |draft| step(draft, (1, 1, 1)));
        assert!(Rc::ptr_eq(&first, &kept(0)), "nothing of it has changed");
        assert_ne!(second.row["lastname"], kept(1).row["lastname"]);
    }

    #[test]
    fn a_row_that_loses_a_link_by_a_deletion_is_another_version_of_it() {
        let replica = replica();
        let offer = key(("opportunity", 0));
        let etag = || replica.state().seen_row(&offer).unwrap().etag.clone();
        let told = etag();
        change(&replica, |draft| draft.delete(&key(("account", 0))));
        assert_eq!(replica.state().seen_row(&offer).unwrap().row["parentaccountid"], Value::Null);
        let without = etag();
        assert_ne!(without, told);
        change(&replica, |draft| draft.delete(&key(("account", 1))));
        assert_eq!(etag(), without, "nothing of it has changed");
        let given_up = |draft: &mut Draft| {
            let entries = draft.entries_of(&key(("account", 0)));
            entries.iter().for_each(|entry| draft.remove(entry.seq));
        };
        change(&replica, given_up);
        assert_eq!(etag(), told);
    }
}
