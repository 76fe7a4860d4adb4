//! Tables `lead` and `opportunity`: who might buy, and what.

use super::builder::{Ownership, TableBuilder};
use super::common::{address, contact_preferences, currency, owned_columns, process, MONEY_MAX, NO_YES};
use flette_odata::edm::OnDelete::{Cascade, NoCascade, RemoveLink};
use flette_odata::edm::{Required, Table};

/// A choice that organisations fill themselves.
const DEFAULT: &[(i32, &str)] = &[(1, "Default Value")];
const HOT_WARM_COLD: &[(i32, &str)] = &[(1, "Hot"), (2, "Warm"), (3, "Cold")];
const BUDGET: &[(i32, &str)] = &[(0, "No Committed Budget"), (1, "May Buy"), (2, "Can Buy"), (3, "Will Buy")];
const NEED: &[(i32, &str)] = &[(0, "Must have"), (1, "Should have"), (2, "Good to have"), (3, "No need")];
const PURCHASE: &[(i32, &str)] =
    &[(0, "Immediate"), (1, "This Quarter"), (2, "Next Quarter"), (3, "This Year"), (4, "Unknown")];
const PROCESS: &[(i32, &str)] = &[(0, "Individual"), (1, "Committee"), (2, "Unknown")];
const COMMUNICATION: &[(i32, &str)] = &[(0, "Contacted"), (1, "Not Contacted")];
const SOURCES: &[&str] = &[
    "Advertisement",
    "Employee Referral",
    "External Referral",
    "Partner",
    "Public Relations",
    "Seminar",
    "Trade Show",
    "Web",
    "Word of Mouth",
    "Other",
];

/// Table `lead`. Its states stand for how it ended.
pub(super) fn lead() -> Table {
    let builder = TableBuilder::new(("Lead", "Lead", "Leads"), "leads", 4, Ownership::User)
        .noted()
        .regarded()
        .id(("LeadId", "Lead"))
        .text(("FullName", "Name"), 160)
        .primary_name()
        .computed()
        .text(("Subject", "Topic"), 300)
        .required(Required::Application)
        .text(("FirstName", "First Name"), 50)
        .required(Required::Recommended)
        .text(("MiddleName", "Middle Name"), 50)
        .text(("LastName", "Last Name"), 50)
        .required(Required::Application)
        .text(("CompanyName", "Company Name"), 100)
        .text(("JobTitle", "Job Title"), 100)
        .text(("Salutation", "Salutation"), 100)
        .phone(("Telephone1", "Business Phone"))
        .phone(("Telephone2", "Home Phone"))
        .phone(("Telephone3", "Other Phone"))
        .text(("MobilePhone", "Mobile Phone"), 20)
        .phone(("Fax", "Fax"))
        .text(("Pager", "Pager"), 20)
        .email(("EMailAddress1", "Email"))
        .email(("EMailAddress2", "Email Address 2"))
        .email(("EMailAddress3", "Email Address 3"))
        .url(("WebSiteUrl", "Website"))
        .memo(("Description", "Description"), 2000);
    let builder = address(lead_value(builder), 1, &["Default Value"]);
    let builder = address(builder, 2, &["Default Value"]);
    let builder = contact_preferences(people(builder), "lead");
    let builder = process(currency(builder, "lead")).states(
        &[(0, "Open", 1), (1, "Qualified", 3), (2, "Disqualified", 7)],
        &[
            (1, "New", 0),
            (2, "Contacted", 0),
            (3, "Qualified", 1),
            (7, "Canceled", 2),
            (4, "Lost", 2),
            (5, "Cannot Contact", 2),
            (6, "No Longer Interested", 2),
        ],
    );
    owned_columns(builder, "lead").build()
}

