//! What becomes of every pair of operations on one row, as `docs/merge-matrix.md` shows it: decided by the functions that
//! the engine runs.

use super::added::Names;
use super::held;
use super::parties;
use super::reconcile::is_foreign;
use super::*;
use crate::journal::{fold, squash, Entry, EntryState, RowRequest, Squashed};
use crate::merge::Rule;
use crate::model::{
    Change, Clash, DeviceId, ETag, EntityRef, FieldEdit, Hlc, Key, OpId, Row, Seq, Side, Value,
};
use crate::replica::{decode_page, Draft, Identity, Replica, SegmentBuilder, Target, PARTY_HOLDER};
use crate::store::memory::MemoryStore;
use crate::store::Durability;
use flette_odata::edm::Table;
use flette_odata::path::PARTY_TABLE;
use flette_odata::stamps::Stamps;
use std::collections::BTreeSet;
use std::fmt::Write;
use uuid::Uuid;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/merge-matrix.md");
/// Set to anything, the document is written anew instead of compared.
const REWRITE: &str = "FLETTE_WRITE_DOCS";
/// When the server's side happened.
const THERE_MILLIS: i64 = 10_000;

/// What one side does to a contact. `Same` is what the other side sets, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Nothing,
    SameTelephone,
    Telephone,
    JobTitle,
    Deactivate,
    Delete,
    Create,
    LostCreate,
}

use Deed::{Create, Deactivate, Delete, JobTitle, LostCreate, Nothing, SameTelephone, Telephone};

impl Deed {
    fn words(self, mine: bool) -> &'static str {
        match self {
            Nothing => "nothing",
            SameTelephone => "telephone := *same*",
            Telephone if mine => "telephone := *mine*",
            Telephone => "telephone := *theirs*",
            JobTitle => "job title := *new*",
            Deactivate => "deactivate",
            Delete => "delete",
            Create if mine => "create, not sent yet",
            Create => "create",
            LostCreate => "create, the answer was lost",
        }
    }

    fn values(self, mine: bool) -> Vec<(&'static str, Value)> {
        let text = |text: &str| Value::Text(text.to_owned());
        match self {
            SameTelephone => vec![("telephone1", text("same"))],
            Telephone => vec![("telephone1", text(if mine { "mine" } else { "theirs" }))],
            JobTitle => vec![("jobtitle", text("new"))],
            Deactivate => vec![("statecode", Value::Int(1)), ("statuscode", Value::Int(2))],
            Nothing | Delete | Create | LostCreate => Vec::new(),
        }
    }
}

/// On a row that both sides know.
const DEEDS: [Deed; 6] = [Nothing, SameTelephone, Telephone, JobTitle, Deactivate, Delete];

fn contact() -> Table {
    flette_server::schema::schema().table("contact").cloned().unwrap()
}

fn key() -> Key {
    Key::new("contact", Uuid::from_u128(1))
}

fn user(id: u128) -> Value {
    Value::Lookup(EntityRef { table: "systemuser".to_owned(), id: Uuid::from_u128(id) })
}

