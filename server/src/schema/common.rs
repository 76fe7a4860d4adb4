//! Columns that many tables share: who and when, owners, addresses.

use super::builder::TableBuilder;
use flette_odata::decimal::Decimal;
use flette_odata::edm::OnDelete::{NoCascade, RemoveLink, Restrict};
use flette_odata::edm::{ColumnKind, Required};

/// Labels of a yes/no column.
pub(super) const NO_YES: (&str, &str) = ("No", "Yes");
/// Labels of a `donot…` column.
pub(super) const ALLOW_NOT: (&str, &str) = ("Allow", "Do Not Allow");
/// Largest amount of money a column takes, in units of currency.
pub(super) const MONEY_MAX: i64 = 100_000_000_000;

/// Columns of tables whose rows users own: who and when, owner, version.
pub(super) fn owned_columns(builder: TableBuilder, table: &str) -> TableBuilder {
    let unit = format!("business_unit_{table}s");
    let owner = format!("owner_{table}s");
    let user = format!("user_{table}");
    let team = format!("team_{table}s");
    stamps(builder, table)
        .lookup(
            ("OwnerId", "Owner"),
            &[("systemuser", "ownerid", &owner, NoCascade), ("team", "ownerid", &owner, NoCascade)],
        )
        .required(Required::System)
        .lookup(
            ("OwningBusinessUnit", "Owning Business Unit"),
            &[("businessunit", "owningbusinessunit", &unit, NoCascade)],
        )
        .read_only()
        .lookup(("OwningUser", "Owning User"), &[("systemuser", "owninguser", &user, NoCascade)])
        .read_only()
        .lookup(("OwningTeam", "Owning Team"), &[("team", "owningteam", &team, NoCascade)])
        .read_only()
        .integer(("ImportSequenceNumber", "Import Sequence Number"), i32::MIN, i32::MAX)
        .create_only()
        .date_time(("OverriddenCreatedOn", "Record Created On"))
        .create_only()
        .integer(("TimeZoneRuleVersionNumber", "Time Zone Rule Version Number"), -1, i32::MAX)
        .integer(("UTCConversionTimeZoneCode", "UTC Conversion Time Zone Code"), -1, i32::MAX)
}

/// Columns of every table: who and when, and the version.
pub(super) fn stamps(builder: TableBuilder, table: &str) -> TableBuilder {
    let by = |column: &str| format!("lk_{table}base_{column}");
    let mut builder = builder
        .date_time(("CreatedOn", "Created On"))
        .read_only()
        .date_time(("ModifiedOn", "Modified On"))
        .read_only();
    for (schema_name, display_name) in [
        ("CreatedBy", "Created By"),
        ("ModifiedBy", "Modified By"),
        ("CreatedOnBehalfBy", "Created By (Delegate)"),
        ("ModifiedOnBehalfBy", "Modified By (Delegate)"),
    ] {
        let name = schema_name.to_lowercase();
        let target = ("systemuser", name.as_str(), by(&name));
        builder = builder
            .lookup((schema_name, display_name), &[(target.0, target.1, &target.2, NoCascade)])
            .read_only();
    }
    builder.column(("VersionNumber", "Version Number"), ColumnKind::BigInt).read_only()
}

/// Currency and its rate, for tables with money.
pub(super) fn currency(builder: TableBuilder, table: &str) -> TableBuilder {
    let relationship = format!("transactioncurrency_{table}");
    builder
        .lookup(
            ("TransactionCurrencyId", "Currency"),
            &[("transactioncurrency", "transactioncurrencyid", &relationship, Restrict)],
        )
        .decimal(("ExchangeRate", "Exchange Rate"), RATE_PRECISION, rates())
        .read_only()
}

/// Digits after the point of an exchange rate.
pub(super) const RATE_PRECISION: u8 = 10;

/// Exchange rates that are possible.
pub(super) fn rates() -> (Decimal, Decimal) {
    let smallest = Decimal::new(1, RATE_PRECISION).unwrap_or(Decimal::from(0));
    (smallest, Decimal::from(MONEY_MAX))
}

/// The process a row is in, and the lead it came from.
pub(super) fn process(builder: TableBuilder) -> TableBuilder {
    builder
        .guid(("ProcessId", "Process"))
        .guid(("StageId", "(Deprecated) Process Stage"))
        .text(("TraversedPath", "(Deprecated) Traversed Path"), 1250)
        .integer(("OnHoldTime", "On Hold Time (Minutes)"), i32::MIN, i32::MAX)
        .read_only()
        .date_time(("LastOnHoldTime", "Last On Hold Time"))
}

