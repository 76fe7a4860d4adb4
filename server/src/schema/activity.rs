//! Activities: `task`, `appointment`, `email`, `phonecall`, their union `activitypointer` and their parties.

use super::builder::{Ownership, TableBuilder};
use super::common::{owned_columns, stamps, NO_YES};
use flette_odata::edm::OnDelete::{self, Cascade, RemoveLink};
use flette_odata::edm::{Required, Table};

/// Logical name, schema name, and the end of the collections' names on the rows that are regarded.
pub(super) const ACTIVITIES: [(&str, &str, &str); 4] = [
    ("task", "Task", "Tasks"),
    ("appointment", "Appointment", "Appointments"),
    ("email", "Email", "Emails"),
    ("phonecall", "PhoneCall", "Phonecalls"),
];

/// Tables that activities may regard: logical name, and the beginning of the collections' names.
pub(super) const REGARDED: [(&str, &str); 4] =
    [("account", "Account"), ("contact", "Contact"), ("lead", "Lead"), ("opportunity", "Opportunity")];

const PRIORITIES: &[(i32, &str)] = &[(0, "Low"), (1, "Normal"), (2, "High")];

/// Table `task`. The status of a new task is 2 (Not Started).
pub(super) fn task() -> Table {
    let builder = TableBuilder::new(("Task", "Task", "Tasks"), "tasks", 4212, Ownership::User).noted();
    let builder = columns(builder, ("task", "Task", "Tasks"), (200, 2000))
        .integer(("PercentComplete", "Percent Complete"), 0, 100)
        .text(("CrmTaskAssignedUniqueId", "Task Assigned Unique Id"), 40)
        .guid(("SubscriptionId", "Subscription"))
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

/// Table `appointment`.
pub(super) fn appointment() -> Table {
    let names = ("Appointment", "Appointment", "Appointments");
    let builder = TableBuilder::new(names, "appointments", 4201, Ownership::User).noted();
    let builder = columns(builder, ("appointment", "Appointment", "Appointments"), (200, 1_048_576))
        .text(("Location", "Location"), 200)
        .boolean(("IsAllDayEvent", "All Day Event"), NO_YES)
        .text(("GlobalObjectId", "Outlook Appointment"), 300)
        .guid(("OutlookOwnerApptId", "Outlook Appointment Owner"))
        .integer(("AttachmentCount", "Attachment Count"), 0, i32::MAX)
        .read_only()
        .options(
            ("AttachmentErrors", "Attachment Errors"),
            &[(0, "None"), (1, "The appointment was saved as a file, without attachments.")],
            Some(0),
        )
        .options(
            ("InstanceTypeCode", "Appointment Type"),
            &[
                (0, "Not Recurring"),
                (1, "Recurring Master"),
                (2, "Recurring Instance"),
                (3, "Recurring Exception"),
                (4, "Recurring Future Exception"),
            ],
            Some(0),
        )
        .read_only()
        .date_time(("OriginalStartDate", "Original Start Date"))
        .read_only()
        .text(("ModifiedFieldsMask", "Modified Fields Mask"), 100)
        .boolean(("IsMapiPrivate", "Is Private"), NO_YES)
        .boolean(("IsDraft", "Is Draft"), NO_YES)
        .boolean(("IsUnsafe", "Is Unsafe"), NO_YES)
        .read_only()
        .guid(("SubscriptionId", "Subscription"))
        .states(
            &[(0, "Open", 1), (1, "Completed", 3), (2, "Canceled", 4), (3, "Scheduled", 5)],
            &[
                (1, "Free", 0),
                (2, "Tentative", 0),
                (3, "Completed", 1),
                (4, "Canceled", 2),
                (5, "Busy", 3),
                (6, "Out of Office", 3),
            ],
        );
    owned_columns(builder, "appointment").build()
}

/// Table `email`. Failed (8) is an open one.
pub(super) fn email() -> Table {
    let builder = TableBuilder::new(("Email", "Email", "Emails"), "emails", 4202, Ownership::User).noted();
    let builder = columns(builder, ("email", "Email", "Emails"), (800, 1_073_741_823))
        .boolean(("DirectionCode", "Direction"), ("Incoming", "Outgoing"))
        .true_at_first()
        .text(("ToRecipients", "To Recipients"), 500)
        .text(("Sender", "From"), 250)
        .text(("SubmittedBy", "Submitted By"), 250)
        .text(("MessageId", "Message ID"), 320)
        .text(("InReplyTo", "In Reply To Message"), 320)
        .text(("ConversationIndex", "Conversation Index"), 2048)
        .text(("TrackingToken", "Tracking Token"), 50)
        .text(("MimeType", "Mime Type"), 256)
        .lookup(
            ("EmailSender", "Sender"),
            &[
                ("account", "emailsender_account", "Account_Email_EmailSender", RemoveLink),
                ("contact", "emailsender_contact", "Contact_Email_EmailSender", RemoveLink),
                ("lead", "emailsender_lead", "Lead_Email_EmailSender", RemoveLink),
                ("systemuser", "emailsender_systemuser", "SystemUser_Email_EmailSender", RemoveLink),
            ],
        )
        .read_only()
        .options(
            ("CorrelationMethod", "Correlation Method"),
            &[
                (0, "None"),
                (1, "Skipped"),
                (2, "XHeader"),
                (3, "InReplyTo"),
                (4, "TrackingToken"),
                (5, "ConversationIndex"),
                (6, "SmartMatching"),
                (7, "CustomCorrelation"),
            ],
            Some(0),
        )
        .integer(("AttachmentCount", "Attachment Count"), 0, i32::MAX)
        .read_only()
        .integer(("DeliveryAttempts", "No. of Delivery Attempts"), 0, i32::MAX)
        .boolean(("DeliveryReceiptRequested", "Delivery Receipt Requested"), NO_YES)
        .boolean(("ReadReceiptRequested", "Read Receipt Requested"), NO_YES)
        .boolean(("Compressed", "Compression"), NO_YES)
        .read_only()
        .boolean(("FollowEmailUserPreference", "Following"), NO_YES)
        .date_time(("EmailReminderExpiryTime", "Email Reminder Expiry Time"))
        .text(("EmailReminderText", "Email Reminder Text"), 1250)
        .date_time(("LastOpenedTime", "Last Opened Time"))
        .integer(("OpenCount", "Open Count"), 0, i32::MAX)
        .read_only()
        .integer(("ReplyCount", "Reply Count"), 0, i32::MAX)
        .read_only()
        .lookup(
            ("ParentActivityId", "Parent Activity"),
            &[("email", "parentactivityid", "email_email_parentactivityid", RemoveLink)],
        )
        .read_only()
        .states(
            &[(0, "Open", 1), (1, "Completed", 2), (2, "Canceled", 5)],
            &[
                (1, "Draft", 0),
                (8, "Failed", 0),
                (2, "Completed", 1),
                (3, "Sent", 1),
                (4, "Received", 1),
                (6, "Pending Send", 1),
                (7, "Sending", 1),
                (5, "Canceled", 2),
            ],
        );
    owned_columns(builder, "email").build()
}

/// Table `phonecall`.
pub(super) fn phone_call() -> Table {
    let names = ("PhoneCall", "Phone Call", "Phone Calls");
    let builder = TableBuilder::new(names, "phonecalls", 4210, Ownership::User).noted();
    let builder = columns(builder, ("phonecall", "PhoneCall", "Phonecalls"), (200, 2000))
        .text(("PhoneNumber", "Phone Number"), 200)
        .boolean(("DirectionCode", "Direction"), ("Incoming", "Outgoing"))
        .true_at_first()
        .boolean(("LeftVoiceMail", "Left Voice Mail"), NO_YES)
        .guid(("SubscriptionId", "Subscription"))
        .states(
            &[(0, "Open", 1), (1, "Completed", 2), (2, "Canceled", 3)],
            &[(1, "Open", 0), (2, "Made", 1), (4, "Received", 1), (3, "Canceled", 2)],
        );
    owned_columns(builder, "phonecall").build()
}

/// Table `activitypointer`: the rows of all activities, with the columns that all of them have. Its states are wider
/// than its own options where an activity's status reasons are.
pub(super) fn pointer() -> Table {
    let names = ("ActivityPointer", "Activity", "Activities");
    let builder =
        TableBuilder::new(names, "activitypointers", 4200, Ownership::ReadOnly).union_of_activities();
    let builder =
        columns(builder, ("activitypointer", "ActivityPointer", "ActivityPointers"), (800, 1_073_741_823))
            .states(
                &[(0, "Open", 1), (1, "Completed", 2), (2, "Canceled", 3), (3, "Scheduled", 4)],
                &[(1, "Open", 0), (2, "Completed", 1), (3, "Canceled", 2), (4, "Scheduled", 3)],
            );
    owned_columns(builder, "activitypointer").build()
}

/// What every activity has. `lengths`: of subject and description.
fn columns(builder: TableBuilder, names: (&str, &str, &str), lengths: (u32, u32)) -> TableBuilder {
    let (table, _, plural) = names;
    let builder = builder
        .activity()
        .id(("ActivityId", "Activity"))
        .text(("Subject", "Subject"), lengths.0)
        .primary_name()
        .required(Required::Application)
        .memo(("Description", "Description"), lengths.1);
    let builder = regarding(builder, table, plural)
        .date_time(("ScheduledStart", "Start Date"))
        .date_time(("ScheduledEnd", "Due Date"))
        .date_time(("ActualStart", "Actual Start"))
        .date_time(("ActualEnd", "Actual End"))
        .integer(("ScheduledDurationMinutes", "Scheduled Duration"), 0, i32::MAX)
        .integer(("ActualDurationMinutes", "Duration"), 0, i32::MAX)
        .options(("PriorityCode", "Priority"), PRIORITIES, Some(1))
        .text(("Category", "Category"), 250)
        .text(("Subcategory", "Sub-Category"), 250)
        .boolean(("IsBilled", "Is Billed"), NO_YES)
        .boolean(("IsWorkflowCreated", "Is Workflow Created"), NO_YES)
        .boolean(("IsRegularActivity", "Is Regular Activity"), NO_YES)
        .read_only()
        .true_at_first()
        .text(("ActivityTypeCode", "Activity Type"), 64)
        .read_only();
    builder
        .memo(("ActivityAdditionalParams", "Additional Parameters"), 8192)
        .guid(("SeriesId", "Series Id"))
        .read_only()
        .guid(("ProcessId", "Process"))
        .guid(("StageId", "(Deprecated) Process Stage"))
        .text(("TraversedPath", "(Deprecated) Traversed Path"), 1250)
        .date_time(("SortDate", "Sort Date"))
        .date_time(("LastOnHoldTime", "Last On Hold Time"))
        .integer(("OnHoldTime", "On Hold Time (Minutes)"), i32::MIN, i32::MAX)
        .read_only()
}

fn regarding(builder: TableBuilder, table: &str, plural: &str) -> TableBuilder {
    let names = REGARDED.map(|(target, start)| {
        let navigation = match table {
            "activitypointer" => format!("regardingobjectid_{target}"),
            _ => format!("regardingobjectid_{target}_{table}"),
        };
        (target, navigation, format!("{start}_{plural}"))
    });
    let targets: Vec<(&str, &str, &str, OnDelete)> = names
        .iter()
        .map(|(target, navigation, relationship)| {
            (*target, navigation.as_str(), relationship.as_str(), Cascade)
        })
        .collect();
    builder.lookup(("RegardingObjectId", "Regarding"), &targets)
}

/// Table `activityparty`: who takes part in an activity. Written through the activity only, as a whole set. The
/// deletion of a party leaves its row, which keeps the address.
pub(super) fn party() -> Table {
    let names = ("ActivityParty", "Activity Party", "Activity Parties");
    let builder = TableBuilder::new(names, "activityparties", 135, Ownership::Child)
        .id(("ActivityPartyId", "Activity Party"));
    let activities = ACTIVITIES
        .map(|(table, _, _)| (table, format!("activityid_{table}"), format!("{table}_activity_parties")));
    let activities: Vec<(&str, &str, &str, OnDelete)> = activities
        .iter()
        .map(|(table, navigation, relationship)| {
            (*table, navigation.as_str(), relationship.as_str(), Cascade)
        })
        .collect();
    let builder = builder
        .lookup(("ActivityId", "Activity"), &activities)
        .lookup(
            ("PartyId", "Party"),
            &[
                ("account", "partyid_account", "account_activity_parties", RemoveLink),
                ("contact", "partyid_contact", "contact_activity_parties", RemoveLink),
                ("lead", "partyid_lead", "lead_activity_parties", RemoveLink),
                ("systemuser", "partyid_systemuser", "system_user_activity_parties", RemoveLink),
            ],
        )
        .options(("ParticipationTypeMask", "Participation Type"), PARTICIPATIONS, None)
        .text(("AddressUsed", "Address"), 200)
        .integer(("AddressUsedEmailColumnNumber", "Email column number of party"), 1, 1_000_000_000)
        .read_only()
        .options(
            ("InstanceTypeCode", "Appointment Type"),
            &[(0, "Not Recurring"), (1, "Recurring Master"), (2, "Recurring Instance")],
            Some(0),
        )
        .read_only()
        .column(
            ("Effort", "Effort"),
            flette_odata::ColumnKind::Double { precision: 2, min: 0.0, max: 1_000_000_000.0 },
        )
        .text(("ExchangeEntryId", "Exchange Entry"), 1024)
        .boolean(("IsPartyDeleted", "Is Party Deleted"), NO_YES)
        .read_only()
        .boolean(("DoNotEmail", "Do not allow Emails"), super::common::ALLOW_NOT)
        .read_only()
        .boolean(("DoNotFax", "Do not allow Faxes"), super::common::ALLOW_NOT)
        .read_only()
        .boolean(("DoNotPhone", "Do not allow Phone Calls"), super::common::ALLOW_NOT)
        .read_only()
        .boolean(("DoNotPostalMail", "Do not allow Postal Mails"), super::common::ALLOW_NOT)
        .read_only()
        .date_time(("ScheduledStart", "Scheduled Start"))
        .date_time(("ScheduledEnd", "Scheduled End"));
    stamps(builder, "activityparty").build()
}

const PARTICIPATIONS: &[(i32, &str)] = &[
    (1, "Sender"),
    (2, "To Recipient"),
    (3, "CC Recipient"),
    (4, "BCC Recipient"),
    (5, "Required attendee"),
    (6, "Optional attendee"),
    (7, "Organizer"),
    (8, "Regarding"),
    (9, "Owner"),
    (10, "Resource"),
    (11, "Customer"),
    (12, "Chat Participant"),
    (13, "Related"),
];
