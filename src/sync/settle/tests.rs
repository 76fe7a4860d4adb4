use super::*;
use crate::model::{DeviceId, EntityRef, Hlc, Key, Millis, OpId, Seq};
use uuid::Uuid;

fn account() -> Table {
    flette_server::schema::schema().table("account").cloned().unwrap()
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn entry(seq: u64, change: Change) -> Entry {
    Entry {
        seq: Seq(seq),
        op: OpId(Uuid::from_u128(u128::from(seq))),
        key: Key::new("account", Uuid::from_u128(1)),
        base: None,
        change,
        at: Hlc { wall: Millis(0), counter: 0, device: DeviceId(1) },
        change_set: None,
        state: EntryState::Sent,
        holders: Vec::new(),
        added: false,
        first_sent: None,
        before: None,
    }
}

fn edit(name: &str, old: &str, new: &str) -> FieldEdit {
    FieldEdit { name: name.to_owned(), old: text(old), new: text(new) }
}

fn request(entries: &[Entry], seqs: &[u64]) -> RowRequest {
    let own: Vec<&Entry> = entries.iter().filter(|e| seqs.contains(&e.seq.0)).collect();
    match squash(&own) {
        Some(Squashed::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn row(fields: &[(&str, Value)]) -> Row {
    fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

#[test]
fn what_was_sent_leaves_and_what_was_made_meanwhile_stays_upon_the_answer() {
    let entries = [
        entry(1, Change::Update(vec![edit("name", "a", "b")])),
        entry(2, Change::Update(vec![edit("name", "b", "c"), edit("telephone1", "1", "2")])),
        entry(3, Change::Update(vec![edit("name", "c", "d")])),
    ];
    // The server trimmed the name: what follows builds upon what it made of it.
    let answer = row(&[("name", text("B")), ("telephone1", text("1"))]);
    let etag = ETag("2".to_owned());
    let decision = settle(&account(), &request(&entries, &[1]), &entries, &answer, &etag);
    let changes: Vec<&Change> = decision.keep.iter().map(|e| &e.change).collect();
    assert_eq!(
        changes,
        [
            &Change::Update(vec![edit("name", "B", "c"), edit("telephone1", "1", "2")]),
            &Change::Update(vec![edit("name", "c", "d")]),
        ]
    );
    assert!(decision.keep.iter().all(|e| e.base.as_ref() == Some(&etag)));
    assert!(decision.renew.is_empty() && decision.clashes.is_empty());
}

#[test]
fn an_edit_made_meanwhile_that_says_what_the_answer_says_leaves_too() {
    let entries = [
        entry(1, Change::Update(vec![edit("name", "a", "b")])),
        entry(2, Change::Update(vec![edit("name", "b", "B")])),
    ];
    let answer = row(&[("name", text("B"))]);
    let decision = settle(&account(), &request(&entries, &[1]), &entries, &answer, &ETag("2".to_owned()));
    assert_eq!(decision, Decision::default());
}

/// The row was known under two ids, and edited under either, before it was heard that they mean the same.
#[test]
fn what_was_written_before_what_was_carried_out_does_not_take_its_place() {
    let entries = [
        entry(1, Change::Update(vec![edit("name", "a", "older"), edit("telephone1", "1", "2")])),
        entry(2, Change::Update(vec![edit("name", "a", "newer")])),
    ];
    let answer = row(&[("name", text("newer")), ("telephone1", text("1"))]);
    let etag = ETag("2".to_owned());
    let decision = settle(&account(), &request(&entries, &[2]), &entries, &answer, &etag);
    let changes: Vec<&Change> = decision.keep.iter().map(|e| &e.change).collect();
    assert_eq!(changes, [&Change::Update(vec![edit("telephone1", "1", "2")])]);
}

#[test]
fn a_lookup_left_out_to_break_a_circle_remains_as_an_update_of_its_own() {
    let to = Value::Lookup(EntityRef { table: "contact".to_owned(), id: Uuid::from_u128(5) });
    let created = row(&[("name", text("a")), ("primarycontactid", to.clone())]);
    let entries = [entry(1, Change::Create(created)), entry(2, Change::Update(vec![edit("name", "a", "z")]))];
    let mut sent = request(&entries, &[1]);
    let Change::Create(body) = &mut sent.change else { panic!("a create") };
    body.insert("primarycontactid".to_owned(), Value::Null);
    let answer = row(&[("name", text("a")), ("primarycontactid", Value::Null)]);
    let decision = settle(&account(), &sent, &entries, &answer, &ETag("2".to_owned()));
    let link = FieldEdit { name: "primarycontactid".to_owned(), old: Value::Null, new: to };
    assert_eq!(decision.keep[0].change, Change::Update(vec![link]));
    assert_eq!((decision.keep[0].seq, decision.keep[0].state.clone()), (Seq(1), EntryState::Waiting));
    assert!(decision.renew.contains(&Seq(1)));
    assert_eq!(decision.keep[1].change, Change::Update(vec![edit("name", "a", "z")]));
    assert_eq!(decision.keep.len(), 2);
}

#[test]
fn a_deletion_made_meanwhile_builds_upon_the_answer() {
    let entries = [entry(1, Change::Update(vec![edit("name", "a", "b")])), entry(2, Change::Delete)];
    let answer = row(&[("name", text("b"))]);
    let etag = ETag("2".to_owned());
    let decision = settle(&account(), &request(&entries, &[1]), &entries, &answer, &etag);
    assert_eq!(decision.keep, [Entry { base: Some(etag), ..entries[1].clone() }]);
}

/// In Dataverse the state of a row is for updates only, and a status goes with its state.
fn account_with_state_for_updates() -> Table {
    let mut table = account();
    let state = table.columns.iter_mut().find(|column| column.logical_name == "statecode").unwrap();
    state.valid_for_create = false;
    table
}

#[test]
fn what_a_create_does_not_take_follows_once_the_row_stands() {
    let table = account_with_state_for_updates();
    let (open, closed) = ([Value::Int(0), Value::Int(1)], [Value::Int(1), Value::Int(2)]);
    let names = ["statecode", "statuscode"];
    let edit =
        |at: usize| FieldEdit { name: names[at].to_owned(), old: open[at].clone(), new: closed[at].clone() };
    let created = row(&[("name", text("a")), (names[0], open[0].clone()), (names[1], open[1].clone())]);
    let entries =
        [entry(1, Change::Create(created.clone())), entry(2, Change::Update(vec![edit(0), edit(1)]))];
    let (sent, etag) = (request(&entries, &[1, 2]), ETag("2".to_owned()));
    let decision = settle(&table, &sent, &entries, &created, &etag);
    let [rest] = decision.keep.as_slice() else { panic!("{:?}", decision.keep) };
    assert_eq!(rest.change, Change::Update(vec![edit(0), edit(1)]));
    assert_eq!((rest.state.clone(), decision.renew.contains(&rest.seq)), (EntryState::Waiting, true));
    // The same when the row is told of only now, and nothing of a row that the service itself closed.
    assert_eq!(left_unsaid(&table, &entries, &created, &etag).map(|e| e.change), Some(rest.change.clone()));
    let there = row(&[("name", text("a")), (names[0], closed[0].clone()), (names[1], closed[1].clone())]);
    assert_eq!(settle(&table, &sent, &entries, &there, &etag), Decision::default());
    assert_eq!(
        settle(&table, &request(&entries[..1], &[1]), &entries[..1], &there, &etag),
        Decision::default()
    );
}
