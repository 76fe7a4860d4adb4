//! A row that has another id on the server than it was made with here: what is about it, and what points to it.

use super::Draft;
use crate::error::Result;
use crate::journal::RowRequest;
use crate::model::{planted, Bug, Change, Key, Row, Value};
use flette_odata::Schema;

impl Draft<'_> {
    /// From here on both ids mean the row that was made here as `here`, and that the server keeps as `there`: its entries, and
    /// all that points to it.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::error::Error) when either id is mapped to something else.
    pub fn rename(&mut self, schema: &Schema, here: &Key, there: &Key) -> Result<()> {
        self.map_id(here.clone(), there.id)?;
        for mut entry in self.entries_of(here) {
            entry.key = there.clone();
            self.put(entry);
        }
        self.redirect(schema, here, there);
        Ok(())
    }

    /// Whatever points to a row that the server does not know by this id, is held by it, or was logged of it, is about the other one.
    pub(super) fn redirect(&mut self, schema: &Schema, here: &Key, there: &Key) {
        if planted(Bug::LocalIdSent) {
            return;
        }
        for entry in self.all_entries() {
            let mut moved = entry.clone();
            turn_change(schema, &entry.key.table, &mut moved.change, (here, there));
            turn_keys(&mut moved.holders, (here, there));
            if moved != entry {
                self.put(moved);
            }
        }
        let logged = self.state().conflicts.values().filter(|conflict| conflict.key == *here);
        for conflict in logged.cloned().collect::<Vec<_>>() {
            self.effects.conflicts.entry(conflict.id).or_insert(conflict);
        }
        let keys = self.effects.conflicts.values_mut().map(|conflict| &mut conflict.key);
        keys.filter(|key| *key == here).for_each(|key| *key = there.clone());
    }
}

/// A request as if the row had never had its first id.
pub(crate) fn turn_request(schema: &Schema, request: &mut RowRequest, ids: (&Key, &Key)) {
    turn_change(schema, &request.key.table, &mut request.change, ids);
    turn_keys(&mut request.holders, ids);
    turn_keys(std::slice::from_mut(&mut request.key), ids);
}

fn turn_keys(keys: &mut [Key], (here, there): (&Key, &Key)) {
    keys.iter_mut().filter(|key| *key == here).for_each(|key| *key = there.clone());
}

fn turn_change(schema: &Schema, table: &str, change: &mut Change, (here, there): (&Key, &Key)) {
    let turn = |value: &mut Value| turn(value, here, there);
    match change {
        Change::Create(row) => {
            row.values_mut().for_each(turn);
            turn_pair(schema, table, row, (here, there));
            let own = schema.table(table).filter(|_| table == here.table).map(|table| &table.primary_id);
            let own = own.and_then(|name| row.get_mut(name)).filter(|id| **id == Value::Guid(here.id));
            own.into_iter().for_each(|id| *id = Value::Guid(there.id));
        }
        Change::Update(edits) => {
            edits.iter_mut().flat_map(|edit| [&mut edit.old, &mut edit.new]).for_each(turn);
        }
        Change::Delete => {}
    }
}

fn turn(value: &mut Value, here: &Key, there: &Key) {
    if let Value::Lookup(to) = value {
        if to.table == here.table && to.id == here.id {
            to.id = there.id;
        }
    }
}

/// A pair names its rows by plain ids.
fn turn_pair(schema: &Schema, table: &str, row: &mut Row, (here, there): (&Key, &Key)) {
    let pairs = schema.many_to_many.iter().filter(|pairs| pairs.intersect == table);
    for end in pairs.flat_map(|pairs| [&pairs.first, &pairs.second]).filter(|end| end.table == here.table) {
        if row.get(&end.column) == Some(&Value::Guid(here.id)) {
            row.insert(end.column.clone(), Value::Guid(there.id));
        }
    }
}