fn lead_value(builder: TableBuilder) -> TableBuilder {
    builder
        .picklist(("LeadSourceCode", "Lead Source"), SOURCES)
        .options(("LeadQualityCode", "Rating"), HOT_WARM_COLD, Some(2))
        .options(("PriorityCode", "Priority"), DEFAULT, Some(1))
        .options(("InitialCommunication", "Initial Communication"), COMMUNICATION, None)
        .options(("BudgetStatus", "Budget"), BUDGET, None)
        .options(("Need", "Need"), NEED, None)
        .options(("PurchaseProcess", "Purchase Process"), PROCESS, None)
        .options(("PurchaseTimeFrame", "Purchase Timeframe"), PURCHASE, None)
        .options(
            ("SalesStage", "Sales Stage"),
            &[(0, "Qualify"), (1, "Develop"), (2, "Propose"), (3, "Close")],
            None,
        )
        .options(("SalesStageCode", "Sales Stage Code"), DEFAULT, Some(1))
        .picklist(("IndustryCode", "Industry"), super::account::INDUSTRIES)
        .money(("EstimatedAmount", "Est. Value"), 0, MONEY_MAX)
        .money(("BudgetAmount", "Budget Amount"), 0, MONEY_MAX)
        .money(("Revenue", "Annual Revenue"), 0, MONEY_MAX)
        .column(
            ("EstimatedValue", "Est. Value (deprecated)"),
            flette_odata::ColumnKind::Double { precision: 2, min: 0.0, max: 1_000_000_000.0 },
        )
        .date(("EstimatedCloseDate", "Est. Close Date"))
        .integer(("NumberOfEmployees", "No. of Employees"), 0, 1_000_000)
        .text(("SIC", "SIC Code"), 20)
        .boolean(("ConfirmInterest", "Confirm Interest"), NO_YES)
        .boolean(("DecisionMaker", "Decision Maker?"), ("completed", "mark complete"))
        .boolean(("EvaluateFit", "Evaluate Fit"), NO_YES)
        .memo(("QualificationComments", "Qualification Comments"), 2000)
        .date_time(("ScheduleFollowUp_Prospect", "Schedule Follow Up (Prospect)"))
        .date_time(("ScheduleFollowUp_Qualify", "Schedule Follow Up (Qualify)"))
}

fn people(builder: TableBuilder) -> TableBuilder {
    builder
        .lookup(
            ("CustomerId", "Customer"),
            &[
                ("account", "customerid_account", "lead_customer_accounts", Cascade),
                ("contact", "customerid_contact", "lead_customer_contacts", Cascade),
            ],
        )
        .lookup(
            ("ParentAccountId", "Parent Account for lead"),
            &[("account", "parentaccountid", "lead_parent_account", RemoveLink)],
        )
        .lookup(
            ("ParentContactId", "Parent Contact for lead"),
            &[("contact", "parentcontactid", "lead_parent_contact", RemoveLink)],
        )
        .lookup(
            ("QualifyingOpportunityId", "Qualifying Opportunity"),
            &[("opportunity", "qualifyingopportunityid", "lead_qualifying_opportunity", RemoveLink)],
        )
        .lookup(("MasterId", "Master ID"), &[("lead", "masterid", "lead_master_lead", NoCascade)])
        .read_only()
        .boolean(("Merged", "Merged"), NO_YES)
        .read_only()
        .text(("YomiFirstName", "Yomi First Name"), 150)
        .text(("YomiLastName", "Yomi Last Name"), 150)
        .text(("YomiMiddleName", "Yomi Middle Name"), 150)
        .text(("YomiCompanyName", "Yomi Company Name"), 100)
}

/// Table `opportunity`.
pub(super) fn opportunity() -> Table {
    let names = ("Opportunity", "Opportunity", "Opportunities");
    let builder = TableBuilder::new(names, "opportunities", 3, Ownership::User)
        .noted()
        .regarded()
        .id(("OpportunityId", "Opportunity"))
        .text(("Name", "Topic"), 300)
        .primary_name()
        .required(Required::Application)
        .lookup(
            ("CustomerId", "Potential Customer"),
            &[
                ("account", "customerid_account", "opportunity_customer_accounts", Cascade),
                ("contact", "customerid_contact", "opportunity_customer_contacts", Cascade),
            ],
        )
        .lookup(
            ("ParentAccountId", "Account"),
            &[("account", "parentaccountid", "opportunity_parent_account", RemoveLink)],
        )
        .lookup(
            ("ParentContactId", "Contact"),
            &[("contact", "parentcontactid", "opportunity_parent_contact", RemoveLink)],
        )
        .lookup(
            ("OriginatingLeadId", "Originating Lead"),
            &[("lead", "originatingleadid", "opportunity_originating_lead", RemoveLink)],
        );
    let builder = selling(amounts(builder)).memo(("Description", "Description"), 2000);
    let builder = process(currency(builder, "opportunity")).states(
        &[(0, "Open", 1), (1, "Won", 3), (2, "Lost", 4)],
        &[(1, "In Progress", 0), (2, "On Hold", 0), (3, "Won", 1), (4, "Canceled", 2), (5, "Out-Sold", 2)],
    );
    owned_columns(builder, "opportunity").build()
}

