//! What a human decides of conflicts.

use super::Draft;
use crate::error::Result;
use crate::model::{Clash, Conflict, EntityRef, FieldEdit, Key, Row, Side, TraceEvent, Value};
use flette_odata::edm::Column;
use flette_odata::{rules, ODataError, Table};
use uuid::Uuid;

impl Draft<'_> {
    /// Makes the `take` side's value stand, as a new local change. Where that side won already, nothing changes.
    ///
    /// # Errors
    /// 404 for an unknown conflict or a row that is gone; 409 for one that was resolved before; 400 for a column that is
    /// not here any more, or cannot be edited here, and for what the service would refuse of an edit: of a closed row, say.
    /// 501 to delete a row that is not here, and may be on the server.
    pub fn resolve_conflict(&mut self, id: Uuid, take: Side) -> Result<()> {
        let unknown = || ODataError::new(404, "0x80040217", format!("There is no conflict {id}."));
        let mut conflict = self.state().conflicts.get(&id).cloned().ok_or_else(unknown)?;
        if conflict.resolved.is_some() {
            return Err(
                ODataError::new(409, "0x80040203", format!("Conflict {id} was resolved before.")).into()
            );
        }
        match (&conflict.clash, take) {
            // It stands, or what came after it does.
            (_, side) if side == conflict.winner => {}
            (Clash::Field { name, local, .. }, Side::Local) => self.set_field(&conflict, name, local)?,
            (Clash::Field { name, server, .. }, Side::Server) => self.set_field(&conflict, name, server)?,
            (Clash::DeletedThere { row, .. }, Side::Local) => self.create_again(&conflict.key, row)?,
            (Clash::DeletedHere, Side::Local) => self.delete_again(&conflict.key)?,
            (Clash::DeletedThere { .. } | Clash::DeletedHere, Side::Server) => {}
        }
        conflict.resolved = Some(take);
        let decision = match take {
            Side::Local => "take-local",
            Side::Server => "take-server",
        };
        self.note(TraceEvent::Decided { op: conflict.op, decision });
        self.log(conflict);
        Ok(())
    }

    /// Edits the row as a request for that value would, by the same rules.
    fn set_field(&mut self, conflict: &Conflict, name: &str, value: &Value) -> Result<()> {
        let (key, schema) = (&conflict.key, self.schema());
        let table = schema.table(&key.table).filter(|table| table.column(name).is_some());
        let Some(table) = table else {
            return Err(ODataError::bad_request(format!("There is no column '{name}' any more.")).into());
        };
        let may_edit = |name: &str| table.column(name).is_some_and(|column| column.valid_for_update);
        if !may_edit(name) {
            let message = format!("The column '{name}' cannot be edited on this device.");
            return Err(ODataError::bad_request(message).into());
        }
        let seen = self.row(key).ok_or_else(|| ODataError::row_not_found(&key.table, key.id))?;
        let value = self.as_known(value.clone());
        let changes = rules::complete_update(table, &seen.row, vec![(name.to_owned(), value)])?;
        self.check_money((table, key), &seen.row, &changes)?;
        let edits = changes.into_iter().filter(|(name, _)| may_edit(name)).map(|(name, new)| {
            let old = seen.row.get(&name).cloned().unwrap_or_default();
            FieldEdit { name, old, new }
        });
        self.update(key, edits.collect());
        Ok(())
    }

    /// A value with the id that the server knows, where it points to a row that has two.
    fn as_known(&self, value: Value) -> Value {
        match value {
            Value::Lookup(to) => Value::Lookup(EntityRef { id: self.target(&to), table: to.table }),
            other => other,
        }
    }

    /// Deletes the row that stayed, unless it is gone by now.
    fn delete_again(&mut self, key: &Key) -> Result<()> {
        if self.row(key).is_some() {
            self.delete(key);
            return Ok(());
        }
        let is_known = self.state().mirror_row(key).is_some() || !self.entries_of(key).is_empty();
        match is_known || self.state().is_complete(&key.table) {
            true => Ok(()),
            // Left out by a filter, say.
            false => {
                let table = &key.table;
                let message =
                    format!("The row of '{table}' is not here: it can be deleted on the server only.");
                Err(ODataError::not_implemented(message).into())
            }
        }
    }

    /// A row that was deleted on the server is made anew, under a new id: a deleted id never comes back.
    fn create_again(&mut self, key: &Key, row: &Row) -> Result<()> {
        let schema = self.schema();
        let table = schema.table(&key.table).ok_or_else(|| ODataError::segment_not_found(&key.table))?;
        let values =
            creatable(table, row).into_iter().map(|(name, value)| (name, self.as_known(value))).collect();
        let id = self.new_id();
        let now = self.corrected_now().0;
        let record = &self.record;
        let (user, unit) = (record.user, record.business_unit);
        let mut row = rules::complete_create(table, &schema, values, id, user, unit, now)?;
        self.follow_money(table, &mut row)?;
        self.create(Key::new(key.table.clone(), id), row);
        Ok(())
    }
}

fn creatable(table: &Table, row: &Row) -> Vec<(String, Value)> {
    let may_say =
        |c: &&Column| (c.valid_for_create || c.valid_for_update) && c.logical_name != table.primary_id;
    let columns = table.columns.iter().filter(may_say);
    let values = columns.filter_map(|c| Some((c.logical_name.clone(), row.get(&c.logical_name)?.clone())));
    values.filter(|(_, value)| !value.is_null()).collect()
}
