use super::*;
use crate::journal::{fold, sent_edits};
use crate::model::{ChangeSetId, DeviceId, Key, Millis};
use proptest::prelude::*;
use uuid::Uuid;

const COLUMNS: [&str; 6] =
    ["telephone1", "jobtitle", "address1_line1", "address1_city", "address1_postalcode", "lastname"];

fn contact() -> Table {
    flette_server::schema::schema().table("contact").cloned().unwrap()
}

fn key() -> Key {
    Key::new("contact", Uuid::from_u128(1))
}

fn text(value: &str) -> Value {
    match value {
        "" => Value::Null,
        value => Value::Text(value.to_owned()),
    }
}

/// `a=1 b=2`; an empty value is null.
fn fields(text_form: &str) -> Vec<(String, Value)> {
    let pair = |field: &str| field.split_once('=').map(|(name, value)| (name.to_owned(), text(value)));
    text_form.split_whitespace().filter_map(pair).collect()
}

fn row(text_form: &str) -> Row {
    let mut row: Row = COLUMNS.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
    row.extend(fields(text_form));
    row
}

fn modified(mut row: Row, at: i64) -> Row {
    let user = EntityRef { table: "systemuser".to_owned(), id: Uuid::from_u128(9) };
    row.insert("modifiedon".to_owned(), Value::DateTime(at));
    row.insert("modifiedby".to_owned(), Value::Lookup(user));
    row
}

fn etag(text: &str) -> ETag {
    ETag(text.to_owned())
}

fn entry(seq: u64, at: i64, change: Change) -> Entry {
    Entry {
        seq: Seq(seq),
        op: OpId(Uuid::from_u128(u128::from(seq))),
        key: key(),
        base: (!matches!(change, Change::Create(_))).then(|| etag("1")),
        change,
        at: Hlc { wall: Millis(at), counter: 0, device: DeviceId(1) },
        change_set: None,
        state: EntryState::Waiting,
        holders: Vec::new(),
        added: false,
        first_sent: None,
        before: None,
    }
}

/// `telephone1:1>2 jobtitle:>x`
fn update(seq: u64, at: i64, edits: &str) -> Entry {
    let edit = |field: &str| {
        let (name, values) = field.split_once(':')?;
        let (old, new) = values.split_once('>')?;
        Some(FieldEdit { name: name.to_owned(), old: text(old), new: text(new) })
    };
    entry(seq, at, Change::Update(edits.split_whitespace().filter_map(edit).collect()))
}

fn sent(entry: Entry) -> Entry {
    Entry { state: EntryState::Sent, ..entry }
}

fn show(value: &Value) -> String {
    value.as_text().unwrap_or("").to_owned()
}

fn show_edits(edits: &[FieldEdit]) -> String {
    let edit = |e: &FieldEdit| format!("{}:{}>{}", e.name, show(&e.old), show(&e.new));
    edits.iter().map(edit).collect::<Vec<_>>().join(" ")
}

/// Kept entries and clashes in one line each.
fn show_decision(decision: &Decision) -> (Vec<String>, Vec<String>) {
    let keep = decision.keep.iter().map(|entry| match &entry.change {
        Change::Update(edits) => format!("{} {}", entry.seq.0, show_edits(edits)),
        Change::Create(_) => format!("{} create", entry.seq.0),
        Change::Delete => format!("{} delete", entry.seq.0),
    });
    let clash = |clashed: &Clashed| match &clashed.clash {
        Clash::Field { name, local, server } => {
            format!("{name} {}/{} {:?}", show(local), show(server), clashed.winner)
        }
        Clash::DeletedThere { edits, .. } => format!("there {}", show_edits(edits)),
        Clash::DeletedHere => "here".to_owned(),
    };
    (keep.collect(), decision.clashes.iter().map(clash).collect())
}

/// Reconciles entries upon `mirror` (etag 1) with `server` (etag 2, stamped at second 10).
#[track_caller]
fn check(entries: &[Entry], mirror: &str, server: &str, keep: &[&str], clashes: &[&str]) -> Decision {
    let (mirror, server, version) = (modified(row(mirror), 1000), modified(row(server), 10_000), etag("2"));
    let local = Local { entries, mirror: Some(&mirror) };
    let incoming = Incoming::Row { row: &server, etag: &version, stamps: &Stamps::default() };
    let decision = reconcile(&contact(), local, incoming, &Policy::default());
    let (kept, clashed) = show_decision(&decision);
    assert_eq!(
        (kept.as_slice(), clashed.as_slice()),
        (
            &keep.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()[..],
            &clashes.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()[..]
        )
    );
    assert!(decision.keep.iter().all(|e| e.base == Some(etag("2")) && e.state != EntryState::Sent));
    decision
}