fn amounts(builder: TableBuilder) -> TableBuilder {
    builder
        .money(("EstimatedValue", "Est. Revenue"), 0, MONEY_MAX)
        .money(("ActualValue", "Actual Revenue"), 0, MONEY_MAX)
        .money(("BudgetAmount", "Budget Amount"), 0, MONEY_MAX)
        .money(("TotalAmount", "Total Amount"), -MONEY_MAX, MONEY_MAX)
        .money(("TotalAmountLessFreight", "Total Pre-Freight Amount"), -MONEY_MAX, MONEY_MAX)
        .money(("TotalDiscountAmount", "Total Discount Amount"), -MONEY_MAX, MONEY_MAX)
        .money(("TotalLineItemAmount", "Total Detail Amount"), -MONEY_MAX, MONEY_MAX)
        .money(("TotalTax", "Total Tax"), -MONEY_MAX, MONEY_MAX)
        .money(("DiscountAmount", "Opportunity Discount Amount"), 0, MONEY_MAX)
        .money(("FreightAmount", "Freight Amount"), 0, MONEY_MAX)
        .date(("EstimatedCloseDate", "Est. Close Date"))
        .date(("ActualCloseDate", "Actual Close Date"))
        .date(("FinalDecisionDate", "Final Decision Date"))
        .integer(("CloseProbability", "Probability"), 0, 100)
        .boolean(("IsRevenueSystemCalculated", "Revenue"), ("User Provided", "System Calculated"))
}

fn selling(builder: TableBuilder) -> TableBuilder {
    let done = ("mark complete", "completed");
    builder
        .options(("OpportunityRatingCode", "Rating"), HOT_WARM_COLD, Some(2))
        .options(("PriorityCode", "Priority"), DEFAULT, Some(1))
        .options(("SalesStageCode", "Process Code"), DEFAULT, Some(1))
        .options(
            ("SalesStage", "Sales Stage"),
            &[(0, "Qualify"), (1, "Develop"), (2, "Propose"), (3, "Close")],
            None,
        )
        .text(("StepName", "Pipeline Phase"), 200)
        .guid(("StepId", "Step"))
        .options(("BudgetStatus", "Budget"), BUDGET, None)
        .options(("Need", "Need"), NEED, None)
        .options(("PurchaseProcess", "Purchase Process"), PROCESS, None)
        .options(("PurchaseTimeframe", "Purchase Timeframe"), PURCHASE, None)
        .options(
            ("TimeLine", "Timeline"),
            &[(0, "Immediate"), (1, "This Quarter"), (2, "Next Quarter"), (3, "This Year"), (4, "Not known")],
            None,
        )
        .options(("InitialCommunication", "Initial Communication"), COMMUNICATION, None)
        .memo(("CurrentSituation", "Current Situation"), 2000)
        .memo(("CustomerNeed", "Customer Need"), 2000)
        .memo(("CustomerPainPoints", "Customer Pain Points"), 2000)
        .memo(("ProposedSolution", "Proposed Solution"), 2000)
        .memo(("QualificationComments", "Qualification Comments"), 2000)
        .memo(("QuoteComments", "Quote Comments"), 2000)
        .boolean(("CaptureProposalFeedback", "Proposal Feedback Captured"), done)
        .boolean(("CompleteFinalProposal", "Final Proposal Ready"), done)
        .boolean(("CompleteInternalReview", "Complete Internal Review"), done)
        .boolean(("ConfirmInterest", "Confirm Interest"), NO_YES)
        .boolean(("DecisionMaker", "Decision Maker?"), done)
        .boolean(("DevelopProposal", "Develop Proposal"), done)
        .boolean(("EvaluateFit", "Evaluate Fit"), NO_YES)
        .boolean(("FileDebrief", "File Debrief"), NO_YES)
        .boolean(("IdentifyCompetitors", "Identify Competitors"), done)
        .boolean(("IdentifyCustomerContacts", "Identify Customer Contacts"), done)
        .boolean(("IdentifyPursuitTeam", "Identify Sales Team"), done)
        .boolean(("ParticipatesInWorkflow", "Participates in Workflow"), NO_YES)
        .boolean(("PresentFinalProposal", "Present Final Proposal"), done)
        .boolean(("PresentProposal", "Presented Proposal"), done)
        .boolean(("PursuitDecision", "Decide Go/No-Go"), done)
        .boolean(("ResolveFeedback", "Feedback Resolved"), NO_YES)
        .boolean(("SendThankYouNote", "Send Thank You Note"), NO_YES)
        .date_time(("ScheduleFollowup_Prospect", "Scheduled Follow up (Prospect)"))
        .date_time(("ScheduleFollowup_Qualify", "Scheduled Follow up (Qualify)"))
        .date_time(("ScheduleProposalMeeting", "Schedule Proposal Meeting"))
        .text(("EmailAddress", "Email Address"), 100)
        .read_only()
}
