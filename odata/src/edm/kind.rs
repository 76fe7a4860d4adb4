//! What a column holds: its type with limits and options, and where a lookup leads.

use crate::decimal::Decimal;
use serde::{Deserialize, Serialize};

/// A column's type with its limits.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub enum ColumnKind {
    /// Primary key.
    #[default]
    Id,
    /// An id that is neither the primary key nor a lookup, such as the columns of an intersect table.
    Guid,
    /// One line of text; length in UTF-16 units.
    Text {
        /// Longest text, UTF-16 units.
        length_max: u32,
        /// What the text means.
        format: TextFormat,
    },
    /// Several lines of text.
    Memo {
        /// Longest text, UTF-16 units.
        length_max: u32,
    },
    /// Whole number.
    Integer {
        /// Smallest value allowed.
        min: i32,
        /// Largest value allowed.
        max: i32,
    },
    /// Int64 such as `versionnumber`.
    BigInt,
    /// Exact decimal.
    Decimal {
        /// Digits after the point, `0..=10`.
        precision: u8,
        /// Smallest value allowed.
        min: Decimal,
        /// Largest value allowed.
        max: Decimal,
    },
    /// Money: exact, four digits after the point on the wire.
    Money {
        /// Digits after the point that are shown, `0..=4`.
        precision: u8,
        /// Smallest value allowed.
        min: Decimal,
        /// Largest value allowed.
        max: Decimal,
    },
    /// Floating point number.
    Double {
        /// Digits after the point that are shown.
        precision: u8,
        /// Smallest value allowed.
        min: f64,
        /// Largest value allowed.
        max: f64,
    },
    /// Two options: labels of `false` and `true`, and the default of a new row.
    Boolean {
        /// Label of `false`.
        label_false: String,
        /// Label of `true`.
        label_true: String,
        /// Value in a new row.
        default: bool,
    },
    /// UTC instant, whole seconds.
    DateTime,
    /// Calendar date.
    Date,
    /// One of several options.
    Picklist {
        /// In the order shown.
        options: Vec<OptionItem>,
        /// Value in a new row.
        default: Option<i32>,
    },
    /// Any number of several options. A value is text: the numbers in rising order, each once, parted by commas
    /// (`1,3`), and null when none is chosen, so that equal choices are equal values.
    MultiPicklist {
        /// In the order shown.
        options: Vec<OptionItem>,
    },
    /// `statecode`: values and the status each defaults to.
    State {
        /// In the order shown; the first is that of a new row.
        options: Vec<StateOption>,
    },
    /// `statuscode`: each belongs to one state.
    Status {
        /// In the order shown.
        options: Vec<StatusOption>,
    },
    /// Reference to a row of one of several tables.
    Lookup {
        /// One per target table.
        targets: Vec<LookupTarget>,
    },
}

/// Format of a text column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum TextFormat {
    Text,
    Email,
    Phone,
    Url,
}

/// One option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct OptionItem {
    pub value: i32,
    pub label: String,
}

/// One state with the status it defaults to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct StateOption {
    pub value: i32,
    pub label: String,
    pub default_status: i32,
}

/// One status reason with the state it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct StatusOption {
    pub value: i32,
    pub label: String,
    pub state: i32,
}

/// One target table of a lookup, with the navigation property that binds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupTarget {
    /// Logical name of the target table.
    pub table: String,
    /// `parentcustomerid_account`; the same for all targets of `ownerid`. Case counts.
    pub navigation: String,
    /// `ReferencedEntityNavigationPropertyName`: the collection on the target, such as `Contact_Tasks`.
    pub collection: String,
    /// `SchemaName` of the relationship.
    pub relationship: String,
    /// What happens to this row when the target is deleted.
    pub on_delete: OnDelete,
}

/// `CascadeConfiguration.Delete`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnDelete {
    /// The row is deleted too.
    Cascade,
    /// The lookup becomes null.
    RemoveLink,
    /// The delete is refused.
    Restrict,
    /// Nothing; the lookup keeps pointing to what is gone.
    NoCascade,
}
