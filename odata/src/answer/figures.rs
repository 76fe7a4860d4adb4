//! Groups and figures of an aggregate, reckoned row by row. Numbers are exact.

use crate::collate::{cell_order, value_order, Key};
use crate::decimal::{Decimal, DECIMAL_SCALE_MAX};
use crate::error::{ODataError, Result};
use crate::fetchxml::{Figure, Output, Role};
use crate::ordered;
use crate::render::Cell;
use crate::value::Value;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

/// Digits after the point of an average of exact numbers.
const AVERAGE_SCALE: u8 = 10;

fn key(value: &Value) -> Key {
    Key::of(Cell::from(value))
}

/// The groups of an answer.
pub struct Groups<'a> {
    outputs: &'a [Output<'a>],
    utc_offset_minutes: i32,
    groups: HashMap<Vec<Key>, Group>,
}

/// One group: what its rows have in common, and its figures so far, both in the order of the answer.
struct Group {
    shared: Vec<Value>,
    figures: Vec<Running>,
}

/// A figure on its way. Of least and greatest values that are equal the first stays.
#[derive(Debug, Default)]
pub struct Running {
    rows: i64,
    values: i64,
    different: HashSet<Key>,
    /// At [`DECIMAL_SCALE_MAX`].
    exact: i128,
    scale: u8,
    real: f64,
    kind: Kind,
    least: Value,
    greatest: Value,
}

/// What numbers a figure was made of.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[default]
    Whole,
    Exact,
    Real,
}

impl<'a> Groups<'a> {
    /// No row yet. Without groups in the answer, all rows are one group, even when there are none.
    pub fn new(outputs: &'a [Output<'a>], utc_offset_minutes: i32) -> Groups<'a> {
        let mut groups = HashMap::new();
        if !outputs.iter().any(|output| matches!(output.role, Role::Group(_))) {
            groups.insert(Vec::new(), Group::new(Vec::new(), outputs.len()));
        }
        Groups { outputs, utc_offset_minutes, groups }
    }

    /// Takes a row in: values in the order of the answer's columns.
    ///
    /// # Errors
    /// 400 when a figure becomes too large.
    pub fn add(&mut self, row: Vec<Value>) -> Result<()> {
        let shared: Vec<Value> = self
            .outputs
            .iter()
            .zip(&row)
            .filter_map(|(output, value)| match output.role {
                Role::Group(None) => Some(value.clone()),
                Role::Group(Some(part)) => Some(part.of(value, self.utc_offset_minutes)),
                Role::Plain | Role::Aggregate(_) => None,
            })
            .collect();
        let width = self.outputs.len();
        let known = self.groups.entry(shared.iter().map(key).collect());
        let group = known.or_insert_with(|| Group::new(shared.clone(), width));
        for (known, value) in group.shared.iter_mut().zip(shared) {
            // Of spellings that are alike, the one that comes first by code points.
            if let (Value::Text(known), Value::Text(other)) = (known, value) {
                if other < *known {
                    *known = other;
                }
            }
        }
        for ((output, figure), value) in self.outputs.iter().zip(&mut group.figures).zip(row) {
            if let Role::Aggregate(which) = output.role {
                figure.add(which, Cell::from(&value))?;
            }
        }
        Ok(())
    }

    /// The answer's rows, ordered by columns of the answer.
    ///
    /// # Errors
    /// 400 when a figure is too large.
    pub fn sorted(self, order: &[(usize, bool)]) -> Result<Vec<Vec<Value>>> {
        let mut rows = Vec::new();
        for group in self.groups.into_values() {
            let mut shared = group.shared.into_iter();
            let cells = self.outputs.iter().zip(group.figures).map(|(output, figure)| match output.role {
                Role::Aggregate(which) => figure.value(which),
                Role::Group(_) => Ok(shared.next().unwrap_or_default()),
                Role::Plain => Ok(Value::Null),
            });
            rows.push(cells.collect::<Result<Vec<Value>>>()?);
        }
        Ok(ordered::list(rows, |left, right| {
            let orders = order.iter().map(|(at, descending)| {
                let order = match (left.get(*at), right.get(*at)) {
                    (Some(left), Some(right)) => value_order(left, right),
                    _ => Ordering::Equal,
                };
                if *descending {
                    order.reverse()
                } else {
                    order
                }
            });
            orders.fold(Ordering::Equal, Ordering::then)
        }))
    }
}

