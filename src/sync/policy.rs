//! Whose value stands in a conflict, and which fields mean nothing apart.

use crate::merge::Rule;
use crate::model::{planted, Bug, Direction, Profile, Row, Value, STATE};
use flette_odata::edm::{Column, ColumnKind, Table};
use flette_odata::rules::money::CURRENCY;
use std::collections::{BTreeMap, BTreeSet};

/// Rules by table and field, [`Rule::Newest`] where nothing is set; and the columns that only go up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    tables: BTreeMap<String, Rule>,
    fields: BTreeMap<(String, String), Rule>,
    up: BTreeMap<String, BTreeSet<String>>,
}

impl Policy {
    /// What a profile says of merging.
    pub fn of(profile: &Profile) -> Policy {
        let mut policy = Policy::default();
        for (table, set) in &profile.tables {
            policy.tables.extend(set.merge.map(|rule| (table.clone(), rule)));
            for (name, field) in &set.fields {
                policy.fields.extend(field.merge.map(|rule| ((table.clone(), name.clone()), rule)));
                if field.direction == Direction::Up {
                    policy.up.entry(table.clone()).or_default().insert(name.clone());
                }
            }
        }
        policy
    }

    /// The same policy with a rule for all fields, and the deletions, of a table.
    pub fn with_table(mut self, table: &str, rule: Rule) -> Policy {
        self.tables.insert(table.to_owned(), rule);
        self
    }

    /// The same policy with a rule for one field; it comes before the table's.
    pub fn with_field(mut self, table: &str, field: &str, rule: Rule) -> Policy {
        self.fields.insert((table.to_owned(), field.to_owned()), rule);
        self
    }

    /// The rule of a table: for rows as a whole.
    pub fn table(&self, table: &str) -> Rule {
        self.tables.get(table).copied().unwrap_or_default()
    }

    /// The rule of fields that merge as one value: that of the first that has one of its own, else the table's.
    pub(super) fn fields<'c>(&self, table: &str, fields: impl IntoIterator<Item = &'c str>) -> Rule {
        let own = |field: &str| self.fields.get(&(table.to_owned(), field.to_owned())).copied();
        fields.into_iter().find_map(own).unwrap_or_else(|| self.table(table))
    }

    /// Whether the column of a row that is here is never changed by what the server says.
    pub(super) fn is_up(&self, table: &str, column: &str) -> bool {
        self.up.get(table).is_some_and(|columns| columns.contains(column))
    }

    /// All such columns, by table.
    pub(super) fn all_up(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.up
    }

    /// Whether a table has such columns.
    pub(super) fn has_up(&self, table: &str) -> bool {
        self.up.contains_key(table)
    }

    /// Gives a row that the server told the values of its columns that only go up: `known`, as it was told before. What
    /// `is_ours` stands as it is told.
    pub(super) fn carry(
        &self,
        table: &str,
        (row, known): (&mut Row, Option<&Row>),
        is_ours: &dyn Fn(&str, &Value) -> bool,
    ) {
        let Some(known) = known else { return };
        for name in self.up.get(table).into_iter().flatten() {
            let (Some(told), Some(before)) = (row.get_mut(name), known.get(name)) else { continue };
            if !is_ours(name, told) {
                told.clone_from(before);
            }
        }
    }
}

/// Parts of an address that only make sense together; `{prefix}` is `address1_` and so on.
const ADDRESS_PARTS: [&str; 7] =
    ["line1", "line2", "line3", "city", "stateorprovince", "postalcode", "country"];
const ADDRESSES: [&str; 3] = ["address1_", "address2_", "address3_"];

/// The columns that merge as one value with `column`, itself among them, in the table's order. `currency_changes` says
/// whether either side changed the row's currency: amounts mean nothing without it, but while it stands they are
/// independent of each other.
pub(super) fn group<'t>(table: &'t Table, column: &'t Column, currency_changes: bool) -> Vec<&'t Column> {
    let name = column.logical_name.as_str();
    let member: Box<dyn Fn(&Column) -> bool> = if let Some(prefix) = address_of(name) {
        Box::new(move |c: &Column| address_of(&c.logical_name) == Some(prefix))
    } else if STATE.contains(&name) {
        Box::new(|c: &Column| STATE.contains(&c.logical_name.as_str()))
    } else if currency_changes && in_currency(column) {
        Box::new(in_currency)
    } else {
        return vec![column];
    };
    if planted(Bug::LinesApart) {
        return vec![column];
    }
    table.columns.iter().filter(|c| c.valid_for_update && member(c)).collect()
}

fn address_of(name: &str) -> Option<&'static str> {
    let part = |prefix: &&str| name.strip_prefix(*prefix).is_some_and(|part| ADDRESS_PARTS.contains(&part));
    ADDRESSES.into_iter().find(part)
}

fn in_currency(column: &Column) -> bool {
    column.logical_name == CURRENCY || matches!(column.kind, ColumnKind::Money { .. })
}

#[cfg(test)]
mod tests;
