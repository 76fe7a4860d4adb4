//! Reads that go beyond the rows of one table: paths, lambdas, query functions, expanded rows, groups, FetchXML, views, and
//! what hangs on one row.

use crate::world::{Ask, Known, World};

const ALL: &str = "Prefer: odata.include-annotations=\"*\"";

/// Conditions on accounts.
const ACCOUNTS: &[&str] = &[
    "primarycontactid/fullname eq 'kari nordmann'",
    "primarycontactid/fullname ne 'kari nordmann'",
    "primarycontactid/fullname eq null",
    "primarycontactid/fullname ne null",
    "primarycontactid/contactid ne null",
    "primarycontactid/lastname gt 'd'",
    "primarycontactid/lastname le 'D''ARCY'",
    "not (primarycontactid/lastname gt 'd')",
    "contains(primarycontactid/fullname,'KARI')",
    "not contains(primarycontactid/fullname,'KARI')",
    "startswith(primarycontactid/lastname,'d''')",
    "endswith(primarycontactid/lastname,'cy')",
    "primarycontactid/birthdate eq 1980-02-29",
    "primarycontactid/gendercode eq 2",
    "primarycontactid/gendercode ne 2",
    "primarycontactid/haschildrencode eq true",
    "primarycontactid/numberofchildren lt 1",
    "primarycontactid/_parentcustomerid_value eq {a0}",
    "primarycontactid/parentcustomerid_account/name eq 'ærlig øl as'",
    "primarycontactid/parentcustomerid_account/name eq null",
    "primarycontactid/parentcustomerid_contact/lastname eq null",
    "parentaccountid/name eq 'ærlig øl as'",
    "parentaccountid/name ne 'ærlig øl as'",
    "parentaccountid/parentaccountid/name eq null",
    "parentaccountid/primarycontactid/fullname eq 'Kari Nordmann'",
    "parentaccountid/numberofemployees ge 9.5",
    "parentaccountid/revenue eq 1000.5",
    "parentaccountid/statecode eq 0 and parentaccountid/name ne null",
    "parentaccountid/name eq parentaccountid/address1_city",
    "owninguser/fullname ne null",
    "owningbusinessunit/name ne null",
    "createdby/systemuserid ne null",
    "primarycontactid/fullname eq 'Kari Nordmann' or parentaccountid/name eq 'ærlig øl as'",
    "contact_customer_accounts/any()",
    "not contact_customer_accounts/any()",
    "contact_customer_accounts/any(c:c/lastname eq 'nordmann')",
    "contact_customer_accounts/any(c:c/lastname eq 'nordmann' and c/donotphone eq true)",
    "contact_customer_accounts/any(c:c/lastname eq null)",
    "contact_customer_accounts/any(c:not (c/lastname eq 'nordmann'))",
    "not contact_customer_accounts/any(c:c/lastname eq 'nordmann')",
    "contact_customer_accounts/all(c:c/lastname eq 'nordmann')",
    "contact_customer_accounts/all(c:c/gendercode eq 2)",
    "contact_customer_accounts/any(c:contains(c/fullname,'%'))",
    "contact_customer_accounts/any(c:c/birthdate lt 1970-01-01 or c/gendercode eq 2)",
    "contact_customer_accounts/any(c:c/parentcustomerid_account/name eq 'ærlig øl as')",
    "contact_customer_accounts/any(c:c/_ownerid_value eq {anna})",
    "Account_Tasks/any(t:t/statecode eq 0)",
    "Account_Tasks/any(t:t/subject eq 'über' or t/subject eq 'call')",
    "account_parent_account/any()",
    "account_parent_account/any(a:a/statecode eq 1)",
    "account_parent_account/all(a:a/numberofemployees eq 10)",
    "account_parent_account/any() or name eq 'zebra'",
    "statecode eq 0 and contact_customer_accounts/any() and not Account_Tasks/any()",
    "Microsoft.Dynamics.CRM.Today(PropertyName='createdon')",
    "Microsoft.Dynamics.CRM.Yesterday(PropertyName='createdon')",
    "Microsoft.Dynamics.CRM.ThisYear(PropertyName='createdon')",
    "Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon',PropertyValue=3)",
    "Microsoft.Dynamics.CRM.OlderThanXYears(PropertyName='lastusedincampaign',PropertyValue=1)",
    "Microsoft.Dynamics.CRM.OlderThanXMonths(PropertyName='overriddencreatedon',PropertyValue=12)",
    "Microsoft.Dynamics.CRM.On(PropertyName='lastusedincampaign',PropertyValue='2024-02-29')",
    "Microsoft.Dynamics.CRM.OnOrAfter(PropertyName='lastusedincampaign',PropertyValue='2024-02-29')",
    "Microsoft.Dynamics.CRM.OnOrBefore(PropertyName='lastusedincampaign',PropertyValue='2024-02-29')",
    "Microsoft.Dynamics.CRM.InFiscalYear(PropertyName='lastusedincampaign',PropertyValue=2024)",
    "Microsoft.Dynamics.CRM.InFiscalPeriodAndYear(PropertyName='lastusedincampaign',PropertyValue1=1,PropertyValue2=2024)",
    "Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=['Zebra','10'])",
    "Microsoft.Dynamics.CRM.NotIn(PropertyName='numberofemployees',PropertyValues=['10','9'])",
    "Microsoft.Dynamics.CRM.Between(PropertyName='numberofemployees',PropertyValues=['5','9'])",
    "Microsoft.Dynamics.CRM.NotBetween(PropertyName='revenue',PropertyValues=['0','1000'])",
    "Microsoft.Dynamics.CRM.EqualUserId(PropertyName='ownerid')",
    "Microsoft.Dynamics.CRM.NotEqualUserId(PropertyName='ownerid')",
    "Microsoft.Dynamics.CRM.EqualBusinessId(PropertyName='owningbusinessunit')",
    "Microsoft.Dynamics.CRM.EqualUserOrUserHierarchy(PropertyName='ownerid')",
    "Microsoft.Dynamics.CRM.Above(PropertyName='accountid',PropertyValue='{a8}')",
    "Microsoft.Dynamics.CRM.AboveOrEqual(PropertyName='accountid',PropertyValue='{a7}')",
    "Microsoft.Dynamics.CRM.Under(PropertyName='accountid',PropertyValue='{a0}')",
    "Microsoft.Dynamics.CRM.Under(PropertyName='accountid',PropertyValue='{a1}')",
    "Microsoft.Dynamics.CRM.UnderOrEqual(PropertyName='parentaccountid',PropertyValue='{a1}')",
    "Microsoft.Dynamics.CRM.NotUnder(PropertyName='accountid',PropertyValue='{a1}')",
    "primarycontactid/fullname eq 'x' or Microsoft.Dynamics.CRM.ThisYear(PropertyName='createdon')",
];

