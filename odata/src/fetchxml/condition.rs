//! What an operator with its values means for a column: a [`Filter`].

use super::operator::{Fiscal, Meaning, Operator};
use crate::edm::{Column, ColumnKind};
use crate::error::{ODataError, Result};
use crate::filter::{self, written, CompareOp, Filter, FiscalTime, QueryFunction, TextOp, TimeUnit};
use crate::time::DAY_MILLIS;
use crate::value::Value;

/// The filter a condition means.
///
/// # Errors
/// 400 `0x80041120` when the operator does not fit the column's type, `0x80041139` when the values do not fit
/// operator and type.
pub(crate) fn filter(column: &Column, operator: Operator, values: &[String]) -> Result<Filter> {
    let fits = match operator.meaning {
        Meaning::Compare(CompareOp::Equal | CompareOp::NotEqual) | Meaning::Null | Meaning::In => true,
        Meaning::Compare(_) | Meaning::Between => !matches!(column.kind, ColumnKind::Boolean { .. }),
        Meaning::Like | Meaning::BeginsWith | Meaning::EndsWith => {
            matches!(column.kind, ColumnKind::Text { .. } | ColumnKind::Memo { .. })
        }
        Meaning::ContainValues => matches!(column.kind, ColumnKind::MultiPicklist { .. }),
        Meaning::Caller(filter::CallerColumn::Language) => {
            matches!(column.kind, ColumnKind::Integer { .. } | ColumnKind::Picklist { .. })
        }
        Meaning::Caller(_) | Meaning::Hierarchy(_) => {
            matches!(column.kind, ColumnKind::Id | ColumnKind::Guid | ColumnKind::Lookup { .. })
        }
        Meaning::Day(_)
        | Meaning::Last(_)
        | Meaning::This(_)
        | Meaning::Next(_)
        | Meaning::LastX(_)
        | Meaning::NextX(_)
        | Meaning::OlderThanX(_)
        | Meaning::LastSevenDays
        | Meaning::NextSevenDays
        | Meaning::Fiscal(_) => matches!(column.kind, ColumnKind::DateTime | ColumnKind::Date),
    };
    if !fits {
        return Err(ODataError::new(
            400,
            "0x80041120",
            format!("Operator '{}' does not fit attribute '{}'.", operator.keyword, column.logical_name),
        ));
    }
    let positive = positive(column, operator, values)?;
    Ok(match operator.negated {
        true => Filter::Not(Box::new(positive)),
        false => positive,
    })
}

fn positive(column: &Column, operator: Operator, values: &[String]) -> Result<Filter> {
    let wrong = || wrong_values(column, operator);
    let name = || column.logical_name.clone();
    let text = |op| match values {
        [pattern] => Ok(Filter::Text { column: name(), op, pattern: pattern.clone() }),
        _ => Err(wrong()),
    };
    let function = |function| Ok(Filter::Function { column: name(), function });
    match operator.meaning {
        Meaning::Compare(op) => match values {
            [value] => written::compare(column, op, value),
            _ => Err(wrong()),
        },
        Meaning::Null => match values {
            [] => Ok(Filter::Compare { column: name(), op: CompareOp::Equal, value: Value::Null }),
            _ => Err(wrong()),
        },
        Meaning::Like => text(TextOp::Like),
        Meaning::BeginsWith => text(TextOp::StartsWith),
        Meaning::EndsWith => text(TextOp::EndsWith),
        Meaning::In => {
            let one = |value: &String| written::compare(column, CompareOp::Equal, value);
            match values {
                [] => Err(wrong()),
                _ => Ok(Filter::Or(values.iter().map(one).collect::<Result<_>>()?)),
            }
        }
        Meaning::Between => match values {
            [low, high] => Ok(Filter::And(vec![
                written::compare(column, CompareOp::GreaterOrEqual, low)?,
                written::compare(column, CompareOp::LessOrEqual, high)?,
            ])),
            _ => Err(wrong()),
        },
        Meaning::ContainValues => {
            let numbers: Option<Vec<i32>> = values.iter().map(|value| value.trim().parse().ok()).collect();
            match numbers.filter(|numbers| !numbers.is_empty()) {
                Some(values) => Ok(Filter::HasValues { column: name(), values }),
                None => Err(wrong()),
            }
        }
        _ => function(query_function(operator.meaning, values).ok_or_else(wrong)?),
    }
}

/// Those that depend on who asks, or when; `None` when the values do not fit.
fn query_function(meaning: Meaning, values: &[String]) -> Option<QueryFunction> {
    let number = || match values {
        [one] => one.trim().parse::<u32>().ok().filter(|number| *number > 0),
        _ => None,
    };
    let none = |function| values.is_empty().then_some(function);
    match meaning {
        Meaning::Caller(caller) => none(QueryFunction::Caller(caller)),
        Meaning::Last(unit) => none(QueryFunction::Last(unit)),
        Meaning::This(unit) => none(QueryFunction::This(unit)),
        Meaning::Next(unit) => none(QueryFunction::Next(unit)),
        Meaning::LastSevenDays => none(QueryFunction::LastX(TimeUnit::Day, 7)),
        Meaning::NextSevenDays => none(QueryFunction::NextX(TimeUnit::Day, 7)),
        Meaning::LastX(unit) => Some(QueryFunction::LastX(unit, number()?)),
        Meaning::NextX(unit) => Some(QueryFunction::NextX(unit, number()?)),
        Meaning::OlderThanX(unit) => Some(QueryFunction::OlderThanX(unit, number()?)),
        Meaning::Hierarchy(side) => match values {
            [id] => Some(QueryFunction::Hierarchy(side, written::guid(id)?)),
            _ => None,
        },
        Meaning::Day(side) => match values {
            // What is written with a time means its day.
            [day] => {
                let days = written::instant(day)?.div_euclid(DAY_MILLIS);
                Some(QueryFunction::Day(side, i32::try_from(days).ok()?))
            }
            _ => None,
        },
        Meaning::Fiscal(fiscal) => fiscal_time(fiscal, values).map(QueryFunction::Fiscal),
        Meaning::Compare(_)
        | Meaning::Null
        | Meaning::Like
        | Meaning::BeginsWith
        | Meaning::EndsWith
        | Meaning::In
        | Meaning::Between
        | Meaning::ContainValues => None,
    }
}

fn fiscal_time(fiscal: Fiscal, values: &[String]) -> Option<FiscalTime> {
    let year = |text: &String| text.trim().parse::<i32>().ok().filter(|year| (1900..=9999).contains(year));
    let period = |text: &String| text.trim().parse::<u8>().ok().filter(|period| (1..=4).contains(period));
    match (fiscal, values) {
        (Fiscal::Year, [one]) => Some(FiscalTime::Year(year(one)?)),
        (Fiscal::Period, [one]) => Some(FiscalTime::Period(period(one)?)),
        (Fiscal::PeriodAndYear, [one, two]) => Some(FiscalTime::PeriodAndYear(period(one)?, year(two)?)),
        (Fiscal::InOrAfter, [one, two]) => Some(FiscalTime::InOrAfter(period(one)?, year(two)?)),
        (Fiscal::InOrBefore, [one, two]) => Some(FiscalTime::InOrBefore(period(one)?, year(two)?)),
        _ => None,
    }
}

fn wrong_values(column: &Column, operator: Operator) -> ODataError {
    ODataError::new(
        400,
        "0x80041139",
        format!(
            "The values given for operator '{}' on attribute '{}' are invalid.",
            operator.keyword, column.logical_name
        ),
    )
}
