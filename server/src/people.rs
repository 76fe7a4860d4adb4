//! The organisation, its business units and users: what a new database starts with, and the users of the
//! demo.

mod roles;

pub use roles::{give, Role};

use crate::auth::hash_password;
use crate::customize::show;
use crate::db::meta::Fact;
use crate::db::sessions::Caller;
use crate::db::{Database, Reader, Writer};
use crate::schema::id_of;
use flette_odata::error::Result;
use flette_odata::{Decimal, EntityRef, ODataError, Row, Table, Uuid, Value};

/// Password of the demo users.
pub const DEMO_PASSWORD: &str = "flette";
/// The user who owns what nobody else does.
pub const ADMIN: &str = "admin";

/// The business unit everything begins with.
const ROOT_UNIT: &str = "root";

struct Person {
    user_name: &'static str,
    first_name: &'static str,
    last_name: &'static str,
    unit: &'static str,
    role: Role,
}

const ADMINISTRATOR: Person = Person {
    user_name: ADMIN,
    first_name: "Ada",
    last_name: "Admin",
    unit: ROOT_UNIT,
    role: Role::Administrator,
};

const DEMO_PEOPLE: [Person; 3] = [
    Person {
        user_name: "demo",
        first_name: "Demo",
        last_name: "User",
        unit: ROOT_UNIT,
        role: Role::SalesManager,
    },
    Person {
        user_name: "anna",
        first_name: "Anna",
        last_name: "Åsen",
        unit: "Oslo",
        role: Role::Salesperson,
    },
    Person {
        user_name: "ola",
        first_name: "Ola",
        last_name: "Nordmann",
        unit: "Bergen",
        role: Role::Salesperson,
    },
];

/// Id of a user of this module.
pub fn user_id(user_name: &str) -> Uuid {
    id_of(&format!("user/{user_name}"))
}

/// Id of the business unit everything begins with.
pub fn root_unit_id() -> Uuid {
    unit_id(ROOT_UNIT)
}

fn unit_id(unit: &str) -> Uuid {
    id_of(&format!("unit/{unit}"))
}

/// Gives a new database its root business unit, its roles, its currency, the forms and views, and its
/// administrator, who cannot sign in before a password is set.
///
/// # Errors
/// 500 when the database fails.
pub fn found(database: &Database, now: i64) -> Result<()> {
    database.write(|writer| {
        let name = writer.fact(Fact::OrganizationName)?.unwrap_or_default();
        add_unit(writer, ROOT_UNIT, &name, now)?;
        roles::found(writer, unit_id(ROOT_UNIT), now)?;
        add_person(writer, &ADMINISTRATOR, now)?;
        add_currency(writer, now)?;
        show::found(writer, now)
    })
}

/// Adds the demo users where they are missing. A password that was set stays.
///
/// # Errors
/// 500 when the database fails.
pub fn add_demo_people(database: &Database, now: i64) -> Result<()> {
    // One hash for all of them: their password is no secret, and hashing takes its time.
    let mut hash = None;
    for person in [&ADMINISTRATOR].into_iter().chain(&DEMO_PEOPLE) {
        if database.read(|reader| reader.credential(person.user_name))?.is_some() {
            continue;
        }
        let password = match hash.take() {
            Some(known) => known,
            None => hash_password(DEMO_PASSWORD)?,
        };
        database.write(|writer| {
            if person.unit != ROOT_UNIT {
                add_unit(writer, person.unit, person.unit, now)?;
            }
            add_person(writer, person, now)?;
            let id = user_id(person.user_name);
            writer.set_credential(person.user_name, id, &password)
        })?;
        hash = Some(password);
    }
    Ok(())
}

/// Lets a user sign in with a new password only: all sessions of the user end. The user is named by `domainname`, or by the part of it before
/// the `@` for users of this module.
///
/// # Errors
/// 404 when there is no such user.
pub fn set_password(database: &Database, user_name: &str, password: &str) -> Result<()> {
    let hash = hash_password(password)?;
    database.write(|writer| {
        let user = caller(writer, user_name)?.user;
        writer.set_credential(&user_name.to_lowercase(), user, &hash)?;
        writer.end_sessions_of(user)
    })
}

/// A user by name as caller with every right, for the server's own work.
///
/// # Errors
/// 404 when there is no such user.
pub fn caller(reader: &Reader, user_name: &str) -> Result<Caller> {
    let id = user_id(&user_name.to_lowercase());
    let known = reader.user_by_domain_name(user_name)?.unwrap_or(id);
    reader.user(known)?.ok_or_else(|| ODataError::row_not_found("systemuser", id))
}

fn add_unit(writer: &Writer, unit: &str, name: &str, now: i64) -> Result<()> {
    let parent = match unit {
        ROOT_UNIT => Value::Null,
        _ => lookup("businessunit", unit_id(ROOT_UNIT)),
    };
    let values = [("name", Value::Text(name.to_owned())), ("parentbusinessunitid", parent)];
    add(writer, "businessunit", unit_id(unit), values.to_vec(), now).map(drop)
}

/// The base currency.
fn add_currency(writer: &Writer, now: i64) -> Result<()> {
    let text = |text: &str| Value::Text(text.to_owned());
    let values = vec![
        ("currencyname", text("US Dollar")),
        ("isocurrencycode", text("USD")),
        ("currencysymbol", text("$")),
        ("currencyprecision", Value::Int(2)),
        ("exchangerate", Value::Decimal(Decimal::from(1))),
        ("statecode", Value::Int(0)),
        ("statuscode", Value::Int(1)),
    ];
    add(writer, "transactioncurrency", id_of("currency/USD"), values, now).map(drop)
}

fn add_person(writer: &Writer, person: &Person, now: i64) -> Result<()> {
    let text = |text: String| Value::Text(text);
    let values = vec![
        ("firstname", text(person.first_name.to_owned())),
        ("lastname", text(person.last_name.to_owned())),
        ("fullname", text(format!("{} {}", person.first_name, person.last_name))),
        ("domainname", text(format!("{}@flette.example", person.user_name))),
        ("internalemailaddress", text(format!("{}@flette.example", person.user_name))),
        ("azureactivedirectoryobjectid", Value::Guid(id_of(&format!("directory/{}", person.user_name)))),
        ("isdisabled", Value::Bool(false)),
        ("businessunitid", lookup("businessunit", unit_id(person.unit))),
    ];
    match add(writer, "systemuser", user_id(person.user_name), values, now)? {
        true => give(writer, user_id(person.user_name), person.role),
        false => Ok(()),
    }
}

/// Adds a row where it is missing; whether it was.
fn add(writer: &Writer, table: &str, id: Uuid, values: Vec<(&str, Value)>, now: i64) -> Result<bool> {
    let table: &Table = writer
        .schema
        .table(table)
        .ok_or_else(|| ODataError::new(500, "", format!("The schema has no table {table}.")))?;
    if writer.is_taken(table, id)? {
        return Ok(false);
    }
    let now = Value::DateTime(now - now.rem_euclid(1000));
    let mut row: Row = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    row.insert(table.primary_id.clone(), Value::Guid(id));
    row.insert("createdon".to_owned(), now.clone());
    row.insert("modifiedon".to_owned(), now);
    writer.insert(table, &row).map(|_| true)
}

fn lookup(table: &str, id: Uuid) -> Value {
    Value::Lookup(EntityRef { table: table.to_owned(), id })
}