const EARLY: i64 = 9_000;
const LATE: i64 = 11_000;

#[test]
fn one_field_merges_by_the_table() {
    for at in [EARLY, LATE] {
        check(&[update(1, at, "telephone1:1>2")], "telephone1=1", "telephone1=1", &["1 telephone1:1>2"], &[]);
        check(&[update(1, at, "telephone1:1>2")], "telephone1=1", "telephone1=2", &[], &[]);
        check(
            &[update(1, at, "telephone1:1>2")],
            "telephone1=1",
            "telephone1=1 jobtitle=x",
            &["1 telephone1:1>2"],
            &[],
        );
    }
    check(
        &[update(1, EARLY, "telephone1:1>2")],
        "telephone1=1",
        "telephone1=3",
        &[],
        &["telephone1 2/3 Server"],
    );
    check(
        &[update(1, LATE, "telephone1:1>2")],
        "telephone1=1",
        "telephone1=3",
        &["1 telephone1:3>2"],
        &["telephone1 2/3 Local"],
    );
}

#[test]
fn an_unchanged_echo_leaves_everything_alone() {
    let entries = [sent(update(1, EARLY, "telephone1:1>2")), update(2, LATE, "telephone1:2>3")];
    let (server, version) = (row("telephone1=9"), etag("1"));
    let local = Local { entries: &entries, mirror: None };
    let incoming = Incoming::Row { row: &server, etag: &version, stamps: &Stamps::default() };
    let decision = reconcile(&contact(), local, incoming, &Policy::default());
    assert_eq!(decision, Decision { keep: entries.to_vec(), ..Decision::default() });
}

#[test]
fn a_chain_of_entries_merges_from_its_oldest_base_to_its_newest_value() {
    let chain = [update(1, EARLY, "telephone1:1>2"), update(2, LATE, "telephone1:2>3 jobtitle:>x")];
    check(&chain, "telephone1=1", "telephone1=3", &["2 jobtitle:>x"], &[]);
    check(
        &chain,
        "telephone1=1",
        "telephone1=9",
        &["1 telephone1:9>2", "2 telephone1:2>3 jobtitle:>x"],
        &["telephone1 3/9 Local"],
    );
    // There and back again is no change: the server's value stands and nothing is lost.
    let back = [update(1, EARLY, "telephone1:1>2"), update(2, LATE, "telephone1:2>1")];
    check(&back, "telephone1=1", "telephone1=9", &[], &[]);
}

#[test]
fn what_was_sent_and_stands_on_the_server_is_history() {
    let chain = [sent(update(1, EARLY, "telephone1:1>2 jobtitle:>x")), update(2, LATE, "telephone1:2>3")];
    let decision = check(&chain, "telephone1=1", "telephone1=2 jobtitle=x", &["2 telephone1:2>3"], &[]);
    assert!(decision.merged_sent.is_empty());
    // Not applied: the row moved on by another hand.
    let decision = check(
        &chain,
        "telephone1=1",
        "telephone1=1 lastname=n",
        &["1 telephone1:1>2 jobtitle:>x", "2 telephone1:2>3"],
        &[],
    );
    assert_eq!(decision.merged_sent, BTreeSet::from([Seq(1)]));
}

#[test]
fn the_lines_of_an_address_are_one_value() {
    let line = |at| [update(1, at, "address1_city:A>B")];
    let mirror = "address1_city=A address1_line1=1";
    check(&line(EARLY), mirror, "address1_city=A address1_line1=2", &[], &["address1_city B/A Server"]);
    check(
        &line(LATE),
        mirror,
        "address1_city=A address1_line1=2",
        &["1 address1_line1:2>1 address1_city:A>B"],
        &["address1_line1 1/2 Local"],
    );
    check(&line(LATE), mirror, "address1_city=B address1_line1=1", &[], &[]);
    check(
        &line(EARLY),
        mirror,
        "address1_city=A address1_line1=1 telephone1=5",
        &["1 address1_city:A>B"],
        &[],
    );
}

