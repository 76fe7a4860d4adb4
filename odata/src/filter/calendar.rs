//! The calendar of query functions: which instants `LastXDays`, `ThisWeek` or `InFiscalYear` mean.
//!
//! Times here are the caller's own: milliseconds since 1970-01-01T00:00 of the caller's clock. Dataverse does not
//! document these rules fully; where it is silent they are chosen as follows. Weeks begin on Sunday. A fiscal year is a
//! calendar year, a fiscal period a quarter of it. `LastX` reaches from the midnight that began the day `x` units ago up
//! to and with now, `NextX` from now to the midnight that ends the day `x` units ahead, `OlderThanX` ends where `LastX`
//! begins. Hours and minutes are counted from now itself. `LastX` and `NextX` of fiscal units are whole units, without
//! the current one. A month more or less than the 31st of a month is the last day of a shorter one.

use super::function::{DaySide, FiscalTime, QueryFunction, TimeUnit};
use crate::time::{DAY_MILLIS, INSTANT_MAX, INSTANT_MIN};
use chrono::{Datelike, Days, Months, NaiveDate};

/// Years in which [`FiscalTime::Period`], a quarter of any year, is looked for.
pub(super) const PERIOD_YEARS: std::ops::RangeInclusive<i32> = 1900..=2099;

const HOUR_MILLIS: i64 = 3_600_000;
const MINUTE_MILLIS: i64 = 60_000;

/// From the first instant up to, and without, the second; `None`: without an end on that side.
pub(super) type Span = (Option<i64>, Option<i64>);

/// The instants that a function of time means; several only for a quarter of any year. `None` for the functions that
/// are none of time.
pub(super) fn spans(function: QueryFunction, now: i64) -> Option<Vec<Span>> {
    let today = date(now.div_euclid(DAY_MILLIS));
    let one = |from: i64, until: i64| (Some(from), Some(until));
    let span = match function {
        QueryFunction::Last(unit) => whole(unit, now, -1, 0),
        QueryFunction::This(unit) => whole(unit, now, 0, 1),
        QueryFunction::Next(unit) => whole(unit, now, 1, 2),
        QueryFunction::LastX(unit, count) if is_fiscal(unit) => whole(unit, now, -i64::from(count), 0),
        QueryFunction::NextX(unit, count) if is_fiscal(unit) => {
            whole(unit, now, 1, i64::from(count).saturating_add(1))
        }
        QueryFunction::LastX(unit, count) => one(before(unit, now, count), now.saturating_add(1)),
        QueryFunction::NextX(unit, count) => match clock(unit) {
            Some(millis) => one(now, now.saturating_add(millis.saturating_mul(i64::from(count)))),
            None => one(now, midnight(shift(unit, today, i64::from(count)).succ_opt())),
        },
        QueryFunction::OlderThanX(unit, count) => (None, Some(before(unit, now, count))),
        QueryFunction::Day(side, day) => {
            let (from, until) = (i64::from(day) * DAY_MILLIS, (i64::from(day) + 1) * DAY_MILLIS);
            match side {
                DaySide::On => one(from, until),
                DaySide::OnOrAfter => (Some(from), None),
                DaySide::OnOrBefore => (None, Some(until)),
            }
        }
        QueryFunction::Fiscal(FiscalTime::Year(year)) => one(quarter(1, year), quarter(5, year)),
        QueryFunction::Fiscal(FiscalTime::PeriodAndYear(period, year)) => {
            one(quarter(period, year), quarter(period + 1, year))
        }
        QueryFunction::Fiscal(FiscalTime::InOrAfter(period, year)) => (Some(quarter(period, year)), None),
        QueryFunction::Fiscal(FiscalTime::InOrBefore(period, year)) => {
            (None, Some(quarter(period + 1, year)))
        }
        QueryFunction::Fiscal(FiscalTime::Period(period)) => {
            let of_year = |year| one(quarter(period, year), quarter(period + 1, year));
            return Some(PERIOD_YEARS.map(of_year).collect());
        }
        QueryFunction::Caller(_) | QueryFunction::Hierarchy(..) => return None,
    };
    Some(vec![span])
}

