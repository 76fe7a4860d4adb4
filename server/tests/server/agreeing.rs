//! Random rows, random queries: the server gives the answer that the plain evaluator of the wire format gives.
//! Run on both databases, so that all three agree.
//!
//! `PROPTEST_CASES` sets how many worlds of rows are made; each is asked [`QUERIES`] times.

use super::support::database;
use flette_odata::collate::{fold, value_order};
use flette_odata::evaluate::find::{find, Answer, Expanded, Found, List};
use flette_odata::filter::{resolve, Circumstances, Filter, HierarchyQuestion};
use flette_odata::prefer::Annotations;
use flette_odata::query::{parse_query, Expand, Query};
use flette_odata::render::RowShape;
use flette_odata::{Column, ColumnKind, Method, ODataError, Request, Row, Schema, Table, Uuid, Value};
use flette_server::api::{Profile, Service};
use flette_server::db::rows::Sight;
use flette_server::db::sessions::Caller;
use flette_server::people;
use serde_json::{json, Map};
use std::collections::BTreeMap;

#[allow(dead_code, reason = "shared with tests that go along paths")]
#[path = "../../../odata/tests/chance/queries.rs"]
mod queries;

use queries::{Dice, Realm, Writer};

const WORLDS: u64 = 4;
const QUERIES: usize = 60;
const ROWS_MAX: usize = 12;
const NOW: i64 = 1_790_000_000_000;
const TABLES: [&str; 4] = ["account", "contact", "task", "lead"];
const PAIRS: &str = "accountleads";

type World = BTreeMap<String, Vec<Row>>;

fn id(table: &str, number: usize) -> Uuid {
    flette_server::schema::id_of(&format!("agreeing/{table}/{number}"))
}

fn realm<'a>(schema: &'a Schema) -> Realm<'a> {
    Realm {
        schema,
        tables: &TABLES,
        pairs: &[PAIRS],
        rows_max: ROWS_MAX,
        id: &id,
        wanted: &|_| true,
        now: NOW,
    }
}

/// A text of a key may stand in one row only, whatever its case.
fn empty_doubles(rows: &mut [Row], column: &str) {
    let mut seen = Vec::new();
    for row in rows {
        let Some(text) = row[column].as_text().map(|text| fold(text).into_owned()) else { continue };
        if seen.contains(&text) {
            row.insert(column.to_owned(), Value::Null);
        } else {
            seen.push(text);
        }
    }
}

fn world(dice: &mut Dice, schema: &Schema) -> World {
    let realm = realm(schema);
    let mut world = World::new();
    for name in TABLES {
        let table = schema.table(name).unwrap();
        let rows = (0..dice.below(ROWS_MAX)).map(|number| {
            let mut row: Row = table.columns.iter().map(|c| (c.logical_name.clone(), Value::Null)).collect();
            for column in realm.used(table) {
                row.insert(column.logical_name.clone(), realm.value(dice, column));
            }
            row.insert(table.primary_id.clone(), Value::Guid(id(name, number)));
            row
        });
        let mut rows: Vec<Row> = rows.collect();
        for column in table.keys.iter().flat_map(|key| &key.columns) {
            empty_doubles(&mut rows, column);
        }
        world.insert(name.to_owned(), rows);
    }
    let pairs = schema.table(PAIRS).unwrap();
    let ends: Vec<&Column> = pairs.columns.iter().filter(|c| c.kind == ColumnKind::Guid).collect();
    let rows = (0..dice.below(15)).map(|number| {
        let end = |dice: &mut Dice, column: &Column| {
            let table = column.logical_name.trim_end_matches("id").to_owned();
            Value::Guid(id(&table, dice.below(ROWS_MAX)))
        };
        let mut row = Row::from([(pairs.primary_id.clone(), Value::Guid(id(PAIRS, number)))]);
        for column in &ends {
            row.insert(column.logical_name.clone(), end(dice, column));
        }
        row
    });
    let mut rows: Vec<Row> = rows.collect();
    let ends_of = |row: &Row| ends.iter().map(|c| format!("{:?}", row[&c.logical_name])).collect::<Vec<_>>();
    rows.sort_by_key(ends_of);
    rows.dedup_by_key(|row| ends_of(row));
    world.insert(PAIRS.to_owned(), rows);
    world
}

