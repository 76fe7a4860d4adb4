//! Tables `systemuser` and `businessunit`: who works here. The Web API only reads them.

use super::builder::{Ownership, TableBuilder};
use flette_odata::edm::OnDelete::NoCascade;
use flette_odata::edm::{ColumnKind, Table};

/// Table `businessunit`.
pub(super) fn business_unit() -> Table {
    let builder = TableBuilder::new(
        ("BusinessUnit", "Business Unit", "Business Units"),
        "businessunits",
        10,
        Ownership::ReadOnly,
    );
    stamps(builder.id(("BusinessUnitId", "Business Unit")).text(("Name", "Name"), 160).primary_name().lookup(
        ("ParentBusinessUnitId", "Parent Business"),
        &[("businessunit", "parentbusinessunitid", "business_unit_parent_business_unit", NoCascade)],
    ))
}

/// Table `systemuser`.
pub(super) fn system_user() -> Table {
    let builder = TableBuilder::new(("SystemUser", "User", "Users"), "systemusers", 8, Ownership::ReadOnly);
    stamps(
        builder
            .id(("SystemUserId", "User"))
            .text(("FullName", "Full Name"), 200)
            .primary_name()
            .text(("FirstName", "First Name"), 64)
            .text(("LastName", "Last Name"), 64)
            .text(("DomainName", "User Name"), 1024)
            .email(("InternalEMailAddress", "Primary Email"))
            .boolean(("IsDisabled", "Status"), ("Enabled", "Disabled"))
            .lookup(
                ("BusinessUnitId", "Business Unit"),
                &[("businessunit", "businessunitid", "business_unit_system_users", NoCascade)],
            ),
    )
}

fn stamps(builder: TableBuilder) -> Table {
    builder
        .date_time(("CreatedOn", "Created On"))
        .date_time(("ModifiedOn", "Modified On"))
        .column(("VersionNumber", "Version Number"), ColumnKind::BigInt)
        .build()
}
