//! Operands of a comparison, and what comparing them means.

use super::literal::{comparable, edm_type, incompatible, Literal};
use super::parse::not_boolean;
use super::{CompareOp, Filter};
use crate::collate::compare_values;
use crate::edm::{Column, ColumnKind};
use crate::error::{ODataError, Result};
use crate::value::Value;

/// What an expression can be before it is known whether it must be a condition.
pub(super) enum Operand<'a> {
    Place(Place<'a>),
    Literal(Literal<'a>),
    Condition(Filter),
}

/// A column, of the table itself or at the end of a path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place<'a> {
    /// Single-valued navigation properties to follow.
    pub(crate) path: Vec<&'a str>,
    pub(crate) column: &'a Column,
}

impl Place<'_> {
    pub(super) fn is_text(&self) -> bool {
        matches!(self.column.kind, ColumnKind::Text { .. } | ColumnKind::Memo { .. })
    }

    /// A condition on the table at the path's end, seen from its beginning.
    pub(super) fn through(&self, filter: Filter) -> Filter {
        through(&self.path, filter)
    }
}

/// A condition on the table at a path's end, seen from its beginning. Every single condition becomes one
/// [`Filter::Through`] per step.
pub(super) fn through(path: &[&str], filter: Filter) -> Filter {
    if path.is_empty() {
        return filter;
    }
    let all = |items: Vec<Filter>| items.into_iter().map(|item| through(path, item)).collect();
    match filter {
        Filter::And(items) => Filter::And(all(items)),
        Filter::Or(items) => Filter::Or(all(items)),
        Filter::Not(inner) => Filter::Not(Box::new(through(path, *inner))),
        Filter::Always(value) => Filter::Always(value),
        leaf => path.iter().rev().fold(leaf, |filter, navigation| Filter::Through {
            navigation: (*navigation).to_owned(),
            filter: Box::new(filter),
        }),
    }
}

/// A column of two options on its own means that it is true.
pub(super) fn bool_column(place: Place<'_>) -> Result<Filter> {
    if !matches!(place.column.kind, ColumnKind::Boolean { .. }) {
        return Err(not_boolean());
    }
    Ok(place.through(Filter::Compare {
        column: place.column.logical_name.clone(),
        op: CompareOp::Equal,
        value: Value::Bool(true),
    }))
}

impl Operand<'_> {
    pub(super) fn compare(self, op: CompareOp, right: Operand<'_>) -> Result<Filter> {
        match (self, right) {
            (Operand::Place(place), Operand::Literal(literal)) => compare_column(&place, op, &literal),
            (Operand::Literal(literal), Operand::Place(place)) => {
                compare_column(&place, op.flipped(), &literal)
            }
            (Operand::Place(left), Operand::Place(right)) => compare_columns(&left, op, &right),
            (Operand::Literal(left), Operand::Literal(right)) => {
                compare_literals(&left.value(), op, &right.value())
            }
            (Operand::Condition(filter), Operand::Literal(literal))
            | (Operand::Literal(literal), Operand::Condition(filter)) => {
                compare_condition(filter, op, &literal)
            }
            (Operand::Condition(_), Operand::Condition(_) | Operand::Place(_))
            | (Operand::Place(_), Operand::Condition(_)) => {
                Err(ODataError::bad_request("Conditions can be compared with true and false only."))
            }
        }
    }
}

fn compare_column(place: &Place<'_>, op: CompareOp, literal: &Literal<'_>) -> Result<Filter> {
    Ok(place.through(literal.bound(place.column, op)?.compare(&place.column.logical_name, op)))
}

/// Columns are compared within one row, as in Dataverse.
fn compare_columns(left: &Place<'_>, op: CompareOp, right: &Place<'_>) -> Result<Filter> {
    if left.path != right.path {
        return Err(ODataError::bad_request("Only columns of the same row can be compared with each other."));
    }
    if !comparable(left.column, right.column) {
        return Err(incompatible(edm_type(left.column), edm_type(right.column), op));
    }
    let (left_name, right_name) = (&left.column.logical_name, &right.column.logical_name);
    Ok(left.through(Filter::CompareColumns { left: left_name.clone(), op, right: right_name.clone() }))
}

/// Literals are compared as they stand; a null is equal to a null and to nothing else.
fn compare_literals(left: &Value, op: CompareOp, right: &Value) -> Result<Filter> {
    if left.is_null() || right.is_null() {
        let equal = left.is_null() && right.is_null();
        return Ok(Filter::Always(match op {
            CompareOp::Equal => equal,
            CompareOp::NotEqual => !equal,
            CompareOp::Greater | CompareOp::GreaterOrEqual | CompareOp::Less | CompareOp::LessOrEqual => {
                false
            }
        }));
    }
    match compare_values(left, right) {
        Some(order) => Ok(Filter::Always(op.holds(order))),
        None => Err(ODataError::bad_request(
            "A binary operator with incompatible types was detected between two literals.",
        )),
    }
}

/// `contains(name,'x') eq true`, as some query builders write it.
fn compare_condition(filter: Filter, op: CompareOp, literal: &Literal<'_>) -> Result<Filter> {
    let wanted = match (op, literal) {
        (CompareOp::Equal, Literal::Bool(value)) => *value,
        (CompareOp::NotEqual, Literal::Bool(value)) => !*value,
        _ => return Err(ODataError::bad_request("Conditions can be compared with true and false only.")),
    };
    Ok(if wanted { filter } else { Filter::Not(Box::new(filter)) })
}
