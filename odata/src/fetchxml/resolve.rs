//! A query whose conditions no longer depend on who asks, or when; and parts of dates.

use super::scope::table_of;
use super::{Criteria, DateGrouping, Entity, Fetch, Link, Test};
use crate::edm::{Schema, Table};
use crate::error::{ODataError, Result};
use crate::filter::{self, Circumstances, Filter};
use crate::time::DAY_MILLIS;
use crate::value::Value;
use chrono::{Datelike, NaiveDate};

impl Fetch {
    /// The same query without conditions that depend on the circumstances.
    ///
    /// # Errors
    /// As [`filter::resolve`].
    pub fn resolve(&self, schema: &Schema, at: &Circumstances<'_>) -> Result<Fetch> {
        self.with_filters(schema, &|filter, table| filter::resolve(filter, table, schema, at))
    }

    /// The same query with other filters in the place of its own, each of which stands on a table.
    ///
    /// # Errors
    /// What `rewrite` gives.
    pub fn with_filters(
        &self,
        schema: &Schema,
        rewrite: &dyn Fn(&Filter, &Table) -> Result<Filter>,
    ) -> Result<Fetch> {
        let mut resolved = self.clone();
        let joined = self.entity.joined();
        let named =
            |alias: &str| joined.iter().find(|link| link.alias == alias).map(|link| &*link.entity.table);
        entity(&mut resolved.entity, &mut |column_entity, table, filter| {
            let table = column_entity.and_then(named).unwrap_or(table);
            rewrite(filter, table_of(schema, table)?)
        })?;
        Ok(resolved)
    }
}

type Rewrite<'a> = dyn FnMut(Option<&str>, &str, &Filter) -> Result<Filter> + 'a;

fn entity(one: &mut Entity, rewrite: &mut Rewrite<'_>) -> Result<()> {
    let Entity { table, criteria: all, links, .. } = one;
    all.iter_mut().try_for_each(|part| criteria(part, table, rewrite))?;
    links.iter_mut().try_for_each(|link: &mut Link| entity(&mut link.entity, rewrite))
}

fn criteria(one: &mut Criteria, table: &str, rewrite: &mut Rewrite<'_>) -> Result<()> {
    match one {
        Criteria::And(parts) | Criteria::Or(parts) => {
            parts.iter_mut().try_for_each(|part| criteria(part, table, rewrite))
        }
        Criteria::Link(link) => entity(&mut link.entity, rewrite),
        Criteria::Condition(condition) => match &mut condition.test {
            Test::Values { filter, .. } => {
                *filter = rewrite(condition.entity.as_deref(), table, filter)?;
                Ok(())
            }
            Test::Column { .. } => Ok(()),
        },
    }
}

impl DateGrouping {
    /// The part of a date, or of an instant by the calendar of a caller `utc_offset_minutes` ahead of UTC;
    /// null of null.
    pub fn of(self, value: &Value, utc_offset_minutes: i32) -> Value {
        let days = match value {
            Value::Date(days) => i64::from(*days),
            Value::DateTime(at) => (at + i64::from(utc_offset_minutes) * 60_000).div_euclid(DAY_MILLIS),
            _ => return Value::Null,
        };
        let date = NaiveDate::default().checked_add_signed(chrono::Duration::days(days));
        let Some(date) = date else { return Value::Null };
        let first = date.with_ordinal(1).unwrap_or(date).weekday().num_days_from_sunday();
        Value::Int(match self {
            DateGrouping::Day => date.day().into(),
            DateGrouping::Week => ((date.ordinal0() + first) / 7 + 1).into(),
            DateGrouping::Month => date.month().into(),
            DateGrouping::Quarter => (date.month0() / 3 + 1).into(),
            DateGrouping::Year => date.year().into(),
        })
    }
}

/// 400 `0x8004e023`: an aggregate goes over more rows than it may.
pub fn too_many_rows() -> ODataError {
    ODataError::new(400, "0x8004e023", "The maximum record limit is exceeded. Reduce the number of records.")
}
