//! Rows that have another id on the server than they were made with here: what is about them, and what points to them.

use super::Draft;
use crate::error::Result;
use crate::journal::{Entry, RowRequest};
use crate::model::{planted, Bug, Change, EntityRef, FieldEdit, Key, Row, Value};
use flette_odata::{ordered, Schema};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Rows with another id on the server, by the id that they have here. Ids are unique over tables (RFC 9562).
pub(crate) struct Renamed<'k> {
    by_id: BTreeMap<Uuid, (&'k Key, &'k Key)>,
    /// Columns of pairs, which name their rows by plain ids, and columns of ids: by table.
    plain: BTreeMap<String, BTreeSet<String>>,
}

impl<'k> Renamed<'k> {
    /// Of these rows: their keys here, and there.
    pub(crate) fn of(schema: &Schema, rows: impl Iterator<Item = (&'k Key, &'k Key)>) -> Renamed<'k> {
        let by_id: BTreeMap<Uuid, (&Key, &Key)> =
            rows.map(|(here, there)| (here.id, (here, there))).collect();
        let tables = ordered::set(by_id.values().map(|(here, _)| here.table.as_str()));
        let mut plain: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut add = |table: &str, column: &str| {
            plain.entry(table.to_owned()).or_default().insert(column.to_owned());
        };
        for pairs in &schema.many_to_many {
            for end in
                [&pairs.first, &pairs.second].into_iter().filter(|end| tables.contains(end.table.as_str()))
            {
                add(&pairs.intersect, &end.column);
            }
        }
        for table in schema.tables.iter().filter(|table| tables.contains(table.logical_name.as_str())) {
            add(&table.logical_name, &table.primary_id);
        }
        Renamed { by_id, plain }
    }

    fn key(&self, key: &Key) -> Option<&'k Key> {
        self.by_id.get(&key.id).filter(|(here, _)| *here == key).map(|(_, there)| *there)
    }

    fn target(&self, to: &EntityRef) -> Option<Uuid> {
        self.by_id.get(&to.id).filter(|(here, _)| here.table == to.table).map(|(_, there)| there.id)
    }

    /// What a value is by the new ids, if it is another one.
    fn value(&self, table: &str, column: &str, value: &Value) -> Option<Value> {
        match value {
            Value::Lookup(to) => {
                let id = self.target(to)?;
                Some(Value::Lookup(EntityRef { table: to.table.clone(), id }))
            }
            Value::Guid(id) => {
                let (_, there) = self.by_id.get(id)?;
                let is_plain = self.plain.get(table).is_some_and(|columns| columns.contains(column));
                is_plain.then_some(Value::Guid(there.id))
            }
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Decimal(_)
            | Value::Double(_)
            | Value::Text(_)
            | Value::DateTime(_)
            | Value::Date(_) => None,
        }
    }

    /// Whether an entry is about one of the rows, held by one, or points to one.
    fn concerns(&self, entry: &Entry) -> bool {
        let table = entry.key.table.as_str();
        let is_other = |column: &str, value: &Value| self.value(table, column, value).is_some();
        self.key(&entry.key).is_some()
            || entry.holders.iter().any(|holder| self.key(holder).is_some())
            || match &entry.change {
                Change::Create(row) => row.iter().any(|(name, value)| is_other(name, value)),
                Change::Update(edits) => edits
                    .iter()
                    .any(|edit| is_other(&edit.name, &edit.old) || is_other(&edit.name, &edit.new)),
                Change::Delete => {
                    entry.before.iter().flat_map(|known| &known.1).any(|(name, value)| is_other(name, value))
                }
            }
    }

    /// A request as if the rows had never had their first ids.
    pub(crate) fn turn(&self, request: &mut RowRequest) {
        self.turn_parts(&mut request.key, &mut request.change, &mut request.holders);
    }

    pub(crate) fn turn_key(&self, key: &mut Key) {
        if let Some(there) = self.key(key) {
            there.clone_into(key);
        }
    }

    fn turn_value(&self, table: &str, name: &str, value: &mut Value) {
        if let Some(other) = self.value(table, name, value) {
            *value = other;
        }
    }

    fn turn_parts(&self, key: &mut Key, change: &mut Change, holders: &mut [Key]) {
        let turn = |name: &str, value: &mut Value| self.turn_value(&key.table, name, value);
        match change {
            Change::Create(row) => turn_row(row, turn),
            Change::Update(edits) => {
                for FieldEdit { name, old, new } in edits {
                    turn(name, old);
                    turn(name, new);
                }
            }
            Change::Delete => {}
        }
        holders.iter_mut().for_each(|holder| self.turn_key(holder));
        self.turn_key(key);
    }
}

fn turn_row(row: &mut Row, turn: impl Fn(&str, &mut Value)) {
    row.iter_mut().for_each(|(name, value)| turn(name, value));
}

impl Draft<'_> {
    /// From here on both ids mean the rows that were made here, and that the server keeps under other ids: their entries, all that
    /// points to them or is held by them, and what was logged of them.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::error::Error) when an id is mapped to something else.
    pub(crate) fn rename(&mut self, renamed: &Renamed) -> Result<()> {
        for (here, there) in renamed.by_id.values() {
            self.map_id((*here).clone(), there.id)?;
        }
        if planted(Bug::LocalIdSent) {
            return Ok(());
        }
        let moved: Vec<Entry> = self.all_entries().filter(|entry| renamed.concerns(entry)).cloned().collect();
        for mut entry in moved {
            if let Some((_, row)) = entry.before.as_deref_mut() {
                turn_row(row, |name, value| renamed.turn_value(&entry.key.table, name, value));
            }
            renamed.turn_parts(&mut entry.key, &mut entry.change, &mut entry.holders);
            self.put(entry);
        }
        let logged = self.state().conflicts.values().filter(|conflict| renamed.key(&conflict.key).is_some());
        for conflict in logged {
            self.effects.conflicts.entry(conflict.id).or_insert_with(|| conflict.clone());
        }
        self.effects.conflicts.values_mut().for_each(|conflict| renamed.turn_key(&mut conflict.key));
        Ok(())
    }
}
