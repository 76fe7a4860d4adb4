//! Table `task`: activities to do.

use super::builder::{Ownership, TableBuilder};
use super::common::{owned_columns, NO_YES};
use flette_odata::edm::OnDelete::Cascade;
use flette_odata::edm::{Required, Table};

/// The table. The status of a new task is 2 (Not Started).
pub(super) fn table() -> Table {
    let builder = TableBuilder::new(("Task", "Task", "Tasks"), "tasks", 4212, Ownership::User)
        .activity()
        .id(("ActivityId", "Task"))
        .text(("Subject", "Subject"), 200)
        .primary_name()
        .required(Required::Application)
        .memo(("Description", "Description"), 2000)
        .lookup(
            ("RegardingObjectId", "Regarding"),
            &[
                ("account", "regardingobjectid_account_task", "Account_Tasks", Cascade),
                ("contact", "regardingobjectid_contact_task", "Contact_Tasks", Cascade),
            ],
        )
        .date_time(("ScheduledStart", "Start Date"))
        .date_time(("ScheduledEnd", "Due Date"))
        .date_time(("ActualStart", "Actual Start"))
        .date_time(("ActualEnd", "Actual End"))
        .integer(("ScheduledDurationMinutes", "Scheduled Duration"), 0, i32::MAX)
        .integer(("ActualDurationMinutes", "Duration"), 0, i32::MAX)
        .options(("PriorityCode", "Priority"), &[(0, "Low"), (1, "Normal"), (2, "High")], Some(1))
        .integer(("PercentComplete", "Percent Complete"), 0, 100)
        .text(("Category", "Category"), 250)
        .text(("Subcategory", "Sub-Category"), 250)
        .boolean(("IsBilled", "Is Billed"), NO_YES)
        .boolean(("IsWorkflowCreated", "Is Workflow Created"), NO_YES)
        .boolean(("IsRegularActivity", "Is Regular Activity"), NO_YES)
        .read_only()
        .text(("ActivityTypeCode", "Activity Type"), 64)
        .read_only()
        .text(("CrmTaskAssignedUniqueId", "Task Assigned Unique Id"), 40)
        .date_time(("SortDate", "Sort Date"))
        .date_time(("LastOnHoldTime", "Last On Hold Time"))
        .integer(("OnHoldTime", "On Hold Time (Minutes)"), i32::MIN, i32::MAX)
        .read_only()
        .states(
            &[(0, "Open", 2), (1, "Completed", 5), (2, "Canceled", 6)],
            &[
                (2, "Not Started", 0),
                (3, "In Progress", 0),
                (4, "Waiting on someone else", 0),
                (7, "Deferred", 0),
                (5, "Completed", 1),
                (6, "Canceled", 2),
            ],
        );
    owned_columns(builder, "task").build()
}
