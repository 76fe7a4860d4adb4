//! Table `contact`: people.

use super::builder::{Ownership, TableBuilder};
use super::common::{
    address, contact_preferences, currency, origin, owned_columns, process, MONEY_MAX, NO_YES,
};
use flette_odata::edm::OnDelete::Cascade;
use flette_odata::edm::{Required, Table};

/// A choice that organisations fill themselves.
const DEFAULT: &[(i32, &str)] = &[(1, "Default Value")];

const ADDRESS_TYPES: &[&str] = &["Bill To", "Ship To", "Primary", "Other"];

/// The table. `fullname` is computed by the server.
pub(super) fn table() -> Table {
    let builder = TableBuilder::new(("Contact", "Contact", "Contacts"), "contacts", 2, Ownership::User)
        .noted()
        .regarded()
        .id(("ContactId", "Contact"))
        .text(("FullName", "Full Name"), 160)
        .primary_name()
        .computed()
        .text(("FirstName", "First Name"), 50)
        .required(Required::Recommended)
        .text(("MiddleName", "Middle Name"), 50)
        .text(("LastName", "Last Name"), 50)
        .required(Required::Application)
        .text(("Salutation", "Salutation"), 100)
        .text(("Suffix", "Suffix"), 10)
        .text(("NickName", "Nickname"), 100)
        .lookup(
            ("ParentCustomerId", "Company Name"),
            &[
                ("account", "parentcustomerid_account", "contact_customer_accounts", Cascade),
                ("contact", "parentcustomerid_contact", "contact_customer_contacts", Cascade),
            ],
        );
    let builder = personal(work(reach(builder)));
    let builder = address(builder, 1, ADDRESS_TYPES);
    let builder = address(builder, 2, ADDRESS_TYPES);
    let builder = address(builder, 3, ADDRESS_TYPES);
    let builder = contact_preferences(builder, "contact");
    let builder = process(origin(currency(builder, "contact"), "contact"));
    let builder =
        builder.states(&[(0, "Active", 1), (1, "Inactive", 2)], &[(1, "Active", 0), (2, "Inactive", 1)]);
    owned_columns(builder, "contact").build()
}

fn reach(builder: TableBuilder) -> TableBuilder {
    builder
        .phone(("Telephone1", "Business Phone"))
        .phone(("Telephone2", "Home Phone"))
        .phone(("Telephone3", "Telephone 3"))
        .phone(("MobilePhone", "Mobile Phone"))
        .phone(("Business2", "Business Phone 2"))
        .phone(("Home2", "Home Phone 2"))
        .phone(("Company", "Company Phone"))
        .phone(("Callback", "Callback Number"))
        .phone(("Fax", "Fax"))
        .phone(("Pager", "Pager"))
        .email(("EMailAddress1", "Email"))
        .email(("EMailAddress2", "Email Address 2"))
        .email(("EMailAddress3", "Email Address 3"))
        .url(("WebSiteUrl", "Website"))
        .url(("FtpSiteUrl", "FTP Site"))
        .memo(("Description", "Description"), 2000)
}

fn work(builder: TableBuilder) -> TableBuilder {
    builder
        .text(("JobTitle", "Job Title"), 100)
        .text(("Department", "Department"), 100)
        .text(("EmployeeId", "Employee"), 50)
        .text(("GovernmentId", "Government"), 50)
        .text(("AssistantName", "Assistant"), 100)
        .phone(("AssistantPhone", "Assistant Phone"))
        .text(("ManagerName", "Manager"), 100)
        .phone(("ManagerPhone", "Manager Phone"))
        .options(
            ("AccountRoleCode", "Role"),
            &[(1, "Decision Maker"), (2, "Employee"), (3, "Influencer")],
            None,
        )
        .options(("CustomerTypeCode", "Relationship Type"), DEFAULT, Some(1))
        .options(("LeadSourceCode", "Lead Source"), DEFAULT, Some(1))
        .options(
            ("PaymentTermsCode", "Payment Terms"),
            &[(1, "Net 30"), (2, "2% 10, Net 30"), (3, "Net 45"), (4, "Net 60")],
            None,
        )
        .money(("CreditLimit", "Credit Limit"), 0, MONEY_MAX)
        .boolean(("CreditOnHold", "Credit Hold"), NO_YES)
        .money(("AnnualIncome", "Annual Income"), 0, MONEY_MAX)
        .boolean(("IsBackofficeCustomer", "Back Office Customer"), NO_YES)
        .options(("CustomerSizeCode", "Customer Size"), DEFAULT, Some(1))
        .options(("ShippingMethodCode", "Shipping Method"), DEFAULT, Some(1))
        .options(("TerritoryCode", "Territory"), DEFAULT, Some(1))
        .money(("Aging30", "Aging 30"), 0, MONEY_MAX)
        .read_only()
        .money(("Aging60", "Aging 60"), 0, MONEY_MAX)
        .read_only()
        .money(("Aging90", "Aging 90"), 0, MONEY_MAX)
        .read_only()
        .text(("ExternalUserIdentifier", "External User Identifier"), 50)
        .guid(("SubscriptionId", "Subscription"))
}

fn personal(builder: TableBuilder) -> TableBuilder {
    builder
        .date(("BirthDate", "Birthday"))
        .date(("Anniversary", "Anniversary"))
        .picklist(("GenderCode", "Gender"), &["Male", "Female"])
        .picklist(("FamilyStatusCode", "Marital Status"), &["Single", "Married", "Divorced", "Widowed"])
        .options(("EducationCode", "Education"), DEFAULT, Some(1))
        .boolean(("HasChildrenCode", "Has Children"), NO_YES)
        .integer(("NumberOfChildren", "No. of Children"), 0, 1_000_000_000)
        .text(("ChildrensNames", "Children's Names"), 255)
        .text(("SpousesName", "Spouse/Partner Name"), 100)
        .text(("YomiFirstName", "Yomi First Name"), 150)
        .text(("YomiMiddleName", "Yomi Middle Name"), 150)
        .text(("YomiLastName", "Yomi Last Name"), 150)
}