#[test]
fn state_and_status_stand_or_fall_together() {
    let table = contact();
    let state = |state: i64, status: i64| -> Row {
        [("statecode".to_owned(), Value::Int(state)), ("statuscode".to_owned(), Value::Int(status))].into()
    };
    let edit = |name: &str, old, new| FieldEdit {
        name: name.to_owned(),
        old: Value::Int(old),
        new: Value::Int(new),
    };
    let closing = Change::Update(vec![edit("statecode", 0, 1), edit("statuscode", 1, 2)]);
    let mirror = modified(state(0, 1), 1000);
    for (at, winner, kept) in [(EARLY, Side::Server, 0), (LATE, Side::Local, 1)] {
        let entries = [entry(1, at, closing.clone())];
        let (server, version) = (modified(state(0, 3), 10_000), etag("2"));
        let local = Local { entries: &entries, mirror: Some(&mirror) };
        let incoming = Incoming::Row { row: &server, etag: &version, stamps: &Stamps::default() };
        let decision = reconcile(&table, local, incoming, &Policy::default());
        assert_eq!(decision.keep.len(), kept);
        assert!(decision.clashes.iter().all(|clashed| clashed.winner == winner));
        let seen = fold(Some(server.clone()), &decision.keep).unwrap();
        let pair = (seen["statecode"].clone(), seen["statuscode"].clone());
        let expected = if winner == Side::Local { (1, 2) } else { (0, 3) };
        assert_eq!(pair, (Value::Int(expected.0), Value::Int(expected.1)));
    }
}

#[test]
fn a_currency_that_the_service_fills_in_is_nobodys_change() {
    let currency = |id: u128| match id {
        0 => Value::Null,
        id => Value::Lookup(EntityRef { table: "transactioncurrency".to_owned(), id: Uuid::from_u128(id) }),
    };
    let income = |amount: i64| Value::Decimal(amount.into());
    let money = |id: u128, amount: i64| -> Row {
        [("transactioncurrencyid".to_owned(), currency(id)), ("annualincome".to_owned(), income(amount))]
            .into()
    };
    let edit = FieldEdit { name: "annualincome".to_owned(), old: income(1), new: income(2) };
    let entries = [entry(1, LATE, Change::Update(vec![edit]))];
    // Another currency than before is one value with the amounts that are in it.
    for (before, after, conflicts) in [(0, 7, false), (7, 7, false), (7, 8, true), (7, 0, true)] {
        let mirror = modified(money(before, 1), 1000);
        let (server, version) = (modified(money(after, 1), 10_000), etag("2"));
        let local = Local { entries: &entries, mirror: Some(&mirror) };
        let incoming = Incoming::Row { row: &server, etag: &version, stamps: &Stamps::default() };
        let decision = reconcile(&contact(), local, incoming, &Policy::default());
        assert_eq!(decision.keep.len(), 1, "{before} {after}");
        assert_eq!(!decision.clashes.is_empty(), conflicts, "{before} {after}");
    }
}

#[test]
fn rules_come_before_time_in_a_conflict_only() {
    let policy =
        Policy::default().with_table("contact", Rule::Local).with_field("contact", "jobtitle", Rule::Server);
    let entries = [update(1, EARLY, "telephone1:1>2 jobtitle:a>b lastname:n>m")];
    let server = modified(row("telephone1=3 jobtitle=c lastname=n"), 10_000);
    let version = etag("2");
    let incoming = Incoming::Row { row: &server, etag: &version, stamps: &Stamps::default() };
    let decision = reconcile(&contact(), Local { entries: &entries, mirror: None }, incoming, &policy);
    let (keep, clashes) = show_decision(&decision);
    assert_eq!(keep, ["1 lastname:n>m telephone1:3>2"]);
    assert_eq!(clashes, ["telephone1 2/3 Local", "jobtitle b/c Server"]);
}

