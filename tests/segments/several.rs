//! The requests by chance of the tests of both doors, over several tables in 1, 7 and 60 segments: before, while and after
//! they are merged, with changes that wait.

use crate::chance::seeds;
use crate::world::{engine_of, get, open_of, Alone, NOW};
use flette::engine::Engine;
use flette::model::{FieldEdit, Key, Row};
use flette::replica::{Draft, Replica, SegmentBuilder, Target};
use flette::store::memory::MemoryStore;
use flette::store::Durability;
use flette_odata::{Column, ColumnKind, Schema, Table, Uuid, Value};
use pollster::block_on;

#[allow(dead_code, reason = "shared with tests that make their rows by it")]
#[path = "../../odata/tests/body/fetchxml/generate.rs"]
mod generate;
#[allow(dead_code, reason = "shared with tests that ask otherwise")]
#[path = "../../odata/tests/chance/queries.rs"]
mod queries;
#[path = "../../odata/tests/chance/requests.rs"]
mod requests;

use queries::{Dice, Realm};
use requests::Asked;

const TABLES: [&str; 4] = ["account", "contact", "task", "lead"];
const PAIRS: &str = "accountleads";
/// Rows of each table, those made offline and those that never are included.
const ROWS_MAX: usize = 72;
/// Rows that the server told of, at most.
const ROWS_TOLD_MAX: usize = 64;
/// Items of each table's history, deletions and later versions included.
const ITEMS: usize = 300;
const WAITING: usize = 20;
const QUERIES: usize = 120;
/// Queries between two slices of a merge.
const QUERIES_OF_A_SLICE: usize = 24;
/// Answers in pages that are followed, at most.
const PAGES_MAX: usize = 40;

enum Told {
    Row(Uuid, Row),
    Gone(Uuid),
}

enum Waiting {
    Create(Key, Row),
    Update(Key, Row),
    Delete(Key),
}

struct Case<'a> {
    schema: &'a Schema,
    /// By table.
    told: Vec<(&'a str, Vec<Told>)>,
    waiting: Vec<Waiting>,
    asked: Vec<Asked>,
}

fn wanted(column: &Column) -> bool {
    !matches!(column.kind, ColumnKind::State { .. } | ColumnKind::Status { .. })
}

/// A row with a value or null in each of its columns.
fn row(realm: &Realm, table: &Table, dice: &mut Dice) -> Row {
    let mut row: Row = table.columns.iter().map(|c| (c.logical_name.clone(), Value::Null)).collect();
    for column in realm.used(table) {
        row.insert(column.logical_name.clone(), realm.value(dice, column));
    }
    row
}

fn pair(table: &Table, number: usize, dice: &mut Dice) -> (Uuid, Row) {
    // A pair keeps its ends for life.
    let mut ends = Dice(number as u64);
    let mut row: Row = table.columns.iter().map(|c| (c.logical_name.clone(), Value::Null)).collect();
    for name in ["account", "lead"] {
        row.insert(format!("{name}id"), Value::Guid(generate::id(name, ends.below(ROWS_TOLD_MAX))));
    }
    row.insert("versionnumber".to_owned(), Value::Int(i64::try_from(dice.below(1000)).unwrap()));
    (generate::id(PAIRS, number), row)
}

impl<'a> Case<'a> {
    fn new(schema: &'a Schema, seed: u64) -> Case<'a> {
        let realm = Realm {
            schema,
            tables: &TABLES,
            pairs: &[PAIRS],
            rows_max: ROWS_MAX,
            id: &generate::id,
            wanted: &wanted,
            now: NOW.0,
        };
        let mut dice = Dice(seed);
        let mut told = Vec::new();
        for name in TABLES {
            let table = schema.table(name).unwrap();
            let item = |dice: &mut Dice| {
                let id = generate::id(name, dice.below(ROWS_TOLD_MAX));
                if dice.one_in(9) {
                    Told::Gone(id)
                } else {
                    Told::Row(id, row(&realm, table, dice))
                }
            };
            told.push((name, (0..ITEMS).map(|_| item(&mut dice)).collect()));
        }
        let pairs = schema.table(PAIRS).unwrap();
        let item = |dice: &mut Dice| {
            let (id, row) = pair(pairs, dice.below(90), dice);
            if dice.one_in(9) {
                Told::Gone(id)
            } else {
                Told::Row(id, row)
            }
        };
        told.push((PAIRS, (0..ITEMS).map(|_| item(&mut dice)).collect()));
        let waiting = (0..WAITING).map(|at| change(&realm, at, &mut dice)).collect();
        let asked = (0..QUERIES).map(|_| ask(&realm, &mut dice)).collect();
        Case { schema, told, waiting, asked }
    }

    /// A store in which each table's history stands in so many segments: the first half in one, the rest in equal parts.
    fn fill(&self, segments: usize) -> MemoryStore {
        let store = MemoryStore::new();
        let replica = open_of(&store, &scope());
        transact(&replica, |draft| {
            draft.set_schema(self.schema.clone());
            draft.record.offline_chosen = true;
        });
        for (table, told) in &self.told {
            let half = if segments == 1 { told.len() } else { told.len() / 2 };
            let (first, rest) = told.split_at(half);
            let size = rest.len().div_ceil(segments.saturating_sub(1).max(1)).max(1);
            let mut from = 1;
            for part in std::iter::once(first).chain(rest.chunks(size)) {
                transact(&replica, |draft| add(draft, table, part, from));
                from += part.len();
            }
        }
        for waiting in &self.waiting {
            transact(&replica, |draft| wait(draft, waiting));
        }
        store
    }
}

fn change(realm: &Realm, at: usize, dice: &mut Dice) -> Waiting {
    let table = realm.schema.table(dice.pick(&TABLES)).unwrap();
    let key = |number| Key::new(&*table.logical_name, generate::id(&table.logical_name, number));
    let whole = row(realm, table, dice);
    match dice.below(5) {
        0 if ROWS_TOLD_MAX + at < ROWS_MAX => Waiting::Create(key(ROWS_TOLD_MAX + at), whole),
        1 => Waiting::Delete(key(dice.below(ROWS_TOLD_MAX))),
        _ => {
            let mut some = whole;
            some.retain(|_, value| !value.is_null());
            Waiting::Update(key(dice.below(ROWS_TOLD_MAX)), some)
        }
    }
}

fn ask(realm: &Realm, dice: &mut Dice) -> Asked {
    if !dice.one_in(5) {
        return requests::asked(realm, dice);
    }
    let (set, text) = requests::fetch(realm, dice);
    let path = format!("{set}?fetchXml={}", requests::encoded(&text));
    Asked { path, prefer: requests::prefer(dice) }
}

fn scope() -> Vec<&'static str> {
    TABLES.into_iter().chain([PAIRS]).collect()
}