/// Whole units: from the beginning of the one `from` units away from that of now, to that of the one `until` away.
fn whole(unit: TimeUnit, now: i64, from: i64, until: i64) -> Span {
    if let Some(millis) = clock(unit) {
        let start = now.div_euclid(millis) * millis;
        return (Some(start + from * millis), Some(start + until * millis));
    }
    let today = date(now.div_euclid(DAY_MILLIS));
    let first = match unit {
        TimeUnit::Minute | TimeUnit::Hour | TimeUnit::Day => today,
        TimeUnit::Week => {
            let gone = u64::from(today.weekday().num_days_from_sunday());
            today.checked_sub_days(Days::new(gone)).unwrap_or(today)
        }
        TimeUnit::Month => today.with_day(1).unwrap_or(today),
        TimeUnit::FiscalPeriod => ymd(today.year(), today.month0() / 3 * 3 + 1),
        TimeUnit::Year | TimeUnit::FiscalYear => ymd(today.year(), 1),
    };
    let at = |units| Some(midnight(Some(shift(unit, first, units))));
    (at(from), at(until))
}

/// Where `LastX` begins and `OlderThanX` ends.
fn before(unit: TimeUnit, now: i64, count: u32) -> i64 {
    match clock(unit) {
        Some(millis) => now.saturating_sub(millis.saturating_mul(i64::from(count))),
        None => midnight(Some(shift(unit, date(now.div_euclid(DAY_MILLIS)), -i64::from(count)))),
    }
}

/// Length of the units that are not counted in days.
fn clock(unit: TimeUnit) -> Option<i64> {
    match unit {
        TimeUnit::Minute => Some(MINUTE_MILLIS),
        TimeUnit::Hour => Some(HOUR_MILLIS),
        TimeUnit::Day | TimeUnit::Week | TimeUnit::Month | TimeUnit::Year => None,
        TimeUnit::FiscalPeriod | TimeUnit::FiscalYear => None,
    }
}

fn is_fiscal(unit: TimeUnit) -> bool {
    match unit {
        TimeUnit::FiscalPeriod | TimeUnit::FiscalYear => true,
        TimeUnit::Minute | TimeUnit::Hour | TimeUnit::Day => false,
        TimeUnit::Week | TimeUnit::Month | TimeUnit::Year => false,
    }
}

/// A day some units later or, below zero, earlier; the first or last day there is when that is beyond them.
fn shift(unit: TimeUnit, day: NaiveDate, units: i64) -> NaiveDate {
    let (days, months) = match unit {
        TimeUnit::Minute | TimeUnit::Hour | TimeUnit::Day => (1, 0),
        TimeUnit::Week => (7, 0),
        TimeUnit::Month => (0, 1),
        TimeUnit::FiscalPeriod => (0, 3),
        TimeUnit::Year | TimeUnit::FiscalYear => (0, 12),
    };
    let shifted = if months > 0 {
        let months = u32::try_from(units.unsigned_abs().saturating_mul(months)).ok().map(Months::new);
        months.and_then(|m| if units < 0 { day.checked_sub_months(m) } else { day.checked_add_months(m) })
    } else {
        let days = Days::new(units.unsigned_abs().saturating_mul(days));
        if units < 0 {
            day.checked_sub_days(days)
        } else {
            day.checked_add_days(days)
        }
    };
    shifted.unwrap_or(if units < 0 { NaiveDate::MIN } else { NaiveDate::MAX })
}

/// Beginning of a quarter; the fifth is the first of the next year.
fn quarter(period: u8, year: i32) -> i64 {
    match period {
        0..=4 => midnight(Some(ymd(year, u32::from(period.max(1) - 1) * 3 + 1))),
        _ => midnight(Some(ymd(year.saturating_add(1), 1))),
    }
}

/// First of a month.
fn ymd(year: i32, month: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, 1).unwrap_or(NaiveDate::MAX)
}

fn date(days: i64) -> NaiveDate {
    let day = chrono::Duration::try_days(days).and_then(|days| NaiveDate::default().checked_add_signed(days));
    day.unwrap_or(if days < 0 { NaiveDate::MIN } else { NaiveDate::MAX })
}

/// Beginning of a day, within the instants that columns hold.
fn midnight(day: Option<NaiveDate>) -> i64 {
    let days = day.unwrap_or(NaiveDate::MAX).signed_duration_since(NaiveDate::default()).num_days();
    days.saturating_mul(DAY_MILLIS).clamp(INSTANT_MIN, INSTANT_MAX + 1)
}
