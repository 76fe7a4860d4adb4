//! Worlds and queries made by chance: rows of any values, edits of them that wait, and whatever the Web API can ask.
//!
//! A world and each of its queries come from the seed alone. What failed is asked again by
//! `FLETTE_CHANCE_SEED=… FLETTE_CHANCE_QUERIES=1 cargo test --test doors chance`; more queries by a larger number.

use crate::support::Wire;
use crate::world::{Ask, World};
use flette_odata::render::write_value;
use flette_odata::{Column, ColumnKind, Decimal, EntityRef, Method, Row, Schema, Table, Value};

#[allow(dead_code, reason = "shared with tests that make their rows otherwise")]
#[path = "../../odata/tests/body/fetchxml/generate.rs"]
mod generate;
#[path = "../../odata/tests/chance/queries.rs"]
mod queries;
#[path = "../../odata/tests/chance/requests.rs"]
mod requests;

use queries::{Dice, Realm};

/// Queries of one run.
const QUERIES: u64 = 10_000;
/// Queries of one world.
const QUERIES_OF_A_WORLD: u64 = 500;
/// Rows of each table, those made later and those that never are included.
const ROWS_MAX: usize = 15;
/// Rows that the server has at first, at most.
const ROWS_PLANTED_MAX: usize = 11;
/// Edits that wait in a world.
const EDITS: usize = 24;
const TABLES: [&str; 4] = ["account", "contact", "task", "lead"];
/// Accounts and leads in pairs: the intersect table, its navigation property at both ends, and pairs planted at most.
const PAIRS: &str = "accountleads";
const PAIRED: &str = "accountleads_association";
const PAIRS_PLANTED_MAX: usize = 20;

/// Columns whose values both doors know: no stamps of the server's, nothing that follows from who writes, nothing that
/// must differ from row to row.
fn wanted(column: &Column) -> bool {
    let own = [
        "processid",
        "stageid",
        "importsequencenumber",
        "overriddencreatedon",
        "exchangerate",
        "accountnumber",
        "tickersymbol",
        "stockexchange",
        "sic",
        "yominame",
        "employeeid",
    ];
    column.valid_for_create && column.valid_for_update && !own.contains(&column.logical_name.as_str())
}

fn realm(schema: &Schema) -> Realm<'_> {
    Realm {
        schema,
        tables: &TABLES,
        pairs: &[PAIRS],
        rows_max: ROWS_MAX,
        id: &generate::id,
        wanted: &wanted,
        now: flette_server::web::now(),
    }
}

/// A value within the limits of its column.
fn fitting(column: &Column, value: Value) -> Value {
    match (&column.kind, value) {
        (ColumnKind::Integer { min, max }, Value::Int(number)) => {
            Value::Int(number.clamp(i64::from(*min), i64::from(*max)))
        }
        (
            ColumnKind::Decimal { min, max, .. } | ColumnKind::Money { min, max, .. },
            Value::Decimal(number),
        ) => {
            let fits = *min <= number && number <= *max;
            Value::Decimal(if fits { number } else { Decimal::from(1) })
        }
        (ColumnKind::Double { min, max, .. }, Value::Double(number)) => {
            Value::Double(number.clamp(*min, *max))
        }
        (_, value) => value,
    }
}

/// Values of some columns as the body of a request.
fn body(schema: &Schema, table: &Table, row: &Row) -> String {
    let mut members = Vec::new();
    for (name, value) in row {
        let column = table.column(name).unwrap();
        match (&column.kind, value) {
            (ColumnKind::Lookup { targets }, Value::Lookup(EntityRef { table, id })) => {
                let target = targets.iter().find(|target| target.table == *table).unwrap();
                let set = &schema.table(table).unwrap().set_name;
                members.push(format!("\"{}@odata.bind\":\"/{set}({id})\"", target.navigation));
            }
            (ColumnKind::Lookup { targets }, _) => {
                members.push(format!("\"{}@odata.bind\":null", targets[0].navigation));
            }
            (_, value) => {
                let mut out = Vec::new();
                write_value(&mut out, column, value);
                members.push(format!("\"{name}\":{}", String::from_utf8(out).unwrap()));
            }
        }
    }
    format!("{{{}}}", members.join(","))
}

