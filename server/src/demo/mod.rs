//! Demo data: made-up companies, people and tasks, the same for the same size on every server.

mod names;

use crate::api::create_row_unlinked;
use crate::db::meta::Fact;
use crate::db::sessions::Caller;
use crate::db::{Database, Writer};
use crate::people;
use crate::schema::id_of;
use flette_odata::error::Result;
use flette_odata::{EntityRef, ODataError, Row, Table, Uuid, Value};

/// Contacts that `--demo` makes when no number is given.
pub const DEMO_ROWS: u64 = 1000;
/// Rows written in one transaction.
const ROWS_PER_TRANSACTION: u64 = 5000;
const DAY_MILLIS: i64 = 86_400_000;

/// Fills a database with `rows` contacts, a tenth as many accounts and a fifth as many tasks, once: a
/// database that has its demo data is left alone. Killed half way it goes on where it stopped. `progress`
/// hears how many of how many rows are done.
///
/// # Errors
/// 500 when the database fails.
pub fn fill(database: &Database, rows: u64, now: i64, progress: &mut dyn FnMut(u64, u64)) -> Result<()> {
    if database.read(|reader| reader.fact(Fact::DemoRows))?.is_some() {
        return Ok(());
    }
    let owners = database.read(|reader| {
        ["demo", "demo", "demo", "anna", "ola"].iter().map(|name| people::caller(reader, name)).collect()
    })?;
    let maker = Maker { owners, accounts: rows.div_ceil(10), contacts: rows, now };
    let kinds = [Kind::Account, Kind::Contact, Kind::Task];
    let (mut done, all) = (0, kinds.iter().map(|kind| maker.total(*kind)).sum());
    for kind in kinds {
        let total = maker.total(kind);
        let mut next = 0;
        while next < total {
            let end = total.min(next + ROWS_PER_TRANSACTION);
            database.write(|writer| (next..end).try_for_each(|number| maker.make(writer, kind, number)))?;
            done += end - next;
            next = end;
            progress(done, all);
        }
    }
    database.write(|writer| writer.set_fact(Fact::DemoRows, &rows.to_string()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Account,
    Contact,
    Task,
}

impl Kind {
    fn table(self) -> &'static str {
        match self {
            Kind::Account => "account",
            Kind::Contact => "contact",
            Kind::Task => "task",
        }
    }

    fn id(self, number: u64) -> Uuid {
        id_of(&format!("demo/{}/{number}", self.table()))
    }

    fn reference(self, number: u64) -> Value {
        Value::Lookup(EntityRef { table: self.table().to_owned(), id: self.id(number) })
    }
}

struct Maker {
    owners: Vec<Caller>,
    accounts: u64,
    contacts: u64,
    now: i64,
}

type Values = Vec<(String, Value)>;

fn text(values: &mut Values, column: &str, value: impl Into<String>) {
    values.push((column.to_owned(), Value::Text(value.into())));
}

impl Maker {
    fn total(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Account => self.accounts,
            Kind::Contact => self.contacts,
            Kind::Task => self.contacts / 5,
        }
    }

    fn make(&self, writer: &Writer, kind: Kind, number: u64) -> Result<()> {
        let id = kind.id(number);
        let table: &Table = writer
            .schema
            .table(kind.table())
            .ok_or_else(|| ODataError::new(500, "", "The schema lacks a table of the demo."))?;
        if writer.is_taken(table, id)? {
            return Ok(());
        }
        let mut dice = Dice::new(kind, number);
        // A company, its people and their tasks have one owner.
        let company = match kind {
            Kind::Account => number,
            Kind::Contact => number % self.accounts,
            Kind::Task => dice.below(self.contacts.max(1)) % self.accounts,
        };
        let values = match kind {
            Kind::Account => self.account(number, &mut dice),
            Kind::Contact => self.contact(number, company, &mut dice),
            Kind::Task => self.task(number, company, &mut dice),
        };
        let owner = Dice::new(Kind::Account, company).below(self.owners.len() as u64);
        let owner = usize::try_from(owner).ok().and_then(|at| self.owners.get(at));
        let owner = owner.ok_or_else(|| ODataError::new(500, "", "The demo has no owners."))?;
        let age = dice.days(700);
        let stamp = |row: &mut Row| {
            let day = |days: i64| Value::DateTime((self.now - days * DAY_MILLIS) / 1000 * 1000);
            row.insert("createdon".to_owned(), day(age + 30));
            row.insert("modifiedon".to_owned(), day(age));
        };
        create_row_unlinked(writer, owner, self.now, (table, id), values, stamp)
    }

    fn account(&self, number: u64, dice: &mut Dice) -> Values {
        let mut values = Values::new();
        let (family, business) = (dice.pick(names::LAST), dice.pick(names::BUSINESS));
        let town = dice.pick(names::TOWNS);
        text(&mut values, "name", format!("{family} {business} {}", town.form));
        text(&mut values, "accountnumber", format!("D-{number:06}"));
        text(&mut values, "telephone1", town.phone(dice));
        text(&mut values, "websiteurl", format!("https://{}.example/", ascii(family)));
        text(&mut values, "emailaddress1", format!("post@{}.example", ascii(family)));
        address(&mut values, town, dice);
        values.push(("industrycode".to_owned(), Value::Int(1 + dice.small(33))));
        values.push(("customertypecode".to_owned(), Value::Int(1 + dice.small(12))));
        values.push(("numberofemployees".to_owned(), Value::Int(1 + dice.small(5000))));
        let revenue = flette_odata::Decimal::from(dice.small(90_000) * 1000);
        values.push(("revenue".to_owned(), Value::Decimal(revenue)));
        // Contact n works at company n modulo the number of companies, so contact n is company n's first.
        if number < self.contacts {
            values.push(("primarycontactid".to_owned(), Kind::Contact.reference(number)));
        }
        values
    }

    fn contact(&self, number: u64, company: u64, dice: &mut Dice) -> Values {
        let mut values = Values::new();
        let (first, last) = (dice.pick(names::FIRST), dice.pick(names::LAST));
        let town = dice.pick(names::TOWNS);
        text(&mut values, "firstname", *first);
        text(&mut values, "lastname", *last);
        text(&mut values, "jobtitle", *dice.pick(names::TITLES));
        text(&mut values, "department", *dice.pick(names::DEPARTMENTS));
        let mail = format!("{}.{}{number}@flette.example", ascii(first), ascii(last));
        text(&mut values, "emailaddress1", mail);
        text(&mut values, "telephone1", town.phone(dice));
        text(&mut values, "mobilephone", town.phone(dice));
        address(&mut values, town, dice);
        let born = i32::try_from(dice.days(18_000)).unwrap_or_default() - 9_000;
        values.push(("birthdate".to_owned(), Value::Date(born)));
        values.push(("gendercode".to_owned(), Value::Int(1 + dice.small(2))));
        values.push(("preferredcontactmethodcode".to_owned(), Value::Int(1 + dice.small(5))));
        values.push(("donotphone".to_owned(), Value::Bool(dice.below(20) == 0)));
        values.push(("parentcustomerid".to_owned(), Kind::Account.reference(company)));
        values
    }

    fn task(&self, number: u64, company: u64, dice: &mut Dice) -> Values {
        let mut values = Values::new();
        let regarding = match number % 3 {
            0 => Kind::Account.reference(company),
            _ => Kind::Contact.reference(company),
        };
        text(&mut values, "subject", *dice.pick(names::SUBJECTS));
        text(&mut values, "description", "Made up for the demo.");
        values.push(("regardingobjectid".to_owned(), regarding));
        let due = self.now - self.now.rem_euclid(DAY_MILLIS) + (dice.days(60) - 30) * DAY_MILLIS;
        values.push(("scheduledstart".to_owned(), Value::DateTime(due - DAY_MILLIS)));
        values.push(("scheduledend".to_owned(), Value::DateTime(due)));
        values.push(("prioritycode".to_owned(), Value::Int(dice.small(3))));
        values.push(("percentcomplete".to_owned(), Value::Int(dice.small(11) * 10)));
        values
    }
}

