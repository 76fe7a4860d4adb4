//! Field stamps, kept beside the columns of a row.

use super::cells::id_value;
use super::layout::STAMPS;
use super::rows::key_is;
use super::{name, Reader, Writer};
use flette_odata::error::Result;
use flette_odata::stamps::Stamps;
use flette_odata::{Table, Uuid};
use sea_query::{Expr, Query};
use std::collections::HashMap;

/// Ids in one statement.
const IDS_AT_ONCE: usize = 500;

impl Reader<'_> {
    /// When the columns of a row were last changed, as far as it is known. Of a union nothing is.
    pub fn stamps(&self, table: &Table, id: Uuid) -> Result<Stamps> {
        if table.union {
            return Ok(Stamps::default());
        }
        let mut query = Query::select();
        query.column(name(STAMPS)).from(name(&table.logical_name)).and_where(key_is(table, id));
        let text = self.first(&query, |row| row.text(0).map(str::to_owned))?.flatten();
        Ok(text.map(|text| Stamps::parse(&text)).unwrap_or_default())
    }
}

impl Reader<'_> {
    /// The same of many rows at once; rows of which nothing is known are left out.
    pub fn stamps_of(
        &self,
        table: &Table,
        ids: impl IntoIterator<Item = Uuid>,
    ) -> Result<HashMap<Uuid, Stamps>> {
        let mut known = HashMap::new();
        if table.union {
            return Ok(known);
        }
        let ids: Vec<Uuid> = ids.into_iter().collect();
        for some in ids.chunks(IDS_AT_ONCE) {
            let mut query = Query::select();
            query
                .columns([name(&table.primary_id), name(STAMPS)])
                .from(name(&table.logical_name))
                .and_where(Expr::col(name(&table.primary_id)).is_in(some.iter().map(|id| id_value(*id))));
            let found = self.all(&query, |row| row.id(0).zip(row.text(1).map(Stamps::parse)))?;
            known.extend(found.into_iter().flatten());
        }
        Ok(known)
    }
}

impl Writer<'_> {
    /// Keeps the stamps of a row that is there. The row's version stays: who writes them has just given it a new one.
    pub fn set_stamps(&self, table: &Table, id: Uuid, stamps: &Stamps) -> Result<()> {
        let mut update = Query::update();
        update
            .table(name(&table.logical_name))
            .value(name(STAMPS), stamps.to_text())
            .and_where(key_is(table, id));
        self.execute(&update).map(drop)
    }
}
