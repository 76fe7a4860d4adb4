//! Transactions: what they write, and what whoever opens the store knows.

use super::*;
use crate::journal::EntryState;
use crate::store::memory::MemoryStore;
use crate::store::{Pair, Revision};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use uuid::Uuid;

/// Gives way each time it is asked for its revision.
struct Slow(MemoryStore);

impl Store for Slow {
    async fn revision(&self) -> std::result::Result<Revision, StoreError> {
        let mut given = false;
        std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            match std::mem::replace(&mut given, true) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
        self.0.revision().await
    }

    async fn get(&self, table: Table, key: &[u8]) -> std::result::Result<Option<Vec<u8>>, StoreError> {
        self.0.get(table, key).await
    }

    async fn scan(
        &self,
        table: Table,
        keys: KeyRange,
        limit: u32,
    ) -> std::result::Result<Vec<Pair>, StoreError> {
        self.0.scan(table, keys, limit).await
    }

    async fn commit(&self, batch: Batch) -> std::result::Result<Revision, StoreError> {
        self.0.commit(batch).await
    }
}

async fn open<S: Store>(store: S) -> Replica<S> {
    let user = Uuid::from_u128(1);
    let identity = Identity { user, business_unit: user, organization: user };
    // Another device each time, as long as none is stored.
    thread_local!(static OPENED: Cell<u8> = const { Cell::new(0) });
    let opened = OPENED.with(|opened| opened.replace(opened.get().wrapping_add(1)));
    let random: Random = Box::new(move |bytes| bytes.fill(opened));
    Replica::open(store, random, identity).await.unwrap()
}

fn schema() -> flette_odata::Schema {
    flette_server::schema::schema()
}

#[test]
fn entries_that_go_one_behind_the_other_go_in_one_range_and_no_other_entry_with_them() {
    let key = |seq| Entry::store_key(Seq(seq));
    let one = |seq| Write::Delete { table: Table::Journal, key: key(seq) };
    let range = |first, end| {
        let keys = KeyRange { start: key(first), end: Some(key(end)) };
        Write::DeleteRange { table: Table::Journal, keys }
    };
    for (removed, expected) in [
        (vec![], vec![]),
        (vec![3], vec![one(3)]),
        (vec![3, 4, 5, 7, 255, 256], vec![range(3, 6), one(7), range(255, 257)]),
    ] {
        assert_eq!(removals(removed.into_iter().map(Seq)), expected);
    }
}

#[test]
fn a_table_is_not_shown_before_it_is_known_to_be_whole() {
    let store = MemoryStore::new();
    let first = pollster::block_on(open(store.clone()));
    let set = first.transact(Millis(0), Durability::Strict, &[], |draft| {
        draft.set_schema(schema());
        Ok(())
    });
    pollster::block_on(set).unwrap();
    let second = pollster::block_on(open(Slow(store)));
    // Another context writes after the second has read what it knows, and before it looks at the table.
    let later = first.transact(Millis(1), Durability::Strict, &[], |draft| {
        draft.record.pull_due = false;
        Ok(())
    });
    pollster::block_on(later).unwrap();
    let mut load = pin!(second.load(&["account"]));
    let mut context = Context::from_waker(Waker::noop());
    assert!(load.as_mut().poll(&mut context).is_pending());
    assert!(!second.is_loaded(&["account"]), "read, and not known to belong together");
    while load.as_mut().poll(&mut context).is_pending() {}
    assert!(second.is_loaded(&["account"]) && !second.state().record.pull_due);
}

/// What this context writes meets what the other one has written only when it is stored.
#[test]
fn while_one_context_writes_it_does_not_take_what_it_knows_for_the_newest() {
    let store = MemoryStore::new();
    let [first, second] = [(), ()].map(|()| pollster::block_on(open(store.clone())));
    let write = second.commits.try_lock().unwrap();
    let newest = || pollster::block_on(second.catch_up()).unwrap();
    assert!(newest());
    let due = first.transact(Millis(1), Durability::Strict, &[], |draft| {
        draft.record.pull_due ^= true;
        Ok(())
    });
    pollster::block_on(due).unwrap();
    assert!(!newest(), "there is something newer");
    drop(write);
    assert!(newest(), "it has come in");
    assert_eq!(second.state().record.pull_due, first.state().record.pull_due);
}