impl Group {
    fn new(shared: Vec<Value>, width: usize) -> Group {
        Group { shared, figures: (0..width).map(|_| Running::default()).collect() }
    }
}

impl Running {
    /// Takes a row's value in.
    ///
    /// # Errors
    /// 400 when the figure becomes too large.
    pub fn add(&mut self, figure: Figure, value: Cell<'_>) -> Result<()> {
        self.rows += 1;
        if value == Cell::Null {
            return Ok(());
        }
        self.values += 1;
        match figure {
            Figure::Rows | Figure::Values => {}
            Figure::DistinctValues => {
                self.different.insert(Key::of(value));
            }
            Figure::Min if self.least.is_null() || cell_order(value, Cell::from(&self.least)).is_lt() => {
                self.least = value.into();
            }
            Figure::Max
                if self.greatest.is_null() || cell_order(value, Cell::from(&self.greatest)).is_gt() =>
            {
                self.greatest = value.into();
            }
            Figure::Min | Figure::Max => {}
            Figure::Sum | Figure::Average => self.sum(value)?,
        }
        Ok(())
    }

    /// Takes so many rows in of which nothing but their number counts.
    pub fn count(&mut self, rows: i64) {
        self.rows = self.rows.saturating_add(rows);
    }

    fn sum(&mut self, value: Cell<'_>) -> Result<()> {
        let exact = match value {
            Cell::Int(number) => Decimal::from(number),
            Cell::Decimal(number) => {
                self.kind = Kind::Exact;
                self.scale = self.scale.max(number.scale());
                number
            }
            Cell::Double(number) => {
                self.kind = Kind::Real;
                self.real += number;
                return Ok(());
            }
            _ => return Ok(()),
        };
        let power = u32::from(DECIMAL_SCALE_MAX.saturating_sub(exact.scale()));
        let scaled = exact.mantissa().checked_mul(10i128.pow(power)).ok_or_else(too_large)?;
        self.exact = self.exact.checked_add(scaled).ok_or_else(too_large)?;
        Ok(())
    }

    /// What it came to.
    ///
    /// # Errors
    /// 400 when it is too large.
    pub fn value(self, figure: Figure) -> Result<Value> {
        match figure {
            Figure::Rows => Ok(Value::Int(self.rows)),
            Figure::Values => Ok(Value::Int(self.values)),
            Figure::DistinctValues => {
                i64::try_from(self.different.len()).map(Value::Int).map_err(|_| too_large())
            }
            Figure::Min => Ok(self.least),
            Figure::Max => Ok(self.greatest),
            Figure::Sum | Figure::Average if self.values == 0 => Ok(Value::Null),
            Figure::Sum => self.total(),
            Figure::Average => self.average(),
        }
    }

    fn total(&self) -> Result<Value> {
        let unit = |scale: u8| 10i128.pow(u32::from(scale));
        match self.kind {
            Kind::Real => Ok(Value::Double(self.real)),
            Kind::Whole => {
                i64::try_from(self.exact / unit(DECIMAL_SCALE_MAX)).map(Value::Int).map_err(|_| too_large())
            }
            Kind::Exact => {
                let mantissa = self.exact / unit(DECIMAL_SCALE_MAX - self.scale);
                Decimal::new(mantissa, self.scale).map(Value::Decimal).ok_or_else(too_large)
            }
        }
    }

    /// Of exact numbers a decimal, rounded half away from zero.
    fn average(&self) -> Result<Value> {
        if self.kind == Kind::Real {
            let count: f64 = self.values.to_string().parse().unwrap_or(1.0);
            return Ok(Value::Double(self.real / count));
        }
        let cut = 10i128.pow(u32::from(DECIMAL_SCALE_MAX - AVERAGE_SCALE));
        let divisor = i128::from(self.values).checked_mul(cut).ok_or_else(too_large)?;
        let (quotient, rest) = (self.exact / divisor, self.exact % divisor);
        let away = if rest.abs() >= divisor - rest.abs() { self.exact.signum() } else { 0 };
        Decimal::new(quotient + away, AVERAGE_SCALE).map(Value::Decimal).ok_or_else(too_large)
    }
}

fn too_large() -> ODataError {
    ODataError::new(400, "0x80044330", "A figure of the aggregate is too large.")
}
