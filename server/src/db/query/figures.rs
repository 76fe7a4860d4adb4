//! Groups and figures of an aggregate, reckoned row by row. Numbers are exact.

use flette_odata::collate::{fold, value_order};
use flette_odata::decimal::DECIMAL_SCALE_MAX;
use flette_odata::error::Result;
use flette_odata::fetchxml::{Figure, Output, Role};
use flette_odata::{Decimal, ODataError, Uuid, Value};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

/// Digits after the point of an average of exact numbers.
const AVERAGE_SCALE: u8 = 10;

/// What makes values alike: as they are compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Null,
    Whole(i64),
    /// Without zeros at the end.
    Exact(i128, u8),
    Real(u64),
    Text(String),
    Id(Uuid),
}

fn key(value: &Value) -> Key {
    match value {
        Value::Null => Key::Null,
        Value::Bool(value) => Key::Whole(i64::from(*value)),
        Value::Int(number) => Key::Whole(*number),
        Value::Decimal(number) => {
            let (mut mantissa, mut scale) = (number.mantissa(), number.scale());
            while scale > 0 && mantissa % 10 == 0 {
                mantissa /= 10;
                scale -= 1;
            }
            Key::Exact(mantissa, scale)
        }
        // Zeros of both signs are one number.
        Value::Double(number) => Key::Real((number + 0.0).to_bits()),
        Value::Text(text) => Key::Text(fold(text).into_owned()),
        Value::Guid(id) => Key::Id(*id),
        Value::Lookup(to) => Key::Id(to.id),
        Value::DateTime(at) => Key::Whole(*at),
        Value::Date(days) => Key::Whole(i64::from(*days)),
    }
}

/// The groups of an answer.
pub(super) struct Groups<'a> {
    outputs: &'a [Output<'a>],
    utc_offset_minutes: i32,
    groups: HashMap<Vec<Key>, Group>,
}

/// One group: what its rows have in common, and its figures so far, both in the order of the answer.
struct Group {
    shared: Vec<Value>,
    figures: Vec<Running>,
}

/// A figure on its way.
#[derive(Default)]
struct Running {
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
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[default]
    Whole,
    Exact,
    Real,
}

impl<'a> Groups<'a> {
    /// No row yet. Without groups in the answer, all rows are one group, even when there are none.
    pub(super) fn new(outputs: &'a [Output<'a>], utc_offset_minutes: i32) -> Groups<'a> {
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
    pub(super) fn add(&mut self, row: Vec<Value>) -> Result<()> {
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
                figure.add(which, value)?;
            }
        }
        Ok(())
    }

    /// The answer's rows, ordered by columns of the answer.
    ///
    /// # Errors
    /// 400 when a figure is too large.
    pub(super) fn sorted(self, order: &[(usize, bool)]) -> Result<Vec<Vec<Value>>> {
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
        rows.sort_by(|left, right| {
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
        });
        Ok(rows)
    }
}

impl Group {
    fn new(shared: Vec<Value>, width: usize) -> Group {
        Group { shared, figures: (0..width).map(|_| Running::default()).collect() }
    }
}

impl Running {
    fn add(&mut self, figure: Figure, value: Value) -> Result<()> {
        self.rows += 1;
        if value.is_null() {
            return Ok(());
        }
        self.values += 1;
        match figure {
            Figure::Rows | Figure::Values => {}
            Figure::DistinctValues => {
                self.different.insert(key(&value));
            }
            Figure::Min if self.least.is_null() || value_order(&value, &self.least).is_lt() => {
                self.least = value
            }
            Figure::Max if self.greatest.is_null() || value_order(&value, &self.greatest).is_gt() => {
                self.greatest = value;
            }
            Figure::Min | Figure::Max => {}
            Figure::Sum | Figure::Average => self.sum(&value)?,
        }
        Ok(())
    }

    fn sum(&mut self, value: &Value) -> Result<()> {
        let exact = match value {
            Value::Int(number) => Decimal::from(*number),
            Value::Decimal(number) => {
                self.kind = Kind::Exact;
                self.scale = self.scale.max(number.scale());
                *number
            }
            Value::Double(number) => {
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

    fn value(self, figure: Figure) -> Result<Value> {
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
