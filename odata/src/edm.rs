//! The schema model: tables, columns, types, options, lookups. What `EntityDefinitions` tells, typed.

use crate::decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// All tables one side knows. Small: tables are searched in order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Schema {
    /// Tables in the order they were declared.
    pub tables: Vec<Table>,
}

impl Schema {
    /// A table by logical name (`account`).
    pub fn table(&self, logical_name: &str) -> Option<&Table> {
        self.tables.iter().find(|t| t.logical_name == logical_name)
    }

    /// A table by entity set name (`accounts`). Case counts, as in Dataverse.
    pub fn table_by_set(&self, set_name: &str) -> Option<&Table> {
        self.tables.iter().find(|t| t.set_name == set_name)
    }
}

/// One table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// `account`
    pub logical_name: String,
    /// `Account`
    pub schema_name: String,
    /// `accounts`: what URLs use.
    pub set_name: String,
    /// `Account` / `Accounts`: what people read.
    pub display_name: String,
    /// Plural of the above.
    pub display_collection_name: String,
    /// Column of the primary key, such as `accountid` or `activityid`.
    pub primary_id: String,
    /// Column that names a row, such as `name`, `fullname` or `subject`; empty where there is none.
    pub primary_name: String,
    /// `ObjectTypeCode`
    pub type_code: i32,
    /// Whether users may create, change and delete rows.
    pub writable: bool,
    /// Whether rows have owners (`ownerid`, `owningbusinessunit`).
    pub owned: bool,
    /// Whether the table is an activity (`activityid`, `regardingobjectid`).
    pub activity: bool,
    /// `ChangeTrackingEnabled`
    pub change_tracking: bool,
    /// Identity of the definition.
    pub metadata_id: Uuid,
    /// Columns in the order they were declared; the primary key is among them.
    pub columns: Vec<Column>,
}

impl Table {
    /// A column by logical name (`parentcustomerid`).
    pub fn column(&self, logical_name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.logical_name == logical_name)
    }

    /// A column by the name it has in a row on the wire: `telephone1`, or `_parentcustomerid_value` for a lookup.
    pub fn column_by_property(&self, property: &str) -> Option<&Column> {
        match property.strip_prefix('_').and_then(|p| p.strip_suffix("_value")) {
            Some(name) => self.column(name).filter(|c| c.is_lookup()),
            None => self.column(property).filter(|c| !c.is_lookup()),
        }
    }

    /// The lookup column and target that a single-valued navigation property means
    /// (`parentcustomerid_account`, `primarycontactid`). Case counts.
    pub fn navigation(&self, name: &str) -> Option<(&Column, Vec<&LookupTarget>)> {
        self.columns.iter().find_map(|column| match &column.kind {
            ColumnKind::Lookup { targets } => {
                let found: Vec<_> = targets.iter().filter(|t| t.navigation == name).collect();
                (!found.is_empty()).then_some((column, found))
            }
            _ => None,
        })
    }
}

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// `parentcustomerid`
    pub logical_name: String,
    /// `ParentCustomerId`
    pub schema_name: String,
    /// What people read.
    pub display_name: String,
    /// Type with its limits.
    pub kind: ColumnKind,
    /// Whether a value is needed.
    pub required: Required,
    /// `IsValidForCreate`
    pub valid_for_create: bool,
    /// `IsValidForUpdate`
    pub valid_for_update: bool,
    /// Identity of the definition.
    pub metadata_id: Uuid,
}

impl Column {
    /// Whether the column is a lookup (owner and customer included).
    pub fn is_lookup(&self) -> bool {
        matches!(self.kind, ColumnKind::Lookup { .. })
    }

    /// The column's name in a row on the wire: `_x_value` for lookups.
    pub fn property(&self) -> String {
        match self.is_lookup() {
            true => format!("_{}_value", self.logical_name),
            false => self.logical_name.clone(),
        }
    }
}

/// `RequiredLevel`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Required {
    /// Optional.
    None,
    /// Shown as recommended, not enforced.
    Recommended,
    /// Enforced by forms, not by the Web API.
    Application,
    /// Enforced by the service.
    System,
}

/// A column's type with its limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ColumnKind {
    /// Primary key.
    Id,
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