#[test]
fn each_rule_decides_a_conflict_and_nothing_else() {
    let check = |rule: Rule, at: i64, winner: Side, manual: bool| {
        let policy = Policy::default().with_field("contact", "telephone1", rule);
        let entries = [update(1, at, "telephone1:1>2 jobtitle:a>b address1_city:x>y")];
        let mirror = modified(row("telephone1=1 jobtitle=a address1_city=x"), 1000);
        let server = modified(row("telephone1=3 jobtitle=a address1_city=y lastname=n"), 10_000);
        let version = etag("2");
        let incoming = Incoming::Row { row: &server, etag: &version, stamps: &Stamps::default() };
        let decision =
            reconcile(&contact(), Local { entries: &entries, mirror: Some(&mirror) }, incoming, &policy);
        let [clashed] = decision.clashes.as_slice() else { panic!("{rule:?}: {decision:?}") };
        assert_eq!((clashed.winner, clashed.manual), (winner, manual), "{rule:?} {at}");
        let seen = fold(Some(server), &decision.keep).unwrap();
        let stands = if winner == Side::Local { "2" } else { "3" };
        let shown = ["telephone1", "jobtitle", "address1_city", "lastname"].map(|name| show(&seen[name]));
        assert_eq!(shown, [stands, "b", "y", "n"], "{rule:?} {at}");
    };
    check(Rule::Newest, EARLY, Side::Server, false);
    check(Rule::Newest, LATE, Side::Local, false);
    for at in [EARLY, LATE] {
        check(Rule::Server, at, Side::Server, false);
        check(Rule::Local, at, Side::Local, false);
        check(Rule::Manual, at, Side::Server, true);
    }
}

#[test]
fn each_rule_decides_between_a_deletion_and_an_edit() {
    for (rule, at, stays, manual) in [
        (Rule::Newest, EARLY, false, false),
        (Rule::Newest, LATE, true, false),
        (Rule::Server, LATE, false, false),
        (Rule::Local, EARLY, true, false),
        (Rule::Manual, LATE, false, true),
    ] {
        let policy = Policy::default().with_table("contact", rule);
        let (entries, mirror) = ([entry(1, at, Change::Delete)], modified(row("telephone1=1"), 1000));
        let (server, version) = (modified(row("telephone1=2"), 10_000), etag("2"));
        let local = Local { entries: &entries, mirror: Some(&mirror) };
        let incoming = Incoming::Row { row: &server, etag: &version, stamps: &Stamps::default() };
        let decision = reconcile(&contact(), local, incoming, &policy);
        assert_eq!(
            (decision.keep.len() == 1, decision.clashes.len()),
            (stays, usize::from(!stays)),
            "{rule:?}"
        );
        assert!(decision.clashes.iter().all(|clashed| clashed.manual == manual), "{rule:?}");
        // The other way round the row is gone, whatever the rule; the edit waits for a human under one of them.
        let entries = [update(1, at, "telephone1:1>2")];
        let local = Local { entries: &entries, mirror: Some(&mirror) };
        let decision = reconcile(&contact(), local, Incoming::Gone, &policy);
        assert_eq!((decision.keep.len(), decision.clashes[0].manual), (0, manual || rule == Rule::Manual));
    }
}

#[test]
fn what_the_server_says_of_a_column_that_only_goes_up_counts_for_nothing() {
    let text = r#"{"contact":{"fields":{"telephone1":{"direction":"up"}}}}"#;
    let policy = Policy::of(&crate::model::Profile::read(text, &["contact".to_owned()]).unwrap());
    let mirror = modified(row("telephone1=1"), 1000);
    let (server, version) = (modified(row("telephone1=9"), 10_000), etag("2"));
    let incoming = Incoming::Row { row: &server, etag: &version, stamps: &Stamps::default() };
    let merged = |entries: &[Entry]| {
        let decision = reconcile(&contact(), Local { entries, mirror: Some(&mirror) }, incoming, &policy);
        show_decision(&decision)
    };
    for at in [EARLY, LATE] {
        let kept = vec!["1 telephone1:1>2".to_owned()];
        assert_eq!(merged(&[update(1, at, "telephone1:1>2")]), (kept, vec![]));
        assert_eq!(merged(&[entry(1, at, Change::Delete)]), (vec!["1 delete".to_owned()], vec![]));
    }
    // What was sent and stands there is history.
    assert_eq!(merged(&[sent(update(1, EARLY, "telephone1:1>9"))]), (vec![], vec![]));
}