struct Gardener<'a> {
    realm: &'a Realm<'a>,
    dice: &'a mut Dice,
    /// Number of the next new row: an id is never used again.
    next: usize,
}

impl Gardener<'_> {
    fn values(&mut self, table: &Table, lookups: bool) -> Row {
        let mut row = Row::new();
        for column in self.realm.used(table) {
            // A state and its reason go together.
            let free = !matches!(column.kind, ColumnKind::State { .. } | ColumnKind::Status { .. });
            if free && column.is_lookup() == lookups {
                let value = fitting(column, self.realm.value(self.dice, column));
                row.insert(column.logical_name.clone(), value);
            }
        }
        row
    }

    fn url(&self, table: &Table, number: usize) -> String {
        format!("{}({})", table.set_name, generate::id(&table.logical_name, number))
    }

    fn creation(&mut self, table: &Table, number: usize) -> Ask {
        let mut row = self.values(table, false);
        row.insert(table.primary_id.clone(), Value::Guid(generate::id(&table.logical_name, number)));
        Ask::new("POST", &table.set_name, "", &body(self.realm.schema, table, &row))
    }

    /// Some columns get other values, one lookup among them perhaps.
    fn change(&mut self, table: &Table, number: usize) -> Ask {
        let (mut row, links) = (self.values(table, false), self.values(table, true));
        let keep = 1 + self.dice.below(3);
        while row.len() > keep {
            let name = self.dice.pick(&row.keys().cloned().collect::<Vec<_>>());
            row.remove(&name);
        }
        if let Some((name, value)) = links.into_iter().nth(self.dice.below(4)) {
            row.insert(name, value);
        }
        self.patch(table, number, &row)
    }

    fn patch(&self, table: &Table, number: usize, row: &Row) -> Ask {
        Ask::new("PATCH", &self.url(table, number), "If-Match: *", &body(self.realm.schema, table, row))
    }

    /// Two rows become a pair, told at either end, or are one no more.
    fn pairing(&mut self, ends: bool) -> Ask {
        let (account, lead) = (self.dice.below(ROWS_MAX - 1), self.dice.below(ROWS_MAX - 1));
        let table = |name: &str| self.realm.schema.table(name).unwrap();
        let (account, lead) = (self.url(table("account"), account), self.url(table("lead"), lead));
        let (one, other) = if self.dice.one_in(2) { (account, lead) } else { (lead, account) };
        if ends {
            let id = &other[other.find('(').unwrap()..];
            return Ask::new("DELETE", &format!("{one}/{PAIRED}{id}/$ref"), "", "");
        }
        Ask::new("POST", &format!("{one}/{PAIRED}/$ref"), "", &format!(r#"{{"@odata.id":"{other}"}}"#))
    }

    fn plant(&mut self, online: &Wire) {
        let tell = |ask: &Ask| {
            // Some lookups point to rows that are not there: those are refused.
            let method = if ask.method == Method::Post { Method::Post } else { Method::Patch };
            let answer = online.ask(method, &ask.path, &ask.body);
            assert!(answer.status < 500, "{}: {}", ask.body, String::from_utf8_lossy(&answer.body));
        };
        for name in TABLES {
            let table = self.realm.schema.table(name).unwrap();
            for number in 0..self.dice.below(ROWS_PLANTED_MAX + 1) {
                tell(&self.creation(table, number));
                if self.dice.one_in(5) {
                    tell(&Ask::new("PATCH", &self.url(table, number), "", r#"{"statecode":1}"#));
                }
            }
        }
        for name in TABLES {
            let table = self.realm.schema.table(name).unwrap();
            for number in 0..ROWS_PLANTED_MAX {
                // Only what exists may be pointed from: a PATCH would make it.
                let exists = online.ask(Method::Get, &self.url(table, number), "").status == 200;
                for (column, value) in self.values(table, true) {
                    if exists && !value.is_null() {
                        tell(&self.patch(table, number, &Row::from([(column, value)])));
                    }
                }
            }
        }
        for _ in 0..self.dice.below(PAIRS_PLANTED_MAX + 1) {
            tell(&self.pairing(false));
        }
    }

    fn edit(&mut self) -> Ask {
        let table = self.realm.schema.table(self.dice.pick(&TABLES)).unwrap();
        let number = self.dice.below(ROWS_MAX - 1);
        match self.dice.below(10) {
            8 => {
                let ends = self.dice.one_in(2);
                self.pairing(ends)
            }
            0 => Ask::new("DELETE", &self.url(table, number), "", ""),
            1 | 2 if self.next < ROWS_MAX => {
                self.next += 1;
                self.creation(table, self.next - 1)
            }
            3 => Ask::new("PATCH", &self.url(table, number), "If-Match: *", r#"{"statecode":1}"#),
            _ => self.change(table, number),
        }
    }
}

/// One query, whatever it asks for.
fn query(world: &World, realm: &Realm, dice: &mut Dice) {
    if dice.one_in(5) {
        return fetch(world, realm, dice);
    }
    let asked = requests::asked(realm, dice);
    world.same(&Ask::get(&asked.path, &header(&asked.prefer)));
}

fn header(prefer: &str) -> String {
    match prefer {
        "" => String::new(),
        _ => format!("Prefer: {prefer}"),
    }
}

/// FetchXML, perhaps in pages that follow each other by cookies.
fn fetch(world: &World, realm: &Realm, dice: &mut Dice) {
    let (set, text) = requests::fetch(realm, dice);
    let ask = |text: &str, prefer: &str| {
        Ask::get(&format!("{set}?fetchXml={}", requests::encoded(text)), &header(prefer))
    };
    if !dice.one_in(3) {
        world.same(&ask(&text, &requests::prefer(dice)));
        return;
    }
    let size = 1 + dice.below(4);
    let mut places = [(); 2].map(|()| format!("count='{size}' page='1'"));
    for page in 2..6 {
        let asks = places.map(|place| {
            let paged = text.replacen("<fetch", &format!("<fetch {place}"), 1);
            ask(&paged, "odata.include-annotations=\"*\"")
        });
        world.same_as(asks.clone());
        let Some(cookies) = world.cookies(&asks) else { return };
        places = cookies.map(|cookie| format!("count='{size}' page='{page}' paging-cookie='{cookie}'"));
    }
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The rows of a block of seeds, and the edits of them that wait.
fn world_of(realm: &Realm, block: u64) -> World {
    let mut dice = Dice(block);
    let mut gardener = Gardener { realm, dice: &mut dice, next: ROWS_PLANTED_MAX };
    let world = World::planted(&["lead", PAIRS], &mut |online| gardener.plant(online));
    for _ in 0..EDITS {
        world.same(&gardener.edit());
    }
    world
}

#[test]
fn whatever_is_asked_by_chance_is_answered_alike() {
    let schema = flette_server::schema::schema();
    let realm = realm(&schema);
    let all = number_of("FLETTE_CHANCE_QUERIES").unwrap_or(QUERIES);
    let first = number_of("FLETTE_CHANCE_SEED");
    let first = first.unwrap_or_else(|| flette_odata::Uuid::new_v4().as_u128() as u64 >> 20);
    println!("seed {first}");
    let (mut asked, mut at, mut filled) = (0, first, 0);
    while asked < all {
        // A seed belongs to the world of its block.
        let block = at / QUERIES_OF_A_WORLD;
        let world = world_of(&realm, block);
        while at / QUERIES_OF_A_WORLD == block && asked < all {
            world.case(&format!("FLETTE_CHANCE_SEED={at}"));
            query(&world, &realm, &mut Dice(at.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
            (asked, at) = (asked + 1, at + 1);
        }
        filled += world.filled();
        world.agree();
    }
    println!("{asked} queries, {filled} answers with something in them");
    assert!(asked < QUERIES || filled as u64 > asked / 2, "only {filled} answers had something in them");
}

/// How many of `all` queries from a seed on it takes until an answer of one door is not the other's.
#[cfg(feature = "planted-bugs")]
pub fn queries_until_the_doors_differ(first: u64, all: u64) -> Option<u64> {
    let schema = flette_server::schema::schema();
    let realm = realm(&schema);
    let mut world: Option<(u64, World)> = None;
    for at in first..first + all {
        let block = at / QUERIES_OF_A_WORLD;
        if world.as_ref().is_none_or(|(of, _)| *of != block) {
            world = Some((block, world_of(&realm, block)));
        }
        let (_, world) = world.as_ref()?;
        query(world, &realm, &mut Dice(at.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        if world.differs() {
            return Some(at - first + 1);
        }
    }
    None
}
