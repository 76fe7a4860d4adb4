//! `$apply`: groups of rows, and what is reckoned of each.
//!
//! The database adds up exactly: PostgreSQL in `numeric`, SQLite by a function of this program, since it
//! knows no decimals. Averages are made here, of sum and number, so that both round alike.

use super::level::{Level, Place, Scope, BASE};
use super::projection::{sql_column, Projection};
use crate::db::driver::SUM;
use crate::db::layout::is_polymorphic;
use crate::db::rows::Sight;
use crate::db::{name, Dialect, Reader, SqlRow, Storage};
use flette_odata::collate::value_order;
use flette_odata::error::Result;
use flette_odata::fetchxml::{too_many_rows, AGGREGATE_ROWS_MAX};
use flette_odata::query::{Aggregate, AggregateOp, Apply};
use flette_odata::{Column, Decimal, ODataError, Table, Value};
use sea_query::{
    Expr, Func, NullOrdering, Order, OverStatement, Query, SelectStatement, SimpleExpr, WindowStatement,
};
use std::cmp::Ordering;

/// Digits after the point of an average of exact numbers.
const AVERAGE_SCALE: u8 = 10;

impl Reader<'_> {
    /// The groups of an `$apply` in the order of their keys; of each the keys and the aggregates, in the
    /// order asked for. Without keys there is one group, even of no rows at all.
    ///
    /// # Errors
    /// 400 `0x8004e023` for more than [`AGGREGATE_ROWS_MAX`] rows; 400 when the query asks for what the
    /// schema does not have, or too much of it.
    pub fn groups(&self, table: &Table, sight: &Sight, apply: &Apply) -> Result<Vec<Vec<Value>>> {
        self.check_rows(table, sight, apply)?;
        let scope = Scope::new(self.schema, sight, self.dialect());
        let grouping = Grouping::new(&scope, table, apply)?;
        let mut groups = self.all(&grouping.statement, |row| grouping.read(row))?;
        if groups.is_empty() && apply.group.is_empty() {
            groups.push(apply.aggregates.iter().map(|aggregate| of_nothing(aggregate.op)).collect());
        }
        let keys = apply.group.len();
        groups.sort_by(|a, b| {
            let pairs = a.iter().zip(b).take(keys);
            pairs.map(|(a, b)| value_order(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        });
        Ok(groups)
    }

    fn check_rows(&self, table: &Table, sight: &Sight, apply: &Apply) -> Result<()> {
        let rows = super::Listing {
            table,
            sight,
            within: None,
            filter: apply.filter.as_ref(),
            order: &[],
            after: None,
            limit: u64::from(AGGREGATE_ROWS_MAX) + 1,
        };
        match self.count(&rows)? > u64::from(AGGREGATE_ROWS_MAX) {
            true => Err(too_many_rows()),
            false => Ok(()),
        }
    }
}

fn of_nothing(op: AggregateOp) -> Value {
    match op {
        AggregateOp::Count | AggregateOp::CountDistinct => Value::Int(0),
        AggregateOp::Sum | AggregateOp::Average | AggregateOp::Min | AggregateOp::Max => Value::Null,
    }
}

/// The statement that groups, and how its rows are read.
struct Grouping<'t> {
    statement: SelectStatement,
    projection: Projection<'t>,
    parts: Vec<Part>,
}

/// One value of a group.
enum Part {
    /// A cell of the projection.
    Cell(usize),
    /// A number of rows or values, in an SQL column.
    Number(usize),
    /// A sum of values kept so, in an SQL column.
    Sum(usize, Storage),
    /// The same, and in the next SQL column the number of values.
    Average(usize, Storage),
}

/// The two selects under construction. The inner one has a row for each row, with its group's keys as they
/// are shown; the outer one groups by them.
struct Selects<'t> {
    level: Level<'t>,
    inner: SelectStatement,
    /// Cells of the inner select.
    cells: Projection<'t>,
    outer: SelectStatement,
    projection: Projection<'t>,
    parts: Vec<Part>,
    /// What rows of a group have in common, as it is compared.
    keys: Vec<SimpleExpr>,
}

const ROWS: &str = "grouped";