const CONTACTS: &[&str] = &[
    "parentcustomerid_account/name eq 'ærlig øl as'",
    "parentcustomerid_account/name eq null",
    "parentcustomerid_account/name ne null",
    "parentcustomerid_contact/fullname eq 'kari nordmann'",
    "parentcustomerid_account/primarycontactid/firstname eq 'kari'",
    "parentcustomerid_account/revenue gt 1000",
    "account_primary_contact/any()",
    "account_primary_contact/any(a:a/name eq 'zebra')",
    "account_primary_contact/all(a:a/creditonhold eq true)",
    "contact_customer_contacts/any(c:c/annualincome gt 1)",
    "Contact_Tasks/any(t:t/prioritycode eq 0)",
    "Microsoft.Dynamics.CRM.OlderThanXYears(PropertyName='birthdate',PropertyValue=30)",
    "Microsoft.Dynamics.CRM.InFiscalPeriod(PropertyName='birthdate',PropertyValue=1)",
];

const TASKS: &[&str] = &[
    "regardingobjectid_account_task/name eq 'ærlig øl as'",
    "regardingobjectid_contact_task/fullname eq 'kari nordmann'",
    "regardingobjectid_account_task/name eq null",
    "regardingobjectid_account_task/primarycontactid/fullname ne null",
    "regardingobjectid_account_task/parentaccountid/name eq 'ærlig øl as'",
    "Microsoft.Dynamics.CRM.InFiscalYear(PropertyName='scheduledend',PropertyValue=2026)",
];

