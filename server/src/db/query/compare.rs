//! One comparison as SQL. Each is true or false, never unknown.

use super::level::{Level, Place};
use crate::db::Storage;
use flette_odata::filter::{CompareOp, TextOp};
use flette_odata::time::DAY_MILLIS;
use flette_odata::{Column, ColumnKind, Decimal, Value};
use sea_query::{BinOper, Expr, SimpleExpr};

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

/// The side of a comparison that stands in the database.
struct Here<'l, 's> {
    level: &'l Level<'s>,
    place: Place,
    column: &'l Column,
}

impl Here<'_, '_> {
    fn is_null(&self) -> SimpleExpr {
        Expr::expr(self.level.column(self.place, self.column)).is_null()
    }

    /// What is unknown counts as false, but as true where the value is to differ. The comparison stands
    /// first: an index can be used for it.
    fn against(&self, op: CompareOp, bound: sea_query::Value) -> SimpleExpr {
        let compared = self.level.key(self.place, self.column).binary(operator(op), SimpleExpr::Value(bound));
        match op {
            CompareOp::NotEqual => compared.or(self.is_null()),
            CompareOp::Equal
            | CompareOp::Greater
            | CompareOp::GreaterOrEqual
            | CompareOp::Less
            | CompareOp::LessOrEqual => compared.and(self.is_null().not()),
        }
    }

    /// Against a value of the column's own kind.
    fn like_kept(&self, op: CompareOp, value: &Value) -> SimpleExpr {
        self.against(op, self.level.dialect().bound(value))
    }

    /// Compares a column of whole numbers with a number that need not be whole.
    fn whole(&self, op: CompareOp, number: Decimal) -> SimpleExpr {
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
        self.against(op, bound.into())
    }
}

/// A column against a literal.
pub(super) fn with_value(
    level: &Level,
    place: Place,
    column: &Column,
    op: CompareOp,
    value: &Value,
) -> SimpleExpr {
    let here = Here { level, place, column };
    if value.is_null() {
        return match op {
            CompareOp::Equal => here.is_null(),
            CompareOp::NotEqual => here.is_null().not(),
            CompareOp::Greater | CompareOp::GreaterOrEqual | CompareOp::Less | CompareOp::LessOrEqual => {
                Expr::value(false)
            }
        };
    }
    match (Storage::of(&column.kind), &column.kind, value) {
        (Storage::Decimal, _, Value::Int(number)) => {
            here.like_kept(op, &Value::Decimal(Decimal::from(*number)))
        }
        (Storage::Real, _, Value::Int(_) | Value::Decimal(_)) => {
            nearest(value).map_or_else(|| Expr::value(false), |number| here.against(op, number.into()))
        }
        (Storage::Decimal, _, Value::Decimal(_)) => here.like_kept(op, value),
        (Storage::Whole, _, Value::Decimal(number)) => here.whole(op, *number),
        (_, ColumnKind::DateTime, Value::Date(days)) => {
            here.against(op, (i64::from(*days) * DAY_MILLIS).into())
        }
        (_, ColumnKind::Date, Value::DateTime(at)) => {
            let days = i128::from(*at) * 1_000_000 / i128::from(DAY_MILLIS);
            here.whole(op, Decimal::new(days, 6).unwrap_or_else(|| Decimal::from(0)))
        }
        _ => here.like_kept(op, value),
    }
}

/// The nearest floating point number.
fn nearest(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => number.to_string().parse().ok(),
        Value::Decimal(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

/// Two columns of one row. A null on either side makes any comparison of them false.
pub(super) fn columns(
    level: &Level,
    place: Place,
    left: &Column,
    op: CompareOp,
    right: &Column,
) -> SimpleExpr {
    across((level, place, left), op, (level, place, right))
}

/// Two columns of rows that stand side by side.
pub(super) fn across(
    (level_a, place_a, a): (&Level, Place, &Column),
    op: CompareOp,
    (level_b, place_b, b): (&Level, Place, &Column),
) -> SimpleExpr {
    let values = [Expr::expr(level_a.column(place_a, a)), Expr::expr(level_b.column(place_b, b))];
    let [has_a, has_b] = values.map(Expr::is_not_null);
    let (key_a, key_b) = (Expr::expr(level_a.key(place_a, a)), Expr::expr(level_b.key(place_b, b)));
    // A day begins at its midnight when it meets an instant.
    let (key_a, key_b): (SimpleExpr, SimpleExpr) = match (&a.kind, &b.kind) {
        (ColumnKind::Date, ColumnKind::DateTime) => (key_a.mul(DAY_MILLIS), key_b.into()),
        (ColumnKind::DateTime, ColumnKind::Date) => (key_a.into(), key_b.mul(DAY_MILLIS)),
        _ => (key_a.into(), key_b.into()),
    };
    key_a.binary(operator(op), key_b).and(has_a).and(has_b)
}

/// Whether an option of a multi-select choice is chosen. Its text is `1,3`, so that each option stands
/// between two commas once the text has one at either end.
pub(super) fn has_value(level: &Level, place: Place, column: &Column, value: i32) -> SimpleExpr {
    let comma = || Expr::val(",");
    let joined = BinOper::Custom("||");
    let chosen = Expr::expr(comma().binary(joined, level.column(place, column))).binary(joined, comma());
    level.dialect().matches(TextOp::Contains, chosen, &format!(",{value},"))
}
