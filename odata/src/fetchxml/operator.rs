//! The operators of conditions: keywords and what they mean.

use crate::filter::{CallerColumn, CompareOp, DaySide, HierarchySide, TimeUnit};

/// An operator as written in a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operator {
    /// `eq`, `last-x-days` …
    pub keyword: &'static str,
    pub(crate) meaning: Meaning,
    /// Whether the opposite is meant. A row without a value fulfils it, as `ne` in a filter.
    pub(crate) negated: bool,
}

impl Operator {
    /// `eq`
    pub const EQUAL: Operator =
        Operator { keyword: "eq", meaning: Meaning::Compare(CompareOp::Equal), negated: false };

    /// The operator with this keyword.
    pub fn by_keyword(keyword: &str) -> Option<Operator> {
        Operator::all().find(|operator| operator.keyword == keyword)
    }

    /// Every operator.
    pub fn all() -> impl Iterator<Item = Operator> {
        let groups = [PLAIN, TIMES, CALLERS];
        groups.into_iter().flatten().map(|(keyword, meaning, negated)| Operator {
            keyword,
            meaning: *meaning,
            negated: *negated,
        })
    }

    /// Whether values belong to it; those of others are passed over.
    pub(super) fn takes_values(self) -> bool {
        match self.meaning {
            Meaning::Compare(_)
            | Meaning::Like
            | Meaning::BeginsWith
            | Meaning::EndsWith
            | Meaning::In
            | Meaning::Between
            | Meaning::ContainValues
            | Meaning::Hierarchy(_)
            | Meaning::Day(_)
            | Meaning::LastX(_)
            | Meaning::NextX(_)
            | Meaning::OlderThanX(_)
            | Meaning::Fiscal(_) => true,
            Meaning::Null
            | Meaning::Caller(_)
            | Meaning::Last(_)
            | Meaning::This(_)
            | Meaning::Next(_)
            | Meaning::LastSevenDays
            | Meaning::NextSevenDays => false,
        }
    }

    /// The comparison it is, when `valueof` may stand beside it.
    pub(super) fn comparison(self) -> Option<CompareOp> {
        match self.meaning {
            Meaning::Compare(op) => Some(op),
            _ => None,
        }
    }
}

/// What an operator says, when it is not negated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Compare(CompareOp),
    Null,
    Like,
    BeginsWith,
    EndsWith,
    In,
    Between,
    ContainValues,
    Caller(CallerColumn),
    Hierarchy(HierarchySide),
    Day(DaySide),
    Last(TimeUnit),
    This(TimeUnit),
    Next(TimeUnit),
    LastX(TimeUnit),
    NextX(TimeUnit),
    OlderThanX(TimeUnit),
    LastSevenDays,
    NextSevenDays,
    Fiscal(Fiscal),
}

/// Fiscal time by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fiscal {
    Year,
    Period,
    PeriodAndYear,
    InOrAfter,
    InOrBefore,
}

