//! Aggregates: which attributes are groups, which are figures, and whether they can be.

use super::element::{error, flag, shown};
use super::{DateGrouping, Figure, Role};
use crate::edm::{Column, ColumnKind};
use crate::error::{ODataError, Result};
use roxmltree::Node;

/// What becomes of a column's values.
///
/// # Errors
/// 400 when `aggregate`, `groupby` and `dategrouping` do not fit each other, the column, or the query.
pub(super) fn role(node: Node, column: &Column, aggregate: bool) -> Result<Role> {
    if node.attribute("rowaggregate").is_some() {
        return Err(ODataError::not_implemented("Counting the rows below a row is not supported."));
    }
    let group = flag(node, "groupby", "0x8004112E")?;
    let role = match (node.attribute("aggregate"), group) {
        (None, false) => Role::Plain,
        (None, true) => Role::Group(date_grouping(node, column)?),
        (Some(keyword), false) => {
            let distinct = flag(node, "distinct", "0x80041115")?;
            let named =
                Figure::ALL.into_iter().filter(|(_, name)| *name == keyword).map(|(figure, _)| figure);
            let figure = match (named.clone().next(), distinct) {
                (Some(Figure::Values), true) => Some(Figure::DistinctValues),
                (found, false) => found,
                (_, true) => None,
            };
            Role::Aggregate(figure.ok_or_else(|| bad_aggregate(keyword))?)
        }
        (Some(keyword), true) => return Err(bad_aggregate(keyword)),
    };
    match role {
        Role::Plain if aggregate => Err(not_aggregated()),
        Role::Group(_) | Role::Aggregate(_) if !aggregate => Err(not_aggregated()),
        Role::Aggregate(figure) if !can_be_figured(figure, column) => Err(error(
            "0x8004112F",
            format!("The aggregate is not supported for attribute '{}'.", column.logical_name),
        )),
        Role::Plain | Role::Group(_) | Role::Aggregate(_) => Ok(role),
    }
}

fn date_grouping(node: Node, column: &Column) -> Result<Option<DateGrouping>> {
    let Some(keyword) = node.attribute("dategrouping") else { return Ok(None) };
    let dated = matches!(column.kind, ColumnKind::DateTime | ColumnKind::Date);
    let found = DateGrouping::ALL.into_iter().find(|(_, name)| *name == keyword && dated);
    found
        .map(|(grouping, _)| Some(grouping))
        .ok_or_else(|| error("0x80041135", "An invalid value was specified for dategrouping.".to_owned()))
}

fn can_be_figured(figure: Figure, column: &Column) -> bool {
    let number = matches!(
        column.kind,
        ColumnKind::Integer { .. }
            | ColumnKind::BigInt
            | ColumnKind::Decimal { .. }
            | ColumnKind::Money { .. }
            | ColumnKind::Double { .. }
    );
    match figure {
        Figure::Sum | Figure::Average => number,
        Figure::Min | Figure::Max => number || matches!(column.kind, ColumnKind::DateTime | ColumnKind::Date),
        Figure::Rows | Figure::Values | Figure::DistinctValues => true,
    }
}

fn bad_aggregate(keyword: &str) -> ODataError {
    error("0x8004111a", format!("Aggregate '{}' cannot be processed.", shown(keyword)))
}

/// 400: aggregates and plain attributes do not mix.
pub(super) fn not_aggregated() -> ODataError {
    error(
        "0x8004111a",
        "In an aggregate every attribute is a group or an aggregate, and nowhere else.".to_owned(),
    )
}
