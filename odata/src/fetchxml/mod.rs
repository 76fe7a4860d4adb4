//! FetchXML: Dataverse's query language in XML. The tree, its limits, and the way between tree and text.
//!
//! Joins keep how often a row matches, and aggregates group over joined rows, so a [`Fetch`] is a tree of its
//! own and not a [`crate::query::Query`]. What a condition means is a [`Filter`] over the columns of its
//! table.

mod columns;
pub(crate) mod condition;
mod cookie;
mod criteria;
mod element;
mod limits;
pub(crate) mod operator;
mod print;
mod read;
mod resolve;
mod role;
mod scope;

use crate::filter::{CompareOp, Filter};
pub use columns::{Output, Position};
pub use cookie::Cookie;
pub use limits::*;
pub use operator::Operator;
pub use print::print;
pub use read::parse;
pub use resolve::too_many_rows;

/// A query as FetchXML says it. Every name in it is known to the schema it was read with.
#[derive(Debug, Clone, PartialEq)]
pub struct Fetch {
    /// The table asked for, with everything below it.
    pub entity: Entity,
    /// `distinct`: rows that are alike in all their columns come once.
    pub distinct: bool,
    /// `aggregate`: groups and figures instead of rows.
    pub aggregate: bool,
    /// How much of the answer is wanted.
    pub extent: Extent,
    /// `returntotalrecordcount`
    pub total_record_count: bool,
    /// `aggregatelimit`: most rows an aggregate may go over, at most [`AGGREGATE_ROWS_MAX`].
    pub aggregate_rows_max: u32,
}

/// Which part of the rows is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// `top`: the first rows, at most [`PAGE_ROWS_MAX`], and no further pages.
    Top(u32),
    /// `page`, `count`, `paging-cookie`
    Page {
        /// From 1.
        number: u32,
        /// Rows in a page; `None` = as many as the service gives.
        count: Option<u32>,
        /// Where an earlier page ended, as the service said it.
        cookie: Option<String>,
    },
}

/// What `entity` and `link-entity` have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    /// Logical name.
    pub table: String,
    /// Columns in the answer.
    pub columns: Columns,
    /// Conditions on a row; all hold.
    pub criteria: Vec<Criteria>,
    /// Order, most significant first. The whole order is that of the entity, then those of its links in the
    /// order of the document ([`Fetch::order`]).
    pub orders: Vec<Order>,
    /// Linked tables.
    pub links: Vec<Link>,
}

/// Which columns of a table come with the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Columns {
    /// `all-attributes`, or an `entity` without any `attribute`.
    All,
    /// These; none at all is `no-attrs`, or a `link-entity` without any `attribute`.
    Some(Vec<Attribute>),
}

/// One `attribute`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Logical name.
    pub column: String,
    /// Name in the answer.
    pub alias: Option<String>,
    /// What becomes of the values.
    pub role: Role,
}

/// What becomes of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// They are shown.
    Plain,
    /// `groupby`: rows with the same value are one group.
    Group(Option<DateGrouping>),
    /// `aggregate`: one figure of each group.
    Aggregate(Figure),
}

/// `aggregate`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// `sum`
    Sum,
    /// `avg`
    Average,
    /// `min`
    Min,
    /// `max`
    Max,
    /// `count`: rows.
    Rows,
    /// `countcolumn`: values.
    Values,
    /// `countcolumn` with `distinct`: different values.
    DistinctValues,
}

/// `dategrouping`: which part of a date makes the group. All of them are whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateGrouping {
    /// Day of the month, 1 to 31.
    Day,
    /// Week of the year, 1 to 54: the first has January 1, and weeks begin on Sundays.
    Week,
    /// 1 to 12.
    Month,
    /// 1 to 4.
    Quarter,
    /// The year itself.
    Year,
}

/// What a row must fulfil.
#[derive(Debug, Clone, PartialEq)]
pub enum Criteria {
    /// `filter type="and"`; nothing in it holds for every row.
    And(Vec<Criteria>),
    /// `filter type="or"`; as in SQL, one without conditions is left out and holds too.
    Or(Vec<Criteria>),
    /// One condition.
    Condition(Condition),
    /// `link-entity` inside a `filter`: of kind [`LinkKind::Any`] to [`LinkKind::NotAll`].
    Link(Box<Link>),
}

/// One `condition`.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// `entityname`: alias of the joined link whose row is meant; `None` = the row the filter stands on.
    pub entity: Option<String>,
    /// Logical name.
    pub column: String,
    /// What is said about it.
    pub test: Test,
}