/// Rows above or under a row, in any order.
fn hierarchy(world: &World, question: &HierarchyQuestion) -> Vec<Uuid> {
    let table = &world[&question.table];
    let key = format!("{}id", question.table);
    let id_of = |row: &Row| match &row[&key] {
        Value::Guid(id) => *id,
        _ => Uuid::nil(),
    };
    let parent_of = |row: &Row| match &row[&question.parent] {
        Value::Lookup(to) => Some(to.id),
        _ => None,
    };
    let (mut found, mut open) = (Vec::new(), vec![question.id]);
    while let Some(at) = open.pop() {
        let next: Vec<Uuid> = match question.above {
            true => table.iter().filter(|row| id_of(row) == at).filter_map(parent_of).collect(),
            false => table.iter().filter(|row| parent_of(row) == Some(at)).map(id_of).collect(),
        };
        for id in next {
            if !found.contains(&id) && id != question.id {
                found.push(id);
                open.push(id);
            }
        }
    }
    found
}

struct Asker<'a> {
    service: &'a Service,
    schema: &'a Schema,
    world: &'a World,
    caller: &'a Caller,
}

impl Asker<'_> {
    fn resolved(&self, filter: &mut Option<Filter>, table: &Table) -> Result<(), ODataError> {
        let at = Circumstances {
            now: NOW,
            user: self.caller.user,
            business_unit: self.caller.unit,
            teams: &[],
            utc_offset_minutes: 0,
            hierarchy: &|question| Ok(hierarchy(self.world, question)),
        };
        if let Some(inner) = filter {
            *filter = Some(resolve(inner, table, self.schema, &at)?);
        }
        Ok(())
    }

    fn resolve_expands(&self, expands: &mut [Expand], table: &Table) -> Result<(), ODataError> {
        for expand in expands {
            let target = match expand.collection {
                true => flette_odata::path::collection_table(self.schema, table, &expand.navigation).unwrap(),
                false => {
                    let (_, targets) = table.navigation(&expand.navigation).unwrap();
                    self.schema.table(&targets[0].table).unwrap()
                }
            };
            self.resolved(&mut expand.filter, target)?;
            self.resolve_expands(&mut expand.expand, target)?;
        }
        Ok(())
    }

    /// What the evaluator makes of a list, as the server writes it.
    fn list(&self, list: &List, query: (Option<&[String]>, &[Expand])) -> serde_json::Value {
        list.rows.iter().map(|row| self.row(row, query)).collect()
    }

    fn row(&self, found: &Found, (select, expands): (Option<&[String]>, &[Expand])) -> serde_json::Value {
        let table = self.schema.table(found.table).unwrap();
        let shape = RowShape::new(table, select, &Annotations::none());
        let mut out = Vec::new();
        let cell = |column: &Column| found.row.get(&column.logical_name).cloned().unwrap_or_default();
        shape.write_row(&mut out, "", &cell, &|_| None, &[]);
        let mut row: Map<String, serde_json::Value> = serde_json::from_slice(&out).unwrap();
        for (expand, expanded) in expands.iter().zip(&found.expanded) {
            let inner = (expand.select.as_deref(), expand.expand.as_slice());
            let value = match expanded {
                Expanded::One(None) => json!(null),
                Expanded::One(Some(row)) => self.row(row, inner),
                Expanded::Many(list) => {
                    if expand.count {
                        row.insert(format!("{}@odata.count", expand.navigation), json!(list.total));
                    }
                    self.list(list, inner)
                }
            };
            row.insert(expand.navigation.clone(), value);
        }
        row.into()
    }

    fn ask(&self, table: &Table, options: &[(String, String)]) -> (u16, serde_json::Value) {
        let encode = |text: &str| -> String { text.bytes().map(|b| format!("%{b:02X}")).collect() };
        let query: Vec<String> =
            options.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let url = format!("/api/data/v9.2/{}?{}", table.set_name, query.join("&"));
        let request = Request::new(Method::Get, url);
        let response = self.service.answer(self.caller.user, "/api/data/v9.2/", &request, NOW);
        (response.status, serde_json::from_slice(&response.body).unwrap_or_default())
    }

    /// Whether the query was one that can be answered.
    fn check(&self, table: &Table, options: &[(String, String)], case: &str) -> bool {
        let (status, mut body) = self.ask(table, options);
        let read = parse_query(options, table, self.schema).and_then(|mut query: Query| {
            self.resolved(&mut query.filter, table)?;
            self.resolve_expands(&mut query.expand, table)?;
            if let Some(apply) = &mut query.apply {
                self.resolved(&mut apply.filter, table)?;
            }
            Ok(query)
        });
        let query = match read {
            Ok(query) => query,
            Err(error) => {
                assert_eq!(status, error.status, "{case}: {body}");
                return false;
            }
        };
        assert_eq!(status, 200, "{case}: {body}");
        match find(self.world, self.schema, table, &query).unwrap() {
            Answer::Rows(list) => {
                let wanted = self.list(&list, (query.select.as_deref(), &query.expand));
                without_etags(&mut body["value"]);
                assert_eq!(body["value"], wanted, "{case}");
                let total = query.count.then_some(list.total);
                assert_eq!(body["@odata.count"].as_u64(), total.map(|total| total as u64), "{case}");
            }
            Answer::Groups(groups) => {
                let apply = query.apply.clone().unwrap();
                let sight = Sight::Everything;
                let found =
                    self.service.database().read(|reader| reader.groups(table, &sight, &apply)).unwrap();
                assert_eq!(found.len(), groups.len(), "{case}: {found:?} {groups:?}");
                for (found, wanted) in found.iter().zip(&groups) {
                    let wanted: Vec<&Value> = wanted.iter().map(|(_, value)| value).collect();
                    let same = found.iter().zip(&wanted).all(|(found, wanted)| {
                        value_order(found, wanted).is_eq()
                            && found.as_text() == wanted.as_text()
                            && std::mem::discriminant(found) == std::mem::discriminant(*wanted)
                    });
                    assert!(same && found.len() == wanted.len(), "{case}: {found:?} {wanted:?}");
                }
                assert_eq!(body["value"].as_array().map(Vec::len), Some(groups.len()), "{case}");
            }
        }
        true
    }
}