#[test]
fn a_deletion_meets_an_edit() {
    let delete = |at| entry(3, at, Change::Delete);
    check(&[delete(LATE)], "telephone1=1", "telephone1=2", &["3 delete"], &[]);
    check(&[delete(EARLY)], "telephone1=1", "telephone1=2", &[], &["here"]);
    // Only the version moved: nobody edited anything.
    check(&[delete(EARLY)], "telephone1=1", "telephone1=1", &["3 delete"], &[]);
    // The change there is our own update, whose answer was lost.
    let own = [sent(update(1, EARLY, "telephone1:1>2")), delete(EARLY)];
    check(&own, "telephone1=1", "telephone1=2", &["3 delete"], &[]);
    // What was edited before it waits for what becomes of it.
    let both = [update(1, EARLY, "telephone1:1>2"), delete(LATE)];
    check(&both, "telephone1=1", "telephone1=1 jobtitle=x", &["1 telephone1:1>2", "3 delete"], &[]);
    let both = [update(1, EARLY, "telephone1:1>2"), delete(EARLY)];
    check(&both, "telephone1=1", "telephone1=1", &["1 telephone1:1>2", "3 delete"], &[]);
    // The deletion loses: what was edited before it counts again.
    let edited = [update(1, EARLY, "telephone1:1>2"), delete(EARLY)];
    check(&edited, "telephone1=1", "telephone1=1 jobtitle=x", &["1 telephone1:1>2"], &["here"]);
}

/// Two edits of a row that was changed last at second 10, with what the server tells of each column.
#[test]
fn the_time_of_the_field_counts_where_it_is_told() {
    let check = |told: &[(&str, i64)], at: i64, expected: &str| {
        let columns = told.iter().map(|(name, at)| ((*name).to_owned(), *at)).collect();
        let stamps = Stamps { row: None, columns };
        let entries = [update(1, at, "telephone1:1>2")];
        let (server, version) = (modified(row("telephone1=3 jobtitle=x"), 10_000), etag("2"));
        let incoming = Incoming::Row { row: &server, etag: &version, stamps: &stamps };
        let local = Local { entries: &entries, mirror: None };
        let decision = reconcile(&contact(), local, incoming, &Policy::default());
        assert_eq!(show_decision(&decision).1, [format!("telephone1 2/3 {expected}")], "{told:?} {at}");
        let known = told.iter().find(|(name, _)| *name == "telephone1").map_or(10_000, |(_, at)| *at);
        assert_eq!(decision.clashes[0].server_at, Some(ServerTime(known)));
    };
    check(&[], EARLY, "Server");
    check(&[("jobtitle", 10_000)], EARLY, "Server");
    check(&[("telephone1", 8_000), ("jobtitle", 10_000)], EARLY, "Local");
    // To the millisecond, and a tie goes to the server; a whole second is no more than that.
    check(&[("telephone1", EARLY)], EARLY, "Server");
    check(&[("telephone1", EARLY)], EARLY + 1, "Local");
    check(&[("telephone1", LATE + 1)], LATE, "Server");
}

#[test]
fn a_row_that_is_gone_takes_its_entries_along_and_the_edits_into_the_log() {
    let gone = |entries: &[Entry], mirror: Option<&Row>| {
        let local = Local { entries, mirror };
        reconcile(&contact(), local, Incoming::Gone, &Policy::default())
    };
    let mirror = row("telephone1=1 lastname=n");
    let decision =
        gone(&[update(1, LATE, "telephone1:1>2"), update(2, LATE, "telephone1:2>3")], Some(&mirror));
    assert_eq!(show_decision(&decision), (vec![], vec!["there telephone1:1>3".to_owned()]));
    let Clash::DeletedThere { row: seen, .. } = &decision.clashes[0].clash else { panic!() };
    assert_eq!((show(&seen["telephone1"]), show(&seen["lastname"])), ("3".to_owned(), "n".to_owned()));
    assert_eq!(gone(&[entry(1, LATE, Change::Delete)], Some(&mirror)), Decision::default());
    assert_eq!(
        gone(&[update(1, LATE, "telephone1:1>2"), entry(2, LATE, Change::Delete)], None),
        Decision::default()
    );
    let created = gone(&[sent(entry(1, LATE, Change::Create(row("lastname=n"))))], None);
    assert!(created.keep.is_empty() && created.clashes.len() == 1);
}

#[test]
fn a_sent_create_that_stands_was_applied() {
    let create = entry(1, EARLY, Change::Create(row("telephone1=1 lastname=n")));
    let chain = [sent(create.clone()), update(2, LATE, "telephone1:1>2")];
    check(&chain, "", "telephone1=1 lastname=n", &["2 telephone1:1>2"], &[]);
    check(&chain[..1], "", "telephone1=1 lastname=changed", &[], &[]);
    check(&chain, "", "telephone1=9 lastname=n", &["2 telephone1:9>2"], &["telephone1 2/9 Local"]);
    // Never sent: the id was used by another hand. Its defaults, such as the owner, are no edits of that row.
    let (server, version) = (modified(row("telephone1=7"), 10_000), etag("2"));
    let local = Local { entries: std::slice::from_ref(&create), mirror: None };
    let incoming = Incoming::Row { row: &server, etag: &version, stamps: &Stamps::default() };
    let decision = reconcile(&contact(), local, incoming, &Policy::default());
    assert_eq!(decision, Decision { keep: vec![create], ..Decision::default() });
}

