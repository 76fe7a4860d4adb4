//! Query functions by their names, and the conditions they make. FetchXML has the same under other names
//! ([`crate::fetchxml`]); what becomes of either is one and the same.

use super::function::{CallerColumn, DaySide, FiscalTime, HierarchySide, QueryFunction, TimeUnit};
use super::literal::edm_type;
use super::{written, CompareOp, Filter, TextOp};
use crate::edm::{Column, ColumnKind};
use crate::error::{ODataError, Result};
use crate::time::DAY_MILLIS;
use std::borrow::Cow;

/// Largest number in `LastXDays` and its kin: far more than any calendar has.
pub const UNITS_MAX: u32 = 1_000_000_000;

/// What a query function's name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operator {
    kind: Kind,
    /// Its plain negation: holds for every row for which the positive does not, those without a value among them.
    negated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Contains,
    OneOf,
    Between,
    HasValues,
    /// A function without arguments.
    Fixed(QueryFunction),
    LastX(TimeUnit),
    NextX(TimeUnit),
    OlderThanX(TimeUnit),
    Day(DaySide),
    FiscalYear,
    FiscalPeriod,
    FiscalPeriodAndYear,
    FiscalFrom,
    FiscalUntil,
    Hierarchy(HierarchySide),
}

impl Operator {
    /// By name, without namespace: `LastXDays`.
    pub(super) fn named(name: &str) -> Option<Operator> {
        let row = OPERATORS.iter().find(|row| row.0 == name)?;
        Some(Operator { kind: row.1, negated: row.2 })
    }