/// Orders along paths, over everything, in pages of three.
const ORDERS: &[(&str, &str)] = &[
    ("accounts", "primarycontactid/fullname"),
    ("accounts", "primarycontactid/fullname desc,name desc"),
    ("accounts", "name,primarycontactid/lastname"),
    ("accounts", "parentaccountid/name desc"),
    ("accounts", "parentaccountid/numberofemployees,accountid desc"),
    ("accounts", "parentaccountid/primarycontactid/fullname,numberofemployees desc"),
    ("accounts", "owningbusinessunit/name,accountid"),
    ("contacts", "parentcustomerid_account/name,lastname"),
    ("contacts", "parentcustomerid_contact/birthdate desc"),
    ("contacts", "parentcustomerid_account/revenue desc,contactid desc"),
    ("tasks", "regardingobjectid_account_task/name,subject"),
    ("tasks", "regardingobjectid_contact_task/fullname desc"),
];

/// Everything else that is a list or a row: status, path, headers.
const SHAPES: &[(u16, &str, &str)] = &[
    (200, "accounts?$select=name&$expand=contact_customer_accounts", ""),
    (200, "accounts?$select=name&$expand=contact_customer_accounts", ALL),
    (200, "accounts?$select=name&$expand=contact_customer_accounts($select=fullname;$orderby=fullname desc)", ""),
    (200, "accounts?$select=name&$expand=contact_customer_accounts($select=fullname;$filter=lastname eq 'nordmann')", ALL),
    (200, "accounts?$select=name&$expand=contact_customer_accounts($select=fullname;$top=1;$count=true)", ""),
    (200, "accounts?$select=name&$expand=contact_customer_accounts($select=fullname;$top=0)", ""),
    (200, "accounts?$select=name&$expand=contact_customer_accounts($select=fullname;$count=true)", "Prefer: odata.maxpagesize=1"),
    (200, "accounts?$select=name&$expand=contact_customer_accounts($select=fullname;$orderby=lastname)", "Prefer: odata.maxpagesize=1"),
    (200, "accounts?$select=name&$expand=account_parent_account($select=name;$orderby=name),Account_Tasks($select=subject)", ALL),
    (200, "accounts?$select=name&$expand=account_parent_account($filter=contact_customer_accounts/any();$select=name)", ""),
    (200, "accounts?$select=name&$expand=account_parent_account($filter=primarycontactid/fullname eq null;$select=name)", ""),
    (200, "accounts?$select=name&$expand=account_parent_account($select=name;$orderby=primarycontactid/fullname desc,name)", ""),
    (200, "accounts?$select=name&$expand=primarycontactid/$ref", ""),
    (200, "accounts?$select=name&$expand=primarycontactid/$ref,parentaccountid($select=name)", ALL),
    (200, "accounts?$select=name&$expand=primarycontactid($expand=parentcustomerid_account($select=name);$select=fullname)", ALL),
    (200, "accounts?$select=name&$expand=parentaccountid($expand=parentaccountid($select=name);$select=name)", ""),
    (200, "accounts?$select=name&$expand=primarycontactid($select=fullname;$expand=account_primary_contact($select=name))", ""),
    (200, "accounts?$select=name&$expand=contact_customer_accounts($select=fullname;$expand=Contact_Tasks($select=subject))", ALL),
    (200, "accounts?$select=name&$expand=contact_customer_accounts($select=fullname;$expand=parentcustomerid_account($select=name))", ""),
    (200, "accounts?$select=name&$expand=ownerid($select=fullname)&$orderby=primarycontactid/fullname", ALL),
    (200, "accounts?$select=name&$expand=owninguser($select=fullname;$expand=businessunitid($select=name))&$top=2", ""),
    (200, "accounts?$select=name&$expand=contact_customer_accounts($select=fullname)&$top=2&$count=true", ""),
    (200, "accounts?$select=name&$expand=contact_customer_accounts($select=fullname)&$orderby=name", "Prefer: odata.maxpagesize=3"),
    (200, "accounts({a0})?$select=name&$expand=contact_customer_accounts($select=fullname)", ALL),
    (200, "accounts({a0})?$select=name&$expand=contact_customer_accounts($select=fullname;$orderby=fullname;$top=1;$count=true)", ""),
    (200, "accounts({a0})?$select=name&$expand=primarycontactid/$ref", ""),
    (200, "accounts({a3})?$select=name&$expand=primarycontactid/$ref,contact_customer_accounts($count=true)", ""),
    (200, "contacts?$select=lastname&$expand=account_primary_contact($select=name;$orderby=name)", ALL),
    (200, "contacts?$select=lastname&$expand=parentcustomerid_account($select=name;$expand=primarycontactid($select=fullname))", ""),
    (200, "systemusers?$select=fullname&$expand=businessunitid($select=name)", ""),
    (200, "businessunits?$select=name&$expand=business_unit_system_users($select=fullname)", ""),
    (200, "accounts({a0})/contact_customer_accounts?$select=fullname&$orderby=fullname desc", ALL),
    (200, "accounts({a0})/contact_customer_accounts", "Prefer: odata.maxpagesize=1"),
    (200, "accounts({a0})/contact_customer_accounts?$top=1&$select=fullname", ""),
    (200, "accounts({a0})/contact_customer_accounts?$count=true&$select=fullname", ""),
    (200, "accounts({a0})/contact_customer_accounts?$expand=parentcustomerid_account($select=name)&$select=fullname", ""),
    (200, "accounts({a0})/contact_customer_accounts?$filter=account_primary_contact/any()&$select=fullname", ""),
    (200, "accounts({a0})/contact_customer_accounts?$orderby=parentcustomerid_account/name,lastname&$select=fullname", ""),
    (200, "accounts({a0})/contact_customer_accounts/$ref", ""),
    (200, "accounts({a0})/contact_customer_accounts/$ref?$filter=lastname eq 'none'", ""),
    (200, "accounts({a0})/contact_customer_accounts/$count", ""),
    (200, "accounts({a0})/contact_customer_accounts/$count?$filter=lastname eq 'nordmann'", ""),
    (200, "accounts({a0})/contact_customer_accounts/$count?$filter=account_primary_contact/any()", ""),
    (200, "accounts({a3})/contact_customer_accounts/$count", ""),
    (404, "accounts({a20})/contact_customer_accounts", ""),
    (404, "accounts({a20})/contact_customer_accounts/$count", ""),
    (400, "accounts({a0})/contact_customer_accounts?$apply=aggregate($count as n)", ""),
    (400, "accounts({a0})/contact_customer_accounts", "Prefer: odata.track-changes"),
    (200, "accounts({a0})/primarycontactid", ALL),
    (200, "accounts({a0})/primarycontactid?$select=fullname", ""),
    (200, "accounts({a0})/primarycontactid?$select=fullname&$expand=parentcustomerid_account($select=name)", ""),
    (204, "accounts({a3})/primarycontactid", ""),
    (404, "accounts({a20})/primarycontactid", ""),
    (304, "accounts({a0})/primarycontactid", "If-None-Match: {etag:contacts({c0})}"),
    (200, "contacts({c2})/parentcustomerid_contact?$select=fullname", ""),
    (204, "contacts({c2})/parentcustomerid_account", ""),
    (400, "accounts({a9})/ownerid?$select=ownerid", ""),
    (200, "accounts({a9})/ownerid?$select=fullname", ""),
    (200, "accounts({a9})/owninguser?$select=fullname", ""),
    (200, "accounts({a0})/primarycontactid/$ref", ""),
    (204, "accounts({a3})/primarycontactid/$ref", ""),
    (404, "accounts({a20})/primarycontactid/$ref", ""),
    (200, "accounts({a9})/ownerid/$ref", ""),
    (200, "accounts({a0})/name", ""),
    (200, "accounts({a0})/name/$value", ""),
    (200, "accounts({a2})/description/$value", ""),
    (200, "accounts({a0})/revenue", ""),
    (200, "accounts({a4})/revenue/$value", ""),
    (200, "accounts({a0})/creditonhold", ""),
    (200, "accounts({a0})/industrycode/$value", ""),
    (200, "accounts({a6})/lastusedincampaign", ""),
    (200, "accounts({a6})/lastusedincampaign/$value", ""),
    (200, "accounts({a1})/address1_latitude", ""),
    (200, "contacts({c0})/birthdate", ""),
    (200, "contacts({c0})/fullname", ""),
    (200, "accounts({a0})/accountid", ""),
    (204, "accounts({a5})/revenue", ""),
    (204, "accounts({a5})/revenue/$value", ""),
    (404, "accounts({a20})/name", ""),
    (200, "accounts/$count?$filter=primarycontactid/fullname ne null", ""),
    (200, "accounts/$count?$filter=contact_customer_accounts/any(c:c/lastname ne null)", ""),
    (200, "accounts?$filter=contact_customer_accounts/any()&$count=true&$top=1&$select=name", ALL),
    (400, "accounts({a0})/name?$select=name", ""),
    (400, "accounts?$filter=ownerid/name eq 'x'", ""),
    (400, "accounts?$filter=contact_customer_accounts/lastname eq 'x'", ""),
    (400, "accounts?$filter=contact_customer_accounts/any(c:c/account_primary_contact/any())", ""),
    (400, "accounts?$expand=contact_customer_accounts($expand=Contact_Tasks;$top=1)", ""),
    (400, "accounts?$filter=Microsoft.Dynamics.CRM.Above(PropertyName='name',PropertyValue='{a0}')", ""),
    (400, "accounts?$filter=Microsoft.Dynamics.CRM.Above(PropertyName='primarycontactid',PropertyValue='{c0}')", ""),
];

