//! `$filter` as SQL, with the two-valued logic of `flette_odata::filter::matches`: no comparison is ever
//! unknown.

use super::cells::to_sql;
use super::{name, Dialect};
use flette_odata::filter::{CompareOp, Filter};
use flette_odata::time::DAY_MILLIS;
use flette_odata::{Column, ColumnKind, Decimal, Table, Value};
use sea_query::{BinOper, Expr, ExprTrait, SimpleExpr};

/// The condition that holds for the rows that `matches` lets through.
pub(super) fn condition(dialect: Dialect, table: &Table, filter: &Filter) -> SimpleExpr {
    match filter {
        Filter::And(parts) => balanced(parts, &|part| condition(dialect, table, part), true),
        Filter::Or(parts) => balanced(parts, &|part| condition(dialect, table, part), false),
        Filter::Not(part) => condition(dialect, table, part).not(),
        Filter::Compare { column, op, value } => match table.column(column) {
            Some(column) => compare(dialect, column, *op, value),
            None => Expr::value(false),
        },
        Filter::CompareColumns { left, op, right } => match (table.column(left), table.column(right)) {
            (Some(left), Some(right)) => compare_columns(dialect, left, *op, right),
            _ => Expr::value(false),
        },
        Filter::Text { column, op, pattern } => dialect.matches(*op, Expr::col(name(column)).into(), pattern),
        // Refused before: see `Query::beyond_plain`.
        Filter::HasValues { .. } | Filter::Through { .. } | Filter::Any { .. } | Filter::Function { .. } => {
            Expr::value(false)
        }
        Filter::Always(value) => Expr::value(*value),
    }
}

/// Joins parts as a balanced tree: a chain of hundreds would pass SQLite's limit on the depth of an
/// expression (1000).
fn balanced(parts: &[Filter], one: &dyn Fn(&Filter) -> SimpleExpr, all: bool) -> SimpleExpr {
    match parts {
        [] => Expr::value(all),
        [part] => one(part),
        _ => {
            let (left, right) = parts.split_at(parts.len() / 2);
            let (left, right) = (balanced(left, one, all), balanced(right, one, all));
            if all {
                left.and(right)
            } else {
                left.or(right)
            }
        }
    }
}

fn operator(op: CompareOp) -> BinOper {
    match op {
        CompareOp::Equal => BinOper::Equal,
        CompareOp::NotEqual => BinOper::NotEqual,
        CompareOp::Greater => BinOper::GreaterThan,
        CompareOp::GreaterOrEqual => BinOper::GreaterThanOrEqual,
        CompareOp::Less => BinOper::SmallerThan,
        CompareOp::LessOrEqual => BinOper::SmallerThanOrEqual,
    }
}

/// A comparison whose unknown outcome counts as false; only `ne` holds for null.
fn known(here: SimpleExpr, op: CompareOp, bound: sea_query::Value) -> SimpleExpr {
    let compared = here.clone().binary(operator(op), SimpleExpr::Value(bound));
    match op {
        CompareOp::NotEqual => compared.or(here.is_null()),
        _ => compared.and(here.is_not_null()),
    }
}

fn compare(dialect: Dialect, column: &Column, op: CompareOp, value: &Value) -> SimpleExpr {
    let here = dialect.key(column);
    if value.is_null() {
        return match op {
            CompareOp::Equal => Expr::col(name(&column.logical_name)).is_null(),
            CompareOp::NotEqual => Expr::col(name(&column.logical_name)).is_not_null(),
            _ => Expr::value(false),
        };
    }
    match (&column.kind, value) {
        (ColumnKind::Decimal { .. } | ColumnKind::Money { .. }, Value::Int(number)) => {
            known(here, op, to_sql(&Value::Decimal(Decimal::from(*number))))
        }
        (
            ColumnKind::Decimal { .. } | ColumnKind::Money { .. } | ColumnKind::Double { .. },
            Value::Double(_),
        ) => known(here, op, to_sql(value)),
        (ColumnKind::Double { .. }, Value::Int(_) | Value::Decimal(_)) => known(here, op, double(value)),
        (ColumnKind::Decimal { .. } | ColumnKind::Money { .. }, Value::Decimal(_)) => {
            known(here, op, to_sql(value))
        }
        (_, Value::Decimal(number)) => whole(here, op, *number),
        (ColumnKind::DateTime, Value::Date(days)) => known(here, op, (i64::from(*days) * DAY_MILLIS).into()),
        (ColumnKind::Date, Value::DateTime(at)) => {
            let days = i128::from(*at) * 1_000_000 / i128::from(DAY_MILLIS);
            let fraction = Decimal::new(days, 6).unwrap_or_else(|| Decimal::from(0));
            whole(here, op, fraction)
        }
        _ => known(here, op, dialect.bound(value)),
    }
}

/// Compares a column of whole numbers with a number that need not be whole.
fn whole(here: SimpleExpr, op: CompareOp, number: Decimal) -> SimpleExpr {
    let unit = 10i128.pow(u32::from(number.scale()));
    let floor = number.mantissa().div_euclid(unit);
    let exact = number.mantissa().rem_euclid(unit) == 0;
    let bound = i64::try_from(floor).unwrap_or(if floor < 0 { i64::MIN } else { i64::MAX });
    let op = match op {
        _ if exact => op,
        CompareOp::Equal => return Expr::value(false),
        CompareOp::NotEqual => return Expr::value(true),
        CompareOp::Greater | CompareOp::GreaterOrEqual => CompareOp::Greater,
        CompareOp::Less | CompareOp::LessOrEqual => CompareOp::LessOrEqual,
    };
    known(here, op, bound.into())
}

fn double(value: &Value) -> sea_query::Value {
    let text = match value {
        Value::Int(number) => number.to_string(),
        Value::Decimal(number) => number.to_string(),
        _ => String::new(),
    };
    text.parse::<f64>().map_or_else(|_| to_sql(value), Into::into)
}

/// A null on either side makes any comparison of two columns false.
fn compare_columns(dialect: Dialect, left: &Column, op: CompareOp, right: &Column) -> SimpleExpr {
    let (a, b) = (dialect.key(left), dialect.key(right));
    let known = a.clone().is_not_null().and(b.clone().is_not_null());
    // A day begins at its midnight when it meets an instant.
    let (a, b) = match (&left.kind, &right.kind) {
        (ColumnKind::Date, ColumnKind::DateTime) => (a.mul(DAY_MILLIS), b),
        (ColumnKind::DateTime, ColumnKind::Date) => (a, b.mul(DAY_MILLIS)),
        _ => (a, b),
    };
    a.binary(operator(op), b).and(known)
}
