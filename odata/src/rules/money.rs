//! Money: the currency of a row, what it is worth, and its amounts in the organisation's base currency.
//!
//! A row with amounts has a currency, the base currency unless it names another. `exchangerate` is that currency's rate
//! at the time when an amount or the currency was changed last, and stays when the rate changes later; `x_base` is `x`
//! divided by it, rounded half away from zero to the digits of the base currency.

use crate::decimal::Decimal;
use crate::edm::{Column, ColumnKind, Table};
use crate::error::{ODataError, Result};
use crate::value::{EntityRef, Row, Value};
use uuid::Uuid;

/// Table of the currencies.
pub const CURRENCIES: &str = "transactioncurrency";
/// What the amounts of a row are in; also the key of [`CURRENCIES`].
pub const CURRENCY: &str = "transactioncurrencyid";
/// Units of a currency for one of the base currency.
pub const RATE: &str = "exchangerate";
/// Digits after the point of a currency's amounts.
const PRECISION: &str = "currencyprecision";
/// End of the name of an amount in the base currency.
const BASE: &str = "_base";
/// Digits after the point of an amount in a base currency that is not known: as many as amounts have at most.
const DIGITS_MAX: u8 = 4;

/// What has to be known of a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Currency {
    /// Its row.
    pub id: Uuid,
    /// Units of it for one of the base currency; above zero.
    pub rate: Decimal,
    /// Digits after the point, `0..=4`.
    pub digits: u8,
}

impl Currency {
    /// The currency that a row of [`CURRENCIES`] is; none when its rate is not known or not above zero.
    pub fn of(id: Uuid, row: &Row) -> Option<Currency> {
        let rate = match row.get(RATE) {
            Some(Value::Decimal(rate)) if *rate > Decimal::from(0) => *rate,
            _ => return None,
        };
        let digits = match row.get(PRECISION) {
            Some(Value::Int(digits)) => u8::try_from(*digits).ok()?.min(DIGITS_MAX),
            _ => DIGITS_MAX,
        };
        Some(Currency { id, rate, digits })
    }
}

/// The rate by which the organisation's base currency is known among all. Of several with this rate it is the one that
/// was there first, and of those the one with the smallest id.
pub fn base_rate() -> Value {
    Value::Decimal(Decimal::from(1))
}

/// Whether rows of the table have amounts in a currency of their own.
pub fn has_money(table: &Table) -> bool {
    table.column(CURRENCY).is_some_and(Column::is_lookup)
        && table.column(RATE).is_some()
        && table.columns.iter().any(|column| is_amount(table, column))
}

/// Whether a change of these columns makes `exchangerate` and the amounts in the base currency anew.
pub fn is_touched<'n>(table: &Table, mut changed: impl Iterator<Item = &'n str>) -> bool {
    has_money(table)
        && changed.any(|name| name == CURRENCY || table.column(name).is_some_and(|c| is_amount(table, c)))
}

fn is_amount(table: &Table, column: &Column) -> bool {
    matches!(column.kind, ColumnKind::Money { .. }) && amount_of(table, column).is_none()
}

/// The amount that a column is the value of in the base currency.
pub fn amount_of<'t>(table: &'t Table, column: &Column) -> Option<&'t Column> {
    let is_read_only = !column.valid_for_create && !column.valid_for_update;
    let name = column.logical_name.strip_suffix(BASE).filter(|_| is_read_only)?;
    table.column(name).filter(|amount| matches!(amount.kind, ColumnKind::Money { .. }))
}

/// The currency of a row's amounts: the one it names, which `find` gives, or else the base currency.
///
/// # Errors
/// What `find` fails with.
pub fn own<E>(
    row: &Row,
    base: Option<Currency>,
    find: impl FnOnce(Uuid) -> std::result::Result<Option<Currency>, E>,
) -> std::result::Result<Option<Currency>, E> {
    match row.get(CURRENCY) {
        Some(Value::Lookup(to)) if base.is_some_and(|base| base.id == to.id) => Ok(base),
        Some(Value::Lookup(to)) => find(to.id),
        _ => Ok(base),
    }
}

/// The columns of a row that follow from its amounts: its currency where it names none, `exchangerate`, and every
/// `x_base`. `own` is the row's currency (see [`own`]). What cannot be told because a currency is not known is null.
///
/// # Errors
/// 400 `0x80044330`: an amount is too large in the base currency.
pub fn follow(
    table: &Table,
    row: &Row,
    (base, own): (Option<Currency>, Option<Currency>),
) -> Result<Vec<(String, Value)>> {
    let mut out = Vec::new();
    if let (Some(base), true) = (base, row.get(CURRENCY).is_none_or(Value::is_null)) {
        let currency = EntityRef { table: CURRENCIES.to_owned(), id: base.id };
        out.push((CURRENCY.to_owned(), Value::Lookup(currency)));
    }
    out.push((RATE.to_owned(), own.map_or(Value::Null, |own| Value::Decimal(own.rate))));
    let digits = base.map_or(DIGITS_MAX, |base| base.digits);
    for column in &table.columns {
        let Some(amount) = amount_of(table, column) else { continue };
        let value = match (row.get(&amount.logical_name), own) {
            (Some(Value::Decimal(amount)), Some(own)) => {
                Value::Decimal(in_base(column, *amount, own.rate, digits)?)
            }
            _ => Value::Null,
        };
        out.push((column.logical_name.clone(), value));
    }
    Ok(out)
}

fn in_base(column: &Column, amount: Decimal, rate: Decimal, digits: u8) -> Result<Decimal> {
    let fits = |value: &Decimal| match &column.kind {
        ColumnKind::Money { min, max, .. } => (min..=max).contains(&value),
        _ => true,
    };
    amount.divided_by(rate, digits).filter(fits).ok_or_else(|| {
        let message = format!("The value of '{}' is outside the valid range.", column.logical_name);
        ODataError::new(400, "0x80044330", message)
    })
}

/// Refuses a change of the base currency's rate: amounts in the base currency are in it.
///
/// # Errors
/// 400 `0x80040203`
pub fn check_rate<'n>(
    (table, id): (&Table, Uuid),
    base: Option<Currency>,
    mut changed: impl Iterator<Item = &'n str>,
) -> Result<()> {
    let is_base = table.logical_name == CURRENCIES && base.is_some_and(|base| base.id == id);
    match is_base && changed.any(|name| name == RATE) {
        true => Err(ODataError::new(400, "0x80040203", "The base currency keeps its exchange rate.")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