/// What `$apply` says of accounts.
const GROUPS: &[&str] = &[
    "aggregate($count as n)",
    "aggregate(revenue with sum as s,revenue with average as a,revenue with min as l,revenue with max as h)",
    "aggregate(numberofemployees with sum as s,numberofemployees with average as a)",
    "aggregate(address1_latitude with sum as s,address1_latitude with average as a)",
    "aggregate(name with countdistinct as n,address1_city with countdistinct as c)",
    "aggregate(lastusedincampaign with min as l,lastusedincampaign with max as h)",
    "aggregate(_primarycontactid_value with countdistinct as n)",
    "filter(revenue gt 5)/aggregate($count as n,revenue with sum as s)",
    "filter(name eq 'nothing')/aggregate($count as n,revenue with sum as s,revenue with average as a)",
    "filter(contact_customer_accounts/any())/aggregate($count as n)",
    "filter(primarycontactid/fullname ne null)/groupby((name))",
    "groupby((address1_city))",
    "groupby((address1_city),aggregate($count as n))",
    "groupby((statecode),aggregate($count as n,revenue with max as m))",
    "groupby((industrycode,statecode),aggregate(revenue with sum as s))",
    "groupby((numberofemployees),aggregate(name with countdistinct as n))",
    "groupby((revenue),aggregate($count as n))",
    "groupby((creditonhold),aggregate(creditlimit with sum as s,revenue with average as a))",
    "groupby((primarycontactid/fullname),aggregate($count as n))",
    "groupby((_primarycontactid_value),aggregate($count as n))",
    "groupby((parentaccountid/name,statecode),aggregate(parentaccountid/revenue with sum as s))",
    "groupby((_ownerid_value),aggregate($count as n))",
    "groupby((lastusedincampaign),aggregate($count as n))",
    "groupby((name))",
    "filter(Microsoft.Dynamics.CRM.ThisYear(PropertyName='createdon'))/groupby((statecode),aggregate($count as n))",
];

