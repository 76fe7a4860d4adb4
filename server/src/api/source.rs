//! Rows of the database as one caller sees them: what answers to reads are made of.

use super::circumstances::Circumstances;
use super::{rights, Call};
use crate::db::query::{self, fetch, Collection};
use crate::db::rows::{etag, Sight};
use crate::db::Reader;
use flette_odata::answer::{
    Each, FetchQuery, FetchRow, Found, Listing, Related, Source, Stored, Window, Within,
};
use flette_odata::error::Result;
use flette_odata::filter::Filter;
use flette_odata::query::Apply;
use flette_odata::render::Cell;
use flette_odata::stamps::Stamps;
use flette_odata::{Column, Schema, Table, Uuid, Value};
use std::borrow::Cow;
use std::collections::HashMap;

/// See the module.
pub(super) struct Rows<'a> {
    reader: &'a Reader<'a>,
    call: &'a Call<'a>,
    sight: Sight,
    circumstances: Circumstances<'a>,
}

impl<'a> Rows<'a> {
    /// What a call sees.
    pub(super) fn new(reader: &'a Reader<'a>, call: &'a Call<'a>) -> Rows<'a> {
        let circumstances = Circumstances::new(reader, call);
        Rows { reader, call, sight: call.caller.sight(), circumstances }
    }

    fn collection(&self, within: Option<Within>) -> Result<Option<Collection<'_>>> {
        let find = |within: Within| Collection::find(self.reader.schema, within.holders, within.collection);
        within.map(find).transpose()
    }
}

/// A listing with who asks for it.
fn seen<'q>(
    listing: &Listing<'q>,
    sight: &'q Sight,
    collection: Option<&'q Collection<'q>>,
) -> query::Listing<'q> {
    let Listing { table, within, filter, order, after, limit } = *listing;
    query::Listing { table, sight, within: tied(within, collection), filter, order, after, limit }
}

fn tied<'q>(within: Option<Within<'q>>, collection: Option<&'q Collection<'q>>) -> Option<query::Within<'q>> {
    let (within, collection) = within.zip(collection)?;
    Some(query::Within { collection, holders: within.holders, holder: within.holder })
}

/// A row of a statement.
struct Row<'f, 'r>(&'f query::Found<'r>);

impl Found for Row<'_, '_> {
    fn cell(&self, at: usize) -> Cell<'_> {
        self.0.cell(at)
    }

    fn etag(&self) -> Cow<'_, str> {
        etag(self.0.version()).into()
    }

    fn id(&self) -> Uuid {
        self.0.id()
    }

    fn position(&self) -> Vec<Value> {
        self.0.position()
    }
}

impl Source for Rows<'_> {
    fn schema(&self) -> &Schema {
        self.reader.schema
    }

    fn definitions_version(&self) -> Option<i64> {
        Some(self.reader.schema_version)
    }

    fn check_readable(&self, table: &Table) -> Result<()> {
        rights::check_readable(self.call, table)
    }

    fn is_masked(&self, table: &Table, column: &Column) -> bool {
        self.sight.masks(table, column)
    }

    fn resolved(&self, filter: &Filter, table: &Table) -> Result<Filter> {
        self.circumstances.resolve(filter, table)
    }

    /// All columns: the database reads a row at once.
    fn row(&self, table: &Table, id: Uuid, _columns: &[&Column]) -> Result<Option<Stored>> {
        let stored = self.reader.row(table, id, &self.sight)?;
        let stored = stored.map(|stored| rights::masked(self.call, table, stored));
        Ok(stored.map(|stored| Stored { etag: stored.etag(), row: stored.row }))
    }

    fn list(&self, listing: &Listing, columns: &[&Column], each: &mut Each) -> Result<()> {
        let collection = self.collection(listing.within)?;
        let listing = seen(listing, &self.sight, collection.as_ref());
        self.reader.list(&listing, columns, |found| each(&Row(&found)))
    }

    fn count(&self, listing: &Listing) -> Result<u64> {
        let collection = self.collection(listing.within)?;
        self.reader.count(&seen(listing, &self.sight, collection.as_ref()))
    }

    fn related(
        &self,
        related: &Related,
        holders: &[Uuid],
        columns: &[&Column],
        each: &mut Each,
    ) -> Result<()> {
        let collection = Collection::find(self.reader.schema, related.holders, related.collection)?;
        let asked = self.asked(related, &collection);
        self.reader.related(&asked, holders, columns, |found| each(&Row(&found)).map(drop))
    }

    fn related_counts(&self, related: &Related, holders: &[Uuid]) -> Result<HashMap<Uuid, u64>> {
        let collection = Collection::find(self.reader.schema, related.holders, related.collection)?;
        self.reader.related_counts(&self.asked(related, &collection), holders)
    }

    fn rows_of(&self, table: &Table, ids: &[Uuid], columns: &[&Column], each: &mut Each) -> Result<()> {
        self.reader.rows_of((table, &self.sight), ids, columns, |found| each(&Row(&found)).map(drop))
    }

    fn names_of(&self, table: &Table, ids: &[Uuid]) -> Result<Vec<(Uuid, String)>> {
        self.reader.names_of(table, &self.sight, ids)
    }

    fn stamps_of(&self, table: &Table, ids: &[Uuid]) -> Result<HashMap<Uuid, Stamps>> {
        match self.call.extensions {
            true => self.reader.stamps_of(table, ids.iter().copied()),
            false => Ok(HashMap::new()),
        }
    }

    fn groups(&self, table: &Table, apply: &Apply) -> Result<Vec<Vec<Value>>> {
        self.reader.groups(table, &self.sight, apply)
    }

    fn fetch(&self, asked: &FetchQuery, window: Window) -> Result<Vec<FetchRow>> {
        let collection = self.collection(asked.within)?;
        self.reader.fetch(&self.fetched(asked, collection.as_ref()), window)
    }

    fn fetch_count(&self, asked: &FetchQuery, limit: u64) -> Result<u64> {
        let collection = self.collection(asked.within)?;
        self.reader.fetch_count(&self.fetched(asked, collection.as_ref()), limit)
    }
}

impl Rows<'_> {
    fn asked<'q>(&'q self, related: &Related<'q>, collection: &'q Collection<'q>) -> query::Related<'q> {
        let Related { holders, filter, order, limit, .. } = *related;
        query::Related { collection, holders, sight: &self.sight, filter, order, limit }
    }

    fn fetched<'q>(
        &'q self,
        asked: &FetchQuery<'q>,
        collection: Option<&'q Collection<'q>>,
    ) -> fetch::FetchQuery<'q> {
        let FetchQuery { fetch, within, utc_offset_minutes } = *asked;
        let within = tied(within, collection);
        fetch::FetchQuery { fetch, sight: &self.sight, within, utc_offset_minutes }
    }
}
