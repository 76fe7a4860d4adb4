//! Which tables' definitions are read anew, and the schema that they make with those that are known. Pure.

use crate::model::LeftOut;
use crate::remote::{DefinitionChanges, Described};
use flette_odata::edm::{ManyToMany, Schema, Table};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Kinds of definitions that are of no concern where nothing here has their id: a table that is not in scope, or a column of one.
/// Ids of relationships of one to many are not kept here.
const OF_NO_CONCERN: [&str; 3] = ["Entity", "Default", "Attribute"];

/// What is known here.
pub(super) struct Known<'a> {
    /// As the profile left it.
    pub(super) schema: &'a Schema,
    pub(super) left_out: &'a LeftOut,
    /// Tables with columns whose options are a global set's.
    pub(super) shared_options: &'a BTreeSet<String>,
    /// Tables of which the server said what does not fit.
    pub(super) doubted: &'a BTreeSet<String>,
}

/// Of which tables in scope definitions are read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    All,
    Only(BTreeSet<String>),
}

/// Tables with alternate keys: no server tells that a key is gone, so their keys are asked for.
pub(super) fn keyed(schema: &Schema, scope: &[String]) -> Vec<String> {
    let has_keys = |name: &&String| schema.table(name).is_some_and(|table| !table.keys.is_empty());
    scope.iter().filter(has_keys).cloned().collect()
}

/// What is to be read after these changes, so that the schema is as if all had been.
pub(super) fn reading(known: &Known, scope: &[String], changes: &DefinitionChanges) -> Reading {
    let schema = known.schema;
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for (name, id) in &changes.changed {
        let by_id = || schema.tables.iter().find(|table| Some(table.metadata_id) == *id);
        match name.as_deref().or_else(|| Some(by_id()?.logical_name.as_str())) {
            Some(name) => drop(names.insert(name)),
            None => return Reading::All,
        }
    }
    let owners = owners(schema);
    for (kind, id) in &changes.gone {
        match owners.get(id) {
            Some(tables) => names.extend(tables),
            None if OF_NO_CONCERN.contains(&kind.as_str()) => {}
            None => return Reading::All,
        }
    }
    let must = |name: &&String| {
        let Some(table) = schema.table(name) else { return true };
        names.contains(name.as_str())
            || !known.left_out.of(name).is_empty()
            || known.shared_options.contains(*name)
            || known.doubted.contains(*name)
            || !has_its_keys(table, changes)
    };
    Reading::Only(scope.iter().filter(must).cloned().collect())
}

/// The tables that a definition is part of, by its `MetadataId`.
fn owners(schema: &Schema) -> BTreeMap<Uuid, Vec<&str>> {
    let mut owners: BTreeMap<Uuid, Vec<&str>> = BTreeMap::new();
    for table in &schema.tables {
        let columns = table.columns.iter().map(|column| column.metadata_id);
        let keys = table.keys.iter().map(|key| key.metadata_id);
        for id in columns.chain(keys).chain([table.metadata_id]) {
            owners.entry(id).or_default().push(&table.logical_name);
        }
    }
    for pairs in &schema.many_to_many {
        owners.entry(pairs.metadata_id).or_default().extend(participants(pairs));
    }
    owners
}

fn participants(pairs: &ManyToMany) -> [&str; 3] {
    [&pairs.first.table, &pairs.second.table, &pairs.intersect].map(String::as_str)
}

fn has_its_keys(table: &Table, changes: &DefinitionChanges) -> bool {
    let known: BTreeSet<Uuid> = table.keys.iter().map(|key| key.metadata_id).collect();
    known.is_empty() || changes.keys.get(&table.logical_name) == Some(&known)
}

/// The schema of the tables in scope: of those that were `read` as they are now, `None` for one that the server does not
/// describe, and of the others as they are known.
pub(super) fn together(
    known: &Schema,
    scope: &[String],
    mut read: BTreeMap<String, Option<Described>>,
) -> Schema {
    // What a table tells that was read is so now, whatever was known from the other end of it.
    let told: BTreeMap<String, BTreeSet<Uuid>> = read
        .iter()
        .filter_map(|(name, described)| {
            let pairs = &described.as_ref()?.pairs;
            Some((name.clone(), pairs.iter().map(|pairs| pairs.metadata_id).collect()))
        })
        .collect();
    let stands = |pairs: &&ManyToMany| {
        let ends = [&pairs.first.table, &pairs.second.table];
        ends.into_iter().filter_map(|end| told.get(end)).all(|told| told.contains(&pairs.metadata_id))
    };
    let mut schema = Schema::default();
    for name in scope {
        let pairs: Vec<ManyToMany> = match read.remove(name) {
            Some(Some(described)) => {
                schema.tables.push(described.table);
                described.pairs
            }
            Some(None) => continue,
            None => {
                schema.tables.extend(known.table(name).cloned());
                let of_it = |pairs: &&ManyToMany| participants(pairs).contains(&name.as_str());
                known.many_to_many.iter().filter(of_it).filter(stands).cloned().collect()
            }
        };
        // Both tables of a relationship of many to many tell of it.
        for pairs in pairs {
            if schema.many_to_many.iter().all(|known| known.relationship != pairs.relationship) {
                schema.many_to_many.push(pairs);
            }
        }
    }
    schema
}

#[cfg(test)]
mod tests;
