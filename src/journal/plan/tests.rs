use super::*;
use crate::journal::{fold, Reason};
use crate::model::{DeviceId, ETag, EntityRef, FieldEdit, Hlc, Millis, OpId, Row};
use proptest::prelude::*;
use uuid::Uuid;

fn key(id: u128) -> Key {
    Key::new("account", Uuid::from_u128(id))
}

fn to(id: u128) -> Value {
    Value::Lookup(EntityRef { table: "account".to_owned(), id: Uuid::from_u128(id) })
}

fn entry(seq: u64, id: u128, change: Change) -> Entry {
    Entry {
        seq: Seq(seq),
        op: OpId(Uuid::from_u128(1000 + u128::from(seq))),
        key: key(id),
        base: (!matches!(change, Change::Create(_))).then(|| ETag("1".to_owned())),
        change,
        at: Hlc { wall: Millis(i64::try_from(seq).unwrap()), counter: 0, device: DeviceId(1) },
        change_set: None,
        state: EntryState::Waiting,
        holders: Vec::new(),
        added: false,
        first_sent: None,
        before: None,
    }
}

fn create(seq: u64, id: u128, parent: Option<u128>) -> Entry {
    let mut row: Row = [("name".to_owned(), Value::Int(i64::try_from(seq).unwrap()))].into();
    row.insert("parentaccountid".to_owned(), parent.map_or(Value::Null, to));
    entry(seq, id, Change::Create(row))
}

fn update(seq: u64, id: u128, old: i64, new: i64) -> Entry {
    let edit = FieldEdit { name: "name".to_owned(), old: Value::Int(old), new: Value::Int(new) };
    entry(seq, id, Change::Update(vec![edit]))
}

fn in_set(set: u128, entry: Entry) -> Entry {
    Entry { change_set: Some(ChangeSetId(Uuid::from_u128(set))), ..entry }
}

fn sent(entry: Entry) -> Entry {
    Entry { state: EntryState::Sent, ..entry }
}

fn parked(entry: Entry) -> Entry {
    let reason = Reason { status: 400, code: String::new(), message: String::new() };
    Entry { state: EntryState::Parked(reason), ..entry }
}

/// Units as text: `c1` creates row 1, `u` updates, `d` deletes; `*` stands for a lookup, brackets for an atomic unit.
fn show(entries: &[Entry]) -> Vec<String> {
    let request = |r: &RowRequest| {
        let (kind, linked) = match &r.change {
            Change::Create(row) => ("c", row.values().any(|v| matches!(v, Value::Lookup(_)))),
            Change::Update(edits) => ("u", edits.iter().any(|e| matches!(e.new, Value::Lookup(_)))),
            Change::Delete => ("d", false),
        };
        format!("{kind}{}{}", r.key.id.as_u128(), if linked { "*" } else { "" })
    };
    let unit = |u: &Unit| {
        let requests: Vec<String> = u.requests.iter().map(request).collect();
        let nothing = if u.nothing.is_empty() { String::new() } else { format!(" -{}", u.nothing.len()) };
        match u.atomic {
            true => format!("[{}]{nothing}", requests.join(" ")),
            false => format!("{}{nothing}", requests.join(" ")),
        }
    };
    plan(entries).iter().map(unit).collect()
}

#[track_caller]
fn check(entries: &[Entry], expected: &[&str]) {
    assert_eq!(show(entries), expected);
}

#[test]
fn parents_go_before_children_and_ties_by_seq() {
    check(&[create(1, 1, Some(2)), create(2, 2, Some(3)), create(3, 3, None)], &["c3", "c2*", "c1*"]);
    check(&[update(1, 9, 0, 1), create(2, 2, None), update(3, 8, 0, 1)], &["u9", "c2", "u8"]);
}

