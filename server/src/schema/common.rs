//! Columns that many tables share: who and when, owners, addresses.

use super::builder::TableBuilder;
use flette_odata::edm::OnDelete::NoCascade;
use flette_odata::edm::{ColumnKind, Required};

/// Labels of a yes/no column.
pub(super) const NO_YES: (&str, &str) = ("No", "Yes");
/// Labels of a `donot…` column.
pub(super) const ALLOW_NOT: (&str, &str) = ("Allow", "Do Not Allow");
/// Largest amount of money a column takes, in units of currency.
pub(super) const MONEY_MAX: i64 = 100_000_000_000;

/// Columns of tables whose rows users own: who and when, owner, version.
pub(super) fn owned_columns(builder: TableBuilder, table: &str) -> TableBuilder {
    let by = |column: &str| format!("lk_{table}base_{column}");
    let unit = format!("business_unit_{table}s");
    let owner = format!("owner_{table}s");
    let user = format!("user_{table}");
    builder
        .date_time(("CreatedOn", "Created On"))
        .read_only()
        .date_time(("ModifiedOn", "Modified On"))
        .read_only()
        .lookup(("CreatedBy", "Created By"), &[("systemuser", "createdby", &by("createdby"), NoCascade)])
        .read_only()
        .lookup(("ModifiedBy", "Modified By"), &[("systemuser", "modifiedby", &by("modifiedby"), NoCascade)])
        .read_only()
        .lookup(("OwnerId", "Owner"), &[("systemuser", "ownerid", &owner, NoCascade)])
        .required(Required::System)
        .lookup(
            ("OwningBusinessUnit", "Owning Business Unit"),
            &[("businessunit", "owningbusinessunit", &unit, NoCascade)],
        )
        .read_only()
        .lookup(("OwningUser", "Owning User"), &[("systemuser", "owninguser", &user, NoCascade)])
        .read_only()
        .column(("VersionNumber", "Version Number"), ColumnKind::BigInt)
        .read_only()
        .integer(("ImportSequenceNumber", "Import Sequence Number"), i32::MIN, i32::MAX)
        .create_only()
        .date_time(("OverriddenCreatedOn", "Record Created On"))
        .create_only()
        .integer(("TimeZoneRuleVersionNumber", "Time Zone Rule Version Number"), -1, i32::MAX)
        .integer(("UTCConversionTimeZoneCode", "UTC Conversion Time Zone Code"), -1, i32::MAX)
}

/// One address in parts with its composite, such as `address1_city`.
pub(super) fn address(builder: TableBuilder, number: u8, types: &[&str]) -> TableBuilder {
    let label = |part: &str| format!("Address {number}: {part}");
    let name = |part: &str| format!("Address{number}_{part}");
    let text = |builder: TableBuilder, part: &str, display: &str, length_max: u32| {
        builder.text((&name(part), &label(display)), length_max)
    };
    let mut builder = builder
        .memo((&name("Composite"), &format!("Address {number}")), 1000)
        .read_only()
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
        .phone((&name("Fax"), &label("Fax")))
        .degrees((&name("Latitude"), &label("Latitude")), 90.0)
        .degrees((&name("Longitude"), &label("Longitude")), 180.0)
        .picklist(
            (&name("ShippingMethodCode"), &label("Shipping Method")),
            &["Airborne", "DHL", "FedEx", "UPS", "Postal Mail", "Full Load", "Will Call"],
        )
        .options((&name("FreightTermsCode"), &label("Freight Terms")), &[(1, "FOB"), (2, "No Charge")], None)
}

/// How and when somebody wants to be reached.
pub(super) fn contact_preferences(builder: TableBuilder) -> TableBuilder {
    builder
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
        .boolean(("MarketingOnly", "Marketing Only"), NO_YES)
}