#[test]
fn a_lookup_that_could_not_be_set_with_the_create_remains() {
    let to = Value::Lookup(EntityRef { table: "account".to_owned(), id: Uuid::from_u128(5) });
    let mut created = row("lastname=n");
    created.insert("parentcustomerid".to_owned(), to.clone());
    let mut server = modified(row("lastname=n"), 10_000);
    server.insert("parentcustomerid".to_owned(), Value::Null);
    let mut create = sent(entry(1, EARLY, Change::Create(created)));
    create.change_set = Some(ChangeSetId(Uuid::from_u128(3)));
    let version = etag("2");
    let entries = [create];
    let incoming = Incoming::Row { row: &server, etag: &version, stamps: &Stamps::default() };
    let decision =
        reconcile(&contact(), Local { entries: &entries, mirror: None }, incoming, &Policy::default());
    let [kept] = decision.keep.as_slice() else { panic!("{decision:?}") };
    let edit = FieldEdit { name: "parentcustomerid".to_owned(), old: Value::Null, new: to };
    assert_eq!(kept.change, Change::Update(vec![edit]));
    assert_eq!((kept.change_set, decision.renew.len()), (None, 1));
}

#[test]
fn a_parked_entry_stays_parked_upon_the_new_base() {
    let reason = crate::journal::Reason { status: 400, code: String::new(), message: String::new() };
    let parked = Entry { state: EntryState::Parked(reason), ..update(1, LATE, "telephone1:1>2") };
    let decision = check(&[parked], "telephone1=1", "telephone1=1 jobtitle=x", &["1 telephone1:1>2"], &[]);
    assert!(decision.keep[0].is_parked());
}

#[test]
fn columns_that_follow_from_others_never_clash() {
    let mut entries = [update(1, EARLY, "lastname:a>b")];
    if let Change::Update(edits) = &mut entries[0].change {
        edits.push(FieldEdit { name: "fullname".to_owned(), old: text("a"), new: text("b") });
    }
    let mut server = row("lastname=a telephone1=1");
    server.insert("fullname".to_owned(), text("c"));
    let (server, version) = (modified(server, 10_000), etag("2"));
    let incoming = Incoming::Row { row: &server, etag: &version, stamps: &Stamps::default() };
    let decision =
        reconcile(&contact(), Local { entries: &entries, mirror: None }, incoming, &Policy::default());
    assert_eq!(show_decision(&decision), (vec!["1 lastname:a>b".to_owned()], vec![]));
}

/// One base, perturbed twice: by this side's entries and by the server.
#[derive(Debug, Clone)]
struct Twice {
    base: Row,
    entries: Vec<Entry>,
    server: Row,
    at: i64,
}

fn twice() -> impl Strategy<Value = Twice> {
    let value = prop_oneof![Just(""), Just("1"), Just("2"), Just("3")].prop_map(text);
    let field = (0..COLUMNS.len(), value.clone());
    let local = prop::collection::vec((prop::collection::vec(field.clone(), 1..4), 0_i64..20), 1..5);
    let base = prop::collection::vec(value, COLUMNS.len());
    let server = prop::collection::vec(field, 0..5);
    (base, local, server, 0_usize..4, any::<bool>(), 0_i64..20).prop_map(
        |(base, local, server, sent_count, applied, at)| {
            let base: Row = COLUMNS.iter().map(|n| (*n).to_owned()).zip(base).collect();
            let (mut here, mut there, mut entries, mut clock) = (base.clone(), base.clone(), Vec::new(), 0);
            for (number, (fields, passed)) in local.into_iter().enumerate() {
                clock += passed;
                let mut edits: Vec<FieldEdit> = Vec::new();
                for (column, new) in fields {
                    let name = COLUMNS[column].to_owned();
                    let old = here.insert(name.clone(), new.clone()).unwrap();
                    match edits.iter_mut().find(|e| e.name == name) {
                        Some(edit) => edit.new = new,
                        None => edits.push(FieldEdit { name, old, new }),
                    }
                }
                edits.retain(|e| e.old != e.new);
                let mut made = entry(number as u64 + 1, clock * 1000, Change::Update(edits.clone()));
                if number < sent_count {
                    made.state = EntryState::Sent;
                    if applied {
                        there.extend(edits.into_iter().map(|e| (e.name, e.new)));
                    }
                }
                if !matches!(&made.change, Change::Update(edits) if edits.is_empty()) {
                    entries.push(made);
                }
            }
            there.extend(server.into_iter().map(|(column, new)| (COLUMNS[column].to_owned(), new)));
            Twice { base, entries, server: modified(there, at * 1000), at }
        },
    )
}