fn transact(replica: &Replica<MemoryStore>, mut change: impl FnMut(&mut Draft)) {
    let tables = scope();
    let done = replica.transact(NOW, Durability::Strict, &tables, |draft| {
        change(draft);
        Ok(())
    });
    block_on(done).unwrap();
}

fn add(draft: &mut Draft, table: &str, told: &[Told], from: usize) {
    let schema = draft.schema();
    let mut builder = SegmentBuilder::new(schema.table(table).unwrap());
    for (at, told) in told.iter().enumerate() {
        match told {
            Told::Row(id, row) => builder.push_row(*id, &format!("W/\"{}\"", from + at), row).unwrap(),
            Told::Gone(id) => builder.push_tombstone(*id),
        }
    }
    draft.add_segment(table, Target::Live, builder).unwrap();
    let mut cursor = draft.cursor(table);
    cursor.complete = true;
    draft.set_cursor(table, cursor);
}

fn wait(draft: &mut Draft, waiting: &Waiting) {
    match waiting {
        Waiting::Create(key, row) => {
            let schema = draft.schema();
            let mut row = row.clone();
            row.insert(schema.table(&key.table).unwrap().primary_id.clone(), Value::Guid(key.id));
            draft.create(key.clone(), row);
        }
        Waiting::Update(key, new) => {
            let Some(seen) = draft.row(key) else { return };
            let edit = |(name, new): (&String, &Value)| FieldEdit {
                name: name.clone(),
                old: seen.row.get(name).cloned().unwrap_or_default(),
                new: new.clone(),
            };
            draft.update(key, new.iter().map(edit).collect());
        }
        Waiting::Delete(key) if draft.row(key).is_some() => draft.delete(key),
        Waiting::Delete(_) => {}
    }
}

/// Everything that is answered to a request, further pages included.
fn answer(engine: &Engine<Alone>, asked: &Asked) -> String {
    let (mut text, mut path) = (String::new(), asked.path.clone());
    for _ in 0..PAGES_MAX {
        let answer = get(engine, &path, &asked.prefer);
        let body = String::from_utf8(answer.body).unwrap();
        text.push_str(&format!("{} {:?} {body}\n", answer.status, answer.headers.get("ETag")));
        assert_ne!(answer.status, 501, "{path}: {body}");
        let json: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
        match json["@odata.nextLink"].as_str() {
            Some(next) => path = next.to_owned(),
            None => return text,
        }
    }
    text
}

fn check(case: &Case) {
    let whole = engine_of(&case.fill(1), &scope());
    let expected: Vec<String> = case.asked.iter().map(|asked| answer(&whole, asked)).collect();
    let filled =
        expected.iter().filter(|text| text.starts_with("200") && !text.contains("\"value\":[]")).count();
    assert!(filled > case.asked.len() / 4, "only {filled} answers have something in them");
    let same = |engine: &Engine<Alone>, at: usize, when: &str| {
        let asked = &case.asked[at % case.asked.len()];
        let seen = answer(engine, asked);
        let expected = &expected[at % case.asked.len()];
        assert!(seen == *expected, "{when}: {}\n{seen}\n{expected}", asked.path);
    };
    for segments in [1, 7, 60] {
        let store = case.fill(segments);
        let engine = engine_of(&store, &scope());
        (0..case.asked.len()).for_each(|at| same(&engine, at, "before"));
        let mut slices = 0;
        while block_on(engine.compact()).unwrap() {
            slices += 1;
            let from = slices * QUERIES_OF_A_SLICE;
            (from..from + QUERIES_OF_A_SLICE).for_each(|at| same(&engine, at, "while they are merged"));
        }
        assert!(
            segments < 60 || slices > scope().len(),
            "{segments} segments were merged in {slices} slices"
        );
        (0..case.asked.len()).for_each(|at| same(&engine, at, "after"));
        let again = engine_of(&store, &scope());
        (0..case.asked.len()).for_each(|at| same(&again, at, "from the store"));
        println!("{segments} segments, {slices} slices, {filled} answers with something in them");
    }
}

#[test]
fn whatever_is_asked_of_several_tables_is_answered_alike_from_one_or_many_segments() {
    let schema = flette_server::schema::schema();
    for seed in seeds(2) {
        check(&Case::new(&schema, seed));
    }
}