#[test]
fn a_circle_is_broken_by_leaving_a_lookup_out_once() {
    check(&[create(1, 1, Some(2)), create(2, 2, Some(1))], &["c2", "c1*"]);
    check(&[create(1, 1, Some(2)), create(2, 2, Some(3)), create(3, 3, Some(1))], &["c3", "c2*", "c1*"]);
    check(&[create(1, 1, Some(1))], &["c1"]);
    check(&[in_set(7, create(1, 1, Some(2))), in_set(7, create(2, 2, Some(1)))], &["[c1 c2*]"]);
}

#[test]
fn a_chain_of_any_length_is_ordered_without_recursion() {
    let entries: Vec<Entry> =
        (1..=20_000_u64).map(|n| create(n, u128::from(n), Some(u128::from(n) + 1))).collect();
    let order = show(&entries);
    assert_eq!((order[0].as_str(), order[19_999].as_str()), ("c20000*", "c1*"));
}

#[test]
fn a_change_set_is_one_unit_with_parents_first_inside() {
    let set = [in_set(7, create(1, 1, Some(2))), in_set(7, create(2, 2, None)), update(3, 5, 0, 1)];
    check(&set, &["[c2 c1*]", "u5"]);
    // Two sets that share a row cannot be told apart any more.
    let chained = [
        in_set(7, create(1, 1, None)),
        in_set(7, create(2, 2, None)),
        in_set(8, update(3, 2, 2, 5)),
        in_set(8, create(4, 3, None)),
    ];
    check(&chained, &["[c1 c2 c3]"]);
}

#[test]
fn a_parked_row_blocks_itself_its_set_and_its_dependents() {
    let entries = [
        parked(create(1, 1, None)),
        create(2, 2, Some(1)),
        in_set(7, create(3, 3, Some(2))),
        in_set(7, create(4, 4, None)),
        create(5, 5, None),
    ];
    check(&entries, &["c5"]);
    // A parked update does not hold back who points to the row: the row stands.
    check(&[parked(update(1, 1, 0, 1)), create(2, 2, Some(1))], &["c2*"]);
    // The user deletes what was refused.
    check(&[parked(update(1, 1, 0, 1)), entry(2, 1, Change::Delete)], &["d1"]);
}

/// A row of another table that these rows hold.
fn held(seq: u64, id: u128, holders: &[u128], change: Change) -> Entry {
    let holders = holders.iter().map(|id| key(*id)).collect();
    Entry { key: Key::new("pair", Uuid::from_u128(id)), holders, ..entry(seq, id, change) }
}

#[test]
fn what_rows_hold_goes_after_them_and_waits_with_them() {
    let pair = |seq| held(seq, 50, &[1, 2], Change::Create(Row::new()));
    check(
        &[pair(1), create(2, 1, None), create(3, 2, Some(3)), create(4, 3, None)],
        &["c1", "c3", "c2*", "c50"],
    );
    check(&[in_set(7, pair(1)), in_set(7, create(2, 1, None))], &["[c1 c50]"]);
    check(&[parked(create(1, 1, None)), pair(2), create(3, 2, None)], &["c2"]);
    check(&[parked(update(1, 1, 0, 1)), pair(2)], &["c50"]);
    let parted = [held(1, 50, &[1, 2], Change::Delete), update(2, 1, 0, 1)];
    check(&parted, &["d50", "u1"]);
    assert_eq!(plan(&parted)[0].requests[0].holders, [key(1), key(2)]);
}

