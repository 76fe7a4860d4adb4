//! Tables `businessunit`, `systemuser` and `team`: who works here. And `transactioncurrency`: in what they count.

use super::builder::{Ownership, TableBuilder};
use super::common::{address, currency, rates, stamps, NO_YES, RATE_PRECISION};
use flette_odata::edm::OnDelete::{RemoveLink, Restrict};
use flette_odata::edm::{ColumnKind, Required, Table};

const ADDRESS_TYPES: &[&str] = &["Default Value"];

/// Table `businessunit`.
pub(super) fn business_unit() -> Table {
    let names = ("BusinessUnit", "Business Unit", "Business Units");
    let builder = TableBuilder::new(names, "businessunits", 10, Ownership::Organization)
        .id(("BusinessUnitId", "Business Unit"))
        .text(("Name", "Name"), 160)
        .primary_name()
        .required(Required::System)
        .lookup(
            ("ParentBusinessUnitId", "Parent Business"),
            &[("businessunit", "parentbusinessunitid", "business_unit_parent_business_unit", Restrict)],
        )
        .text(("DivisionName", "Division"), 100)
        .text(("CostCenter", "Cost Center"), 100)
        .text(("FileAsName", "File as Name"), 100)
        .memo(("Description", "Description"), 2000)
        .email(("EMailAddress", "Email"))
        .url(("WebSiteUrl", "Website"))
        .url(("FtpSiteUrl", "FTP Site"))
        .text(("TickerSymbol", "Ticker Symbol"), 10)
        .text(("StockExchange", "Stock Exchange"), 20)
        .column(
            ("CreditLimit", "Credit Limit"),
            ColumnKind::Double { precision: 2, min: 0.0, max: 1_000_000_000.0 },
        )
        .boolean(("IsDisabled", "Is Disabled"), NO_YES)
        .read_only()
        .text(("DisabledReason", "Disable Reason"), 500)
        .read_only()
        .integer(("UTCOffset", "UTC Offset"), -1500, 1500);
    let builder = address(builder, 1, ADDRESS_TYPES);
    let builder = address(builder, 2, ADDRESS_TYPES);
    stamps(currency(builder, "businessunit"), "businessunit").build()
}

/// Table `systemuser`. `fullname` follows from first and last name.
pub(super) fn system_user() -> Table {
    let builder =
        TableBuilder::new(("SystemUser", "User", "Users"), "systemusers", 8, Ownership::Organization)
            .id(("SystemUserId", "User"))
            .text(("FullName", "Full Name"), 200)
            .primary_name()
            .computed()
            .text(("FirstName", "First Name"), 256)
            .required(Required::Application)
            .text(("MiddleName", "Middle Name"), 50)
            .text(("LastName", "Last Name"), 256)
            .required(Required::Application)
            .text(("NickName", "Nickname"), 50)
            .text(("Salutation", "Salutation"), 20)
            .text(("Title", "Title"), 128)
            .text(("JobTitle", "Job Title"), 100)
            .text(("DomainName", "User Name"), 1024)
            .required(Required::Application)
            .email(("InternalEMailAddress", "Primary Email"))
            .email(("PersonalEMailAddress", "Email 2"))
            .email(("MobileAlertEMail", "Mobile Alert Email"))
            .text(("MobilePhone", "Mobile Phone"), 64)
            .phone(("HomePhone", "Home Phone"))
            .boolean(("IsDisabled", "Status"), ("Enabled", "Disabled"))
            .boolean(("IsLicensed", "User Licensed"), NO_YES)
            .boolean(("SetupUser", "Restricted Access Mode"), NO_YES)
            .read_only()
            .text(("DisabledReason", "Disabled Reason"), 500)
            .read_only()
            .lookup(
                ("BusinessUnitId", "Business Unit"),
                &[("businessunit", "businessunitid", "business_unit_system_users", Restrict)],
            )
            .required(Required::System)
            .lookup(
                ("ParentSystemUserId", "Manager"),
                &[("systemuser", "parentsystemuserid", "user_parent_user", RemoveLink)],
            );
    let builder = address(preferences(builder), 1, ADDRESS_TYPES);
    let builder = address(builder, 2, ADDRESS_TYPES);
    stamps(currency(builder, "systemuser"), "systemuser")
        .key(("AADObjectId", "Azure AD Object ID"), &["azureactivedirectoryobjectid"])
        .build()
}

