//! `$filter`: grammar, types, and what it means for a row.

mod bound;
mod calendar;
mod call;
mod function;
mod literal;
mod operator;
pub(crate) mod parse;
mod path;
mod place;
mod print;
mod resolve;
pub(crate) mod token;
pub(crate) mod written;

use crate::collate;
use crate::edm::{Schema, Table};
use crate::error::Result;
use crate::render::Cell;
use crate::value::Value;
pub use function::{CallerColumn, DaySide, FiscalTime, HierarchySide, QueryFunction, TimeUnit};
pub(crate) use literal::{comparable, parse_guid};
pub use operator::{function_names, FunctionNeed};
pub(crate) use parse::column_not_found;
pub use print::print_filter;
pub use resolve::{resolve, Circumstances, HierarchyQuestion};
use std::cmp::Ordering;

/// Deepest nesting of parentheses, functions and `not`: far above what people and builders write, far below
/// what a small stack can take.
pub const FILTER_DEPTH_MAX: usize = 100;
/// Most operands and comparisons in one filter: several hundred conditions.
pub const FILTER_NODES_MAX: usize = 5000;

/// Most navigation properties that one path follows (`primarycontactid/parentcustomerid_account/name`: two).
pub const PATH_DEPTH_MAX: usize = 10;

/// A condition on a row of one table. Columns are logical names that exist in the table; values fit their
/// columns' types.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All hold; never empty when parsed.
    And(Vec<Filter>),
    /// At least one holds; never empty when parsed.
    Or(Vec<Filter>),
    /// Does not hold.
    Not(Box<Filter>),
    /// A column against a literal, which is null or exactly of the column's type: `Int` for whole numbers and
    /// options, `Decimal` for decimals and money, `Double`, `Text`, `Bool`, `DateTime`, `Date`, and `Guid`
    /// for keys and lookups. A literal that no value of the column can equal (`numberofemployees gt 11.5`) is
    /// rewritten while parsing.
    Compare {
        /// Logical name.
        column: String,
        /// How.
        op: CompareOp,
        /// The literal.
        value: Value,
    },
    /// Two columns of the same row against each other.
    CompareColumns {
        /// Logical name.
        left: String,
        /// How.
        op: CompareOp,
        /// Logical name.
        right: String,
    },
    /// A text column against a pattern.
    Text {
        /// Logical name.
        column: String,
        /// How.
        op: TextOp,
        /// What is looked for, as written (not folded).
        pattern: String,
    },
    /// A multi-select choice column of which some of these options are chosen. A column without a value has
    /// none.
    HasValues {
        /// Logical name.
        column: String,
        /// Options, at least one when parsed.
        values: Vec<i32>,
    },
    /// A condition on the row that a single-valued navigation property leads to
    /// (`primarycontactid/fullname eq 'x'`). A lookup that is unset, points to another table, or to a row that
    /// is gone or out of the caller's sight, leads to a row whose every column is null, as in a left join.
    /// Parsed ones hold one condition each, never an `And`, `Or` or `Not`.
    Through {
        /// Single-valued navigation property with one target table, as in the schema.
        navigation: String,
        /// On the target table.
        filter: Box<Filter>,
    },
    /// `any`: at least one row of a collection-valued navigation property (1:N or N:N) that the caller may see
    /// meets the condition. `any()` has [`Filter::Always`]; `all(x:f)` is read as `not any(x:not f)`.
    Any {
        /// Collection-valued navigation property, as in the schema.
        collection: String,
        /// On the table of the collection; holds no further `Any` when parsed.
        filter: Box<Filter>,
    },
    /// A query function whose outcome depends on who asks, or when. [`resolve`] rewrites it.
    Function {
        /// Logical name.
        column: String,
        /// Which, with its arguments.
        function: QueryFunction,
    },
    /// The same for every row.
    Always(bool),
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CompareOp {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// Text functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TextOp {
    Contains,
    StartsWith,
    EndsWith,
    /// `%` is any text, `_` any character, `[a-f]` one of a set, `[^a-f]` one outside it, as in Transact-SQL; the
    /// whole text must fit, without case. What FetchXML's `like` means; no `$filter` text gives it.
    Like,
}

