//! Tables that tell a client how to show the others: `savedquery`, `userquery` and `systemform`; and `syncerror`, what
//! became of changes that were refused.

use super::activity::{ACTIVITIES, REGARDED};
use super::builder::{Ownership, TableBuilder};
use super::common::{owned_columns, stamps, NO_YES};
use flette_odata::edm::OnDelete::{self, Cascade};
use flette_odata::edm::{Required, Table};

/// Longest XML of a view or form, UTF-16 units.
const XML_LENGTH_MAX: u32 = 1_073_741_823;

/// Kinds of views: what `querytype` says.
const QUERY_TYPES: &[(i32, &str)] = &[
    (0, "Public View"),
    (1, "Advanced Find"),
    (2, "Associated View"),
    (4, "Quick Find"),
    (16, "Offline Filters"),
    (64, "Lookup View"),
    (256, "Outlook Filters"),
    (8192, "Offline Template"),
    (131_072, "Outlook Template"),
];

/// Table `savedquery`: the organisation's views.
pub(super) fn saved_query() -> Table {
    let builder =
        TableBuilder::new(("SavedQuery", "View", "Views"), "savedqueries", 1039, Ownership::Organization)
            .id(("SavedQueryId", "View"));
    let builder = query(builder)
        .boolean(("IsDefault", "Default View"), NO_YES)
        .boolean(("IsQuickFindQuery", "Is Quick Find Query"), NO_YES)
        .boolean(("IsUserDefined", "User Defined"), NO_YES)
        .boolean(("IsCustom", "Is Custom"), NO_YES)
        .read_only()
        .boolean(("CanBeDeleted", "Can Be Deleted"), NO_YES)
        .true_at_first()
        .read_only()
        .text(("QueryAppUsage", "Query Application Usage"), 100)
        .memo(("LayoutJson", "Layout Json"), XML_LENGTH_MAX)
        .states(&[(0, "Active", 1), (1, "Inactive", 2)], &[(1, "Active", 0), (2, "Inactive", 1)]);
    stamps(builder, "savedquery").build()
}

/// Table `userquery`: somebody's own views.
pub(super) fn user_query() -> Table {
    let builder =
        TableBuilder::new(("UserQuery", "Saved View", "Saved Views"), "userqueries", 4230, Ownership::User)
            .id(("UserQueryId", "Saved View"));
    let builder = query(builder)
        .states(&[(0, "Active", 1), (1, "Inactive", 2)], &[(1, "Active", 0), (2, "Inactive", 1)]);
    owned_columns(builder, "userquery").build()
}

fn query(builder: TableBuilder) -> TableBuilder {
    builder
        .text(("Name", "Name"), 200)
        .primary_name()
        .required(Required::System)
        .memo(("Description", "Description"), 2000)
        .text(("ReturnedTypeCode", "Entity Name"), 64)
        .required(Required::System)
        .memo(("FetchXml", "FetchXML"), XML_LENGTH_MAX)
        .memo(("LayoutXml", "Layout XML"), XML_LENGTH_MAX)
        .options(("QueryType", "Query Type"), QUERY_TYPES, Some(0))
        .create_only()
        .memo(("ColumnSetXml", "Column Set XML"), XML_LENGTH_MAX)
        .memo(("OfflineSqlQuery", "Offline SQL Query"), XML_LENGTH_MAX)
        .read_only()
        .text(("AdvancedGroupBy", "Advanced Group By"), 160)
        .text(("ConditionalFormatting", "Conditional Formatting"), 4000)
}

/// Table `systemform`.
pub(super) fn system_form() -> Table {
    let builder = TableBuilder::new(
        ("SystemForm", "System Form", "System Forms"),
        "systemforms",
        1030,
        Ownership::Organization,
    )
    .id(("FormId", "Form"))
    .text(("Name", "Name"), 100)
    .primary_name()
    .required(Required::System)
    .memo(("Description", "Description"), 2000)
    .text(("ObjectTypeCode", "Entity Name"), 64)
    .required(Required::System)
    .create_only()
    .options(
        ("Type", "Form Type"),
        &[
            (0, "Dashboard"),
            (2, "Main"),
            (5, "Mobile - Express"),
            (6, "Quick View Form"),
            (7, "Quick Create"),
            (11, "Card"),
        ],
        Some(2),
    )
    .create_only()
    .memo(("FormXml", "Form XML"), XML_LENGTH_MAX)
    .memo(("FormJson", "Form Json"), XML_LENGTH_MAX)
    .options(("FormActivationState", "Form State"), &[(0, "Inactive"), (1, "Active")], Some(1))
    .options(
        ("FormPresentation", "AIR Refreshed"),
        &[(0, "ClassicForm"), (1, "AirForm"), (2, "ConvertedICForm")],
        Some(1),
    )
    .boolean(("IsDefault", "Default Form"), NO_YES)
    .boolean(("IsCustomizable", "Is Customizable"), NO_YES)
    .true_at_first()
    .read_only()
    .lookup(
        ("AncestorFormId", "Parent Form"),
        &[("systemform", "ancestorformid", "form_ancestor_form", OnDelete::RemoveLink)],
    )
    .text(("UniqueName", "Unique Name"), 100)
    .integer(("Version", "Version"), 0, i32::MAX)
    .read_only();
    stamps(builder, "systemform").build()
}

/// Table `syncerror`: a change made offline that the service refused.
pub(super) fn sync_error() -> Table {
    let regarded =
        REGARDED.iter().map(|(table, _)| *table).chain(ACTIVITIES.iter().map(|(table, _, _)| *table));
    let names: Vec<(&str, String, String)> = regarded
        .map(|table| (table, format!("regardingobjectid_{table}_syncerror"), format!("{table}_SyncErrors")))
        .collect();
    let targets: Vec<(&str, &str, &str, OnDelete)> = names
        .iter()
        .map(|(t, navigation, relationship)| (*t, navigation.as_str(), relationship.as_str(), Cascade))
        .collect();
    let builder =
        TableBuilder::new(("SyncError", "Sync Error", "Sync Errors"), "syncerrors", 9869, Ownership::User)
            .id(("SyncErrorId", "Sync Error"))
            .text(("Name", "Name"), 300)
            .primary_name()
            .memo(("Description", "Description"), 2000)
            .lookup(("RegardingObjectId", "Record"), &targets)
            .date_time(("ErrorTime", "Error Time"))
            .options(
                ("ErrorType", "Error Type"),
                &[(0, "Conflict"), (1, "Record not found"), (2, "Record already exists"), (99, "Others")],
                Some(99),
            )
            .text(("ErrorCode", "Error Code"), 100)
            .memo(("ErrorMessage", "Error Message"), 1_048_576)
            .memo(("ErrorDetail", "Error Details"), 1_048_576)
            .options(
                ("Operation", "Operation"),
                &[(0, "Create"), (1, "Update"), (2, "Delete"), (3, "Others")],
                Some(3),
            )
            .memo(("Action", "Action"), 2000)
            .memo(("ActionData", "Action Data"), 1_048_576)
            .memo(("RequestData", "Request Data"), 1_048_576)
            .states(&[(0, "Active", 0), (1, "Fixed", 1)], &[(0, "Active", 0), (1, "Fixed", 1)]);
    owned_columns(builder, "syncerror").build()
}
