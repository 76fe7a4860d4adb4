//! The currencies that amounts are in.

use super::query::Listing;
use super::rows::Sight;
use super::Writer;
use flette_odata::error::Result;
use flette_odata::filter::{CompareOp, Filter};
use flette_odata::query::OrderBy;
use flette_odata::rules::money::{base_rate, Currency, CURRENCIES, RATE};
use flette_odata::{Table, Uuid};

impl Writer<'_> {
    /// The organisation's base currency, if there is one. Asked for once in a transaction.
    pub fn base_currency(&self) -> Result<Option<Currency>> {
        if let Some(known) = self.base_currency.get() {
            return Ok(known);
        }
        let found = match self.first_at_base_rate()? {
            Some(id) => self.currency(id)?,
            None => None,
        };
        self.base_currency.set(Some(found));
        Ok(found)
    }

    /// A currency by its id, in sight or not.
    pub fn currency(&self, id: Uuid) -> Result<Option<Currency>> {
        let Some(table) = self.schema.table(CURRENCIES) else { return Ok(None) };
        Ok(self.row(table, id, &Sight::Everything)?.and_then(|stored| Currency::of(id, &stored.row)))
    }

    fn first_at_base_rate(&self) -> Result<Option<Uuid>> {
        let Some(table) = self.schema.table(CURRENCIES) else { return Ok(None) };
        let filter = Filter::Compare { column: RATE.to_owned(), op: CompareOp::Equal, value: base_rate() };
        let order = OrderBy { path: Vec::new(), column: "createdon".to_owned(), descending: false };
        let listing = Listing {
            table,
            sight: &Sight::Everything,
            within: None,
            filter: Some(&filter),
            order: &[order],
            after: None,
            limit: 1,
        };
        let mut first = None;
        self.list(&listing, &[], |found| {
            first = Some(found.id());
            Ok(true)
        })?;
        Ok(first)
    }

    /// A row of the table was made, changed or removed: the base currency may be another now.
    pub(super) fn note_currency(&self, table: &Table) {
        if table.logical_name == CURRENCIES {
            self.base_currency.set(None);
        }
    }
}