impl CompareOp {
    /// Every operator.
    pub const ALL: [CompareOp; 6] = [
        CompareOp::Equal,
        CompareOp::NotEqual,
        CompareOp::Greater,
        CompareOp::GreaterOrEqual,
        CompareOp::Less,
        CompareOp::LessOrEqual,
    ];

    /// `eq`, `ne`, `gt`, `ge`, `lt`, `le`
    pub fn keyword(self) -> &'static str {
        match self {
            CompareOp::Equal => "eq",
            CompareOp::NotEqual => "ne",
            CompareOp::Greater => "gt",
            CompareOp::GreaterOrEqual => "ge",
            CompareOp::Less => "lt",
            CompareOp::LessOrEqual => "le",
        }
    }

    /// The operator with its sides exchanged: `5 gt x` is `x lt 5`.
    pub fn flipped(self) -> CompareOp {
        match self {
            CompareOp::Equal => CompareOp::Equal,
            CompareOp::NotEqual => CompareOp::NotEqual,
            CompareOp::Greater => CompareOp::Less,
            CompareOp::GreaterOrEqual => CompareOp::LessOrEqual,
            CompareOp::Less => CompareOp::Greater,
            CompareOp::LessOrEqual => CompareOp::GreaterOrEqual,
        }
    }

    /// Whether two values in this order satisfy the operator.
    pub fn holds(self, order: Ordering) -> bool {
        match self {
            CompareOp::Equal => order.is_eq(),
            CompareOp::NotEqual => order.is_ne(),
            CompareOp::Greater => order.is_gt(),
            CompareOp::GreaterOrEqual => order.is_ge(),
            CompareOp::Less => order.is_lt(),
            CompareOp::LessOrEqual => order.is_le(),
        }
    }
}

/// Reads the text of a `$filter` option, percent-decoded. Parameter aliases are null here; see
/// [`crate::query`].
///
/// # Errors
/// 400 for a syntax error, an unknown column, a type that does not fit, or more than [`FILTER_DEPTH_MAX`],
/// [`FILTER_NODES_MAX`] and [`PATH_DEPTH_MAX`] allow; 501 for a path to a table that is not in the schema.
pub fn parse_filter(text: &str, table: &Table, schema: &Schema) -> Result<Filter> {
    parse::parse(text, table, schema, &|_| None)
}

/// Whether a row passes. `cell` gives a column's value by logical name, `Null` where there is none.
///
/// Two-valued: every condition is true or false, so `not` is plain negation. A comparison in which a column
/// has no value is false, except that `eq null` and `ne null` test for just that, and `ne` against a value
/// holds. Texts compare as in [`collate::compare`]; `%`, `_` and `[` in patterns are ordinary characters,
/// unlike in Dataverse, where they are wildcards.
///
/// A row alone cannot tell what [`Filter::Through`], [`Filter::Any`] and [`Filter::Function`] mean: here none of
/// them is met. Ask [`Filter::is_of_one_row`] before.
pub fn matches(filter: &Filter, cell: &dyn Fn(&str) -> Value) -> bool {
    match filter {
        Filter::And(items) => items.iter().all(|item| matches(item, cell)),
        Filter::Or(items) => items.iter().any(|item| matches(item, cell)),
        Filter::Not(inner) => !matches(inner, cell),
        leaf => {
            let (left, right) = leaf.columns();
            let [left, right] = [left, right].map(|column| column.map(cell).unwrap_or_default());
            leaf_holds(leaf, Cell::from(&left), Cell::from(&right))
        }
    }
}