fn address(values: &mut Values, town: &names::Town, dice: &mut Dice) {
    let street = format!("{} {}", dice.pick(town.streets), 1 + dice.small(140));
    text(values, "address1_line1", street);
    text(values, "address1_city", town.name);
    text(values, "address1_postalcode", town.postal_code);
    text(values, "address1_country", town.country);
}

/// Letters for mail addresses and hosts.
fn ascii(name: &str) -> String {
    let mut out = String::new();
    for letter in name.to_lowercase().chars() {
        match letter {
            'ä' | 'æ' => out.push_str("ae"),
            'ö' | 'ø' => out.push_str("oe"),
            'ü' => out.push_str("ue"),
            'å' => out.push_str("aa"),
            'ß' => out.push_str("ss"),
            'é' | 'è' | 'ê' | 'ë' => out.push('e'),
            'ł' => out.push('l'),
            'ç' | 'ć' | 'č' => out.push('c'),
            'ñ' | 'ń' => out.push('n'),
            'á' | 'ã' => out.push('a'),
            'í' => out.push('i'),
            'ó' | 'õ' => out.push('o'),
            'ş' | 'š' | 'ś' => out.push('s'),
            'ž' | 'ż' => out.push('z'),
            'ğ' => out.push('g'),
            letter if letter.is_ascii_alphanumeric() => out.push(letter),
            _ => {}
        }
    }
    out
}

/// Numbers that depend on nothing but the row (SplitMix64).
struct Dice(u64);

impl Dice {
    fn new(kind: Kind, number: u64) -> Dice {
        Dice(number.wrapping_mul(3).wrapping_add(kind as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }

    fn small(&mut self, end: u32) -> i64 {
        i64::try_from(self.below(u64::from(end))).unwrap_or_default()
    }

    fn days(&mut self, end: u32) -> i64 {
        self.small(end)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let at = usize::try_from(self.below(from.len() as u64)).unwrap_or_default();
        &from[at]
    }
}

impl names::Town {
    fn phone(&self, dice: &mut Dice) -> String {
        format!("{} {:03} {:04}", self.dialling, dice.small(1000), dice.small(10_000))
    }
}