fn preferences(builder: TableBuilder) -> TableBuilder {
    builder
        .options(
            ("AccessMode", "Access Mode"),
            &[
                (0, "Read-Write"),
                (1, "Administrative"),
                (2, "Read"),
                (3, "Support User"),
                (4, "Non-interactive"),
                (5, "Delegated Admin"),
            ],
            Some(0),
        )
        .options(
            ("PreferredAddressCode", "Preferred Address"),
            &[(1, "Mailing Address"), (2, "Other Address")],
            Some(1),
        )
        .options(("PreferredEmailCode", "Preferred Email"), &[(1, "Default Value")], Some(1))
        .options(
            ("PreferredPhoneCode", "Preferred Phone"),
            &[(1, "Main Phone"), (2, "Other Phone"), (3, "Home Phone"), (4, "Mobile Phone")],
            Some(1),
        )
        .text(("EmployeeId", "Employee"), 100)
        .text(("GovernmentId", "Government"), 100)
        .text(("Skills", "Skills"), 100)
        .url(("PhotoUrl", "Photo URL"))
        .text(("WindowsLiveID", "Windows Live ID"), 1024)
        .text(("YammerEmailAddress", "Yammer Email"), 200)
        .text(("YomiFirstName", "Yomi First Name"), 64)
        .text(("YomiLastName", "Yomi Last Name"), 64)
        .guid(("AzureActiveDirectoryObjectId", "Azure AD Object ID"))
        .guid(("ApplicationId", "Application ID"))
}

/// Table `team`: users who own rows together.
pub(super) fn team() -> Table {
    let builder = TableBuilder::new(("Team", "Team", "Teams"), "teams", 9, Ownership::Organization)
        .id(("TeamId", "Team"))
        .text(("Name", "Team Name"), 160)
        .primary_name()
        .required(Required::System)
        .memo(("Description", "Description"), 2000)
        .email(("EMailAddress", "Email"))
        .text(("YomiName", "Yomi Name"), 160)
        .options(
            ("TeamType", "Team Type"),
            &[(0, "Owner"), (1, "Access"), (2, "Security Group"), (3, "Office Group")],
            Some(0),
        )
        .create_only()
        .options(
            ("MembershipType", "Membership Type"),
            &[(0, "Members and guests"), (1, "Members"), (2, "Owners"), (3, "Guests")],
            Some(0),
        )
        .boolean(("IsDefault", "Is Default"), NO_YES)
        .read_only()
        .boolean(("SystemManaged", "Is System Managed"), NO_YES)
        .read_only()
        .guid(("AzureActiveDirectoryObjectId", "Object Id for a group"))
        .lookup(
            ("AdministratorId", "Administrator"),
            &[("systemuser", "administratorid", "lk_teambase_administratorid", Restrict)],
        )
        .lookup(
            ("BusinessUnitId", "Business Unit"),
            &[("businessunit", "businessunitid", "business_unit_teams", Restrict)],
        )
        .required(Required::System);
    stamps(currency(builder, "team"), "team").build()
}

/// Table `transactioncurrency`. Amounts in the base currency are amounts divided by `exchangerate`.
pub(super) fn transaction_currency() -> Table {
    let names = ("TransactionCurrency", "Currency", "Currencies");
    let builder = TableBuilder::new(names, "transactioncurrencies", 9105, Ownership::Organization)
        .id(("TransactionCurrencyId", "Transaction Currency"))
        .text(("CurrencyName", "Currency Name"), 100)
        .primary_name()
        .required(Required::System)
        .text(("ISOCurrencyCode", "Currency Code"), 5)
        .required(Required::System)
        .text(("CurrencySymbol", "Currency Symbol"), 13)
        .required(Required::System)
        .integer(("CurrencyPrecision", "Currency Precision"), 0, 4)
        .required(Required::System)
        .options(("CurrencyType", "Currency Type"), &[(0, "System"), (1, "Custom")], Some(0))
        .decimal(("ExchangeRate", "Exchange Rate"), RATE_PRECISION, rates())
        .required(Required::System)
        .states(&[(0, "Active", 1), (1, "Inactive", 2)], &[(1, "Active", 0), (2, "Inactive", 1)]);
    stamps(builder, "transactioncurrency").build()
}
