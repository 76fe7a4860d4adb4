//! Tables that customisers add: with the columns that every table has.

use super::activity::ACTIVITIES;
use super::builder::{Ownership, TableBuilder};
use super::common::{currency, owned_columns, stamps};
use super::security;
use flette_odata::edm::OnDelete::Cascade;
use flette_odata::edm::{Column, ColumnKind, LookupTarget, ManyToMany, Schema, Table};
use flette_odata::Uuid;

/// What a customiser says of a new table.
#[derive(Debug)]
pub struct NewTable<'a> {
    /// `new_BankAccount`
    pub schema_name: &'a str,
    /// What people read.
    pub display_name: &'a str,
    /// Plural of the above.
    pub display_collection_name: &'a str,
    /// What URLs use.
    pub set_name: &'a str,
    /// `ObjectTypeCode`
    pub type_code: i32,
    /// Whether rows have owners.
    pub owned: bool,
    /// The column that names a row; the others come later.
    pub primary_name: Column,
}

/// The first type code of custom tables.
const TYPE_CODE_MIN: i32 = 10_000;

/// The type code of the next custom table.
pub fn next_type_code(schema: &Schema) -> i32 {
    let highest = schema.tables.iter().map(|table| table.type_code).max().unwrap_or_default();
    highest.saturating_add(1).max(TYPE_CODE_MIN)
}

/// A custom table. Every definition gets an id from `fresh`.
pub fn table(new: NewTable, fresh: &mut dyn FnMut() -> Uuid) -> Table {
    let owner = if new.owned { Ownership::User } else { Ownership::Organization };
    let names = (new.schema_name, new.display_name, new.display_collection_name);
    let logical_name = new.schema_name.to_lowercase();
    let builder = TableBuilder::new(names, new.set_name, new.type_code, owner)
        .id((&format!("{}Id", new.schema_name), new.display_name))
        .states(&[(0, "Active", 1), (1, "Inactive", 2)], &[(1, "Active", 0), (2, "Inactive", 1)]);
    let builder = match new.owned {
        true => owned_columns(builder, &logical_name),
        false => stamps(builder, &logical_name),
    };
    let mut table = builder.build();
    table.primary_name.clone_from(&new.primary_name.logical_name);
    table.columns.insert(1, new.primary_name);
    table.columns[0].custom = true;
    customised(table, fresh)
}

/// The intersect table of a custom relationship. `columns`: schema names of the two ids.
pub fn intersect(names: (&str, &str, i32), columns: [&str; 2], fresh: &mut dyn FnMut() -> Uuid) -> Table {
    customised(security::intersect(names, columns), fresh)
}

fn customised(mut table: Table, fresh: &mut dyn FnMut() -> Uuid) -> Table {
    (table.custom, table.metadata_id) = (true, fresh());
    table.columns.iter_mut().for_each(|column| column.metadata_id = fresh());
    table
}

/// What comes along with a custom amount of money: its twin in the base currency, and with a table's first one the
/// currency and its rate. Every definition gets an id from `fresh`.
pub fn along_with_amount(table: &Table, amount: &Column, fresh: &mut dyn FnMut() -> Uuid) -> Vec<Column> {
    let names = (table.schema_name.as_str(), table.display_name.as_str(), table.display_name.as_str());
    let builder = TableBuilder::new(names, &table.set_name, table.type_code, Ownership::User);
    let builder = builder.base_amount((&amount.schema_name, &amount.display_name));
    let mut columns = currency(builder, &table.logical_name).build().columns;
    columns.retain(|column| table.column(&column.logical_name).is_none());
    columns.iter_mut().for_each(|column| (column.custom, column.metadata_id) = (true, fresh()));
    columns
}

/// Lets rows of a table have notes.
pub fn add_notes(schema: &mut Schema, table: &str) {
    let target = LookupTarget {
        table: table.to_owned(),
        navigation: format!("objectid_{table}"),
        collection: format!("{table}_Annotations"),
        relationship: format!("{table}_Annotations"),
        on_delete: Cascade,
    };
    add_target(schema, "annotation", "objectid", target);
}

/// Lets activities regard rows of a table.
pub fn add_activities(schema: &mut Schema, table: &str) {
    let activities = ACTIVITIES.map(|(activity, _, plural)| (activity, plural));
    for (activity, plural) in activities.into_iter().chain([("activitypointer", "ActivityPointers")]) {
        let navigation = match activity {
            "activitypointer" => format!("regardingobjectid_{table}"),
            _ => format!("regardingobjectid_{table}_{activity}"),
        };
        let relationship = format!("{table}_{plural}");
        let target = LookupTarget {
            table: table.to_owned(),
            navigation,
            collection: relationship.clone(),
            relationship,
            on_delete: Cascade,
        };
        add_target(schema, activity, "regardingobjectid", target);
    }
}

fn add_target(schema: &mut Schema, table: &str, column: &str, target: LookupTarget) {
    let table = schema.tables.iter_mut().find(|t| t.logical_name == table);
    let column = table.and_then(|t| t.columns.iter_mut().find(|c| c.logical_name == column));
    if let Some(ColumnKind::Lookup { targets }) = column.map(|column| &mut column.kind) {
        if !targets.iter().any(|known| known.table == target.table) {
            targets.push(target);
        }
    }
}

/// Takes a table out of the lookups of notes and activities.
pub fn remove_notes_and_activities(schema: &mut Schema, table: &str) {
    for holder in schema.tables.iter_mut().filter(|t| t.activity || t.logical_name == "annotation") {
        for column in &mut holder.columns {
            if let ("objectid" | "regardingobjectid", ColumnKind::Lookup { targets }) =
                (column.logical_name.as_str(), &mut column.kind)
            {
                targets.retain(|target| target.table != table);
            }
        }
    }
}

/// Relationships that a table takes part in.
pub fn pairs_of<'s>(schema: &'s Schema, table: &'s str) -> impl Iterator<Item = &'s ManyToMany> {
    schema.many_to_many.iter().filter(move |r| r.first.table == table || r.second.table == table)
}