/// The same as [`matches`] without copying values.
pub fn holds<'c>(filter: &Filter, cell: &dyn Fn(&str) -> Cell<'c>) -> bool {
    match filter {
        Filter::And(items) => items.iter().all(|item| holds(item, cell)),
        Filter::Or(items) => items.iter().any(|item| holds(item, cell)),
        Filter::Not(inner) => !holds(inner, cell),
        leaf => {
            let (left, right) = leaf.columns();
            let [left, right] = [left, right].map(|column| column.map_or(Cell::Null, cell));
            leaf_holds(leaf, left, right)
        }
    }
}

/// Whether a condition without parts holds for the values of its columns.
fn leaf_holds(leaf: &Filter, left: Cell<'_>, right: Cell<'_>) -> bool {
    match leaf {
        Filter::Compare { op, value, .. } => compare_cell(left, *op, Cell::from(value)),
        Filter::CompareColumns { op, .. } => {
            collate::compare_cells(left, right).is_some_and(|order| op.holds(order))
        }
        Filter::Text { op, pattern, .. } => match (op, left) {
            (TextOp::Contains, Cell::Text(text)) => collate::contains(text, pattern),
            (TextOp::StartsWith, Cell::Text(text)) => collate::starts_with(text, pattern),
            (TextOp::EndsWith, Cell::Text(text)) => collate::ends_with(text, pattern),
            (TextOp::Like, Cell::Text(text)) => collate::like(text, pattern),
            (TextOp::Contains | TextOp::StartsWith | TextOp::EndsWith | TextOp::Like, _) => false,
        },
        Filter::HasValues { values, .. } => match left {
            Cell::Text(chosen) => has_values(chosen, values),
            _ => false,
        },
        Filter::Always(value) => *value,
        Filter::And(_)
        | Filter::Or(_)
        | Filter::Not(_)
        | Filter::Through { .. }
        | Filter::Any { .. }
        | Filter::Function { .. } => false,
    }
}

impl Filter {
    /// The columns that a condition without parts looks at.
    fn columns(&self) -> (Option<&str>, Option<&str>) {
        match self {
            Filter::Compare { column, .. }
            | Filter::Text { column, .. }
            | Filter::HasValues { column, .. } => (Some(column), None),
            Filter::CompareColumns { left, right, .. } => (Some(left), Some(right)),
            Filter::And(_)
            | Filter::Or(_)
            | Filter::Not(_)
            | Filter::Through { .. }
            | Filter::Any { .. }
            | Filter::Function { .. }
            | Filter::Always(_) => (None, None),
        }
    }

    /// Whether a row alone tells the outcome: no other rows, no caller, no clock.
    pub fn is_of_one_row(&self) -> bool {
        match self {
            Filter::And(items) | Filter::Or(items) => items.iter().all(Filter::is_of_one_row),
            Filter::Not(inner) => inner.is_of_one_row(),
            Filter::Through { .. } | Filter::Any { .. } | Filter::Function { .. } => false,
            Filter::Compare { .. }
            | Filter::CompareColumns { .. }
            | Filter::Text { .. }
            | Filter::HasValues { .. }
            | Filter::Always(_) => true,
        }
    }
}

/// `chosen` is the column's text: numbers parted by commas.
fn has_values(chosen: &str, values: &[i32]) -> bool {
    chosen.split(',').any(|number| number.trim().parse().is_ok_and(|number: i32| values.contains(&number)))
}

fn compare_cell(cell: Cell<'_>, op: CompareOp, value: Cell<'_>) -> bool {
    match (cell, value) {
        (Cell::Null, Cell::Null) => op == CompareOp::Equal,
        (Cell::Null, _) | (_, Cell::Null) => op == CompareOp::NotEqual,
        (cell, value) => match collate::compare_cells(cell, value) {
            Some(order) => op.holds(order),
            None => op == CompareOp::NotEqual,
        },
    }
}

#[cfg(test)]
mod function_tests;
#[cfg(test)]
mod tests;