impl<'t> Grouping<'t> {
    fn new(scope: &'t Scope<'t>, table: &'t Table, apply: &'t Apply) -> Result<Grouping<'t>> {
        let mut level = scope.level(table);
        let filter = apply.filter.as_ref().map(|filter| level.condition(filter)).transpose()?;
        let mut keys = Vec::new();
        for key in &apply.group {
            keys.push(find(&mut level, &key.path, &key.column)?);
        }
        let mut of = Vec::new();
        for aggregate in &apply.aggregates {
            let column = aggregate.column.as_ref();
            of.push(column.map(|(path, column)| find(&mut level, path, column)).transpose()?);
        }
        let mut compared = Vec::new();
        for (place, column) in &keys {
            compared.push(level.key(*place, column));
            compared.extend(is_polymorphic(column).then(|| level.target(*place, column)));
        }
        let mut selects = Selects {
            level,
            inner: Query::select(),
            cells: Projection::after(0),
            outer: Query::select(),
            projection: Projection::after(0),
            parts: Vec::new(),
            keys: compared,
        };
        for (place, column) in keys {
            let shown = selects.shown_key(column);
            selects.common(place, column, shown);
        }
        for (aggregate, of) in apply.aggregates.iter().zip(of) {
            selects.aggregate(aggregate, of);
        }
        let Selects { level, mut inner, cells, mut outer, projection, parts, .. } = selects;
        // Where rows are counted and nothing is asked of them, a statement has to select something all the same.
        if cells.width() == 0 {
            inner.expr(Expr::cust("1"));
        }
        level.add_to(&mut inner);
        inner.and_where_option(filter);
        outer.from_subquery(inner, name(ROWS));
        Ok(Grouping { statement: outer, projection, parts })
    }

    fn read(&self, row: &SqlRow) -> Vec<Value> {
        self.parts.iter().map(|part| self.part(part, row)).collect()
    }

    fn part(&self, part: &Part, row: &SqlRow) -> Value {
        match part {
            Part::Cell(at) => self.projection.value(row, *at),
            Part::Number(at) => row.int(*at).map_or(Value::Null, Value::Int),
            Part::Sum(at, storage) => sum(row, *at, *storage),
            Part::Average(at, storage) => average(sum(row, *at, *storage), row.int(at + 1)),
        }
    }
}

fn find<'t>(level: &mut Level<'t>, path: &'t [String], column: &str) -> Result<(Place, &'t Column)> {
    let place = level.along(path)?;
    let found = level.find(place, column);
    let missing = || ODataError::bad_request(format!("Could not find a property named '{column}'."));
    Ok((place, found.ok_or_else(missing)?))
}

impl<'t> Selects<'t> {
    /// The key of a group as it is shown. Texts and decimals that are equal need not look the same: that of
    /// the row with the smallest id is shown.
    fn shown_key(&self, column: &Column) -> Shown {
        match Storage::of(&column.kind) {
            Storage::Text | Storage::Decimal => {
                let mut window = self.window();
                window.order_by_expr(self.level.id(BASE), Order::Asc);
                Shown::First(window)
            }
            Storage::Id | Storage::Real | Storage::Whole => Shown::Each,
        }
    }

    /// All rows of the group.
    fn window(&self) -> WindowStatement {
        let mut window = WindowStatement::new();
        for key in &self.keys {
            window.add_partition_by(key.clone());
        }
        window
    }

    /// A cell that all rows of a group have in common.
    fn common(&mut self, place: Place, column: &'t Column, shown: Shown) {
        let at = self.cells.width();
        let (value, target) = (self.level.column(place, column), self.level.target(place, column));
        match shown {
            Shown::Each => {
                let target = is_polymorphic(column).then_some(target);
                self.cells.add_as(&mut self.inner, column, value, target);
            }
            Shown::First(window) => {
                self.cells.skip();
                let first = |value| Func::cust(name("FIRST_VALUE")).arg(value);
                self.inner.expr_window_as(first(value), window.clone(), name(&sql_column(at)));
                if is_polymorphic(column) {
                    self.cells.skip();
                    self.inner.expr_window_as(first(target), window, name(&sql_column(at + 1)));
                }
            }
        }
        let value = inner_column(at);
        let target = is_polymorphic(column).then(|| inner_column(at + 1));
        self.outer.add_group_by([value.clone()]);
        self.outer.add_group_by(target.clone());
        self.parts.push(Part::Cell(self.projection.cells()));
        self.projection.add_as(&mut self.outer, column, value, target);
    }

