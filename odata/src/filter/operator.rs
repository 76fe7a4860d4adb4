//! Query functions by their names. Each is an operator of FetchXML under another name, and means the same.

use super::function::{CallerColumn, FiscalTime, QueryFunction};
use super::{Filter, TextOp};
use crate::edm::{Column, ColumnKind};
use crate::error::{ODataError, Result};
use crate::fetchxml::condition;
use crate::fetchxml::operator::{Fiscal, Meaning, Operator};

/// What a query function's name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// `Contains`, which FetchXML does not have.
    Contains,
    Operator(Operator),
}

impl Named {
    /// By name, without namespace: `LastXDays`.
    pub(super) fn find(name: &str) -> Option<Named> {
        if name == "Contains" {
            return Some(Named::Contains);
        }
        let (_, keyword) = FUNCTIONS.iter().find(|(known, _)| *known == name)?;
        Operator::by_keyword(keyword).map(Named::Operator)
    }

    /// The condition on a column. Values are texts as they stand between quotes.
    ///
    /// # Errors
    /// 400 when the number of values is wrong, when one is none of the column's type, or when the function does not
    /// fit the column.
    pub(super) fn condition(self, column: &Column, values: &[String]) -> Result<Filter> {
        let filter = match (self, values) {
            (Named::Operator(operator), _) => condition::filter(column, operator, values),
            (Named::Contains, [pattern]) if is_text(column) => Ok(Filter::Text {
                column: column.logical_name.clone(),
                op: TextOp::Contains,
                pattern: pattern.clone(),
            }),
            (Named::Contains, _) => Err(ODataError::bad_request("")),
        };
        filter.map(simple).map_err(|_| {
            ODataError::bad_request(format!(
                "The function or the values given for it do not fit the property '{}'.",
                column.property()
            ))
        })
    }
}

fn is_text(column: &Column) -> bool {
    matches!(column.kind, ColumnKind::Text { .. } | ColumnKind::Memo { .. })
}

/// A list of one value is a comparison.
fn simple(filter: Filter) -> Filter {
    match filter {
        Filter::Not(inner) => Filter::Not(Box::new(simple(*inner))),
        Filter::Or(mut items) if items.len() == 1 => items.remove(0),
        other => other,
    }
}

/// What a query function asks for besides the row and the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionNeed {
    /// Nothing.
    Nothing,
    /// The caller's teams.
    Teams,
    /// Who stands under the caller.
    Managers,
    /// Both.
    ManagersAndTeams,
    /// The rows above or under another row of the table that the column leads to.
    Hierarchy,
}

/// Names of all query functions, without namespace, and what they need.
pub fn function_names() -> impl Iterator<Item = (&'static str, FunctionNeed)> {
    let need = |keyword: &str| match Operator::by_keyword(keyword).map(|operator| operator.meaning) {
        Some(Meaning::Hierarchy(_)) => FunctionNeed::Hierarchy,
        Some(Meaning::Caller(CallerColumn::Teams | CallerColumn::UserOrTeams)) => FunctionNeed::Teams,
        Some(Meaning::Caller(CallerColumn::UserOrHierarchy)) => FunctionNeed::Managers,
        Some(Meaning::Caller(CallerColumn::UserOrHierarchyAndTeams)) => FunctionNeed::ManagersAndTeams,
        Some(_) | None => FunctionNeed::Nothing,
    };
    let functions = FUNCTIONS.iter().map(move |(name, keyword)| (*name, need(keyword)));
    functions.chain([("Contains", FunctionNeed::Nothing)])
}

/// Name of a query function and its arguments as texts, for [`super::print_filter`].
pub(super) fn named(function: QueryFunction) -> (&'static str, Vec<String>) {
    let (meaning, arguments) = match function {
        QueryFunction::Last(unit) => (Meaning::Last(unit), Vec::new()),
        QueryFunction::This(unit) => (Meaning::This(unit), Vec::new()),
        QueryFunction::Next(unit) => (Meaning::Next(unit), Vec::new()),
        QueryFunction::Caller(caller) => (Meaning::Caller(caller), Vec::new()),
        QueryFunction::LastX(unit, count) => (Meaning::LastX(unit), vec![count.to_string()]),
        QueryFunction::NextX(unit, count) => (Meaning::NextX(unit), vec![count.to_string()]),
        QueryFunction::OlderThanX(unit, count) => (Meaning::OlderThanX(unit), vec![count.to_string()]),
        QueryFunction::Day(side, day) => (Meaning::Day(side), vec![crate::time::format_date(day)]),
        QueryFunction::Hierarchy(side, id) => (Meaning::Hierarchy(side), vec![id.to_string()]),
        QueryFunction::Fiscal(time) => {
            let (fiscal, arguments) = fiscal(time);
            (Meaning::Fiscal(fiscal), arguments)
        }
    };
    let same = |keyword: &str| {
        Operator::by_keyword(keyword).is_some_and(|known| known.meaning == meaning && !known.negated)
    };
    let row = FUNCTIONS.iter().find(|(_, keyword)| same(keyword));
    (row.map_or("", |(name, _)| name), arguments)
}