type Entry = (&'static str, Meaning, bool);

const PLAIN: &[Entry] = &[
    ("eq", Meaning::Compare(CompareOp::Equal), false),
    ("ne", Meaning::Compare(CompareOp::NotEqual), false),
    ("neq", Meaning::Compare(CompareOp::NotEqual), false),
    ("gt", Meaning::Compare(CompareOp::Greater), false),
    ("ge", Meaning::Compare(CompareOp::GreaterOrEqual), false),
    ("lt", Meaning::Compare(CompareOp::Less), false),
    ("le", Meaning::Compare(CompareOp::LessOrEqual), false),
    ("null", Meaning::Null, false),
    ("not-null", Meaning::Null, true),
    ("like", Meaning::Like, false),
    ("not-like", Meaning::Like, true),
    ("begins-with", Meaning::BeginsWith, false),
    ("not-begin-with", Meaning::BeginsWith, true),
    ("ends-with", Meaning::EndsWith, false),
    ("not-end-with", Meaning::EndsWith, true),
    ("in", Meaning::In, false),
    ("not-in", Meaning::In, true),
    ("between", Meaning::Between, false),
    ("not-between", Meaning::Between, true),
    ("contain-values", Meaning::ContainValues, false),
    ("not-contain-values", Meaning::ContainValues, true),
];

const CALLERS: &[Entry] = &[
    ("eq-userid", Meaning::Caller(CallerColumn::User), false),
    ("ne-userid", Meaning::Caller(CallerColumn::User), true),
    ("eq-userteams", Meaning::Caller(CallerColumn::Teams), false),
    ("eq-useroruserteams", Meaning::Caller(CallerColumn::UserOrTeams), false),
    ("eq-useroruserhierarchy", Meaning::Caller(CallerColumn::UserOrHierarchy), false),
    ("eq-useroruserhierarchyandteams", Meaning::Caller(CallerColumn::UserOrHierarchyAndTeams), false),
    ("eq-businessid", Meaning::Caller(CallerColumn::BusinessUnit), false),
    ("ne-businessid", Meaning::Caller(CallerColumn::BusinessUnit), true),
    ("eq-userlanguage", Meaning::Caller(CallerColumn::Language), false),
    ("above", Meaning::Hierarchy(HierarchySide::Above), false),
    ("eq-or-above", Meaning::Hierarchy(HierarchySide::AboveOrEqual), false),
    ("under", Meaning::Hierarchy(HierarchySide::Under), false),
    ("not-under", Meaning::Hierarchy(HierarchySide::Under), true),
    ("eq-or-under", Meaning::Hierarchy(HierarchySide::UnderOrEqual), false),
];

const TIMES: &[Entry] = &[
    ("on", Meaning::Day(DaySide::On), false),
    ("not-on", Meaning::Day(DaySide::On), true),
    ("on-or-after", Meaning::Day(DaySide::OnOrAfter), false),
    ("on-or-before", Meaning::Day(DaySide::OnOrBefore), false),
    ("yesterday", Meaning::Last(TimeUnit::Day), false),
    ("today", Meaning::This(TimeUnit::Day), false),
    ("tomorrow", Meaning::Next(TimeUnit::Day), false),
    ("last-seven-days", Meaning::LastSevenDays, false),
    ("next-seven-days", Meaning::NextSevenDays, false),
    ("last-week", Meaning::Last(TimeUnit::Week), false),
    ("this-week", Meaning::This(TimeUnit::Week), false),
    ("next-week", Meaning::Next(TimeUnit::Week), false),
    ("last-month", Meaning::Last(TimeUnit::Month), false),
    ("this-month", Meaning::This(TimeUnit::Month), false),
    ("next-month", Meaning::Next(TimeUnit::Month), false),
    ("last-year", Meaning::Last(TimeUnit::Year), false),
    ("this-year", Meaning::This(TimeUnit::Year), false),
    ("next-year", Meaning::Next(TimeUnit::Year), false),
    ("last-fiscal-year", Meaning::Last(TimeUnit::FiscalYear), false),
    ("this-fiscal-year", Meaning::This(TimeUnit::FiscalYear), false),
    ("next-fiscal-year", Meaning::Next(TimeUnit::FiscalYear), false),
    ("last-fiscal-period", Meaning::Last(TimeUnit::FiscalPeriod), false),
    ("this-fiscal-period", Meaning::This(TimeUnit::FiscalPeriod), false),
    ("next-fiscal-period", Meaning::Next(TimeUnit::FiscalPeriod), false),
    ("last-x-hours", Meaning::LastX(TimeUnit::Hour), false),
    ("next-x-hours", Meaning::NextX(TimeUnit::Hour), false),
    ("last-x-days", Meaning::LastX(TimeUnit::Day), false),
    ("next-x-days", Meaning::NextX(TimeUnit::Day), false),
    ("last-x-weeks", Meaning::LastX(TimeUnit::Week), false),
    ("next-x-weeks", Meaning::NextX(TimeUnit::Week), false),
    ("last-x-months", Meaning::LastX(TimeUnit::Month), false),
    ("next-x-months", Meaning::NextX(TimeUnit::Month), false),
    ("last-x-years", Meaning::LastX(TimeUnit::Year), false),
    ("next-x-years", Meaning::NextX(TimeUnit::Year), false),
    ("last-x-fiscal-years", Meaning::LastX(TimeUnit::FiscalYear), false),
    ("next-x-fiscal-years", Meaning::NextX(TimeUnit::FiscalYear), false),
    ("last-x-fiscal-periods", Meaning::LastX(TimeUnit::FiscalPeriod), false),
    ("next-x-fiscal-periods", Meaning::NextX(TimeUnit::FiscalPeriod), false),
    ("olderthan-x-minutes", Meaning::OlderThanX(TimeUnit::Minute), false),
    ("olderthan-x-hours", Meaning::OlderThanX(TimeUnit::Hour), false),
    ("olderthan-x-days", Meaning::OlderThanX(TimeUnit::Day), false),
    ("olderthan-x-weeks", Meaning::OlderThanX(TimeUnit::Week), false),
    ("olderthan-x-months", Meaning::OlderThanX(TimeUnit::Month), false),
    ("olderthan-x-years", Meaning::OlderThanX(TimeUnit::Year), false),
    ("in-fiscal-year", Meaning::Fiscal(Fiscal::Year), false),
    ("in-fiscal-period", Meaning::Fiscal(Fiscal::Period), false),
    ("in-fiscal-period-and-year", Meaning::Fiscal(Fiscal::PeriodAndYear), false),
    ("in-or-after-fiscal-period-and-year", Meaning::Fiscal(Fiscal::InOrAfter), false),
    ("in-or-before-fiscal-period-and-year", Meaning::Fiscal(Fiscal::InOrBefore), false),
];
