//! Table `account`: companies.

use super::builder::{Ownership, TableBuilder};
use super::common::{
    address, contact_preferences, currency, origin, owned_columns, process, MONEY_MAX, NO_YES,
};
use flette_odata::edm::OnDelete::RemoveLink;
use flette_odata::edm::{Required, Table};

const ADDRESS_TYPES: &[&str] = &["Bill To", "Ship To", "Primary", "Other"];

pub(super) const INDUSTRIES: &[&str] = &[
    "Accounting",
    "Agriculture and Non-petrol Natural Resource Extraction",
    "Broadcasting Printing and Publishing",
    "Brokers",
    "Building Supply Retail",
    "Business Services",
    "Consulting",
    "Consumer Services",
    "Design, Direction and Creative Management",
    "Distributors, Dispatchers and Processors",
    "Doctor's Offices and Clinics",
    "Durable Manufacturing",
    "Eating and Drinking Places",
    "Entertainment Retail",
    "Equipment Rental and Leasing",
    "Financial",
    "Food and Tobacco Processing",
    "Inbound Capital Intensive Processing",
    "Inbound Repair and Services",
    "Insurance",
    "Legal Services",
    "Non-Durable Merchandise Retail",
    "Outbound Consumer Service",
    "Petrochemical Extraction and Distribution",
    "Service Retail",
    "SIG Affiliations",
    "Social Services",
    "Special Outbound Trade Contractors",
    "Specialty Realty",
    "Transportation",
    "Utility Creation and Distribution",
    "Vehicle Retail",
    "Wholesale",
];

const CUSTOMER_TYPES: &[&str] = &[
    "Competitor",
    "Consultant",
    "Customer",
    "Investor",
    "Partner",
    "Influencer",
    "Press",
    "Prospect",
    "Reseller",
    "Supplier",
    "Vendor",
    "Other",
];

/// A choice that organisations fill themselves.
const DEFAULT: &[(i32, &str)] = &[(1, "Default Value")];

/// The table.
pub(super) fn table() -> Table {
    let builder = TableBuilder::new(("Account", "Account", "Accounts"), "accounts", 1, Ownership::User)
        .noted()
        .regarded()
        .id(("AccountId", "Account"))
        .text(("Name", "Account Name"), 160)
        .primary_name()
        .required(Required::Application)
        .text(("AccountNumber", "Account Number"), 20)
        .lookup(
            ("PrimaryContactId", "Primary Contact"),
            &[("contact", "primarycontactid", "account_primary_contact", RemoveLink)],
        )
        .lookup(
            ("ParentAccountId", "Parent Account"),
            &[("account", "parentaccountid", "account_parent_account", RemoveLink)],
        );
    let builder = sizes(reach(builder));
    let builder = address(builder, 1, ADDRESS_TYPES);
    let builder = address(builder, 2, ADDRESS_TYPES);
    let builder = contact_preferences(builder, "account");
    let builder = process(origin(currency(builder, "account"), "account"));
    let builder =
        builder.states(&[(0, "Active", 1), (1, "Inactive", 2)], &[(1, "Active", 0), (2, "Inactive", 1)]);
    owned_columns(builder, "account").key(("AccountNumber_Key", "Account Number"), &["accountnumber"]).build()
}

fn reach(builder: TableBuilder) -> TableBuilder {
    builder
        .phone(("Telephone1", "Main Phone"))
        .phone(("Telephone2", "Other Phone"))
        .phone(("Telephone3", "Telephone 3"))
        .phone(("Fax", "Fax"))
        .email(("EMailAddress1", "Email"))
        .email(("EMailAddress2", "Email Address 2"))
        .email(("EMailAddress3", "Email Address 3"))
        .url(("WebSiteURL", "Website"))
        .url(("FtpSiteURL", "FTP Site"))
        .memo(("Description", "Description"), 2000)
        .text(("YomiName", "Yomi Account Name"), 160)
}

fn sizes(builder: TableBuilder) -> TableBuilder {
    builder
        .picklist(("IndustryCode", "Industry"), INDUSTRIES)
        .picklist(("CustomerTypeCode", "Relationship Type"), CUSTOMER_TYPES)
        .options(("AccountCategoryCode", "Category"), &[(1, "Preferred Customer"), (2, "Standard")], None)
        .picklist(("OwnershipCode", "Ownership"), &["Public", "Private", "Subsidiary", "Other"])
        .options(
            ("PaymentTermsCode", "Payment Terms"),
            &[(1, "Net 30"), (2, "2% 10, Net 30"), (3, "Net 45"), (4, "Net 60")],
            None,
        )
        .money(("Revenue", "Annual Revenue"), 0, MONEY_MAX)
        .money(("MarketCap", "Market Capitalization"), 0, MONEY_MAX)
        .money(("CreditLimit", "Credit Limit"), 0, MONEY_MAX)
        .boolean(("CreditOnHold", "Credit Hold"), NO_YES)
        .integer(("NumberOfEmployees", "Number of Employees"), 0, 1_000_000_000)
        .integer(("SharesOutstanding", "Shares Outstanding"), 0, 1_000_000_000)
        .text(("SIC", "SIC Code"), 20)
        .text(("TickerSymbol", "Ticker Symbol"), 10)
        .text(("StockExchange", "Stock Exchange"), 20)
        .money(("Aging30", "Aging 30"), 0, MONEY_MAX)
        .read_only()
        .money(("Aging60", "Aging 60"), 0, MONEY_MAX)
        .read_only()
        .money(("Aging90", "Aging 90"), 0, MONEY_MAX)
        .read_only()
        .options(("AccountClassificationCode", "Classification"), DEFAULT, Some(1))
        .options(("AccountRatingCode", "Account Rating"), DEFAULT, Some(1))
        .options(("BusinessTypeCode", "Business Type"), DEFAULT, Some(1))
        .options(("CustomerSizeCode", "Customer Size"), DEFAULT, Some(1))
        .options(("ShippingMethodCode", "Shipping Method"), DEFAULT, Some(1))
        .options(("TerritoryCode", "Territory Code"), DEFAULT, Some(1))
        .text(("PrimarySatoriId", "Primary Satori ID"), 200)
        .text(("PrimaryTwitterId", "Primary Twitter ID"), 128)
}