/// FetchXML on accounts, contacts and tasks.
const FETCHES: &[(u16, &str, &str)] = &[
    (200, "accounts", "<fetch><entity name='account'/></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><all-attributes/><order attribute='name'/></entity></fetch>"),
    (200, "accounts", "<fetch top='3'><entity name='account'><attribute name='name'/><order attribute='name' descending='true'/></entity></fetch>"),
    (200, "accounts", "<fetch count='3' page='1'><entity name='account'><attribute name='name'/><order attribute='name'/></entity></fetch>"),
    (200, "accounts", "<fetch count='3' page='3'><entity name='account'><attribute name='name'/><order attribute='revenue'/></entity></fetch>"),
    (200, "accounts", "<fetch count='4' page='9'><entity name='account'><attribute name='name'/></entity></fetch>"),
    (200, "accounts", "<fetch count='4' returntotalrecordcount='true'><entity name='account'><attribute name='name'/></entity></fetch>"),
    (200, "accounts", "<fetch distinct='true'><entity name='account'><attribute name='address1_city'/></entity></fetch>"),
    (200, "accounts", "<fetch distinct='true' count='2'><entity name='account'><attribute name='statecode'/><attribute name='address1_city'/></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='primarycontactid'/><attribute name='ownerid'/></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name' alias='n'/><attribute name='revenue' alias='r'/></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><filter><condition attribute='name' operator='like' value='z%'/></filter></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><filter type='or'><condition attribute='revenue' operator='gt' value='10'/><condition attribute='name' operator='null'/></filter></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><filter><condition attribute='numberofemployees' operator='between'><value>5</value><value>10</value></condition></filter></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><filter><condition attribute='ownerid' operator='eq-userid'/></filter></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><filter><condition attribute='lastusedincampaign' operator='on-or-before' value='2024-02-29'/></filter></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><filter><condition attribute='accountid' operator='under' value='{a1}'/></filter></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><filter><condition attribute='name' operator='eq' valueof='address1_city'/></filter></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><link-entity name='contact' from='contactid' to='primarycontactid' alias='p'><attribute name='fullname'/></link-entity></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><link-entity name='contact' from='contactid' to='primarycontactid' link-type='outer' alias='p'><attribute name='fullname'/><order attribute='fullname'/></link-entity></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><link-entity name='contact' from='parentcustomerid' to='accountid' alias='c'><attribute name='fullname'/><attribute name='gendercode'/></link-entity><order attribute='name'/></entity></fetch>"),
    (200, "accounts", "<fetch count='2'><entity name='account'><attribute name='name'/><link-entity name='contact' from='parentcustomerid' to='accountid' link-type='outer' alias='c'><attribute name='fullname'/></link-entity><order attribute='name'/></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><link-entity name='contact' from='parentcustomerid' to='accountid' link-type='outer' alias='c'><filter><condition attribute='gendercode' operator='eq' value='2'/></filter></link-entity><filter><condition entityname='c' attribute='contactid' operator='null'/></filter></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><link-entity name='contact' from='parentcustomerid' to='accountid' alias='c'/><filter type='or'><condition entityname='c' attribute='lastname' operator='like' value='n%'/><condition attribute='revenue' operator='gt' value='1000'/></filter></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><link-entity name='contact' from='parentcustomerid' to='accountid' link-type='exists'/></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><link-entity name='contact' from='parentcustomerid' to='accountid' link-type='in'><filter><condition attribute='lastname' operator='eq' value='NORDMANN'/></filter></link-entity></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><link-entity name='contact' from='parentcustomerid' to='accountid' link-type='matchfirstrowusingcrossapply' alias='c'><attribute name='fullname'/></link-entity></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><filter><link-entity name='contact' from='parentcustomerid' to='accountid' link-type='any'><filter><condition attribute='gendercode' operator='eq' value='2'/></filter></link-entity></filter></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><filter><link-entity name='contact' from='parentcustomerid' to='accountid' link-type='not any'/></filter></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><filter><link-entity name='contact' from='parentcustomerid' to='accountid' link-type='all'><filter><condition attribute='gendercode' operator='eq' value='2'/></filter></link-entity></filter></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><filter type='or'><link-entity name='task' from='regardingobjectid' to='accountid' link-type='any'/><condition attribute='name' operator='eq' value='zebra'/></filter></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><link-entity name='contact' from='parentcustomerid' to='accountid' link-type='outer' alias='c'><attribute name='fullname'/><link-entity name='task' from='regardingobjectid' to='contactid' alias='t'><attribute name='subject'/></link-entity></link-entity></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><link-entity name='account' from='accountid' to='parentaccountid' alias='p'><attribute name='name'/><link-entity name='account' from='accountid' to='parentaccountid' link-type='outer' alias='q'><attribute name='name'/></link-entity></link-entity></entity></fetch>"),
    (200, "accounts", "<fetch><entity name='account'><attribute name='name'/><link-entity name='contact' from='fullname' to='name' link-type='outer' alias='c'/></entity></fetch>"),
    (200, "accounts", "<fetch aggregate='true'><entity name='account'><attribute name='accountid' aggregate='count' alias='n'/></entity></fetch>"),
    (200, "accounts", "<fetch aggregate='true'><entity name='account'><attribute name='revenue' aggregate='sum' alias='s'/><attribute name='revenue' aggregate='avg' alias='a'/><attribute name='revenue' aggregate='min' alias='l'/><attribute name='revenue' aggregate='max' alias='h'/></entity></fetch>"),
    (200, "accounts", "<fetch aggregate='true'><entity name='account'><attribute name='address1_city' groupby='true' alias='c'/><attribute name='accountid' aggregate='count' alias='n'/><order alias='n' descending='true'/></entity></fetch>"),
    (200, "accounts", "<fetch aggregate='true'><entity name='account'><attribute name='lastusedincampaign' groupby='true' dategrouping='year' alias='y'/><attribute name='name' aggregate='countcolumn' alias='n'/></entity></fetch>"),
    (200, "accounts", "<fetch aggregate='true'><entity name='account'><attribute name='name' aggregate='countcolumn' distinct='true' alias='n'/></entity></fetch>"),
    (200, "accounts", "<fetch aggregate='true'><entity name='account'><attribute name='ownerid' groupby='true' alias='o'/><attribute name='accountid' aggregate='count' alias='n'/></entity></fetch>"),
    (200, "accounts", "<fetch aggregate='true'><entity name='account'><attribute name='statecode' groupby='true' alias='s'/><link-entity name='contact' from='parentcustomerid' to='accountid' alias='c'><attribute name='annualincome' aggregate='sum' alias='i'/></link-entity></entity></fetch>"),
    (200, "accounts", "<fetch aggregate='true' count='2'><entity name='account'><attribute name='industrycode' groupby='true' alias='i'/><attribute name='accountid' aggregate='count' alias='n'/></entity></fetch>"),
    (200, "contacts", "<fetch><entity name='contact'><attribute name='fullname'/><link-entity name='account' from='accountid' to='parentcustomerid' link-type='outer' alias='a'><attribute name='name'/></link-entity><order attribute='fullname'/></entity></fetch>"),
    (200, "contacts", "<fetch><entity name='contact'><attribute name='birthdate'/><filter><condition attribute='birthdate' operator='olderthan-x-years' value='20'/></filter></entity></fetch>"),
    (200, "tasks", "<fetch><entity name='task'><attribute name='subject'/><attribute name='regardingobjectid'/><order attribute='scheduledend'/></entity></fetch>"),
    (200, "tasks", "<fetch><entity name='task'><attribute name='subject'/><link-entity name='account' from='accountid' to='regardingobjectid' alias='a'><attribute name='name'/></link-entity></entity></fetch>"),
    (400, "accounts", "<fetch/>"),
    (400, "accounts", "<fetch><entity name='contact'/></fetch>"),
    (400, "accounts", "<fetch><entity name='account'><attribute name='nothing'/></entity></fetch>"),
    (400, "accounts", "<fetch><entity name='account'><filter><condition attribute='name' operator='resembles' value='x'/></filter></entity></fetch>"),
    (400, "accounts", "<fetch aggregate='true'><entity name='account'><attribute name='name' aggregate='sum' alias='s'/></entity></fetch>"),
    (400, "accounts", "<fetch page='2' paging-cookie='nonsense'><entity name='account'/></fetch>"),
    (400, "accounts", "not xml"),
];

fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('&', "%26").replace('+', "%2B")
}

fn check(world: &World) {
    for (set, filters) in [("accounts", ACCOUNTS), ("contacts", CONTACTS), ("tasks", TASKS)] {
        let key = if set == "tasks" { "activityid" } else { &format!("{}id", &set[..set.len() - 1]) };
        for filter in filters {
            let path = format!("{set}?$select={key}&$filter={}", escaped(filter));
            world.check(200, &Ask::get(&path, ""));
        }
    }
    for (set, order) in ORDERS {
        let path = format!("{set}?$orderby={order}&$count=true");
        world.check(200, &Ask::get(&path, "Prefer: odata.maxpagesize=3"));
        world.check(200, &Ask::get(&format!("{path}&$top=4"), ""));
    }
    for (status, path, headers) in SHAPES {
        world.check(*status, &Ask::get(path, headers));
    }
    for apply in GROUPS {
        let path = format!("accounts?$apply={}", escaped(apply));
        world.check(200, &Ask::get(&path, ""));
        world.check(200, &Ask::get(&path, ALL));
    }
    for (status, set, fetch) in FETCHES {
        let path = format!("{set}?fetchXml={}", escaped(fetch));
        world.check(*status, &Ask::get(&path, ""));
        world.check(*status, &Ask::get(&path, ALL));
    }
}

