//! Names that customisers may choose.

use super::body::{invalid, taken};
use flette_odata::error::Result;
use flette_odata::{Schema, Table};

/// Longest schema name of a table, column, key, option set or relationship, characters.
pub(crate) const NAME_LENGTH_MAX: usize = 50;
/// Characters of a publisher's prefix.
const PREFIX_LENGTHS: std::ops::RangeInclusive<usize> = 2..=8;
/// Prefixes that belong to the server and to its databases.
const PREFIXES_TAKEN: [&str; 4] = ["mscrm", "flette", "sqlite", "pg"];
/// Longest label, characters.
pub(crate) const LABEL_LENGTH_MAX: usize = 100;

/// A schema name: a publisher's prefix, `_`, letters, digits and `_`.
///
/// # Errors
/// 400 for any other.
pub(super) fn check(name: &str) -> Result<()> {
    let is_word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let (prefix, rest) = name.split_once('_').unwrap_or((name, ""));
    let prefix_fits = PREFIX_LENGTHS.contains(&prefix.len())
        && prefix.starts_with(|c: char| c.is_ascii_alphabetic())
        && !PREFIXES_TAKEN.contains(&prefix.to_lowercase().as_str());
    match prefix_fits && !rest.is_empty() && is_word(name) && name.len() <= NAME_LENGTH_MAX {
        true => Ok(()),
        false => Err(invalid(format!(
            "A SchemaName is a publisher's prefix of 2 to 8 letters and digits, '_', and letters, digits and '_': at \
             most {NAME_LENGTH_MAX} characters."
        ))),
    }
}

/// A label that people read.
///
/// # Errors
/// 400 when it is empty or too long.
pub(super) fn check_label(text: &str) -> Result<()> {
    match (1..=LABEL_LENGTH_MAX).contains(&text.chars().count()) {
        true => Ok(()),
        false => Err(invalid(format!("A label has 1 to {LABEL_LENGTH_MAX} characters."))),
    }
}

/// Whether a new table may have these names.
///
/// # Errors
/// 400 `0x80047013` when a table or relationship has one already.
pub(super) fn check_table(schema: &Schema, logical_name: &str, set_name: &str) -> Result<()> {
    if schema.table(logical_name).is_some() || schema.table_by_set(logical_name).is_some() {
        return Err(taken("table", logical_name));
    }
    let is_word = set_name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_word || set_name.is_empty() || set_name.len() > 2 * NAME_LENGTH_MAX {
        return Err(invalid("The EntitySetName has letters, digits and '_' only."));
    }
    match schema.table_by_set(set_name).is_some() || schema.table(set_name).is_some() {
        true => Err(taken("table", set_name)),
        false => Ok(()),
    }
}

/// Whether a new column may have this name: no property or SQL column has it.
///
/// # Errors
/// 400 `0x80047013` when one has it already.
pub(super) fn check_column(table: &Table, logical_name: &str) -> Result<()> {
    let beside_lookup = logical_name.strip_suffix("_table").and_then(|name| table.column(name));
    match table.column(logical_name).is_some() || beside_lookup.is_some_and(|c| c.is_lookup()) {
        true => Err(taken("column", logical_name)),
        false => Ok(()),
    }
}

/// Whether a new relationship may have this name.
///
/// # Errors
/// 400 `0x80047013` when one has it already.
pub(super) fn check_relationship(schema: &Schema, name: &str) -> Result<()> {
    check(name)?;
    let is = |other: &str| other.eq_ignore_ascii_case(name);
    let lookups = schema.tables.iter().flat_map(|table| &table.columns).any(|column| match &column.kind {
        flette_odata::ColumnKind::Lookup { targets } => targets.iter().any(|t| is(&t.relationship)),
        _ => false,
    });
    match lookups || schema.many_to_many.iter().any(|r| is(&r.relationship)) {
        true => Err(taken("relationship", name)),
        false => Ok(()),
    }
}

/// Whether no property, navigation property or collection of a table has this name.
///
/// # Errors
/// 400 `0x80047013` when one has it already.
pub(super) fn check_property(schema: &Schema, table: &Table, name: &str) -> Result<()> {
    let collection = flette_odata::path::collection(schema, table, name).is_some();
    let pairs = schema.many_to_many(&table.logical_name, name).is_some();
    let plain = table.column(name).is_some_and(|column| !column.is_lookup());
    match collection || pairs || plain || table.navigation(name).is_some() {
        true => Err(taken("property", name)),
        false => Ok(()),
    }
}

/// The plural that a set of rows is called by.
pub(super) fn plural(logical_name: &str) -> String {
    let ends = |endings: &[&str]| endings.iter().any(|ending| logical_name.ends_with(ending));
    match logical_name.strip_suffix('y') {
        Some(start) if !ends(&["ay", "ey", "oy", "uy"]) => format!("{start}ies"),
        _ if ends(&["s", "x", "z", "ch", "sh"]) => format!("{logical_name}es"),
        _ => format!("{logical_name}s"),
    }
}
