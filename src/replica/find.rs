//! Rows by their values, as the app would see them after a draft.

use super::{Draft, State};
use crate::model::{Key, Row};
use flette_odata::filter::{matches, Filter};
use uuid::Uuid;

impl State {
    /// Ids of rows of a table that pass, as the app sees them, in no order. The table must be loaded. No row is read
    /// that has no entries.
    pub fn ids_where(&self, table: &str, filter: &Filter) -> Vec<Uuid> {
        let touched = self.touched(table);
        let skip: Vec<Uuid> = touched.iter().map(|key| key.id).collect();
        let passes = |key: &&Key| {
            let seen = self.seen_row(key);
            seen.is_some_and(|seen| matches(filter, &|name| seen.row.get(name).cloned().unwrap_or_default()))
        };
        let mirror = self.tables.get(table).and_then(|table| table.mirror.as_ref());
        let told = mirror
            .into_iter()
            .flat_map(|mirror| mirror.select(Some(filter), &skip).into_iter().map(|at| mirror.id_at(at)));
        told.chain(touched.iter().filter(passes).map(|key| key.id)).collect()
    }

    /// Rows of a table that pass, as the server told them, in no order. The table must be loaded.
    pub fn told_where(&self, table: &str, filter: &Filter) -> Vec<(Uuid, Row)> {
        let Some(mirror) = self.tables.get(table).and_then(|t| t.mirror.as_ref()) else { return Vec::new() };
        let found = mirror.select(Some(filter), &[]).into_iter();
        found.map(|at| (mirror.id_at(at), mirror.row_at(at))).collect()
    }
}

impl Draft<'_> {
    /// Ids of rows of a table that pass a condition on their own columns, in no order. The table must be loaded.
    pub fn ids_where(&self, table: &str, filter: &Filter) -> Vec<Uuid> {
        let is_drafted = |id: &Uuid| self.drafted.of(&Key::new(table, *id)).next().is_some();
        let is_there = |id: &Uuid| self.row(&Key::new(table, *id)).is_some();
        let found = self.state().ids_where(table, filter).into_iter();
        let others = found.filter(|id| !is_drafted(id) && is_there(id));
        let passes = |key: &&Key| {
            let seen = self.drafted_row(key);
            seen.is_some_and(|seen| {
                matches(filter, &|column| seen.row.get(column).cloned().unwrap_or_default())
            })
        };
        others.chain(self.drafted.keys_of(table).filter(passes).map(|key| key.id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FieldEdit, Millis, Value};
    use crate::replica::{Identity, Replica};
    use crate::store::{memory::MemoryStore, Durability};
    use flette_odata::filter::CompareOp;

    /// Ids of accounts of this name.
    fn named(draft: &Draft, name: &str) -> Vec<u128> {
        let value = Value::Text(name.to_owned());
        let filter = Filter::Compare { column: "name".to_owned(), op: CompareOp::Equal, value };
        let mut ids: Vec<u128> = draft.ids_where("account", &filter).iter().map(|id| id.as_u128()).collect();
        ids.sort_unstable();
        ids
    }

    fn rename(draft: &mut Draft, id: u128, old: &str, new: &str) {
        let [old, new] = [old, new].map(|name| Value::Text(name.to_owned()));
        let edit = FieldEdit { name: "name".to_owned(), old, new };
        draft.update(&Key::new("account", Uuid::from_u128(id)), vec![edit]);
    }

    fn make(draft: &mut Draft, id: u128, name: &str) {
        let key = Key::new("account", Uuid::from_u128(id));
        let row = [("accountid", Value::Guid(key.id)), ("name", Value::Text(name.to_owned()))];
        draft.create(key, row.map(|(name, value)| (name.to_owned(), value)).into_iter().collect());
    }

    #[test]
    fn a_draft_finds_rows_as_they_are_after_each_of_its_changes() {
        let user = Uuid::from_u128(1);
        let identity = Identity { user, business_unit: user, organization: user };
        let opened = Replica::open(MemoryStore::new(), Box::new(|bytes| bytes.fill(7)), identity);
        let replica = pollster::block_on(opened).unwrap();
        let change = |act: &mut dyn FnMut(&mut Draft)| {
            let done = replica.transact(Millis(1000), Durability::Strict, &["account"], |draft| {
                act(draft);
                Ok(())
            });
            pollster::block_on(done).unwrap();
        };
        change(&mut |draft| draft.set_schema(flette_server::schema::schema()));
        change(&mut |draft| make(draft, 10, "a"));
        change(&mut |draft| {
            assert_eq!(named(draft, "a"), [10]);
            make(draft, 11, "a");
            make(draft, 12, "b");
            assert_eq!((named(draft, "a"), named(draft, "b")), (vec![10, 11], vec![12]));
            rename(draft, 10, "a", "b");
            rename(draft, 12, "b", "a");
            assert_eq!((named(draft, "a"), named(draft, "b")), (vec![11, 12], vec![10]));
            draft.delete(&Key::new("account", Uuid::from_u128(11)));
            assert_eq!((named(draft, "a"), named(draft, "b")), (vec![12], vec![10]));
        });
        change(&mut |draft| assert_eq!((named(draft, "a"), named(draft, "b")), (vec![12], vec![10])));
    }
}
