//! Where the two databases differ.
//!
//! SQLite compares text by a collation that is this program's own. PostgreSQL compares the folds of texts,
//! byte by byte: `flette_fold` in SQL is made from `flette_odata::collate::fold` (see `fold`). Both order
//! nulls first when ascending, by an explicit clause.

use super::cells::to_sql;
use super::driver::{CONTAINS, ENDS_WITH, LIKE, STARTS_WITH};
use super::{like, name};
use flette_odata::collate::fold;
use flette_odata::filter::TextOp;
use flette_odata::{Column, ColumnKind, Value};
use sea_query::{BinOper, Expr, Func, IntoColumnRef, NullOrdering, Order, SimpleExpr};

/// PostgreSQL's function that folds a text.
pub(super) const FOLD: &str = "flette_fold";

/// Whose SQL it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// How a value is kept in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    /// 16 bytes.
    Id,
    /// Text that is compared without case.
    Text,
    /// Exact decimal.
    Decimal,
    /// Floating point number.
    Real,
    /// Whole number of 64 bits; also booleans, dates (days) and instants (milliseconds).
    Whole,
}

impl Storage {
    /// How values of a column are kept.
    pub(crate) fn of(kind: &ColumnKind) -> Storage {
        match kind {
            ColumnKind::Id | ColumnKind::Guid | ColumnKind::Lookup { .. } => Storage::Id,
            ColumnKind::Text { .. } | ColumnKind::Memo { .. } | ColumnKind::MultiPicklist { .. } => {
                Storage::Text
            }
            ColumnKind::Decimal { .. } | ColumnKind::Money { .. } => Storage::Decimal,
            ColumnKind::Double { .. } => Storage::Real,
            ColumnKind::Integer { .. }
            | ColumnKind::BigInt
            | ColumnKind::Boolean { .. }
            | ColumnKind::DateTime
            | ColumnKind::Date
            | ColumnKind::Picklist { .. }
            | ColumnKind::State { .. }
            | ColumnKind::Status { .. } => Storage::Whole,
        }
    }
}

impl Dialect {
    /// What a column is compared and ordered by: see [`Dialect::bound`] for the other side.
    pub(crate) fn key(self, column: &Column) -> SimpleExpr {
        self.key_at(Storage::of(&column.kind), name(&column.logical_name))
    }

    /// The same for a column that is named with its table or an alias.
    pub(crate) fn key_at(self, storage: Storage, column: impl IntoColumnRef) -> SimpleExpr {
        self.key_of(storage, Expr::col(column).into())
    }

    /// The same for any expression.
    pub(crate) fn key_of(self, storage: Storage, value: SimpleExpr) -> SimpleExpr {
        match (self, storage) {
            (Dialect::Postgres, Storage::Text) => Func::cust(name(FOLD)).arg(value).into(),
            _ => value,
        }
    }

    /// No value, of the type of a kind of storage: PostgreSQL must know it.
    pub(crate) fn null(self, storage: Storage) -> SimpleExpr {
        let kind = match (self, storage) {
            (Dialect::Sqlite, _) => return Expr::cust("NULL"),
            (Dialect::Postgres, Storage::Id) => "bytea",
            (Dialect::Postgres, Storage::Text) => "text",
            (Dialect::Postgres, Storage::Decimal) => "numeric",
            (Dialect::Postgres, Storage::Real) => "double precision",
            (Dialect::Postgres, Storage::Whole) => "bigint",
        };
        Expr::cust(format!("CAST(NULL AS {kind})"))
    }

    /// A value as it is compared with a [`Dialect::key_at`].
    pub(crate) fn bound(self, value: &Value) -> sea_query::Value {
        match (self, value) {
            (Dialect::Postgres, Value::Text(text)) => fold(text).into_owned().into(),
            _ => to_sql(value),
        }
    }

    /// Whether a text column is the given text, without case; unknown for null.
    pub(crate) fn is_text(self, column: impl IntoColumnRef, text: &str) -> SimpleExpr {
        let bound = self.bound(&Value::Text(text.to_owned()));
        Expr::expr(self.key_at(Storage::Text, column)).eq(bound)
    }

    /// Whether a text holds, begins or ends with a pattern, or is like one, without case; false for null.
    pub(crate) fn matches(self, op: TextOp, text: SimpleExpr, pattern: &str) -> SimpleExpr {
        let call = |function: &str, arguments: Vec<SimpleExpr>| -> SimpleExpr {
            Func::cust(name(function)).args(arguments).into()
        };
        if self == Dialect::Sqlite {
            let function = match op {
                TextOp::Contains => CONTAINS,
                TextOp::StartsWith => STARTS_WITH,
                TextOp::EndsWith => ENDS_WITH,
                TextOp::Like => LIKE,
            };
            return call(function, vec![text, pattern.into()]);
        }
        let folded = self.key_of(Storage::Text, text);
        if op == TextOp::Like {
            let fits = folded.binary(BinOper::Custom("~"), Expr::val(like::expression(&fold(pattern))));
            return call("coalesce", vec![fits, SimpleExpr::Constant(false.into())]);
        }
        let pattern: SimpleExpr = fold(pattern).into_owned().into();
        let found = match op {
            TextOp::Contains => Expr::expr(call("strpos", vec![folded, pattern])).gt(0i64),
            TextOp::StartsWith => call("starts_with", vec![folded, pattern]),
            TextOp::EndsWith => {
                let length = call("length", vec![pattern.clone()]);
                Expr::expr(call("right", vec![folded, length])).eq(pattern)
            }
            // Answered above.
            TextOp::Like => SimpleExpr::Constant(false.into()),
        };
        call("coalesce", vec![found, SimpleExpr::Constant(false.into())])
    }
}

/// Direction and place of nulls: first when ascending, last when descending.
pub(crate) fn order(descending: bool) -> (Order, NullOrdering) {
    match descending {
        false => (Order::Asc, NullOrdering::First),
        true => (Order::Desc, NullOrdering::Last),
    }
}