#[test]
fn what_was_sent_goes_again_as_it_was() {
    let entries = [sent(update(1, 1, 0, 1)), update(2, 1, 1, 2)];
    let units = plan(&entries);
    let request = &units[0].requests[0];
    assert_eq!((request.op, request.seqs.clone()), (entries[0].op, vec![Seq(1)]));
    assert_eq!(request.change, entries[0].change);
    // There and back, with the way there sent: the way back waits and is not dropped.
    let back = [sent(update(1, 1, 0, 1)), update(2, 1, 1, 0)];
    assert_eq!(plan(&back)[0].requests[0].seqs, [Seq(1)]);
    // A set that was sent goes again alone, too.
    let set = [sent(in_set(7, create(1, 1, None))), sent(in_set(7, create(2, 2, None))), update(3, 2, 2, 5)];
    assert_eq!(plan(&set)[0].requests.iter().map(|r| r.seqs.len()).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn what_was_sent_apart_goes_apart_again_whatever_change_set_came_since() {
    let later =
        || [in_set(7, update(3, 1, 1, 5)), in_set(7, update(4, 2, 2, 6)), in_set(7, create(5, 3, None))];
    let apart = [sent(update(1, 1, 0, 1)), sent(update(2, 2, 0, 2))];
    check(&[&apart[..], &later()].concat(), &["", "u1", "u2"]);
    assert!(plan(&apart).iter().flat_map(|unit| &unit.requests).all(|request| request.seqs.len() == 1));
    // One of them is answered: the set waits for the other.
    check(&[&apart[1..], &later()].concat(), &["", "", "u2"]);
    // What was sent in a set goes in it.
    let together = apart.map(|entry| in_set(6, entry));
    check(&[&together[..], &later()].concat(), &["", "[u1 u2]"]);
}

#[test]
fn what_goes_along_with_a_set_that_was_sent_is_not_torn_from_its_own() {
    let earlier = [in_set(6, update(1, 3, 0, 1)), in_set(6, update(2, 2, 0, 2))];
    let refused = [in_set(7, update(3, 2, 2, 5)), sent(in_set(7, create(4, 1, None)))];
    check(&[&earlier[..], &refused].concat(), &["[u3 u2 c1]"]);
}

#[test]
fn what_was_edited_since_goes_along_with_a_set_that_was_sent() {
    let set = [in_set(7, update(1, 2, 1, 2)), sent(in_set(7, create(2, 1, None)))];
    // It was taken back: nothing is left of the row, and what stood in between is not sent.
    check(&[&set[..], &[update(3, 2, 2, 1)]].concat(), &["[c1] -2"]);
    // Of another set, it waits.
    let other = [in_set(8, update(3, 2, 2, 1)), in_set(8, update(4, 3, 0, 1))];
    check(&[&set[..], &other].concat(), &["", "[u2 c1]"]);
}

#[test]
fn what_shares_a_row_with_an_unanswered_change_set_goes_with_it_as_a_whole() {
    // Another row of the sets has changed, so of all that was sent the new row only is still unanswered.
    let entries = [
        in_set(5, update(1, 1, 0, 1)),
        in_set(5, update(2, 2, 0, 1)),
        in_set(6, update(3, 2, 1, 2)),
        in_set(6, update(4, 3, 0, 1)),
        in_set(7, update(5, 3, 1, 2)),
        sent(in_set(7, create(6, 4, None))),
        in_set(8, update(7, 3, 2, 3)),
        in_set(8, update(8, 5, 0, 1)),
    ];
    check(&entries, &["", "[u1 u2 u3 c4]"]);
    let third = plan(&entries).into_iter().flat_map(|unit| unit.requests).find(|r| r.key == key(3));
    assert_eq!(third.map(|request| request.seqs), Some(vec![Seq(4), Seq(5)]));
}

#[test]
fn a_deletion_replaces_what_it_follows_under_an_operation_of_its_own() {
    let entries = [sent(update(1, 1, 0, 1)), entry(2, 1, Change::Delete)];
    let request = &plan(&entries)[0].requests[0];
    assert_eq!((&request.change, request.op), (&Change::Delete, entries[1].op));
    assert_eq!(request.base, Some(ETag("1".to_owned())));
    // A create that was sent may still be on its way: it goes first, under its own operation, and is deleted when it
    // stands.
    let lost = [sent(create(1, 1, None)), entry(2, 1, Change::Delete)];
    let request = &plan(&lost)[0].requests[0];
    assert_eq!((&request.change, request.op), (&lost[0].change, lost[0].op));
    assert_eq!(request.seqs, [Seq(1)]);
    // Both were sent together: the row may stand, and nobody knows its etag.
    let both = [sent(create(1, 1, None)), sent(entry(2, 1, Change::Delete))];
    let request = &plan(&both)[0].requests[0];
    assert_eq!((&request.change, &request.base, request.seqs.len()), (&Change::Delete, &None, 2));
}

#[test]
fn what_amounts_to_nothing_is_not_sent() {
    check(&[create(1, 1, None), entry(2, 1, Change::Delete)], &[" -2"]);
    check(&[update(1, 1, 0, 1), update(2, 1, 1, 0)], &[" -2"]);
}

/// A journal as the replica makes it: rows are created once, edited, deleted at the end.
fn journal() -> impl Strategy<Value = Vec<Entry>> {
    let step = (1_u128..6, 0_u8..6, prop::option::of(1_u128..6), prop::option::of(1_u128..3), 0_u8..4);
    prop::collection::vec(step, 1..16).prop_map(|steps| {
        let mut rows: BTreeMap<u128, Option<Row>> = BTreeMap::new();
        let mut entries: Vec<Entry> = Vec::new();
        for (number, (id, kind, link, set, state)) in steps.into_iter().enumerate() {
            let seq = number as u64 + 1;
            let made = match (rows.get(&id).cloned(), kind) {
                (None, 0..=3) => create(seq, id, link),
                (None, _) => update(seq, id, -1, i64::from(kind)),
                (Some(None), _) => continue,
                (Some(Some(row)), 5) if row.contains_key("name") => entry(seq, id, Change::Delete),
                (Some(Some(row)), _) => {
                    let old = row.get("name").cloned().unwrap_or_default();
                    let new = Value::Int(i64::from(kind));
                    if old == new {
                        continue;
                    }
                    entry(seq, id, Change::Update(vec![FieldEdit { name: "name".to_owned(), old, new }]))
                }
            };
            let before = rows.get(&id).cloned().flatten().or_else(|| match made.change {
                Change::Update(_) => Some([("name".to_owned(), Value::Int(-1))].into()),
                Change::Create(_) | Change::Delete => None,
            });
            rows.insert(id, fold(before, [&made]));
            let first = entries.iter().all(|e| e.key != made.key);
            entries.push(match (set, state) {
                (Some(set), _) => in_set(set, made),
                (None, 0) if first => sent(made),
                (None, _) => made,
            });
        }
        entries
    })
}

proptest! {
    #[test]
    fn every_entry_is_in_at_most_one_place_and_parents_come_first(entries in journal()) {
        let units = plan(&entries);
        let mut seqs = BTreeSet::new();
        let mut standing: BTreeSet<Key> = BTreeSet::new();
        let creating: BTreeSet<Key> = entries.iter().filter(|e| matches!(e.change, Change::Create(_)))
            .map(|e| e.key.clone()).collect();
        for unit in &units {
            for request in &unit.requests {
                for target in lookups(&request.change) {
                    // What points to a new row comes after it, or within the same set; what was deleted again before
                    // it was ever told stands nowhere.
                    let told = units.iter().flat_map(|u| &u.requests)
                        .any(|r| r.key == target && matches!(r.change, Change::Create(_)));
                    let same = unit.requests.iter().any(|r| r.key == target);
                    prop_assert!(!creating.contains(&target) || !told || standing.contains(&target) || same);
                }
                for seq in &request.seqs {
                    prop_assert!(seqs.insert(*seq), "twice");
                }
                standing.insert(request.key.clone());
            }
            for seq in &unit.nothing {
                prop_assert!(seqs.insert(*seq), "twice");
            }
        }
        // Nothing is parked, so each row is either told or amounts to nothing; at least its first entry is dealt with.
        let first = |key: &Key| entries.iter().find(|e| e.key == *key).map(|e| e.seq);
        let atomic_sent = entries.iter().any(|e| e.change_set.is_some() && e.state == EntryState::Sent);
        for entry in &entries {
            let dealt = first(&entry.key).is_some_and(|seq| seqs.contains(&seq));
            let grouped = entries.iter().any(|e| e.key == entry.key && e.change_set.is_some());
            prop_assert!(dealt || atomic_sent || grouped, "forgotten: {entry:?}");
        }
    }

    #[test]
    fn a_squashed_request_does_what_its_entries_do(entries in journal()) {
        for unit in plan(&entries) {
            for request in unit.requests {
                let own: Vec<&Entry> = entries.iter().filter(|e| request.seqs.contains(&e.seq)).collect();
                let mirror: Option<Row> = match own[0].change {
                    Change::Create(_) => None,
                    Change::Update(_) | Change::Delete => Some([("name".to_owned(), Value::Int(-1))].into()),
                };
                let one = Entry { change: request.change.clone(), ..own[0].clone() };
                let name = |row: Option<Row>| row.map(|r| r.get("name").cloned());
                prop_assert_eq!(name(fold(mirror.clone(), own)), name(fold(mirror, [&one])));
            }
        }
    }
}

/// Edits of row 1 as text: `12` turns state 1 into 2, `n` names the row anew; `d` deletes it.
fn told(words: &str) -> Vec<Entry> {
    let edit = |name: &str, old: i64, new: i64| FieldEdit {
        name: name.to_owned(),
        old: Value::Int(old),
        new: Value::Int(new),
    };
    let change = |at: i64, word: &str| match word {
        "n" => Change::Update(vec![edit("name", at, at + 1)]),
        "d" => Change::Delete,
        states => {
            let [old, new] = [0, 1].map(|at| states[at..=at].parse().unwrap());
            Change::Update(vec![edit("statecode", old, new), edit("statuscode", old, new)])
        }
    };
    let numbered = (1u32..).zip(words.split(' '));
    numbered.map(|(at, word)| entry(u64::from(at), 1, change(i64::from(at), word))).collect()
}

#[test]
fn a_row_opened_edited_and_closed_again_is_closed_by_a_request_of_its_own() {
    for (words, first_request) in [
        ("10 n 01", 2),
        ("10 n 02", 2),
        ("10 n n 01 12", 3),
        ("10 01 10 n 02 21", 4),
        // Nothing was edited, or the row was or stays open, or it goes.
        ("10 01", 2),
        ("12", 1),
        ("n 01", 2),
        ("01 10 n", 3),
        ("10 n", 2),
        ("10 n 01 d", 4),
        ("13 n 31", 3),
    ] {
        let plan = plan(&told(words));
        let sizes: Vec<usize> = plan.iter().flat_map(|u| &u.requests).map(|r| r.seqs.len()).collect();
        let told = sizes.first().copied().unwrap_or_else(|| plan[0].nothing.len());
        assert_eq!(told, first_request, "{words}");
    }
    let together: Vec<Entry> = told("10 n 01").into_iter().map(|entry| in_set(7, entry)).collect();
    assert_eq!(plan(&together)[0].requests[0].seqs.len(), 3);
}

/// The sequence numbers of each unit's requests, and those that wait.
fn parts(entries: &[Entry]) -> Vec<(Vec<u64>, Vec<u64>)> {
    let numbers = |seqs: &[Seq]| seqs.iter().map(|seq| seq.0).collect::<Vec<u64>>();
    let unit = |unit: Unit| {
        let requests = unit.requests.iter().flat_map(|request| numbers(&request.seqs));
        (requests.collect(), numbers(&unit.deferred))
    };
    plan(entries).into_iter().map(unit).collect()
}

#[test]
fn a_change_set_that_closes_a_row_again_waits_as_a_whole() {
    let closing = |set: u128| -> Vec<Entry> {
        let mut row: Vec<Entry> = told("10 n 01");
        let last = row.pop().map(|entry| in_set(set, entry));
        row.into_iter().chain(last).collect()
    };
    // Another row of the set waits for it, with what came to that row since.
    let (mut entries, before) = (closing(7), update(9, 3, 0, 1));
    entries.extend([in_set(7, update(4, 2, 0, 1)), update(5, 2, 1, 2), before]);
    let numbers = parts(&entries);
    assert_eq!(numbers.iter().flat_map(|(going, _)| going.clone()).collect::<Vec<u64>>(), [1, 2, 9]);
    let waiting: BTreeSet<u64> = numbers.into_iter().flat_map(|(_, waiting)| waiting).collect();
    assert_eq!(waiting, [3, 4, 5].into());
    // What came to it before goes.
    let mut entries = closing(7);
    entries.extend([update(0, 2, 5, 0), in_set(7, update(4, 2, 0, 1))]);
    let numbers = parts(&entries);
    assert_eq!(numbers.iter().flat_map(|(going, _)| going.clone()).collect::<Vec<u64>>(), [0, 1, 2]);
}

#[test]
fn a_set_that_makes_or_deletes_rows_does_not_wait_for_what_closes_a_row_again() {
    let closing = |rows: Vec<Entry>| -> Vec<Entry> {
        let mut all: Vec<Entry> = told("10 n 01");
        let last = all.pop().map(|entry| in_set(7, entry));
        all.into_iter().chain(last).chain(rows).collect()
    };
    let going = |entries: &[Entry]| {
        let numbers = parts(entries).into_iter().flat_map(|(going, _)| going);
        ordered::list(numbers.collect(), Ord::cmp)
    };
    // Somebody may wait for the new row, for whom the closing row waits.
    assert_eq!(going(&closing(vec![in_set(7, create(4, 2, None))])), [1, 2, 4]);
    // A row that was made and deleted here is not made.
    let deleted = vec![create(0, 2, None), in_set(7, entry(4, 2, Change::Delete))];
    assert_eq!(going(&closing(deleted)), [1, 2]);
}

#[test]
fn sets_that_hang_together_and_are_more_than_a_batch_takes_go_one_after_the_other() {
    let rows = |from: u64, to: u64, set: u128| {
        (from..to).map(move |at| in_set(set, update(at, u128::from(at), 0, 1)))
    };
    // Both change row 0.
    let both: Vec<Entry> =
        rows(0, 800, 1).chain([in_set(2, update(800, 0, 1, 2))]).chain(rows(801, 1600, 2)).collect();
    let sizes = |entries: &[Entry]| -> Vec<usize> {
        plan(entries).iter().map(|unit| unit.requests.len()).filter(|size| *size > 0).collect()
    };
    assert_eq!(sizes(&both), [800]);
    let later: Vec<Entry> = both.into_iter().filter(|entry| entry.seq >= Seq(800)).collect();
    assert_eq!(sizes(&later), [800]);
    // One that is too large by itself goes as it is, and is refused.
    let large: Vec<Entry> = rows(0, 1001, 1).collect();
    assert_eq!(sizes(&large), [1001]);
}

/// Lead 1 points to account 2, which was made in one change set with the pair 3 of both.
#[test]
fn what_rows_hold_waits_where_it_would_close_a_circle() {
    let pair = in_set(7, held(3, 3, &[2, 1], create(3, 3, None).change));
    let entries = [create(1, 1, None), in_set(7, create(2, 2, None)), pair, {
        let edit = FieldEdit { name: "parentaccountid".to_owned(), old: Value::Null, new: to(2) };
        entry(4, 1, Change::Update(vec![edit]))
    }];
    let units = plan(&entries);
    let told: Vec<Vec<u64>> =
        units.iter().map(|unit| unit.requests.iter().map(|r| r.seqs[0].0).collect()).collect();
    assert_eq!(told, [vec![2], vec![1]]);
    assert_eq!(units[0].deferred, [Seq(3)]);
}