fn without_etags(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_etags),
        serde_json::Value::Object(members) => {
            members.remove("@odata.etag");
            members.values_mut().for_each(without_etags);
        }
        _ => {}
    }
}

#[test]
fn random_queries_get_the_answer_that_the_evaluator_gives() {
    let worlds = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(WORLDS);
    let (mut asked, mut answered) = (0, 0);
    for seed in 0..worlds {
        let mut dice = Dice(seed);
        let database = database();
        let schema = database.schema();
        let world = world(&mut dice, &schema);
        let caller = database.read(|reader| people::caller(reader, people::ADMIN)).unwrap();
        database
            .write(|writer| {
                for (table, rows) in &world {
                    let table = writer.schema.table(table).unwrap();
                    for row in rows {
                        writer.insert(table, row)?;
                    }
                }
                Ok(())
            })
            .unwrap();
        let service = Service::new(database, Profile::Open);
        let asker = Asker { service: &service, schema: &schema, world: &world, caller: &caller };
        for number in 0..QUERIES {
            let name = dice.pick(&TABLES);
            let table = schema.table(name).unwrap();
            let options = Writer { dice: &mut dice, realm: &realm(&schema) }.options(table);
            let case = format!("world {seed} query {number}: {name} {options:?}");
            asked += 1;
            answered += usize::from(asker.check(table, &options, &case));
        }
    }
    assert!(answered * 10 > asked * 7, "only {answered} of {asked} could be answered");
    println!("{asked} queries, {answered} answered alike");
}