fn check_views(world: &World) {
    for view in ["{u0}", "{u1}", "{u2}"] {
        let path = format!("accounts?userQuery={view}");
        world.check(200, &Ask::get(&path, ALL));
        world.check(200, &Ask::get(&path, "Prefer: odata.maxpagesize=2"));
        world.check(200, &Ask::get(&format!("{path}&$top=3&$count=true"), ""));
        let filtered = format!("{path}&$filter=contact_customer_accounts/any() or name eq 'zebra'");
        world.check(200, &Ask::get(&filtered, ""));
        world.check(400, &Ask::get(&format!("contacts?userQuery={view}"), ""));
        world.check(400, &Ask::get(&format!("{path}&$select=name"), ""));
        world.check(400, &Ask::get(&format!("{path}&$orderby=name"), ""));
    }
    world.check(404, &Ask::get("accounts?userQuery={a0}", ""));
    world.check(404, &Ask::get("accounts?savedQuery={a0}", ""));
    for table in ["account", "contact", "task"] {
        for view in world.views_of(table) {
            world.check(200, &Ask::get(&format!("{table}s?savedQuery={view}"), ALL));
            world.check(200, &Ask::get(&format!("{table}s?savedQuery={view}&$top=2&$count=true"), ""));
        }
    }
}

#[test]
fn rows_around_rows_as_the_server_sent_them_are_read_alike() {
    let world = World::new(Known::All);
    check(&world);
    check_views(&world);
    world.agree();
}

