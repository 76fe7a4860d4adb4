//! The view as a source of answers.

use super::order::Order;
use super::seen::{At, Columns, SeenTable};
use super::View;
use crate::model::Key;
use flette_odata::answer::{Each, FetchQuery, FetchRow, Found, Listing, Related, Source, Stored, Window};
use flette_odata::error::Result;
use flette_odata::fetchxml::{self, Entity};
use flette_odata::filter::Filter;
use flette_odata::query::Apply;
use flette_odata::render::Cell;
use flette_odata::stamps::Stamps;
use flette_odata::{Column, Schema, Table, Uuid, Value};
use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

/// A row that was found.
struct Row<'v, 's> {
    seen: &'v SeenTable<'s>,
    columns: &'v Columns<'s>,
    order: Option<&'v Order<'s>>,
    at: At,
    id: Uuid,
}

impl Found for Row<'_, '_> {
    fn cell(&self, at: usize) -> Cell<'_> {
        self.columns.cell(self.at, at)
    }

    fn etag(&self) -> Cow<'_, str> {
        self.seen.etag(self.at)
    }

    fn id(&self) -> Uuid {
        self.id
    }

    fn position(&self) -> Vec<Value> {
        self.order.map(|order| order.position(self.at)).unwrap_or_default()
    }
}

fn columns_of<'s>(seen: &Rc<SeenTable<'s>>, columns: &[&Column]) -> Columns<'s> {
    seen.columns(columns.iter().map(|column| column.logical_name.as_str()))
}

fn number(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn count(rows: usize, limit: u64) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX).min(limit)
}

impl Source for View<'_> {
    fn schema(&self) -> &Schema {
        &self.state.schema
    }

    /// The server's own, which no row tells.
    fn definitions_version(&self) -> Option<i64> {
        None
    }

    fn check_readable(&self, table: &Table) -> Result<()> {
        self.seen(table).map(drop)
    }

    /// What the user may not see was never told.
    fn is_masked(&self, _table: &Table, _column: &Column) -> bool {
        false
    }

    fn resolved(&self, filter: &Filter, table: &Table) -> Result<Filter> {
        self.resolve(filter, table)
    }

    fn row(&self, table: &Table, id: Uuid, columns: &[&Column]) -> Result<Option<Stored>> {
        let seen = self.seen(table)?;
        let key = Key::new(table.logical_name.clone(), id);
        let stored = seen.find_alone(self.kept(table, id)).and_then(|at| seen.stored(at, columns));
        if stored.is_none() && !self.state.is_complete(&table.logical_name) && !self.state.is_known(&key) {
            self.doubts.borrow_mut().missed = true;
        }
        Ok(stored)
    }

    fn list(&self, listing: &Listing, columns: &[&Column], each: &mut Each) -> Result<()> {
        let seen = self.seen(listing.table)?;
        let condition = self.all_of(&seen, listing.filter, listing.within)?;
        let order = Order::new(self, &seen, listing.order)?;
        let columns = columns_of(&seen, columns);
        for at in order.first_where(condition.as_ref(), listing.after, number(listing.limit)) {
            let row = Row { seen: &seen, columns: &columns, order: Some(&order), at, id: seen.id(at) };
            if !each(&row)? {
                break;
            }
        }
        Ok(())
    }

    fn count(&self, listing: &Listing) -> Result<u64> {
        let seen = self.seen(listing.table)?;
        let condition = self.all_of(&seen, listing.filter, listing.within)?;
        Ok(count(seen.count(condition.as_ref()), listing.limit))
    }

    fn related(
        &self,
        related: &Related,
        holders: &[Uuid],
        columns: &[&Column],
        each: &mut Each,
    ) -> Result<()> {
        let seen = self.seen(related.table)?;
        let order = Order::new(self, &seen, related.order)?;
        let columns = columns_of(&seen, columns);
        for (holder, rows) in self.collections(&seen, related, holders, number(related.limit))? {
            for at in rows {
                let row = Row { seen: &seen, columns: &columns, order: Some(&order), at, id: holder };
                if !each(&row)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn related_counts(&self, related: &Related, holders: &[Uuid]) -> Result<HashMap<Uuid, u64>> {
        let seen = self.seen(related.table)?;
        let collections = self.collections(&seen, related, holders, usize::MAX)?.into_iter();
        Ok(collections.map(|(holder, rows)| (holder, count(rows.len(), u64::MAX))).collect())
    }

    fn rows_of(&self, table: &Table, ids: &[Uuid], columns: &[&Column], each: &mut Each) -> Result<()> {
        let seen = self.seen(table)?;
        let columns = columns_of(&seen, columns);
        for id in ids {
            let Some(at) = seen.find(self.kept(table, *id)) else { continue };
            let row = Row { seen: &seen, columns: &columns, order: None, at, id: seen.id(at) };
            if !each(&row)? {
                break;
            }
        }
        Ok(())
    }

    /// Of rows that are not here no name is known: their formatted values are left out.
    fn names_of(&self, table: &Table, ids: &[Uuid]) -> Result<Vec<(Uuid, String)>> {
        if table.column(&table.primary_name).is_none() || !self.is_here(table) {
            return Ok(Vec::new());
        }
        let seen = self.seen(table)?;
        let names = seen.columns([table.primary_name.as_str()]);
        let name = |id: &Uuid| match names.cell(seen.find(self.kept(table, *id))?, 0) {
            Cell::Text(name) => Some((*id, name.to_owned())),
            _ => None,
        };
        Ok(ids.iter().filter_map(name).collect())
    }

    /// They are kept by the server alone.
    fn stamps_of(&self, _table: &Table, _ids: &[Uuid]) -> Result<HashMap<Uuid, Stamps>> {
        Ok(HashMap::new())
    }

    fn groups(&self, table: &Table, apply: &Apply) -> Result<Vec<Vec<Value>>> {
        self.grouped(table, apply)
    }

    fn fetch(&self, asked: &FetchQuery, window: Window) -> Result<Vec<FetchRow>> {
        self.check_whole(&asked.fetch.entity)?;
        self.fetched(asked, window)
    }

    fn fetch_count(&self, asked: &FetchQuery, limit: u64) -> Result<u64> {
        Ok(count(self.fetched_count(asked)?, limit))
    }
}

impl View<'_> {
    /// Whether all columns that a query asks for are here. Rows of which changes wait, that the server does not know of,
    /// are shown as far as they are here.
    ///
    /// # Errors
    /// 501 when it asks for all of a table of which a profile leaves some out.
    fn check_whole(&self, entity: &Entity) -> Result<()> {
        let mut tables = Vec::new();
        let mut lacking = Vec::new();
        let mut entities = vec![entity];
        while let Some(entity) = entities.pop() {
            tables.push(entity.table.as_str());
            if entity.columns == fetchxml::Columns::All {
                lacking.extend(self.state.lacking_columns(&entity.table).map(|error| (error, &entity.table)));
            }
            entities.extend(entity.links.iter().map(|link| &link.entity));
        }
        let waits = tables.iter().any(|table| self.state.table_waits(table));
        for (error, table) in lacking {
            match waits {
                true => self.lacks(table),
                false => return Err(error),
            }
        }
        Ok(())
    }
}