/// What a condition says about a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// `operator` with `value`s.
    Values {
        /// As written.
        operator: Operator,
        /// As written.
        values: Vec<String>,
        /// What they mean, on columns of the condition's table.
        filter: Filter,
    },
    /// `valueof`: the value of another column. Never holds when either is null.
    Column {
        /// How they compare.
        op: CompareOp,
        /// Alias of the joined link whose row is meant; `None` = the row the filter stands on.
        entity: Option<String>,
        /// Logical name.
        column: String,
    },
}

/// One `order`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub by: OrderKey,
    /// `descending`
    pub descending: bool,
}

/// What is ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderKey {
    /// A column of the row the order stands on, or of the joined link with this alias.
    Column {
        /// `entityname`
        entity: Option<String>,
        /// Logical name.
        column: String,
    },
    /// `alias`: a column of the answer of an aggregate.
    Alias(String),
}

/// One `link-entity`: rows whose column `from` equals column `to` of the row above.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// The linked table.
    pub entity: Entity,
    /// As given, or made: table and a number.
    pub alias: String,
    /// Column of the linked table.
    pub from: String,
    /// Column of the table above.
    pub to: String,
    /// What a match does to the row above.
    pub kind: LinkKind,
}

/// `link-type`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// A row above comes once for each match, and not without one.
    Inner,
    /// The same, and once with nulls when there is no match.
    Outer,
    /// `matchfirstrowusingcrossapply`: a row above comes once, with its first match (the smallest key).
    First,
    /// `exists`: a row above comes once when there is a match; nothing of the match is shown.
    Exists,
    /// `in`: the same as `exists`, asked differently.
    In,
    /// In a filter: there is a match.
    Any,
    /// In a filter: there is none.
    NotAny,
    /// In a filter: there are rows behind the link, and none of them meets the link's own conditions. That is
    /// how Dataverse defines `all`.
    All,
    /// In a filter: the same as [`LinkKind::Any`], as Dataverse defines `not all`.
    NotAll,
}

impl LinkKind {
    /// Every kind with its keyword.
    pub const ALL: [(LinkKind, &'static str); 9] = [
        (LinkKind::Inner, "inner"),
        (LinkKind::Outer, "outer"),
        (LinkKind::First, "matchfirstrowusingcrossapply"),
        (LinkKind::Exists, "exists"),
        (LinkKind::In, "in"),
        (LinkKind::Any, "any"),
        (LinkKind::NotAny, "not any"),
        (LinkKind::All, "all"),
        (LinkKind::NotAll, "not all"),
    ];

    /// Whether the linked rows stand beside those above, so that they can be shown, ordered by and named in
    /// conditions.
    pub fn joins(self) -> bool {
        match self {
            LinkKind::Inner | LinkKind::Outer | LinkKind::First => true,
            LinkKind::Exists
            | LinkKind::In
            | LinkKind::Any
            | LinkKind::NotAny
            | LinkKind::All
            | LinkKind::NotAll => false,
        }
    }

    /// Whether the link stands in a `filter`.
    pub fn in_filter(self) -> bool {
        match self {
            LinkKind::Any | LinkKind::NotAny | LinkKind::All | LinkKind::NotAll => true,
            LinkKind::Inner | LinkKind::Outer | LinkKind::First | LinkKind::Exists | LinkKind::In => false,
        }
    }
}

impl Figure {
    /// Every figure with its keyword; [`Figure::DistinctValues`] shares one.
    pub const ALL: [(Figure, &'static str); 7] = [
        (Figure::Sum, "sum"),
        (Figure::Average, "avg"),
        (Figure::Min, "min"),
        (Figure::Max, "max"),
        (Figure::Rows, "count"),
        (Figure::Values, "countcolumn"),
        (Figure::DistinctValues, "countcolumn"),
    ];
}

impl DateGrouping {
    /// Every grouping with its keyword.
    pub const ALL: [(DateGrouping, &'static str); 5] = [
        (DateGrouping::Day, "day"),
        (DateGrouping::Week, "week"),
        (DateGrouping::Month, "month"),
        (DateGrouping::Quarter, "quarter"),
        (DateGrouping::Year, "year"),
    ];
}

impl Entity {
    /// Links whose rows stand beside this entity's, with those below them, in the order of the document.
    pub fn joined(&self) -> Vec<&Link> {
        let mut all = Vec::new();
        for link in self.links.iter().filter(|link| link.kind.joins()) {
            all.push(link);
            all.extend(link.entity.joined());
        }
        all
    }
}
