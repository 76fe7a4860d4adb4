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
use flette_odata::{
    Column, ColumnKind, Decimal, EntityRef, Method, ODataError, Request, Row, Schema, Table, Uuid, Value,
};
use flette_server::api::{Profile, Service};
use flette_server::db::rows::Sight;
use flette_server::db::sessions::Caller;
use flette_server::people;
use serde_json::{json, Map};
use std::collections::BTreeMap;

const WORLDS: u64 = 4;
const QUERIES: usize = 60;
const ROWS_MAX: usize = 12;
const NOW: i64 = 1_790_000_000_000;
const TABLES: [&str; 4] = ["account", "contact", "task", "lead"];
const PAIRS: &str = "accountleads";

type World = BTreeMap<String, Vec<Row>>;

/// Numbers that look random and are the same in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        assert!(!from.is_empty());
        from[self.below(from.len())].clone()
    }
}

const TEXTS: [&str; 12] = ["a", "A", "ab", "Ä", "ä", "ß", "İ", "ΟΔΟΣ", "οδος", "o'b", "100%_[x]", "z z"];
const NUMBERS: [&str; 9] = ["0", "1", "-1", "0.25", "9.5", "10", "-0.5000", "99999999999.9999", "7.0001"];

fn id(table: &str, number: usize) -> Uuid {
    flette_server::schema::id_of(&format!("agreeing/{table}/{number}"))
}

/// Columns that rows have and queries ask for: some of each kind.
fn used(table: &Table) -> Vec<&Column> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let worth = |column: &&Column| {
        let kind = match &column.kind {
            ColumnKind::Lookup { targets } => {
                let known = targets.iter().any(|target| TABLES.contains(&target.table.as_str()));
                return known && !targets.iter().any(|target| target.table == "systemuser");
            }
            ColumnKind::BigInt | ColumnKind::Id | ColumnKind::Guid => return false,
            other => format!("{other:?}").split([' ', '(']).next().unwrap_or_default().to_owned(),
        };
        if column.computed || column.logical_name.ends_with("_base") {
            return false;
        }
        let count = seen.entry(kind).or_default();
        *count += 1;
        *count <= 3
    };
    table.columns.iter().filter(worth).collect()
}