    fn aggregate(&mut self, aggregate: &Aggregate, of: Option<(Place, &'t Column)>) {
        let Some((place, column)) = of.filter(|_| aggregate.op != AggregateOp::Count) else {
            let at = self.outer_column(Expr::cust("COUNT(*)"));
            self.parts.push(Part::Number(at));
            return;
        };
        let storage = Storage::of(&column.kind);
        match aggregate.op {
            AggregateOp::Min => self.extreme(place, column, Order::Asc),
            AggregateOp::Max => self.extreme(place, column, Order::Desc),
            AggregateOp::Count | AggregateOp::CountDistinct => {
                let value = self.inner_value(self.level.key(place, column));
                let at = self.outer_column(Func::count_distinct(value).into());
                self.parts.push(Part::Number(at));
            }
            AggregateOp::Sum | AggregateOp::Average => {
                let value = self.inner_value(self.level.column(place, column));
                let add = match (self.level.dialect(), storage) {
                    (Dialect::Sqlite, Storage::Decimal | Storage::Whole) => SUM,
                    _ => "SUM",
                };
                let at = self.outer_column(Func::cust(name(add)).arg(value.clone()).into());
                let part = match aggregate.op {
                    AggregateOp::Average => {
                        self.outer_column(Func::count(value).into());
                        Part::Average(at, storage)
                    }
                    _ => Part::Sum(at, storage),
                };
                self.parts.push(part);
            }
        }
    }

    /// The least or greatest value: what stands first in the group in that order, nulls last.
    fn extreme(&mut self, place: Place, column: &'t Column, order: Order) {
        let mut window = self.window();
        let key = self.level.key(place, column);
        window.order_by_expr_with_nulls(key, order, NullOrdering::Last);
        window.order_by_expr(self.level.id(BASE), Order::Asc);
        self.common(place, column, Shown::First(window));
    }

    /// A value of each row; what the outer select calls it.
    fn inner_value(&mut self, value: SimpleExpr) -> SimpleExpr {
        let at = self.cells.width();
        self.cells.skip();
        self.inner.expr_as(value, name(&sql_column(at)));
        inner_column(at)
    }

    /// An SQL column of the outer select that is no cell.
    fn outer_column(&mut self, value: SimpleExpr) -> usize {
        let at = self.projection.width();
        self.projection.skip();
        self.outer.expr_as(value, name(&sql_column(at)));
        at
    }
}

enum Shown {
    /// That of each row: they are the same.
    Each,
    /// That of the first row in this order.
    First(WindowStatement),
}

fn inner_column(at: usize) -> SimpleExpr {
    Expr::col((name(ROWS), name(&sql_column(at)))).into()
}

fn sum(row: &SqlRow, at: usize, storage: Storage) -> Value {
    match storage {
        Storage::Real => row.real(at).map_or(Value::Null, Value::Double),
        // SQLite's sum is a text.
        Storage::Whole => row.decimal(at).map_or(Value::Null, |sum| match i64::try_from(sum.mantissa()) {
            Ok(number) if sum.scale() == 0 => Value::Int(number),
            _ => Value::Decimal(sum),
        }),
        Storage::Id | Storage::Text | Storage::Decimal => row.decimal(at).map_or(Value::Null, Value::Decimal),
    }
}

fn average(sum: Value, count: Option<i64>) -> Value {
    let Some(count) = count.filter(|count| *count > 0) else { return Value::Null };
    match sum {
        Value::Int(sum) => average_of(Decimal::from(sum), count),
        Value::Decimal(sum) => average_of(sum, count),
        // Far fewer rows than a double counts exactly.
        Value::Double(sum) => Value::Double(sum / count as f64),
        _ => Value::Null,
    }
}

/// Rounded half away from zero.
fn average_of(sum: Decimal, count: i64) -> Value {
    let scaled = sum.rescale(AVERAGE_SCALE.max(sum.scale()));
    let finer = 10i128.pow(u32::from(scaled.scale() - AVERAGE_SCALE));
    let divisor = i128::from(count) * finer;
    let mantissa = scaled.mantissa();
    let (whole, rest) = (mantissa / divisor, mantissa % divisor);
    let up = rest.unsigned_abs() * 2 >= divisor.unsigned_abs();
    let mantissa = if up { whole + mantissa.signum() } else { whole };
    Decimal::new(mantissa, AVERAGE_SCALE).map_or(Value::Null, Value::Decimal)
}