/// Where a row came from: the lead that became it, and the row it was merged into.
pub(super) fn origin(builder: TableBuilder, table: &str) -> TableBuilder {
    let lead = format!("{table}_originating_lead");
    let master = format!("{table}_master_{table}");
    builder
        .lookup(
            ("OriginatingLeadId", "Originating Lead"),
            &[("lead", "originatingleadid", &lead, RemoveLink)],
        )
        .lookup(("MasterId", "Master ID"), &[(table, "masterid", &master, NoCascade)])
        .read_only()
        .boolean(("Merged", "Merged"), NO_YES)
        .read_only()
}

/// One address in parts with its composite, such as `address1_city`.
pub(super) fn address(builder: TableBuilder, number: u8, types: &[&str]) -> TableBuilder {
    let label = |part: &str| format!("Address {number}: {part}");
    let name = |part: &str| format!("Address{number}_{part}");
    let text = |builder: TableBuilder, part: &str, display: &str, length_max: u32| {
        builder.text((&name(part), &label(display)), length_max)
    };
    let mut builder = builder
        .guid((&name("AddressId"), &format!("Address {number}: ID")))
        .memo((&name("Composite"), &format!("Address {number}")), 1000)
        .computed()
        .picklist((&name("AddressTypeCode"), &label("Address Type")), types);
    for (part, display, length_max) in [
        ("Name", "Name", 200),
        ("PrimaryContactName", "Primary Contact Name", 100),
        ("Line1", "Street 1", 250),
        ("Line2", "Street 2", 250),
        ("Line3", "Street 3", 250),
        ("City", "City", 80),
        ("County", "County", 50),
        ("StateOrProvince", "State/Province", 50),
        ("PostalCode", "ZIP/Postal Code", 20),
        ("PostOfficeBox", "Post Office Box", 20),
        ("Country", "Country/Region", 80),
        ("UPSZone", "UPS Zone", 4),
    ] {
        builder = text(builder, part, display, length_max);
    }
    builder
        .phone((&name("Telephone1"), &label("Telephone 1")))
        .phone((&name("Telephone2"), &label("Telephone 2")))
        .phone((&name("Telephone3"), &label("Telephone 3")))
        .phone((&name("Fax"), &label("Fax")))
        .integer((&name("UTCOffset"), &label("UTC Offset")), -1500, 1500)
        .degrees((&name("Latitude"), &label("Latitude")), 90.0)
        .degrees((&name("Longitude"), &label("Longitude")), 180.0)
        .picklist(
            (&name("ShippingMethodCode"), &label("Shipping Method")),
            &["Airborne", "DHL", "FedEx", "UPS", "Postal Mail", "Full Load", "Will Call"],
        )
        .options((&name("FreightTermsCode"), &label("Freight Terms")), &[(1, "FOB"), (2, "No Charge")], None)
}

/// How and when somebody wants to be reached.
pub(super) fn contact_preferences(builder: TableBuilder, table: &str) -> TableBuilder {
    let user = format!("system_user_{table}s");
    builder
        .lookup(
            ("PreferredSystemUserId", "Preferred User"),
            &[("systemuser", "preferredsystemuserid", &user, RemoveLink)],
        )
        .options(
            ("PreferredContactMethodCode", "Preferred Method of Contact"),
            &[(1, "Any"), (2, "Email"), (3, "Phone"), (4, "Fax"), (5, "Mail")],
            Some(1),
        )
        .picklist(("PreferredAppointmentTimeCode", "Preferred Time"), &["Morning", "Afternoon", "Evening"])
        .options(
            ("PreferredAppointmentDayCode", "Preferred Day"),
            &[
                (0, "Sunday"),
                (1, "Monday"),
                (2, "Tuesday"),
                (3, "Wednesday"),
                (4, "Thursday"),
                (5, "Friday"),
                (6, "Saturday"),
            ],
            None,
        )
        .boolean(("DoNotPhone", "Do not allow Phone Calls"), ALLOW_NOT)
        .boolean(("DoNotEMail", "Do not allow Emails"), ALLOW_NOT)
        .boolean(("DoNotBulkEMail", "Do not allow Bulk Emails"), ALLOW_NOT)
        .boolean(("DoNotFax", "Do not allow Faxes"), ALLOW_NOT)
        .boolean(("DoNotPostalMail", "Do not allow Mails"), ALLOW_NOT)
        .boolean(("FollowEmail", "Follow Email Activity"), ("Do Not Allow", "Allow"))
        .true_at_first()
        .boolean(("MarketingOnly", "Marketing Only"), NO_YES)
        .boolean(("DoNotBulkPostalMail", "Do not allow Bulk Mails"), ALLOW_NOT)
        .boolean(("DoNotSendMM", "Send Marketing Materials"), ("Send", "Do Not Send"))
        .boolean(("ParticipatesInWorkflow", "Participates in Workflow"), NO_YES)
        .date_time(("LastUsedInCampaign", "Last Date Included in Campaign"))
        .text(("TimeSpentByMeOnEmailAndMeetings", "Time Spent by me"), 1250)
        .read_only()
}
