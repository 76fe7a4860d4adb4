//! Short words for writing tables down: one line per column.

use super::id_of;
use flette_odata::decimal::Decimal;
use flette_odata::edm::{
    AlternateKey, Column, ColumnKind, LookupTarget, OnDelete, OptionItem, Required, StateOption,
    StatusOption, Table, TextFormat,
};

/// Largest amount in the base currency, in units of it.
const MONEY_BASE_MAX: i64 = 922_337_203_685_477;

/// A table under construction.
pub(super) struct TableBuilder {
    table: Table,
    columns_writable: bool,
}

/// Who owns rows, and how they are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ownership {
    /// Rows have owners; users write them.
    User,
    /// Rows belong to the organisation, and are written by who has the right.
    Organization,
    /// Rows hang on a row of another table and are written only through it.
    Child,
    /// The Web API only reads the rows.
    ReadOnly,
}

/// Schema name and display name of a column: `("JobTitle", "Job Title")`.
pub(super) type Named<'a> = (&'a str, &'a str);

impl TableBuilder {
    /// Starts a table. `names`: schema name, display name, plural display name.
    pub(super) fn new(names: (&str, &str, &str), set_name: &str, type_code: i32, owner: Ownership) -> Self {
        let logical_name = names.0.to_lowercase();
        TableBuilder {
            table: Table {
                metadata_id: id_of(&format!("table/{logical_name}")),
                schema_name: names.0.to_owned(),
                set_name: set_name.to_owned(),
                display_name: names.1.to_owned(),
                display_collection_name: names.2.to_owned(),
                primary_id: String::new(),
                primary_name: String::new(),
                type_code,
                writable: matches!(owner, Ownership::User | Ownership::Organization),
                owned: owner == Ownership::User,
                activity: false,
                change_tracking: true,
                columns: Vec::new(),
                logical_name,
                ..Table::default()
            },
            columns_writable: owner != Ownership::ReadOnly,
        }
    }

    /// Marks the table as an activity.
    pub(super) fn activity(mut self) -> Self {
        self.table.activity = true;
        self
    }

    /// Makes the table a union of the activities: read only, with the owners of its rows. Deletions are told of the
    /// activities' own tables only, so that its changes cannot be tracked.
    pub(super) fn union_of_activities(mut self) -> Self {
        (self.table.union, self.table.activity, self.table.owned) = (true, true, true);
        self.table.change_tracking = false;
        self
    }

    /// Rows may have notes.
    pub(super) fn noted(mut self) -> Self {
        self.table.has_notes = true;
        self
    }

    /// Activities may regard rows.
    pub(super) fn regarded(mut self) -> Self {
        self.table.has_activities = true;
        self
    }

    /// An alternate key over columns by logical name.
    pub(super) fn key(mut self, named: Named, columns: &[&str]) -> Self {
        let name = named.0.to_lowercase();
        self.table.keys.push(AlternateKey {
            metadata_id: id_of(&format!("key/{}/{name}", self.table.logical_name)),
            schema_name: named.0.to_owned(),
            display_name: named.1.to_owned(),
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            name,
        });
        self
    }

    /// The finished table.
    pub(super) fn build(self) -> Table {
        self.table
    }

    /// Adds a column; it may be written when the table may.
    pub(super) fn column(mut self, named: Named, kind: ColumnKind) -> Self {
        let logical_name = named.0.to_lowercase();
        self.table.columns.push(Column {
            metadata_id: id_of(&format!("column/{}/{logical_name}", self.table.logical_name)),
            schema_name: named.0.to_owned(),
            display_name: named.1.to_owned(),
            kind,
            required: Required::None,
            valid_for_create: self.columns_writable,
            valid_for_update: self.columns_writable,
            logical_name,
            ..Column::default()
        });
        self
    }

    fn last(mut self, change: impl FnOnce(&mut Column)) -> Self {
        if let Some(column) = self.table.columns.last_mut() {
            change(column);
        }
        self
    }

    /// The column added last is set by the server only.
    pub(super) fn read_only(self) -> Self {
        self.last(|c| (c.valid_for_create, c.valid_for_update) = (false, false))
    }

    /// The column added last is made by the service from others.
    pub(super) fn computed(self) -> Self {
        self.read_only().last(|c| c.computed = true)
    }

    /// A new row has `true` in the column added last.
    pub(super) fn true_at_first(self) -> Self {
        self.last(|c| {
            if let ColumnKind::Boolean { default, .. } = &mut c.kind {
                *default = true;
            }
        })
    }

    /// The column added last may be written in a create only.
    pub(super) fn create_only(self) -> Self {
        self.last(|c| c.valid_for_update = false)
    }

    /// The column added last has this required level.
    pub(super) fn required(self, level: Required) -> Self {
        self.last(|c| c.required = level)
    }

    /// Primary key.
    pub(super) fn id(mut self, named: Named) -> Self {
        self.table.primary_id = named.0.to_lowercase();
        let writable = self.columns_writable;
        self.column(named, ColumnKind::Id).required(Required::System).last(|c| {
            c.valid_for_create = writable;
            c.valid_for_update = false;
        })
    }

    /// The column added last names a row.
    pub(super) fn primary_name(mut self) -> Self {
        self.table.primary_name =
            self.table.columns.last().map(|c| c.logical_name.clone()).unwrap_or_default();
        self
    }

