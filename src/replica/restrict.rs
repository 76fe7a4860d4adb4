//! Deletions that the server would refuse: of a row that others point to by a relationship that restricts it and would not
//! go with it, and of the base currency.

use super::aftermath::rule;
use super::Draft;
use crate::error::Result;
use crate::mirror::Condition;
use crate::model::{Key, Value};
use flette_odata::edm::{Column, ColumnKind, OnDelete, Schema, Table};
use flette_odata::rules::money::CURRENCIES;
use flette_odata::ODataError;
use std::borrow::Cow;
use std::collections::BTreeSet;
use uuid::Uuid;

impl Draft<'_> {
    /// Whether a row may be deleted, by the rows that are seen here; the server may know others. The tables must be loaded.
    ///
    /// # Errors
    /// 405, as the server answers: `0x80040227` naming a row that points there, `0x8004023b` for the base currency.
    pub fn check_delete(&self, first: &Key) -> Result<()> {
        let (schema, first) = (self.schema(), self.resolve(first));
        if !is_ever_refused(&schema, &first.table) {
            return Ok(());
        }
        let mut doomed = BTreeSet::from([first.clone()]);
        let mut restricting = Vec::new();
        let mut level = doomed.clone();
        while !level.is_empty() {
            let mut next = BTreeSet::new();
            for (key, on_delete) in self.referring(&schema, &level) {
                match on_delete {
                    OnDelete::Cascade if doomed.insert(key.clone()) => drop(next.insert(key)),
                    OnDelete::Restrict => restricting.push(key),
                    OnDelete::Cascade | OnDelete::RemoveLink | OnDelete::NoCascade => {}
                }
            }
            level = next;
        }
        if let Some(row) = restricting.iter().find(|row| !doomed.contains(row)) {
            let message =
                format!("The {} {} is referenced by {} {}.", first.table, first.id, row.table, row.id);
            return Err(ODataError::new(405, "0x80040227", message).into());
        }
        let base = self.state().base_currency().map(|base| Key::new(CURRENCIES, base.id));
        match base.is_some_and(|base| doomed.contains(&base)) {
            true => Err(ODataError::new(405, "0x8004023b", "The base currency cannot be deleted.").into()),
            false => Ok(()),
        }
    }

    /// Rows that point to one of these by a relationship that lets a row go with it, or restricts its deletion.
    fn referring(&self, schema: &Schema, targets: &BTreeSet<Key>) -> Vec<(Key, OnDelete)> {
        let mut found = Vec::new();
        let tables: BTreeSet<&str> = targets.iter().map(|key| key.table.as_str()).collect();
        for table in &schema.tables {
            let matters = |column: &&Column| tables.iter().any(|to| matters(column, to).is_some());
            let columns: Vec<&Column> = table.columns.iter().filter(matters).collect();
            if !columns.is_empty() {
                self.local_referring(table, &columns, targets, &mut found);
                self.told_referring(table, &columns, targets, &mut found);
            }
        }
        found
    }

    /// Among the rows that are not as mirror alone says.
    fn local_referring(
        &self,
        table: &Table,
        columns: &[&Column],
        targets: &BTreeSet<Key>,
        found: &mut Vec<(Key, OnDelete)>,
    ) {
        let mut keys = self.state().touched(&table.logical_name);
        keys.extend(self.drafted.keys_of(&table.logical_name).cloned());
        for key in keys {
            let Some(seen) = self.drafted_row(&key) else { continue };
            for column in columns {
                let Some(Value::Lookup(to)) = seen.row.get(&column.logical_name) else { continue };
                let to = Key::new(to.table.clone(), to.id);
                let rule = matters(column, &to.table).filter(|_| targets.contains(&to));
                found.extend(rule.map(|rule| (key.clone(), rule)));
            }
        }
    }

    /// Among the others.
    fn told_referring(
        &self,
        table: &Table,
        columns: &[&Column],
        targets: &BTreeSet<Key>,
        found: &mut Vec<(Key, OnDelete)>,
    ) {
        let name = &table.logical_name;
        let Some(mirror) = self.state().tables.get(name).and_then(|table| table.mirror.as_ref()) else {
            return;
        };
        let mut skip: BTreeSet<Uuid> = self.state().touched(name).iter().map(|key| key.id).collect();
        skip.extend(self.drafted.keys_of(name).map(|key| key.id));
        let skip: Vec<Uuid> = skip.into_iter().collect();
        let tables: BTreeSet<&str> = targets.iter().map(|key| key.table.as_str()).collect();
        for column in columns {
            for target in &tables {
                let Some(rule) = matters(column, target) else { continue };
                let ids = targets.iter().filter(|key| key.table == *target).map(|key| key.id).collect();
                let (column, target) = (Cow::Borrowed(column.logical_name.as_str()), Cow::Borrowed(*target));
                let leads = Condition::Leads { column, table: Some(target), ids };
                let rows = mirror.select_where(Some(&leads), &skip).into_iter();
                let keys = rows.map(|at| Key::new(name.clone(), mirror.id_at(at)));
                // It may be gone with another row that this draft deletes.
                let is_there = |key: &Key| !self.drafted.deletes || self.row(key).is_some();
                found.extend(keys.filter(is_there).map(|key| (key, rule)));
            }
        }
    }
}

/// What the deletion of a row of `target` does to, or wants of, rows whose `column` points to it; `None` where it goes on
/// in any case.
fn matters(column: &Column, target: &str) -> Option<OnDelete> {
    rule(column, target).filter(|rule| matches!(rule, OnDelete::Cascade | OnDelete::Restrict))
}

/// Whether anything can restrict the deletion of a row of this table, or of one that goes with it.
fn is_ever_refused(schema: &Schema, table: &str) -> bool {
    let mut tables = vec![table];
    let mut at = 0;
    while let Some(target) = tables.get(at).copied() {
        at += 1;
        if target == CURRENCIES {
            return true;
        }
        for other in &schema.tables {
            let lookups = other.columns.iter().filter(|c| matches!(c.kind, ColumnKind::Lookup { .. }));
            for rule in lookups.filter_map(|column| matters(column, target)) {
                match rule {
                    OnDelete::Restrict => return true,
                    OnDelete::Cascade if !tables.contains(&other.logical_name.as_str()) => {
                        tables.push(&other.logical_name);
                    }
                    OnDelete::Cascade | OnDelete::RemoveLink | OnDelete::NoCascade => {}
                }
            }
        }
    }
    false
}