fn policy() -> impl Strategy<Value = Policy> {
    let rule = || prop_oneof![Just(Rule::Newest), Just(Rule::Server), Just(Rule::Local), Just(Rule::Manual)];
    (rule(), prop::collection::vec((0..COLUMNS.len(), rule()), 0..4)).prop_map(|(table, fields)| {
        let policy = Policy::default().with_table("contact", table);
        fields.into_iter().fold(policy, |policy, (at, rule)| policy.with_field("contact", COLUMNS[at], rule))
    })
}

proptest! {
    #[test]
    fn no_value_of_either_side_is_lost(case in twice(), policy in policy()) {
        prop_assume!(!case.entries.is_empty());
        let version = etag("2");
        let local = Local { entries: &case.entries, mirror: Some(&case.base) };
        let incoming = Incoming::Row { row: &case.server, etag: &version, stamps: &Stamps::default() };
        let decision = reconcile(&contact(), local, incoming, &policy);
        prop_assert_eq!(&decision, &reconcile(&contact(), local, incoming, &policy), "one answer");
        let seen_before = fold(Some(case.base.clone()), &case.entries).unwrap();
        let seen = fold(Some(case.server.clone()), &decision.keep).unwrap();
        let logged = |name: &str| decision.clashes.iter().find_map(|c| match &c.clash {
            Clash::Field { name: n, local, server } if n == name => Some((local.clone(), server.clone())),
            _ => None,
        });
        for name in COLUMNS {
            let (base, mine) = (&case.base[name], &seen_before[name]);
            let (theirs, now) = (&case.server[name], &seen[name]);
            prop_assert!(now == mine || now == theirs, "{name} came from nowhere");
            if mine != base && now != mine {
                prop_assert_eq!(logged(name), Some((mine.clone(), theirs.clone())), "lost here: {}", name);
            }
            let sent = sent_edits(&case.entries).any(|e| e.name == name && e.new == *theirs);
            if theirs != base && now != theirs && !sent {
                prop_assert_eq!(logged(name), Some((mine.clone(), theirs.clone())), "lost there: {}", name);
            }
        }
        for clashed in decision.clashes.iter().filter(|clashed| clashed.manual) {
            prop_assert_eq!(clashed.winner, Side::Server);
        }
        // Entries stay in order, upon the server's row.
        prop_assert!(decision.keep.windows(2).all(|w| w[0].seq < w[1].seq));
        let mut standing = case.server.clone();
        for entry in &decision.keep {
            prop_assert_eq!(entry.base.as_ref(), Some(&version));
            let Change::Update(edits) = &entry.change else { panic!("only updates remain") };
            prop_assert!(!edits.is_empty());
            for edit in edits {
                let old = standing.insert(edit.name.clone(), edit.new.clone());
                prop_assert_eq!(old.as_ref(), Some(&edit.old), "{}", &edit.name);
            }
        }
        // Once more with the same row changes nothing; nor does the row under yet another version.
        if !decision.keep.is_empty() {
            let again = reconcile(
                &contact(), Local { entries: &decision.keep, mirror: Some(&case.server) }, incoming, &policy);
            prop_assert_eq!(&again.keep, &decision.keep);
            prop_assert!(again.clashes.is_empty());
            let version = etag("3");
            let moved = reconcile(
                &contact(),
                Local { entries: &decision.keep, mirror: Some(&case.server) },
                Incoming::Row { row: &case.server, etag: &version, stamps: &Stamps::default() },
                &policy,
            );
            prop_assert!(moved.clashes.is_empty());
            prop_assert_eq!(fold(Some(case.server.clone()), &moved.keep).unwrap(), seen);
        }
        prop_assert!(case.at >= 0);
    }

    #[test]
    fn disjoint_edits_survive_whatever_the_clocks_say(at in 0_i64..20_000, there in 0_i64..20_000) {
        let entries = [update(1, at, "telephone1:1>2 address1_city:a>b")];
        let server = modified(row("telephone1=1 jobtitle=x lastname=m address1_city=a"), there);
        let version = etag("2");
        let mirror = row("telephone1=1 address1_city=a");
        let local = Local { entries: &entries, mirror: Some(&mirror) };
        let incoming = Incoming::Row { row: &server, etag: &version, stamps: &Stamps::default() };
        let decision = reconcile(&contact(), local, incoming, &Policy::default());
        prop_assert_eq!(show_decision(&decision), (vec!["1 telephone1:1>2 address1_city:a>b".to_owned()], vec![]));
    }
}