    /// One line of text; `length_max` in UTF-16 units.
    pub(super) fn text(self, named: Named, length_max: u32) -> Self {
        self.column(named, ColumnKind::Text { length_max, format: TextFormat::Text })
    }

    /// A telephone number of up to 50 UTF-16 units.
    pub(super) fn phone(self, named: Named) -> Self {
        self.column(named, ColumnKind::Text { length_max: 50, format: TextFormat::Phone })
    }

    /// A mail address of up to 100 UTF-16 units.
    pub(super) fn email(self, named: Named) -> Self {
        self.column(named, ColumnKind::Text { length_max: 100, format: TextFormat::Email })
    }

    /// A web address of up to 200 UTF-16 units.
    pub(super) fn url(self, named: Named) -> Self {
        self.column(named, ColumnKind::Text { length_max: 200, format: TextFormat::Url })
    }

    /// Several lines of text; `length_max` in UTF-16 units.
    pub(super) fn memo(self, named: Named, length_max: u32) -> Self {
        self.column(named, ColumnKind::Memo { length_max })
    }

    /// Whole number in `min..=max`.
    pub(super) fn integer(self, named: Named, min: i32, max: i32) -> Self {
        self.column(named, ColumnKind::Integer { min, max })
    }

    /// Two options, `No` and `Yes` unless they mean something else; `false` in a new row.
    pub(super) fn boolean(self, named: Named, labels: (&str, &str)) -> Self {
        let (label_false, label_true) = (labels.0.to_owned(), labels.1.to_owned());
        self.column(named, ColumnKind::Boolean { label_false, label_true, default: false })
    }

    /// UTC instant.
    pub(super) fn date_time(self, named: Named) -> Self {
        self.column(named, ColumnKind::DateTime)
    }

    /// Calendar date.
    pub(super) fn date(self, named: Named) -> Self {
        self.column(named, ColumnKind::Date)
    }

    /// Money, two digits shown, within `min..=max` units of currency; and its twin in the base currency.
    pub(super) fn money(self, named: Named, min: i64, max: i64) -> Self {
        let (min, max) = (Decimal::from(min), Decimal::from(max));
        self.column(named, ColumnKind::Money { precision: 2, min, max }).base_amount(named)
    }

    /// The twin of an amount in the base currency.
    pub(super) fn base_amount(self, amount: Named) -> Self {
        let named = (format!("{}_Base", amount.0), format!("{} (Base)", amount.1));
        let (min, max) = (Decimal::from(-MONEY_BASE_MAX), Decimal::from(MONEY_BASE_MAX));
        self.column((&named.0, &named.1), ColumnKind::Money { precision: 4, min, max }).computed()
    }

    /// Exact number with up to `precision` digits after the point, within `min..=max`.
    pub(super) fn decimal(self, named: Named, precision: u8, range: (Decimal, Decimal)) -> Self {
        self.column(named, ColumnKind::Decimal { precision, min: range.0, max: range.1 })
    }

    /// An id that is no lookup.
    pub(super) fn guid(self, named: Named) -> Self {
        self.column(named, ColumnKind::Guid)
    }

    /// Geographic coordinate in degrees.
    pub(super) fn degrees(self, named: Named, limit: f64) -> Self {
        self.column(named, ColumnKind::Double { precision: 5, min: -limit, max: limit })
    }

    /// Options numbered from 1 in the order given, none in a new row.
    pub(super) fn picklist(self, named: Named, labels: &[&str]) -> Self {
        let numbered: Vec<_> = (1..).zip(labels.iter().copied()).collect();
        self.options(named, &numbered, None)
    }

    /// Options with their own numbers, and the default of a new row.
    pub(super) fn options(self, named: Named, options: &[(i32, &str)], default: Option<i32>) -> Self {
        let options =
            options.iter().map(|(value, label)| OptionItem { value: *value, label: (*label).to_owned() });
        self.column(named, ColumnKind::Picklist { options: options.collect(), default })
    }

    /// `statecode` and `statuscode`. `states`: value, label, default status. `status`: value, label, state.
    pub(super) fn states(self, states: &[(i32, &str, i32)], status: &[(i32, &str, i32)]) -> Self {
        let options = states.iter().map(|(value, label, default_status)| StateOption {
            value: *value,
            label: (*label).to_owned(),
            default_status: *default_status,
        });
        let state = ColumnKind::State { options: options.collect() };
        let options = status.iter().map(|(value, label, state)| StatusOption {
            value: *value,
            label: (*label).to_owned(),
            state: *state,
        });
        let status = ColumnKind::Status { options: options.collect() };
        self.column(("StateCode", "Status"), state)
            .required(Required::System)
            .column(("StatusCode", "Status Reason"), status)
    }

    /// A lookup. `targets`: table, navigation property, relationship, and what the target's deletion does.
    pub(super) fn lookup(self, named: Named, targets: &[(&str, &str, &str, OnDelete)]) -> Self {
        let targets = targets.iter().map(|(table, navigation, relationship, on_delete)| LookupTarget {
            table: (*table).to_owned(),
            navigation: (*navigation).to_owned(),
            collection: (*relationship).to_owned(),
            relationship: (*relationship).to_owned(),
            on_delete: *on_delete,
        });
        self.column(named, ColumnKind::Lookup { targets: targets.collect() })
    }
}