fn fiscal(time: FiscalTime) -> (Fiscal, Vec<String>) {
    let both = |period: u8, year: i32| vec![period.to_string(), year.to_string()];
    match time {
        FiscalTime::Year(year) => (Fiscal::Year, vec![year.to_string()]),
        FiscalTime::Period(period) => (Fiscal::Period, vec![period.to_string()]),
        FiscalTime::PeriodAndYear(period, year) => (Fiscal::PeriodAndYear, both(period, year)),
        FiscalTime::InOrAfter(period, year) => (Fiscal::InOrAfter, both(period, year)),
        FiscalTime::InOrBefore(period, year) => (Fiscal::InOrBefore, both(period, year)),
    }
}

/// Names of query functions, and of the same in FetchXML. Of two with one meaning the first is printed.
const FUNCTIONS: &[(&str, &str)] = &[
    ("In", "in"),
    ("NotIn", "not-in"),
    ("Between", "between"),
    ("NotBetween", "not-between"),
    ("ContainValues", "contain-values"),
    ("DoesNotContainValues", "not-contain-values"),
    ("Yesterday", "yesterday"),
    ("Today", "today"),
    ("Tomorrow", "tomorrow"),
    ("LastWeek", "last-week"),
    ("ThisWeek", "this-week"),
    ("NextWeek", "next-week"),
    ("LastMonth", "last-month"),
    ("ThisMonth", "this-month"),
    ("NextMonth", "next-month"),
    ("LastYear", "last-year"),
    ("ThisYear", "this-year"),
    ("NextYear", "next-year"),
    ("LastFiscalPeriod", "last-fiscal-period"),
    ("ThisFiscalPeriod", "this-fiscal-period"),
    ("NextFiscalPeriod", "next-fiscal-period"),
    ("LastFiscalYear", "last-fiscal-year"),
    ("ThisFiscalYear", "this-fiscal-year"),
    ("NextFiscalYear", "next-fiscal-year"),
    ("Last7Days", "last-seven-days"),
    ("Next7Days", "next-seven-days"),
    ("LastXHours", "last-x-hours"),
    ("LastXDays", "last-x-days"),
    ("LastXWeeks", "last-x-weeks"),
    ("LastXMonths", "last-x-months"),
    ("LastXYears", "last-x-years"),
    ("LastXFiscalPeriods", "last-x-fiscal-periods"),
    ("LastXFiscalYears", "last-x-fiscal-years"),
    ("NextXHours", "next-x-hours"),
    ("NextXDays", "next-x-days"),
    ("NextXWeeks", "next-x-weeks"),
    ("NextXMonths", "next-x-months"),
    ("NextXYears", "next-x-years"),
    ("NextXFiscalPeriods", "next-x-fiscal-periods"),
    ("NextXFiscalYears", "next-x-fiscal-years"),
    ("OlderThanXMinutes", "olderthan-x-minutes"),
    ("OlderThanXHours", "olderthan-x-hours"),
    ("OlderThanXDays", "olderthan-x-days"),
    ("OlderThanXWeeks", "olderthan-x-weeks"),
    ("OlderThanXMonths", "olderthan-x-months"),
    ("OlderThanXYears", "olderthan-x-years"),
    ("On", "on"),
    ("NotOn", "not-on"),
    ("OnOrAfter", "on-or-after"),
    ("OnOrBefore", "on-or-before"),
    ("InFiscalYear", "in-fiscal-year"),
    ("InFiscalPeriod", "in-fiscal-period"),
    ("InFiscalPeriodAndYear", "in-fiscal-period-and-year"),
    ("InOrAfterFiscalPeriodAndYear", "in-or-after-fiscal-period-and-year"),
    ("InOrBeforeFiscalPeriodAndYear", "in-or-before-fiscal-period-and-year"),
    ("EqualUserId", "eq-userid"),
    ("NotEqualUserId", "ne-userid"),
    ("EqualUserTeams", "eq-userteams"),
    ("EqualUserOrUserTeams", "eq-useroruserteams"),
    ("EqualUserOrUserHierarchy", "eq-useroruserhierarchy"),
    ("EqualUserOrUserHierarchyAndTeams", "eq-useroruserhierarchyandteams"),
    ("EqualBusinessId", "eq-businessid"),
    ("NotEqualBusinessId", "ne-businessid"),
    ("EqualRoleBusinessId", "eq-businessid"),
    ("EqualUserLanguage", "eq-userlanguage"),
    ("Above", "above"),
    ("AboveOrEqual", "eq-or-above"),
    ("Under", "under"),
    ("UnderOrEqual", "eq-or-under"),
    ("NotUnder", "not-under"),
];
