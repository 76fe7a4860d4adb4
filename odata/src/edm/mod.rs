//! The schema model: tables, columns, types, options, lookups. What `EntityDefinitions` tells, typed.

mod kind;

pub use kind::{ColumnKind, LookupTarget, OnDelete, OptionItem, StateOption, StatusOption, TextFormat};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// All tables one side knows. Small: tables are searched in order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Schema {
    /// Tables in the order they were declared. The intersect tables of [`Schema::many_to_many`] are among them.
    pub tables: Vec<Table>,
    /// Relationships of many rows to many.
    #[serde(default)]
    pub many_to_many: Vec<ManyToMany>,
    /// Options that several columns share (`GlobalOptionSetDefinitions`).
    #[serde(default)]
    pub option_sets: Vec<OptionSet>,
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

    /// The relationship of many to many that a collection-valued navigation property of a table means, seen from
    /// that table: this end and the other one. Case counts.
    pub fn many_to_many(
        &self,
        table: &str,
        navigation: &str,
    ) -> Option<(&ManyToMany, &ManyToManyEnd, &ManyToManyEnd)> {
        self.many_to_many.iter().find_map(|relationship| {
            let ends =
                [(&relationship.first, &relationship.second), (&relationship.second, &relationship.first)];
            let found = ends.into_iter().find(|(end, _)| end.table == table && end.navigation == navigation);
            found.map(|(end, other)| (relationship, end, other))
        })
    }
}

/// A relationship of many rows to many, kept in an intersect table: a read-only [`Table`] of the schema with its
/// primary key, a column of kind [`ColumnKind::Guid`] for each end, and `versionnumber`. Only `$ref` changes it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ManyToMany {
    /// `SchemaName` of the relationship, such as `teammembership_association`.
    pub relationship: String,
    /// Logical name of the intersect table.
    pub intersect: String,
    /// `Entity1…`
    pub first: ManyToManyEnd,
    /// `Entity2…`; of a table with itself, the other of its two columns.
    pub second: ManyToManyEnd,
    /// Identity of the definition.
    pub metadata_id: Uuid,
    /// Whether it was added by a customiser.
    #[serde(default)]
    pub custom: bool,
}

/// One end of a relationship of many to many.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ManyToManyEnd {
    /// Logical name of the table.
    pub table: String,
    /// Column of the intersect table that holds this table's id.
    pub column: String,
    /// Collection-valued navigation property on this table, to the rows at the other end.
    pub navigation: String,
}

/// Options with a name of their own, that several columns may share.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OptionSet {
    /// Name, such as `new_colours`.
    pub name: String,
    /// What people read.
    pub display_name: String,
    /// In the order shown. Each column that uses the set ([`Column::option_set`]) has a copy.
    pub options: Vec<OptionItem>,
    /// Identity of the definition.
    pub metadata_id: Uuid,
    /// Whether it was added by a customiser.
    #[serde(default)]
    pub custom: bool,
}

/// One table. What is not known to whoever makes one may be left out: `..Table::default()`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
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
    /// What people read about the table.
    #[serde(default)]
    pub description: String,
    /// Alternate keys.
    #[serde(default)]
    pub keys: Vec<AlternateKey>,
    /// Whether it was added by a customiser.
    #[serde(default)]
    pub custom: bool,
    /// Whether the rows are those of several other tables together (`activitypointer`: of all activities). Such a
    /// table is read only.
    #[serde(default)]
    pub union: bool,
    /// Whether it holds the pairs of a relationship of many to many.
    #[serde(default)]
    pub intersect: bool,
    /// Whether rows may have notes (`annotation`).
    #[serde(default)]
    pub has_notes: bool,
    /// Whether activities may regard rows.
    #[serde(default)]
    pub has_activities: bool,
}

/// Columns whose values together name one row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AlternateKey {
    /// `LogicalName`
    pub name: String,
    /// `SchemaName`
    pub schema_name: String,
    /// What people read.
    pub display_name: String,
    /// Logical names of the columns.
    pub columns: Vec<String>,
    /// Identity of the definition.
    pub metadata_id: Uuid,
}

impl Table {
    /// A column by logical name (`parentcustomerid`).
    pub fn column(&self, logical_name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.logical_name == logical_name)
    }

    /// Whether the service gives new rows their ids, and takes none that a client chose: their id column is not valid for
    /// create. So it is where rows live in a data source of their own.
    pub fn assigns_ids(&self) -> bool {
        self.column(&self.primary_id).is_some_and(|column| !column.valid_for_create)
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

/// One column. What is not known to whoever makes one may be left out: `..Column::default()`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
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
    /// What people read about the column.
    #[serde(default)]
    pub description: String,
    /// Whether it was added by a customiser.
    #[serde(default)]
    pub custom: bool,
    /// Whether column security applies (`IsSecured`).
    #[serde(default)]
    pub secured: bool,
    /// Whether the service makes the value from others (`fullname`, `revenue_base`): never writable.
    #[serde(default)]
    pub computed: bool,
    /// Name of the [`OptionSet`] the options were copied from; none for options of the column's own.
    #[serde(default)]
    pub option_set: Option<String>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Required {
    /// Optional.
    #[default]
    None,
    /// Shown as recommended, not enforced.
    Recommended,
    /// Enforced by forms, not by the Web API.
    Application,
    /// Enforced by the service.
    System,
}
