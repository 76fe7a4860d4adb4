//! Requests by chance: lists, counts, references, groups, paths through rows, FetchXML.

use super::generate::{self, Chance};
use super::queries::{Dice, Realm, Writer};
use flette_odata::{Column, Table};

/// One request.
pub struct Asked {
    /// Below the root.
    pub path: String,
    /// Preferences, perhaps none.
    pub prefer: String,
}

/// Columns that FetchXML asks for, keys among them.
fn fetched(column: &Column) -> bool {
    let some = [
        "accountid",
        "contactid",
        "activityid",
        "leadid",
        "name",
        "fullname",
        "lastname",
        "subject",
        "description",
        "numberofemployees",
        "revenue",
        "address1_latitude",
        "donotphone",
        "industrycode",
        "prioritycode",
        "statecode",
        "scheduledend",
        "birthdate",
        "primarycontactid",
        "parentcustomerid",
        "parentaccountid",
        "regardingobjectid",
    ];
    some.contains(&column.logical_name.as_str())
}

/// A text as part of a query.
pub fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Preferences, perhaps none.
pub fn prefer(dice: &mut Dice) -> String {
    match dice.below(4) {
        0 => format!("odata.maxpagesize={}", 1 + dice.below(5)),
        1 => "odata.include-annotations=\"*\"".to_owned(),
        2 => format!("odata.include-annotations=\"*\",odata.maxpagesize={}", 1 + dice.below(5)),
        _ => String::new(),
    }
}

fn written(options: &[(String, String)]) -> String {
    options.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&")
}

/// Any request but FetchXML.
pub fn asked(realm: &Realm, dice: &mut Dice) -> Asked {
    let table = realm.schema.table(dice.pick(realm.tables)).unwrap();
    let path = match dice.one_in(7) {
        true => along(realm, dice, table),
        false => list(realm, dice, table),
    };
    Asked { path, prefer: prefer(dice) }
}

/// A list of a table, or of what hangs on one of its rows; or only how many, or which.
fn list(realm: &Realm, dice: &mut Dice, table: &Table) -> String {
    let (mut path, mut of) = (table.set_name.clone(), table);
    let collections = Writer { dice: &mut *dice, realm }.collections(table);
    if dice.one_in(6) && !collections.is_empty() {
        let (collection, target, _) = dice.pick(&collections);
        let id = (realm.id)(&table.logical_name, dice.below(realm.rows_max));
        path = format!("{path}({id})/{collection}");
        of = realm.schema.table(&target).unwrap();
    }
    let mut options = Writer { dice: &mut *dice, realm }.options(of);
    if dice.one_in(10) {
        path.push_str("/$count");
        options.retain(|(name, _)| name == "$filter");
    } else if path.contains('/') && dice.one_in(4) {
        path.push_str("/$ref");
        options.retain(|(name, _)| name == "$filter" || name == "$orderby");
    }
    format!("{path}?{}", written(&options))
}

/// A row or a list at the end of a path through others.
fn along(realm: &Realm, dice: &mut Dice, table: &Table) -> String {
    let mut writer = Writer { dice: &mut *dice, realm };
    let (path, table, is_list) = writer.walk(table);
    if is_list {
        return format!("{path}?{}", written(&writer.options(table)));
    }
    match writer.dice.below(4) {
        0 => path,
        1 => format!("{path}/{}", writer.property(table)),
        _ => format!("{path}?{}", written(&writer.row_options(table))),
    }
}

/// FetchXML: the set it is asked of, and the text.
pub fn fetch(realm: &Realm, dice: &mut Dice) -> (String, String) {
    let mut chance = Chance(dice.below(usize::MAX) as u64);
    let tables = [realm.tables, realm.pairs].concat();
    let text = generate::fetch(realm.schema, &tables, &fetched, &mut chance);
    let entity = text.split("<entity name='").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
    (realm.schema.table(entity).unwrap().set_name.clone(), text)
}