/// What a transaction does: makes a row, edits it, makes it and another, settles the first entry, marks it as sent, removes
/// the last entry, turns the mode, marks all that waits as sent, lets the first and the last of the sent ones wait again.
fn act(draft: &mut Draft, kind: u8) {
    let key = |id: u128| crate::model::Key::new("account", Uuid::from_u128(id));
    let edit = |new: u64| crate::model::FieldEdit {
        name: "name".to_owned(),
        old: crate::model::Value::Null,
        new: crate::model::Value::Text(new.to_string()),
    };
    let first = draft.state().journal.iter().next().cloned();
    let last = draft.state().journal.iter().last().cloned();
    let next = draft.record.next_seq;
    match (kind, first, last) {
        (0, ..) => draft.create(key(u128::from(next)), crate::model::Row::new()),
        (1, Some(first), _) => draft.update(&first.key, vec![edit(next)]),
        (2, ..) => {
            draft.create(key(u128::from(next)), crate::model::Row::new());
            draft.create(key(u128::from(next) + 1_000), crate::model::Row::new());
        }
        (3, Some(first), _) => draft.remove(first.seq),
        (4, Some(first), _) => draft.put(Entry { state: EntryState::Sent, ..first }),
        (5, _, Some(last)) => draft.remove(last.seq),
        (6, ..) => draft.record.offline_chosen ^= true,
        (7, ..) => {
            // A stamp that no entry has.
            draft.stamp();
            draft.create(key(u128::from(next)), crate::model::Row::new());
            draft.stamp();
        }
        (8, ..) => {
            let at = Some(draft.now());
            let waiting = draft.state().journal.iter().filter(|entry| entry.state == EntryState::Waiting);
            waiting.cloned().for_each(|entry| draft.put(entry.sent(next % 2 == 0, at)));
        }
        (9, ..) => {
            let sent = draft.state().journal.iter().filter(|entry| entry.state == EntryState::Sent);
            let sent: Vec<Entry> = sent.cloned().collect();
            for entry in sent.first().into_iter().chain(sent.last()) {
                draft.put(Entry { state: EntryState::Waiting, ..entry.clone() });
            }
        }
        _ => {}
    }
}

proptest::proptest! {
    /// Whoever opens the store knows the last stamp and the next number, though an added entry alone is what is written, and which
    /// entries were sent, though a mark alone says it.
    #[test]
    fn what_is_known_of_entries_stamps_and_numbers_is_stored(
        steps in proptest::collection::vec((0_u8..11, 0_i64..3), 1..40)
    ) {
        let store = MemoryStore::new();
        let replica = pollster::block_on(open(store.clone()));
        let mut now = 0;
        for (kind, pause) in steps {
            now += pause;
            let done = replica.transact(Millis(now), Durability::Strict, &[], |draft| {
                act(draft, kind);
                Ok(())
            });
            pollster::block_on(done).unwrap();
            let known = replica.state().record.clone();
            let again = pollster::block_on(open(store.clone()));
            // Before anything is written there is no device.
            if replica.state().kept != Kept::Nothing {
                proptest::prop_assert_eq!(&again.state().record, &known);
            }
            let entries = |replica: &Replica<MemoryStore>| replica.state().journal.iter().cloned().collect::<Vec<_>>();
            proptest::prop_assert_eq!(entries(&again), entries(&replica));
            let marks = pollster::block_on(store.scan(Table::Meta, KeyRange::prefix(MARK_PREFIX), 100)).unwrap();
            let sent = replica.state().journal.iter().filter(|entry| entry.state == EntryState::Sent).count();
            proptest::prop_assert!(marks.len() <= sent, "{} marks of {sent} entries", marks.len());
        }
    }
}

#[test]
fn an_edit_writes_its_entry_and_nothing_else() {
    let store = MemoryStore::new();
    let replica = pollster::block_on(open(store));
    let written = |kind| {
        let state = replica.state();
        let mut draft = Draft::new(&state, Millis(5), &*replica.random);
        act(&mut draft, kind);
        let writes = writes(&state, &draft.effects, &draft.record).unwrap();
        let tables = writes.iter().map(|write| match write {
            Write::Put { table, .. } | Write::Delete { table, .. } | Write::DeleteRange { table, .. } => {
                *table
            }
        });
        tables.collect::<Vec<_>>()
    };
    // Who this device is was not stored yet.
    assert_eq!(written(0), [Table::Meta, Table::Journal]);
    let made = |kind| {
        let made = replica.transact(Millis(5), Durability::Strict, &[], |draft| {
            act(draft, kind);
            Ok(())
        });
        pollster::block_on(made).unwrap();
    };
    made(6);
    assert_eq!(written(0), [Table::Journal]);
    assert_eq!(written(6), [Table::Meta]);
    assert_eq!(written(7), [Table::Meta, Table::Journal]);
    made(0);
    assert_eq!(written(1), [Table::Journal]);
    // With the entry goes what it says of the clock.
    assert_eq!(written(3), [Table::Meta, Table::Journal]);
}

#[test]
fn a_wave_is_marked_with_one_write_and_taken_away_with_two() {
    let replica = pollster::block_on(open(MemoryStore::new()));
    let act = |act: fn(&mut Draft)| {
        let state = replica.state();
        let mut draft = Draft::new(&state, Millis(5), &*replica.random);
        act(&mut draft);
        let count = writes(&state, &draft.effects, &state.record).unwrap().len();
        drop(state);
        let done = replica.transact(Millis(5), Durability::Strict, &[], |draft| {
            act(draft);
            Ok(())
        });
        pollster::block_on(done).unwrap();
        count
    };
    for _ in 0..5 {
        act(|draft| self::act(draft, 2));
    }
    // With it the last stamp is stored, which else goes along with the next write.
    act(|draft| self::act(draft, 6));
    assert_eq!(act(|draft| self::act(draft, 8)), 1, "one for ten entries");
    // One of the ten is refused: its entry, and the mark of the others.
    let refuse = |draft: &mut Draft| {
        let entry = draft.state().journal.iter().nth(4).cloned().unwrap();
        draft.put(Entry { state: EntryState::Waiting, ..entry });
    };
    assert_eq!(act(refuse), 2);
    let settle = |draft: &mut Draft| {
        draft.state().journal.iter().for_each(|entry| draft.remove(entry.seq));
    };
    assert_eq!(act(settle), 2, "the entries, and what is left of the mark");
}