/// The create was carried out without the state, which is for updates only; its answer was lost.
#[test]
fn what_waited_until_the_row_stood_meets_what_others_made_of_it() {
    let mut table = contact();
    let state = table.columns.iter_mut().find(|column| column.logical_name == "statecode").unwrap();
    state.valid_for_create = false;
    let with = |state: i64, status: i64| {
        let mut row = modified(row("lastname=n"), 10_000);
        row.extend(
            [("statecode", state), ("statuscode", status)].map(|(n, v)| (n.to_owned(), Value::Int(v))),
        );
        row
    };
    let created = sent(entry(1, LATE, Change::Create(with(1, 2))));
    let decide = |entries: &[Entry], server: &Row| {
        let (version, stamps) = (etag("2"), Stamps::default());
        let incoming = Incoming::Row { row: server, etag: &version, stamps: &stamps };
        reconcile(&table, Local { entries, mirror: None }, incoming, &Policy::default())
    };
    let edits = |old: [i64; 2]| {
        let names = ["statecode", "statuscode"].into_iter().zip(old).zip([1, 2]);
        let edit = |((name, old), new): ((&str, i64), i64)| FieldEdit {
            name: name.to_owned(),
            old: Value::Int(old),
            new: Value::Int(new),
        };
        Change::Update(names.map(edit).collect())
    };
    let untouched = decide(std::slice::from_ref(&created), &with(0, 1));
    assert_eq!((untouched.keep[0].change.clone(), untouched.clashes.len()), (edits([0, 1]), 0));
    let changed = decide(std::slice::from_ref(&created), &with(0, 3));
    assert_eq!((changed.keep[0].change.clone(), changed.clashes.is_empty()), (edits([0, 3]), false));
    // Deleted since: that nobody set the state is no edit of others.
    let deleted = decide(&[created, entry(2, EARLY, Change::Delete)], &with(0, 1));
    assert!(deleted.clashes.is_empty() && deleted.keep.last().is_some_and(|entry| entry.change.is_delete()));
}

/// Somebody assigned the closed row, say.
#[test]
fn what_was_edited_while_a_row_was_open_keeps_the_row_open_for_it() {
    let with = |text: &str, state: i64| {
        let mut row = modified(row(text), 10_000);
        row.extend([
            ("statecode".to_owned(), Value::Int(state)),
            ("statuscode".to_owned(), Value::Int(state + 1)),
        ]);
        row
    };
    let state = |seq: u64, old: i64, new: i64| {
        let edit = |name: &str, old: i64, new: i64| FieldEdit {
            name: name.to_owned(),
            old: Value::Int(old),
            new: Value::Int(new),
        };
        let edits = vec![edit("statecode", old, new), edit("statuscode", old + 1, new + 1)];
        entry(seq, LATE, Change::Update(edits))
    };
    let entries = [state(1, 1, 0), update(2, LATE, "telephone1:1>2"), state(3, 0, 1)];
    let mirror = with("telephone1=1", 1);
    let kept = |there: &Row| {
        let (version, stamps) = (etag("2"), Stamps::default());
        let incoming = Incoming::Row { row: there, etag: &version, stamps: &stamps };
        let local = Local { entries: &entries, mirror: Some(&mirror) };
        let decision = reconcile(&contact(), local, incoming, &Policy::default());
        (decision.keep.iter().map(|entry| entry.seq.0).collect::<Vec<u64>>(), decision.clashes.len())
    };
    assert_eq!(kept(&with("telephone1=1 jobtitle=x", 1)), (vec![1, 2, 3], 0));
    // Where it was closed in another way that stands, and so it does where it was opened.
    assert_eq!(kept(&with("telephone1=1", 2)), (vec![2], 0));
    assert_eq!(kept(&with("telephone1=1", 0)), (vec![2], 0));
}