fn value(dice: &mut Dice, column: &Column) -> Value {
    let number = |dice: &mut Dice| Decimal::parse(dice.pick(&NUMBERS)).unwrap();
    match &column.kind {
        _ if dice.one_in(4) => Value::Null,
        ColumnKind::Text { .. } | ColumnKind::Memo { .. } => Value::Text(dice.pick(&TEXTS).to_owned()),
        ColumnKind::Integer { .. } => Value::Int(dice.below(5) as i64 - 1),
        ColumnKind::Decimal { .. } | ColumnKind::Money { .. } => Value::Decimal(number(dice)),
        // Quarters add up exactly in any order.
        ColumnKind::Double { .. } => Value::Double((dice.below(9) as f64 - 4.0) / 4.0),
        ColumnKind::Boolean { .. } => Value::Bool(dice.one_in(2)),
        ColumnKind::DateTime => Value::DateTime(NOW / 1000 * 1000 - dice.below(20) as i64 * 86_400_000 / 4),
        ColumnKind::Date => Value::Date(20_000 + dice.below(5) as i32),
        ColumnKind::Picklist { options, .. } => Value::Int(dice.pick(options).value.into()),
        ColumnKind::State { options } => Value::Int(dice.pick(options).value.into()),
        ColumnKind::Status { options } => Value::Int(dice.pick(options).value.into()),
        ColumnKind::Lookup { targets } => {
            let targets: Vec<_> =
                targets.iter().filter(|target| TABLES.contains(&target.table.as_str())).collect();
            let table = dice.pick(&targets).table.clone();
            // Some point to rows that are not there.
            let id = id(&table, dice.below(ROWS_MAX));
            Value::Lookup(EntityRef { table, id })
        }
        ColumnKind::MultiPicklist { .. } | ColumnKind::BigInt | ColumnKind::Id | ColumnKind::Guid => {
            Value::Null
        }
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
    let mut world = World::new();
    for name in TABLES {
        let table = schema.table(name).unwrap();
        let rows = (0..dice.below(ROWS_MAX)).map(|number| {
            let mut row: Row = table.columns.iter().map(|c| (c.logical_name.clone(), Value::Null)).collect();
            for column in used(table) {
                row.insert(column.logical_name.clone(), value(dice, column));
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

/// What queries are made of.
struct Writer<'a> {
    dice: &'a mut Dice,
    schema: &'a Schema,
}

impl Writer<'_> {
    fn literal(&mut self, column: &Column) -> String {
        match value(self.dice, column) {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Int(number) => number.to_string(),
            Value::Decimal(number) => number.to_string(),
            Value::Double(number) => number.to_string(),
            Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Value::Guid(id) => id.to_string(),
            Value::Lookup(to) => to.id.to_string(),
            Value::DateTime(at) => flette_odata::time::format_datetime(at),
            Value::Date(days) => flette_odata::time::format_date(days),
        }
    }

    /// Single-valued navigation properties to tables of the world, with one target each.
    fn navigations(&self, table: &Table) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for column in used(table) {
            if let ColumnKind::Lookup { targets } = &column.kind {
                let known = targets.iter().filter(|target| TABLES.contains(&target.table.as_str()));
                found.extend(known.map(|target| (target.navigation.clone(), target.table.clone())));
            }
        }
        found
    }

    /// Collections of rows of the world: name, table, whether many to many.
    fn collections(&self, table: &Table) -> Vec<(String, String, bool)> {
        let mut found = Vec::new();
        for name in TABLES {
            for column in used(self.schema.table(name).unwrap()) {
                if let ColumnKind::Lookup { targets } = &column.kind {
                    let here = targets.iter().filter(|target| target.table == table.logical_name);
                    found.extend(here.map(|target| (target.collection.clone(), name.to_owned(), false)));
                }
            }
        }
        for pair in self.schema.many_to_many.iter().filter(|pair| pair.intersect == PAIRS) {
            for (end, other) in [(&pair.first, &pair.second), (&pair.second, &pair.first)] {
                if end.table == table.logical_name {
                    found.push((end.navigation.clone(), other.table.clone(), true));
                }
            }
        }
        found
    }

    /// A condition on a table whose columns stand behind `prefix`.
    fn condition(&mut self, table: &Table, prefix: &str, depth: usize, lambda: bool) -> String {
        let navigations = self.navigations(table);
        let collections = self.collections(table);
        match self.dice.below(if depth == 0 { 4 } else { 10 }) {
            4 | 5 => {
                let word = self.dice.pick(&["and", "or"]);
                let left = self.condition(table, prefix, depth - 1, lambda);
                let right = self.condition(table, prefix, depth - 1, lambda);
                format!("({left} {word} {right})")
            }
            6 => format!("not ({})", self.condition(table, prefix, depth - 1, lambda)),
            7 | 8 if !navigations.is_empty() => {
                let (navigation, target) = self.dice.pick(&navigations);
                let target = self.schema.table(&target).unwrap();
                self.comparison(target, &format!("{prefix}{navigation}/"))
            }
            9 if lambda && prefix.is_empty() && !collections.is_empty() => {
                let (collection, target, _) = self.dice.pick(&collections);
                let target = self.schema.table(&target).unwrap();
                if self.dice.one_in(5) {
                    return format!("{collection}/any()");
                }
                let inner = self.condition(target, "x/", depth - 1, false);
                format!("{collection}/{}(x:{inner})", self.dice.pick(&["any", "all"]))
            }
            _ => self.comparison(table, prefix),
        }
    }

    fn comparison(&mut self, table: &Table, prefix: &str) -> String {
        let column = self.dice.pick(&used(table));
        let name = format!("{prefix}{}", column.property());
        let is_text = matches!(column.kind, ColumnKind::Text { .. } | ColumnKind::Memo { .. });
        let is_time = matches!(column.kind, ColumnKind::DateTime);
        match self.dice.below(5) {
            0 if is_text => {
                let function = self.dice.pick(&["contains", "startswith", "endswith"]);
                let pattern = self.dice.pick(&TEXTS).replace('\'', "''");
                format!("{function}({name},'{pattern}')")
            }
            0 if is_time && prefix.is_empty() => {
                let function = self.dice.pick(&["Today", "Yesterday", "ThisWeek", "LastMonth"]);
                format!("Microsoft.Dynamics.CRM.{function}(PropertyName='{name}')")
            }
            0 if table.logical_name == "account" && prefix.is_empty() => {
                let side = self.dice.pick(&["Above", "Under", "AboveOrEqual", "UnderOrEqual"]);
                let id = id("account", self.dice.below(ROWS_MAX));
                format!("Microsoft.Dynamics.CRM.{side}(PropertyName='accountid',PropertyValue='{id}')")
            }
            1 => {
                let alike: Vec<&Column> = used(table)
                    .into_iter()
                    .filter(|other| {
                        std::mem::discriminant(&other.kind) == std::mem::discriminant(&column.kind)
                    })
                    .collect();
                let other = format!("{prefix}{}", self.dice.pick(&alike).property());
                format!("{name} {} {other}", self.operator(column))
            }
            _ => {
                let literal = self.literal(column);
                format!("{name} {} {literal}", self.operator(column))
            }
        }
    }

    fn operator(&mut self, column: &Column) -> &'static str {
        match column.kind {
            ColumnKind::Lookup { .. } | ColumnKind::Boolean { .. } => self.dice.pick(&["eq", "ne"]),
            _ => self.dice.pick(&["eq", "ne", "gt", "ge", "lt", "le"]),
        }
    }

    fn order(&mut self, table: &Table) -> String {
        let keys = (0..1 + self.dice.below(2)).map(|_| {
            let navigations = self.navigations(table);
            let (prefix, table) = match self.dice.one_in(3) && !navigations.is_empty() {
                true => {
                    let (navigation, target) = self.dice.pick(&navigations);
                    (format!("{navigation}/"), self.schema.table(&target).unwrap())
                }
                false => (String::new(), table),
            };
            let column = self.dice.pick(&used(table));
            format!("{prefix}{}{}", column.property(), self.dice.pick(&["", " desc"]))
        });
        keys.collect::<Vec<_>>().join(",")
    }

    fn select(&mut self, table: &Table) -> String {
        let names: Vec<String> = (0..3).map(|_| self.dice.pick(&used(table)).property()).collect();
        names.join(",")
    }

    fn expand(&mut self, table: &Table, depth: usize) -> String {
        let (navigations, collections) = (self.navigations(table), self.collections(table));
        let single = self.dice.one_in(2) || collections.is_empty();
        if single && !navigations.is_empty() {
            let (navigation, target) = self.dice.pick(&navigations);
            let target = self.schema.table(&target).unwrap();
            let mut options = format!("$select={}", self.select(target));
            if depth > 0 && self.dice.one_in(2) {
                options += &format!(";$expand={}", self.expand(target, depth - 1));
            }
            return format!("{navigation}({options})");
        }
        assert!(!collections.is_empty(), "{} has nothing to expand", table.logical_name);
        let (collection, target, _) = self.dice.pick(&collections);
        let target = self.schema.table(&target).unwrap();
        let mut options = format!("$select={}", self.select(target));
        if self.dice.one_in(2) {
            options += &format!(";$filter={}", self.condition(target, "", 1, true));
        }
        if self.dice.one_in(2) {
            options += &format!(";$orderby={}", self.order(target));
        }
        if self.dice.one_in(3) {
            options += &format!(";$top={}", self.dice.below(4));
        }
        if self.dice.one_in(3) {
            options += ";$count=true";
        }
        if depth > 0 && self.dice.one_in(3) {
            options += &format!(";$expand={}", self.expand(target, depth - 1));
        }
        format!("{collection}({options})")
    }

    fn apply(&mut self, table: &Table) -> String {
        let mut aggregates = vec!["$count as n".to_owned()];
        for number in 0..self.dice.below(3) {
            let column = self.dice.pick(&used(table));
            let functions: &[&str] = match column.kind {
                ColumnKind::Integer { .. }
                | ColumnKind::Money { .. }
                | ColumnKind::Decimal { .. }
                | ColumnKind::Double { .. } => &["sum", "average", "min", "max", "countdistinct"],
                ColumnKind::DateTime | ColumnKind::Date => &["min", "max", "countdistinct"],
                _ => &["countdistinct"],
            };
            let function = self.dice.pick(functions);
            aggregates.push(format!("{} with {function} as a{number}", column.property()));
        }
        let aggregates = aggregates.join(",");
        let filter = match self.dice.one_in(2) {
            true => format!("filter({})/", self.condition(table, "", 1, true)),
            false => String::new(),
        };
        if self.dice.one_in(5) {
            return format!("{filter}aggregate({aggregates})");
        }
        let keys = self.order(table).replace(" desc", "");
        format!("{filter}groupby(({keys}),aggregate({aggregates}))")
    }

    fn options(&mut self, table: &Table) -> Vec<(String, String)> {
        let mut options = Vec::new();
        let mut option = |name: &str, value: String| options.push((name.to_owned(), value));
        if self.dice.one_in(5) {
            option("$apply", self.apply(table));
            return options;
        }
        option("$select", self.select(table));
        if !self.dice.one_in(4) {
            option("$filter", self.condition(table, "", 3, true));
        }
        if !self.dice.one_in(3) {
            option("$orderby", self.order(table));
        }
        if self.dice.one_in(3) {
            option("$top", self.dice.below(6).to_string());
        }
        if self.dice.one_in(3) {
            option("$count", "true".to_owned());
        }
        if self.dice.one_in(2) {
            option("$expand", self.expand(table, 2));
        }
        options
    }
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
            let options = Writer { dice: &mut dice, schema: &schema }.options(table);
            let case = format!("world {seed} query {number}: {name} {options:?}");
            asked += 1;
            answered += usize::from(asker.check(table, &options, &case));
        }
    }
    assert!(answered * 10 > asked * 7, "only {answered} of {asked} could be answered");
    println!("{asked} queries, {answered} answered alike");
}
