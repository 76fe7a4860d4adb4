//! Query functions of Dataverse whose outcome depends on who asks, or when.
//!
//! Those that depend on neither (`In`, `Between`, `ContainValues` …) never become a [`QueryFunction`]: they are
//! read as plain conditions.

use uuid::Uuid;

/// A query function on a column, with its arguments. Negated ones are read as [`super::Filter::Not`] of the
/// positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryFunction {
    /// The unit of time before that of now: `Yesterday`, `LastWeek`, `LastMonth`, `LastFiscalYear` …
    Last(TimeUnit),
    /// The unit of time that now is in: `Today`, `ThisWeek`, `ThisFiscalPeriod` …
    This(TimeUnit),
    /// The unit of time after that of now: `Tomorrow`, `NextWeek` …
    Next(TimeUnit),
    /// `LastXDays` …; `Last7Days` is seven days.
    LastX(TimeUnit, u32),
    /// `NextXDays` …; `Next7Days` is seven days.
    NextX(TimeUnit, u32),
    /// `OlderThanXMonths` …
    OlderThanX(TimeUnit, u32),
    /// `On`, `OnOrAfter`, `OnOrBefore`: a day of the caller's calendar, as days since 1970-01-01.
    Day(DaySide, i32),
    /// `InFiscalYear`, `InFiscalPeriod` and their kin.
    Fiscal(FiscalTime),
    /// `EqualUserId`, `EqualBusinessId` …
    Caller(CallerColumn),
    /// `Above`, `UnderOrEqual` …: where a row stands to another one in the table's hierarchy.
    Hierarchy(HierarchySide, Uuid),
}

/// Units of the calendar. Weeks begin on Sunday; fiscal years are calendar years, fiscal periods quarters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TimeUnit {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
    FiscalPeriod,
    FiscalYear,
}

/// How an instant lies to a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DaySide {
    On,
    OnOrAfter,
    OnOrBefore,
}

/// Fiscal time by number. Periods are quarters, 1 to 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FiscalTime {
    /// `InFiscalYear`
    Year(i32),
    /// `InFiscalPeriod`: that quarter of whichever year.
    Period(u8),
    /// `InFiscalPeriodAndYear`
    PeriodAndYear(u8, i32),
    /// `InOrAfterFiscalPeriodAndYear`
    InOrAfter(u8, i32),
    /// `InOrBeforeFiscalPeriodAndYear`
    InOrBefore(u8, i32),
}

/// What a column is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerColumn {
    /// The caller's id.
    User,
    /// Ids of the caller's teams.
    Teams,
    /// Both.
    UserOrTeams,
    /// The caller, and everybody below in the hierarchy of managers.
    UserOrHierarchy,
    /// All of the above.
    UserOrHierarchyAndTeams,
    /// The caller's business unit.
    BusinessUnit,
    /// The caller's language, as the number that Windows gives it.
    Language,
}

/// Sides in a hierarchy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum HierarchySide {
    Above,
    AboveOrEqual,
    Under,
    UnderOrEqual,
}