#[test]
fn rows_around_rows_with_changes_that_wait_are_read_alike() {
    let world = World::new(Known::Older);
    check(&world);
    world.agree();
}

#[test]
fn rows_around_rows_made_offline_are_read_alike() {
    let world = World::new(Known::Nothing);
    check(&world);
    world.agree();
}

#[test]
fn who_sees_his_own_unit_only_reads_what_is_around_rows_alike() {
    let world = World::of("anna", Known::All);
    for (_, path, headers) in SHAPES {
        world.same(&Ask::get(path, headers));
    }
    for filter in ACCOUNTS {
        world.same(&Ask::get(&format!("accounts?$select=name&$filter={}", escaped(filter)), ""));
    }
    for (_, set, fetch) in FETCHES {
        world.same(&Ask::get(&format!("{set}?fetchXml={}", escaped(fetch)), ""));
    }
    world.agree();
}

#[test]
fn what_is_answered_offline_is_told_by_table() {
    let world = World::new(Known::All);
    let parity = world.parity();
    let table = |name: &str| {
        let tables = parity["tables"].as_array().unwrap();
        tables.iter().find(|table| table["name"] == name).unwrap_or_else(|| panic!("no {name}")).clone()
    };
    let account = table("account");
    assert_eq!(account["here"], true);
    assert_eq!(account["complete"], true);
    let has = |list: &serde_json::Value, name: &str| list.as_array().unwrap().iter().any(|one| one == name);
    assert!(has(&account["columns"], "_primarycontactid_value"));
    assert!(has(&account["functions"], "LastXDays"));
    assert!(has(&account["functions"], "Under"));
    assert!(has(&account["functions"], "EqualUserOrUserHierarchy"));
    // The pairs of users and teams are not kept.
    assert!(!has(&account["functions"], "EqualUserTeams"));
    assert_eq!(account["navigations"]["primarycontactid"], true);
    assert_eq!(account["navigations"]["contact_customer_accounts"], true);
    assert!(has(&parity["queries"], "fetchXml"));
    // What is said there is so.
    for (name, leads) in account["navigations"].as_object().unwrap() {
        let path = format!("accounts?$select=name&$expand={name}");
        let expected = if *leads == true { 200 } else { 501 };
        let answer = world.ask(crate::world::Side::Engine, &Ask::get(&path, ""));
        assert_eq!(answer.status, expected, "{name}");
    }
}
