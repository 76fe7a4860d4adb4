//! The currency of a row that was changed here, and its amounts in the base currency. Derived like all that the service
//! computes, and never journalled.

use super::{Draft, State};
use crate::error::Result;
use crate::model::{Change, Key, Row, Value};
use flette_odata::edm::Table;
use flette_odata::filter::{CompareOp, Filter};
use flette_odata::ordered;
use flette_odata::rules::money::{self, Currency};
use uuid::Uuid;

/// Whether a change makes a row's amounts in the base currency anew.
pub(super) fn changes_money(table: &Table, change: &Change) -> bool {
    match change {
        Change::Create(_) => money::has_money(table),
        Change::Update(edits) => money::is_touched(table, edits.iter().map(|edit| edit.name.as_str())),
        Change::Delete => false,
    }
}

impl State {
    /// Gives a row the columns that follow from its amounts. Where currencies are not offline they are null until the
    /// server says them; so is an amount that the server will refuse.
    pub(super) fn show_money(&self, table: &Table, row: &mut Row) {
        let followed = self.money(table, row).or_else(|_| money::follow(table, &Row::new(), (None, None)));
        row.extend(followed.unwrap_or_default());
    }

    fn money(&self, table: &Table, row: &Row) -> flette_odata::error::Result<Vec<(String, Value)>> {
        let base = self.base_currency();
        let own = money::own(row, base, |id| Ok::<_, flette_odata::ODataError>(self.currency(id)))?;
        money::follow(table, row, (base, own))
    }

    fn currency(&self, id: Uuid) -> Option<Currency> {
        let key = Key::new(money::CURRENCIES, id);
        let id = self.id_map.resolve(&key);
        Currency::of(id, &self.folded(&Key::new(money::CURRENCIES, id))?.row)
    }

    /// The organisation's base currency, as far as its row is here.
    pub(super) fn base_currency(&self) -> Option<Currency> {
        *self.base_currency.get_or_init(|| {
            let rows = self.at_base_rate().into_iter();
            let since = |row: &Row| match row.get("createdon") {
                Some(Value::DateTime(at)) => Some(*at),
                _ => None,
            };
            let first = rows.min_by_key(|(id, row)| (since(row), *id));
            first.and_then(|(id, row)| Currency::of(id, &row))
        })
    }

    /// Not by a query of its own: what is gone with deleted rows is found out by rows that have followed money already.
    fn at_base_rate(&self) -> Vec<(Uuid, Row)> {
        let edited = ordered::set(self.journal.keys_of(money::CURRENCIES).map(|key| key.id));
        let filter = Filter::Compare {
            column: money::RATE.to_owned(),
            op: CompareOp::Equal,
            value: money::base_rate(),
        };
        let mirror = self.tables.get(money::CURRENCIES).and_then(|table| table.mirror.as_ref());
        let told = mirror.into_iter().flat_map(|mirror| {
            let rows = mirror.select(Some(&filter), &edited.iter().copied().collect::<Vec<_>>());
            rows.into_iter().map(|at| mirror.id_at(at)).collect::<Vec<_>>()
        });
        let row = |id: Uuid| Some((id, self.folded(&Key::new(money::CURRENCIES, id))?.row));
        let is_base = |row: &Row| row.get(money::RATE) == Some(&money::base_rate());
        told.chain(edited.iter().copied()).filter_map(row).filter(|(_, row)| is_base(row)).collect()
    }
}

impl Draft<'_> {
    /// Gives a new row its currency and the amounts that follow.
    ///
    /// # Errors
    /// What the server would answer to an amount that is too large in the base currency.
    pub fn follow_money(&self, table: &Table, row: &mut Row) -> Result<()> {
        if money::has_money(table) {
            row.extend(self.state().money(table, row)?);
        }
        Ok(())
    }

    /// Checks changes of a row that is there for what the server would refuse about money.
    ///
    /// # Errors
    /// As [`Draft::follow_money`]; 400 `0x80040203` for another rate of the base currency.
    pub fn check_money(
        &self,
        (table, key): (&Table, &Key),
        row: &Row,
        changes: &[(String, Value)],
    ) -> Result<()> {
        let names = || changes.iter().map(|(name, _)| name.as_str());
        if table.logical_name == money::CURRENCIES {
            money::check_rate((table, key.id), self.state().base_currency(), names())?;
        }
        if money::is_touched(table, names()) {
            let mut row = row.clone();
            row.extend(changes.iter().cloned());
            self.state().money(table, &row)?;
        }
        Ok(())
    }
}