    /// The condition on a column. Values are texts as they stand between quotes.
    ///
    /// # Errors
    /// 400 when the number of values is wrong, when one is none of the column's type, or when the function does not
    /// fit the column.
    pub(super) fn condition(self, column: &Column, values: &[Cow<'_, str>]) -> Result<Filter> {
        let name = || column.logical_name.clone();
        let positive = match self.kind {
            Kind::Contains => {
                fits(column, matches!(column.kind, ColumnKind::Text { .. } | ColumnKind::Memo { .. }))?;
                let pattern = one(column, values)?.to_owned();
                Filter::Text { column: name(), op: TextOp::Contains, pattern }
            }
            Kind::OneOf => one_of(column, values)?,
            Kind::Between => {
                let [from, to] = two(column, values)?;
                let from = compare(column, CompareOp::GreaterOrEqual, from)?;
                Filter::And(vec![from, compare(column, CompareOp::LessOrEqual, to)?])
            }
            Kind::HasValues => {
                fits(column, matches!(column.kind, ColumnKind::MultiPicklist { .. }))?;
                let values: Option<Vec<i32>> = values.iter().map(|value| value.trim().parse().ok()).collect();
                match values {
                    Some(values) if !values.is_empty() => Filter::HasValues { column: name(), values },
                    _ => return Err(wrong_values(column)),
                }
            }
            function => Filter::Function { column: name(), function: function.read(column, values)? },
        };
        Ok(if self.negated { Filter::Not(Box::new(positive)) } else { positive })
    }
}

impl Kind {
    /// A query function with its arguments.
    fn read(self, column: &Column, values: &[Cow<'_, str>]) -> Result<QueryFunction> {
        let units = || -> Result<u32> {
            let number = one(column, values)?.trim().parse().ok();
            number.filter(|number| (1..=UNITS_MAX).contains(number)).ok_or_else(|| wrong_values(column))
        };
        let function = match self {
            Kind::Fixed(function) => {
                none(column, values)?;
                function
            }
            Kind::LastX(unit) => QueryFunction::LastX(unit, units()?),
            Kind::NextX(unit) => QueryFunction::NextX(unit, units()?),
            Kind::OlderThanX(unit) => QueryFunction::OlderThanX(unit, units()?),
            Kind::Day(side) => QueryFunction::Day(side, day(column, one(column, values)?)?),
            Kind::Hierarchy(side) => {
                let id = written::guid(one(column, values)?).ok_or_else(|| wrong_values(column))?;
                QueryFunction::Hierarchy(side, id)
            }
            fiscal => QueryFunction::Fiscal(fiscal.fiscal(column, values)?),
        };
        let suitable = match function {
            QueryFunction::Caller(CallerColumn::Language) => matches!(
                column.kind,
                ColumnKind::Integer { .. } | ColumnKind::BigInt | ColumnKind::Picklist { .. }
            ),
            QueryFunction::Caller(_) | QueryFunction::Hierarchy(..) => {
                matches!(column.kind, ColumnKind::Id | ColumnKind::Guid | ColumnKind::Lookup { .. })
            }
            _ => matches!(column.kind, ColumnKind::DateTime | ColumnKind::Date),
        };
        fits(column, suitable)?;
        Ok(function)
    }

    fn fiscal(self, column: &Column, values: &[Cow<'_, str>]) -> Result<FiscalTime> {
        let year = |text: &str| text.trim().parse().ok().filter(|year| (1..=9999).contains(year));
        let period = |text: &str| text.trim().parse().ok().filter(|period| (1..=4).contains(period));
        let read = match (self, values) {
            (Kind::FiscalYear, [text]) => year(text).map(FiscalTime::Year),
            (Kind::FiscalPeriod, [text]) => period(text).map(FiscalTime::Period),
            (_, [first, second]) => period(first).zip(year(second)).map(|(period, year)| match self {
                Kind::FiscalFrom => FiscalTime::InOrAfter(period, year),
                Kind::FiscalUntil => FiscalTime::InOrBefore(period, year),
                _ => FiscalTime::PeriodAndYear(period, year),
            }),
            _ => None,
        };
        read.ok_or_else(|| wrong_values(column))
    }
}

/// A column against a text that means a value of its type.
fn compare(column: &Column, op: CompareOp, text: &str) -> Result<Filter> {
    written::compare(column, op, text).map_err(|_| wrong_values(column))
}

fn one_of(column: &Column, values: &[Cow<'_, str>]) -> Result<Filter> {
    let equal = |text: &Cow<'_, str>| compare(column, CompareOp::Equal, text);
    match values {
        [] => Err(wrong_values(column)),
        [text] => equal(text),
        _ => values.iter().map(equal).collect::<Result<_>>().map(Filter::Or),
    }
}

/// The day of a date, or of an instant as it is written.
fn day(column: &Column, text: &str) -> Result<i32> {
    let days = written::instant(text).map(|instant| instant.div_euclid(DAY_MILLIS));
    days.and_then(|days| i32::try_from(days).ok()).ok_or_else(|| wrong_values(column))
}

fn none(column: &Column, values: &[Cow<'_, str>]) -> Result<()> {
    if values.is_empty() {
        Ok(())
    } else {
        Err(wrong_values(column))
    }
}

fn one<'v>(column: &Column, values: &'v [Cow<'_, str>]) -> Result<&'v str> {
    match values {
        [value] => Ok(value),
        _ => Err(wrong_values(column)),
    }
}

fn two<'v>(column: &Column, values: &'v [Cow<'_, str>]) -> Result<[&'v str; 2]> {
    match values {
        [first, second] => Ok([first, second]),
        _ => Err(wrong_values(column)),
    }
}

fn fits(column: &Column, suitable: bool) -> Result<()> {
    match suitable {
        true => Ok(()),
        false => Err(ODataError::bad_request(format!(
            "The function does not fit the column '{}', which is of type '{}'.",
            column.logical_name,
            edm_type(column)
        ))),
    }
}

fn wrong_values(column: &Column) -> ODataError {
    ODataError::bad_request(format!(
        "The number or the format of the values for the condition on '{}' is not valid.",
        column.logical_name
    ))
}

/// Name of a query function and its arguments as texts, for [`super::print_filter`].
pub(super) fn named(function: QueryFunction) -> (&'static str, Vec<String>) {
    let (kind, arguments) = match function {
        QueryFunction::LastX(unit, count) => (Kind::LastX(unit), vec![count.to_string()]),
        QueryFunction::NextX(unit, count) => (Kind::NextX(unit), vec![count.to_string()]),
        QueryFunction::OlderThanX(unit, count) => (Kind::OlderThanX(unit), vec![count.to_string()]),
        QueryFunction::Day(side, day) => (Kind::Day(side), vec![crate::time::format_date(day)]),
        QueryFunction::Hierarchy(side, id) => (Kind::Hierarchy(side), vec![id.to_string()]),
        QueryFunction::Fiscal(FiscalTime::Year(year)) => (Kind::FiscalYear, vec![year.to_string()]),
        QueryFunction::Fiscal(FiscalTime::Period(period)) => (Kind::FiscalPeriod, vec![period.to_string()]),
        QueryFunction::Fiscal(FiscalTime::PeriodAndYear(period, year)) => {
            (Kind::FiscalPeriodAndYear, vec![period.to_string(), year.to_string()])
        }
        QueryFunction::Fiscal(FiscalTime::InOrAfter(period, year)) => {
            (Kind::FiscalFrom, vec![period.to_string(), year.to_string()])
        }
        QueryFunction::Fiscal(FiscalTime::InOrBefore(period, year)) => {
            (Kind::FiscalUntil, vec![period.to_string(), year.to_string()])
        }
        QueryFunction::Last(_)
        | QueryFunction::This(_)
        | QueryFunction::Next(_)
        | QueryFunction::Caller(_) => (Kind::Fixed(function), Vec::new()),
    };
    let row = OPERATORS.iter().find(|row| row.1 == kind && !row.2);
    (row.map_or("", |row| row.0), arguments)
}

/// Name, meaning, and whether it is negated.
type Row = (&'static str, Kind, bool);

const fn last(unit: TimeUnit) -> Kind {
    Kind::Fixed(QueryFunction::Last(unit))
}

const fn this(unit: TimeUnit) -> Kind {
    Kind::Fixed(QueryFunction::This(unit))
}

const fn next(unit: TimeUnit) -> Kind {
    Kind::Fixed(QueryFunction::Next(unit))
}

const fn caller(column: CallerColumn) -> Kind {
    Kind::Fixed(QueryFunction::Caller(column))
}

/// Every function. Of two rows with one meaning the first gives the name that is printed.
#[rustfmt::skip]
const OPERATORS: &[Row] = &[
    ("Contains", Kind::Contains, false),
    ("In", Kind::OneOf, false),
    ("NotIn", Kind::OneOf, true),
    ("Between", Kind::Between, false),
    ("NotBetween", Kind::Between, true),
    ("ContainValues", Kind::HasValues, false),
    ("DoesNotContainValues", Kind::HasValues, true),
    ("Yesterday", last(TimeUnit::Day), false),
    ("Today", this(TimeUnit::Day), false),
    ("Tomorrow", next(TimeUnit::Day), false),
    ("LastWeek", last(TimeUnit::Week), false),
    ("ThisWeek", this(TimeUnit::Week), false),
    ("NextWeek", next(TimeUnit::Week), false),
    ("LastMonth", last(TimeUnit::Month), false),
    ("ThisMonth", this(TimeUnit::Month), false),
    ("NextMonth", next(TimeUnit::Month), false),
    ("LastYear", last(TimeUnit::Year), false),
    ("ThisYear", this(TimeUnit::Year), false),
    ("NextYear", next(TimeUnit::Year), false),
    ("LastFiscalPeriod", last(TimeUnit::FiscalPeriod), false),
    ("ThisFiscalPeriod", this(TimeUnit::FiscalPeriod), false),
    ("NextFiscalPeriod", next(TimeUnit::FiscalPeriod), false),
    ("LastFiscalYear", last(TimeUnit::FiscalYear), false),
    ("ThisFiscalYear", this(TimeUnit::FiscalYear), false),
    ("NextFiscalYear", next(TimeUnit::FiscalYear), false),
    ("Last7Days", Kind::Fixed(QueryFunction::LastX(TimeUnit::Day, 7)), false),
    ("Next7Days", Kind::Fixed(QueryFunction::NextX(TimeUnit::Day, 7)), false),
    ("LastXHours", Kind::LastX(TimeUnit::Hour), false),
    ("LastXDays", Kind::LastX(TimeUnit::Day), false),
    ("LastXWeeks", Kind::LastX(TimeUnit::Week), false),
    ("LastXMonths", Kind::LastX(TimeUnit::Month), false),
    ("LastXYears", Kind::LastX(TimeUnit::Year), false),
    ("LastXFiscalPeriods", Kind::LastX(TimeUnit::FiscalPeriod), false),
    ("LastXFiscalYears", Kind::LastX(TimeUnit::FiscalYear), false),
    ("NextXHours", Kind::NextX(TimeUnit::Hour), false),
    ("NextXDays", Kind::NextX(TimeUnit::Day), false),
    ("NextXWeeks", Kind::NextX(TimeUnit::Week), false),
    ("NextXMonths", Kind::NextX(TimeUnit::Month), false),
    ("NextXYears", Kind::NextX(TimeUnit::Year), false),
    ("NextXFiscalPeriods", Kind::NextX(TimeUnit::FiscalPeriod), false),
    ("NextXFiscalYears", Kind::NextX(TimeUnit::FiscalYear), false),
    ("OlderThanXMinutes", Kind::OlderThanX(TimeUnit::Minute), false),
    ("OlderThanXHours", Kind::OlderThanX(TimeUnit::Hour), false),
    ("OlderThanXDays", Kind::OlderThanX(TimeUnit::Day), false),
    ("OlderThanXWeeks", Kind::OlderThanX(TimeUnit::Week), false),
    ("OlderThanXMonths", Kind::OlderThanX(TimeUnit::Month), false),
    ("OlderThanXYears", Kind::OlderThanX(TimeUnit::Year), false),
    ("On", Kind::Day(DaySide::On), false),
    ("NotOn", Kind::Day(DaySide::On), true),
    ("OnOrAfter", Kind::Day(DaySide::OnOrAfter), false),
    ("OnOrBefore", Kind::Day(DaySide::OnOrBefore), false),
    ("InFiscalYear", Kind::FiscalYear, false),
    ("InFiscalPeriod", Kind::FiscalPeriod, false),
    ("InFiscalPeriodAndYear", Kind::FiscalPeriodAndYear, false),
    ("InOrAfterFiscalPeriodAndYear", Kind::FiscalFrom, false),
    ("InOrBeforeFiscalPeriodAndYear", Kind::FiscalUntil, false),
    ("EqualUserId", caller(CallerColumn::User), false),
    ("NotEqualUserId", caller(CallerColumn::User), true),
    ("EqualUserTeams", caller(CallerColumn::Teams), false),
    ("EqualUserOrUserTeams", caller(CallerColumn::UserOrTeams), false),
    ("EqualUserOrUserHierarchy", caller(CallerColumn::UserOrHierarchy), false),
    ("EqualUserOrUserHierarchyAndTeams",
        caller(CallerColumn::UserOrHierarchyAndTeams), false),
    ("EqualBusinessId", caller(CallerColumn::BusinessUnit), false),
    ("NotEqualBusinessId", caller(CallerColumn::BusinessUnit), true),
    ("EqualRoleBusinessId", caller(CallerColumn::BusinessUnit), false),
    ("EqualUserLanguage", caller(CallerColumn::Language), false),
    ("Above", Kind::Hierarchy(HierarchySide::Above), false),
    ("AboveOrEqual", Kind::Hierarchy(HierarchySide::AboveOrEqual), false),
    ("Under", Kind::Hierarchy(HierarchySide::Under), false),
    ("UnderOrEqual", Kind::Hierarchy(HierarchySide::UnderOrEqual), false),
    ("NotUnder", Kind::Hierarchy(HierarchySide::Under), true),
];