/// The row as both sides knew it, or as somebody makes it.
fn row_by(maker: u128) -> Row {
    let text = |text: &str| Value::Text(text.to_owned());
    [
        ("telephone1", text("old")),
        ("jobtitle", text("old")),
        ("statecode", Value::Int(0)),
        ("statuscode", Value::Int(1)),
        ("createdby", user(maker)),
        ("modifiedby", user(9)),
        ("modifiedon", Value::DateTime(1_000)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn with(mut row: Row, values: Vec<(&str, Value)>) -> Row {
    row.extend(values.into_iter().map(|(name, value)| (name.to_owned(), value)));
    row
}

fn entry(key: Key, at: i64, change: Change) -> Entry {
    Entry {
        seq: Seq(1),
        op: OpId(Uuid::from_u128(7)),
        key,
        base: (!matches!(change, Change::Create(_))).then(|| ETag("1".to_owned())),
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

/// The journal after a deed here.
fn journal(deed: Deed, at: i64) -> Vec<Entry> {
    let change = match deed {
        Nothing => return Vec::new(),
        Delete => Change::Delete,
        Create | LostCreate => Change::Create(row_by(1)),
        SameTelephone | Telephone | JobTitle | Deactivate => {
            let base = row_by(9);
            let edit = |(name, new): (&str, Value)| FieldEdit {
                name: name.to_owned(),
                old: base[name].clone(),
                new,
            };
            Change::Update(deed.values(true).into_iter().map(edit).collect())
        }
    };
    let state = if deed == LostCreate { EntryState::Sent } else { EntryState::Waiting };
    vec![Entry { state, ..entry(key(), at, change) }]
}

/// The server after a deed there: its row, if there is one, its version, and when each column was edited.
fn server(here: Deed, there: Deed) -> (Option<Row>, ETag, Stamps) {
    let before = match here {
        Create => None,
        LostCreate => Some(row_by(1)),
        _ => Some(row_by(9)),
    };
    let moved = there != Nothing || here == LostCreate;
    let after = match there {
        Nothing => before,
        Delete => None,
        Create => Some(row_by(9)),
        _ => before.map(|row| with(row, there.values(false))),
    };
    let after = after.map(|row| with(row, vec![("modifiedon", Value::DateTime(THERE_MILLIS))]));
    let columns = there.values(false).into_iter().map(|(name, _)| (name.to_owned(), THERE_MILLIS)).collect();
    let version = if moved { "2" } else { "1" };
    (after, ETag(version.to_owned()), Stamps { row: Some(THERE_MILLIS), columns })
}

/// How it ends, in words.
fn outcome(here: Deed, there: Deed, at: i64, policy: &Policy) -> String {
    let (table, entries) = (contact(), journal(here, at));
    let (row, etag, stamps) = server(here, there);
    let mirror = (!matches!(here, Create | LostCreate)).then(|| row_by(9));
    let incoming = match &row {
        Some(row) => Incoming::Row { row, etag: &etag, stamps: &stamps },
        None => Incoming::Gone,
    };
    if here == Create {
        return created(&entries, row.as_ref());
    }
    let decision = reconcile(&table, Local { entries: &entries, mirror: mirror.as_ref() }, incoming, policy);
    let end = fold(row, &decision.keep);
    settles(&table, &decision.keep, end.as_ref());
    let logged: Vec<String> = decision.clashes.iter().map(words).collect();
    match logged.is_empty() {
        true => seen(end.as_ref()),
        false => format!("{}; log: {}", seen(end.as_ref()), logged.join(", ")),
    }
}

/// A create that the server never heard of: it makes the row, or its id is taken.
fn created(entries: &[Entry], row: Option<&Row>) -> String {
    match row {
        None => seen(fold(None, entries).as_ref()),
        Some(row) => {
            assert!(is_foreign(&entries[0], row), "somebody else's row");
            "the row that is there; the create is *parked*".to_owned()
        }
    }
}

/// What is sent and accepted leaves nothing in the journal.
fn settles(table: &Table, kept: &[Entry], end: Option<&Row>) {
    let Some(request) = request_of(kept) else { return };
    let Some(end) = end else {
        assert_eq!(request.change, Change::Delete);
        return;
    };
    let settled = settle(table, &request, kept, end, &ETag("3".to_owned()));
    assert!(settled.keep.is_empty() && settled.clashes.is_empty(), "{settled:?}");
}

fn request_of(entries: &[Entry]) -> Option<RowRequest> {
    let entries: Vec<&Entry> = entries.iter().collect();
    match squash(&entries)? {
        Squashed::Request(request) => Some(request),
        Squashed::Nothing => None,
    }
}

fn shown(name: &str, value: &Value) -> String {
    match (name, value) {
        ("telephone1", value) => format!("telephone *{}*", value.as_text().unwrap_or_default()),
        ("jobtitle", value) => format!("job title *{}*", value.as_text().unwrap_or_default()),
        ("statecode", Value::Int(state)) => (if *state == 0 { "active" } else { "inactive" }).to_owned(),
        (other, _) => other.to_owned(),
    }
}

/// The row, by what is not as it was.
fn seen(row: Option<&Row>) -> String {
    let Some(row) = row else { return "no row".to_owned() };
    let before = row_by(9);
    let changed =
        ["telephone1", "jobtitle", "statecode"].into_iter().filter(|name| row[*name] != before[*name]);
    let changed: Vec<String> = changed.map(|name| shown(name, &row[name])).collect();
    if changed.is_empty() {
        "the row as it was".to_owned()
    } else {
        changed.join(", ")
    }
}

/// What stands in the conflict log.
fn words(clashed: &Clashed) -> String {
    let lost = match &clashed.clash {
        Clash::Field { name, local, server } => {
            shown(name, if clashed.winner == Side::Local { server } else { local })
        }
        Clash::DeletedThere { edits, .. } => {
            let told = ["telephone1", "jobtitle", "statecode"];
            let edits = edits.iter().filter(|edit| told.contains(&edit.name.as_str()));
            edits.map(|edit| shown(&edit.name, &edit.new)).collect::<Vec<_>>().join(", ")
        }
        Clash::DeletedHere => "the deletion".to_owned(),
    };
    if clashed.manual {
        format!("{lost} (**open**)")
    } else {
        lost
    }
}

fn rule(rule: Rule) -> Policy {
    Policy::default().with_table("contact", rule)
}

/// One line of a table.
fn line(out: &mut String, cells: &[&str]) {
    writeln!(out, "| {} |", cells.join(" | ")).unwrap();
}

fn head(out: &mut String, cells: &[&str]) {
    line(out, cells);
    line(out, &cells.iter().map(|_| "---").collect::<Vec<_>>());
}

const LATER_HERE: i64 = THERE_MILLIS + 1;
const LATER_THERE: i64 = THERE_MILLIS - 1;

fn newest(out: &mut String) {
    head(out, &["here", "there", "later here", "later there", "same time"]);
    for here in DEEDS {
        for there in DEEDS {
            let cell = |at| outcome(here, there, at, &Policy::default());
            let cells = [cell(LATER_HERE), cell(LATER_THERE), cell(THERE_MILLIS)];
            line(out, &[here.words(true), there.words(false), &cells[0], &cells[1], &cells[2]]);
        }
    }
    for (here, there) in [(Create, Nothing), (Create, Create)]
        .into_iter()
        .chain([Nothing, SameTelephone, JobTitle, Deactivate, Delete].map(|there| (LostCreate, there)))
    {
        let cells =
            [LATER_HERE, LATER_THERE, THERE_MILLIS].map(|at| outcome(here, there, at, &Policy::default()));
        line(out, &[here.words(true), there.words(false), &cells[0], &cells[1], &cells[2]]);
    }
}

/// The pairs in which a rule matters; the others end as above, whatever the rule.
fn rules(out: &mut String) {
    head(out, &["here", "there", "`server`", "`local`", "`manual`"]);
    let mut decided = BTreeSet::new();
    for here in DEEDS {
        for there in DEEDS {
            let cells = [Rule::Server, Rule::Local, Rule::Manual].map(|name| {
                let policy = rule(name);
                let cells =
                    [LATER_HERE, LATER_THERE, THERE_MILLIS].map(|at| outcome(here, there, at, &policy));
                assert!(cells.iter().all(|cell| *cell == cells[0]), "{name:?} looks at the time");
                cells[0].clone()
            });
            let plain = outcome(here, there, LATER_THERE, &Policy::default());
            if cells.iter().any(|cell| *cell != plain) {
                decided.insert((here as u8, there as u8));
                line(out, &[here.words(true), there.words(false), &cells[0], &cells[1], &cells[2]]);
            }
        }
    }
    assert!(decided.len() > 4, "rules matter");
}

/// What the two sides have in the end: a column that only goes up may differ.
fn up(out: &mut String) {
    let text = r#"{"contact":{"fields":{"telephone1":{"direction":"up"}}}}"#;
    let policy = Policy::of(&Profile::read(text, &["contact".to_owned()]).unwrap());
    head(out, &["here", "there", "this device", "the server"]);
    for here in [Nothing, Telephone, JobTitle] {
        for there in [Nothing, Telephone, JobTitle] {
            let ends = [LATER_HERE, LATER_THERE, THERE_MILLIS].map(|at| carried(here, there, at, &policy));
            assert!(here == JobTitle && there == JobTitle || ends.iter().all(|end| *end == ends[0]));
            line(out, &[here.words(true), there.words(false), &ends[0].0, &ends[0].1]);
        }
    }
}

fn carried(here: Deed, there: Deed, at: i64, policy: &Policy) -> (String, String) {
    let (mirror, entries) = (row_by(9), journal(here, at));
    let (row, etag, stamps) = server(here, there);
    let row = row.unwrap();
    let incoming = Incoming::Row { row: &row, etag: &etag, stamps: &stamps };
    let decision =
        reconcile(&contact(), Local { entries: &entries, mirror: Some(&mirror) }, incoming, policy);
    assert!(decision.clashes.is_empty());
    let mut told = row.clone();
    policy.carry("contact", (&mut told, Some(&mirror)), &|_, _| false);
    (seen(fold(Some(told), &decision.keep).as_ref()), seen(fold(Some(row), &decision.keep).as_ref()))
}

/// A replica with an e-mail of which the server told, and an account and a lead.
struct Held {
    replica: Replica<MemoryStore>,
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn email() -> Key {
    Key::new("email", id(100))
}

impl Held {
    fn new() -> Held {
        let identity = Identity { user: id(1), business_unit: id(2), organization: id(3) };
        let random = Box::new(|bytes: &mut [u8]| bytes.fill(5));
        let replica = pollster::block_on(Replica::open(MemoryStore::new(), random, identity)).unwrap();
        let held = Held { replica };
        held.change(|draft| draft.set_schema(flette_server::schema::schema()));
        held
    }

    fn change<T>(&self, mut change: impl FnMut(&mut Draft) -> T) -> T {
        let tables = ["email", PARTY_TABLE, "accountleads"];
        let done = self.replica.transact(Millis(0), Durability::Relaxed, &tables, |draft| Ok(change(draft)));
        pollster::block_on(done).unwrap()
    }

    /// Rows as the server tells them, or their absence.
    fn tell(&self, name: &str, rows: &[(u128, Option<Row>)]) {
        self.change(|draft| {
            let schema = draft.schema();
            let mut builder = SegmentBuilder::new(schema.table(name).unwrap());
            for (number, row) in rows {
                match row {
                    Some(row) => builder.push_row(id(*number), "1", row).unwrap(),
                    None => builder.push_tombstone(id(*number)),
                }
            }
            draft.add_segment(name, Target::Live, builder).unwrap();
        });
    }
}

fn lookup(table: &str, number: u128) -> Value {
    Value::Lookup(EntityRef { table: table.to_owned(), id: id(number) })
}

/// The party of contact `number`, whose row has the same number.
fn party(number: u128) -> Row {
    [
        (PARTY_HOLDER, lookup("email", 100)),
        ("partyid", lookup("contact", number)),
        ("participationtypemask", Value::Int(2)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Whether a party comes or goes, by its number.
type Deeds = [(u128, bool)];

/// The same deeds where A, who stays, is told as one who goes and one who comes: a set that is replaced is made anew.
fn anew(deeds: &Deeds) -> Vec<(u128, bool)> {
    let stays = !deeds.is_empty() && deeds.iter().all(|(number, _)| *number != 1);
    let kept = [(1, false), (1, true)];
    kept.into_iter().filter(|_| stays).chain(deeds.iter().copied()).collect()
}

/// Who takes part in the end, however the sets are told; at first it is A.
fn parties_after(here: &Deeds, there: &Deeds) -> String {
    let in_the_end = parties_told(here, there);
    for (here, there) in
        [(anew(here), there.to_vec()), (here.to_vec(), anew(there)), (anew(here), anew(there))]
    {
        assert_eq!(parties_told(&here, &there), in_the_end, "{here:?}, {there:?}");
    }
    in_the_end
}

fn parties_told(here: &Deeds, there: &Deeds) -> String {
    let held = Held::new();
    held.tell(PARTY_TABLE, &[(1, Some(party(1)))]);
    held.change(|draft| {
        for (number, comes) in here {
            // A party that is made here has an id of its own until the server gives it one.
            match comes {
                true => draft.create(Key::new(PARTY_TABLE, id(number + 50)), party(*number)),
                false => draft.delete(&Key::new(PARTY_TABLE, id(*number))),
            }
        }
    });
    let told = there.iter().map(|(number, comes)| match comes {
        true => (number + 70, Some(party(*number))),
        false => (*number, None),
    });
    held.tell(PARTY_TABLE, &told.collect::<Vec<_>>());
    held.change(|draft| parties::follow_in(draft, parties::Follow { settles: true, sends_anew: false }));
    let present = held.change(|draft| {
        let entries: Vec<Entry> = draft.state().journal.iter().cloned().collect();
        let requests: Vec<RowRequest> =
            entries.iter().filter_map(|e| request_of(std::slice::from_ref(e))).collect();
        let requests: Vec<&RowRequest> = requests.iter().collect();
        let (_, bodies) = held::new_parties(&Names::of(draft, &[]), &email(), &requests).unwrap();
        let bodies: Vec<String> = bodies.into_iter().map(|body| String::from_utf8(body).unwrap()).collect();
        let times = |number: u128| {
            bodies.iter().filter(|body| body.contains(&format!("contacts({})", id(number)))).count()
        };
        [("A", 1), ("B", 2), ("C", 3)].map(|(name, number)| (name, times(number)))
    });
    assert!(present.iter().all(|(_, times)| *times < 2), "{present:?}: somebody stands there twice");
    let names: Vec<&str> = present.iter().filter(|(_, times)| *times == 1).map(|(name, _)| *name).collect();
    if names.is_empty() {
        "nobody".to_owned()
    } else {
        names.join(", ")
    }
}

fn parties(out: &mut String) {
    head(out, &["here", "there", "who takes part in the end"]);
    let deeds: [(&str, &Deeds); 5] = [
        ("nothing", &[]),
        ("add B", &[(2, true)]),
        ("add C", &[(3, true)]),
        ("remove A", &[(1, false)]),
        ("put B in the place of A", &[(1, false), (2, true)]),
    ];
    for (here, mine) in deeds {
        for (there, theirs) in deeds {
            line(out, &[here, there, &parties_after(mine, theirs)]);
        }
    }
}

fn pair() -> Row {
    [("accountid".to_owned(), Value::Guid(id(1))), ("leadid".to_owned(), Value::Guid(id(2)))].into()
}

/// Whether the two rows are a pair in the end.
fn pair_after(before: bool, here: bool, there: bool) -> bool {
    let held = Held::new();
    let schema = flette_server::schema::schema();
    let table = schema.table("accountleads").unwrap();
    if before {
        held.tell("accountleads", &[(10, Some(pair()))]);
    }
    held.change(|draft| match (before, here) {
        (false, true) => draft.create(Key::new("accountleads", id(20)), pair()),
        (true, false) => draft.delete(&Key::new("accountleads", id(10))),
        (true, true) | (false, false) => {}
    });
    held.change(|draft| {
        let entries: Vec<Entry> = draft.state().journal.iter().cloned().collect();
        if before == there {
            return fold(before.then(pair), &entries).is_some();
        }
        if !there {
            let local = Local { entries: &entries, mirror: None };
            let decision = reconcile(table, local, Incoming::Gone, &Policy::default());
            assert!(decision.keep.is_empty() && decision.clashes.is_empty());
            return false;
        }
        let body = serde_json::json!({"value": [{
            "@odata.etag": "1",
            table.primary_id.clone(): id(10),
            "accountid": id(1),
            "leadid": id(2),
        }]});
        let made = pairs::made_there(draft, table, &decode_page(body.to_string().as_bytes(), table).unwrap());
        assert_eq!(made.len(), usize::from(here), "a pair that both made is one");
        pairs::adopt_all(draft, &made);
        assert!(entries.iter().all(|entry| draft.entry(entry.seq).is_none()), "nothing is left to tell");
        true
    })
}

fn pairs(out: &mut String) {
    head(out, &["before", "here", "there", "in the end"]);
    let words = |before: bool, after: bool| match (before, after) {
        (false, true) => "associate",
        (true, false) => "disassociate",
        (true, true) | (false, false) => "nothing",
    };
    let state = |pair: bool| if pair { "a pair" } else { "no pair" };
    for before in [false, true] {
        for here in [before, !before] {
            for there in [before, !before] {
                let end = pair_after(before, here, there);
                line(out, &[state(before), words(before, here), words(before, there), state(end)]);
            }
        }
    }
}

const INTRODUCTION: &str = "# The merge matrix

Two sides change one row between two rounds: this device and the server, that is somebody else. The tables show
what **both** see in the end and, after \"log:\", what lost and stands in the conflict log of this device, from where
it can be taken back. A test computes this page with the functions that the engine runs, and fails when it differs
(`FLETTE_WRITE_DOCS=1 cargo test --lib merge_matrix` writes it anew).

The row is a contact: telephone *old*, job title *old*, active. *telephone* stands for any field, *job title* for any
other one that it has nothing to do with; fields that mean nothing apart (the lines of an address; state and status
reason; amounts, when the currency changes) count as one field. \"Later\" is by the time of the field where the server
keeps field stamps, else by the row's `modifiedon`. An upsert (`PATCH` without a condition) is an edit where the row is
there, and a create where it is not. A create under the id of a row that is known here is refused at once, as the
server does (412).

";

fn document() -> String {
    let mut out = INTRODUCTION.to_owned();
    out.push_str("## The rule `newest`\n\n");
    newest(&mut out);
    out.push_str("\n## The other rules\n\nWhere a rule decides; every other pair ends as above. None of them looks at the time.\n\n");
    rules(&mut out);
    out.push_str("\n## Columns with a direction\n\nThe telephone only goes **up**:\n\n");
    up(&mut out);
    out.push_str(
        "\nA column that only comes **down**, or goes neither way, has no edits here, so the server's value stands.\n",
    );
    out.push_str("\n## Parties of an activity\n\nAt first A takes part. There are no conflicts: parties merge one by one.\n\n");
    parties(&mut out);
    out.push_str("\n## Pairs of rows (N:N)\n\n");
    pairs(&mut out);
    out
}

#[test]
fn the_merge_matrix_in_the_docs_is_what_the_functions_say() {
    let document = document();
    if std::env::var_os(REWRITE).is_some() {
        std::fs::write(DOCUMENT, &document).unwrap();
    }
    let written = std::fs::read_to_string(DOCUMENT).unwrap_or_default();
    let differs = document.lines().zip(written.lines()).find(|(now, then)| now != then);
    assert!(
        written == document,
        "docs/merge-matrix.md differs at {differs:?}: look at it, then run again with {REWRITE}=1"
    );
}
