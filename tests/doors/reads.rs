//! Reads: over rows as the server sent them, over rows with changes that wait, over rows that only the journal knows.

use crate::world::{Ask, Known, World};

/// Conditions on accounts.
const ACCOUNTS: &[&str] = &[
    "name eq 'zebra'",
    "name eq 'ZEBRA'",
    "name ne 'zebra'",
    "name eq 'ÆRLIG ØL AS'",
    "name eq 'Åsen'",
    "name eq 'aasen'",
    "name eq 'ASEN'",
    "name eq 'Straße 50% off_now [x]'",
    "name eq 'O''Bryan & Søn'",
    "name eq 'o''bryan & søn'",
    "name eq ''",
    "name eq null",
    "name ne null",
    "null eq name",
    "'zebra' eq name",
    "name gt 'm'",
    "name ge 'zebra'",
    "name lt 'Zebra'",
    "name le 'Zebra'",
    "name gt 'å'",
    "name gt null",
    "name le null",
    "not (name gt 'm')",
    "not (name eq null)",
    "name eq 'zebra '",
    "name eq ' 9'",
    "name eq 'istanbul ıi'",
    "name eq '日本 𝒳 emoji 😀'",
    "startswith(name,'z')",
    "startswith(name,'æ')",
    "startswith(name,'')",
    "startswith(name,'10')",
    "endswith(name,'AS')",
    "endswith(name,'søn')",
    "endswith(name,'😀')",
    "contains(name,'ø')",
    "contains(name,'Ø')",
    "contains(name,'50%')",
    "contains(name,'5_')",
    "contains(name,'o%n')",
    "contains(name,'[x]')",
    "contains(name,'[a-c]')",
    "contains(name,'%')",
    "contains(name,'_')",
    "contains(name,'''')",
    "contains(name,'')",
    "not contains(name,'e')",
    "contains(description,'two')",
    "contains(description,'\"')",
    "contains(description,'\\')",
    "description eq ''",
    "description eq null",
    "address1_city eq ''",
    "address1_city ne ''",
    "address1_city ne 'Oslo'",
    "contains(address1_composite,'norway')",
    "accountnumber eq 'a-1'",
    "revenue eq 1000.5",
    "revenue eq 1000.50",
    "revenue eq 1000",
    "revenue gt 12.3456",
    "revenue ge 12.3456",
    "revenue lt 12.34",
    "revenue lt 12.35",
    "revenue eq 12.35",
    "revenue ne 0",
    "revenue eq 0",
    "revenue eq 0.0",
    "revenue eq -0",
    "revenue gt -1",
    "revenue le 99999999999.99",
    "revenue gt 1e3",
    "revenue lt 1.0005E3",
    "revenue eq null",
    "revenue ne null",
    "revenue gt null",
    "numberofemployees eq 10",
    "numberofemployees eq 10.0",
    "numberofemployees eq 9.5",
    "numberofemployees gt 9.5",
    "numberofemployees ne 9.5",
    "numberofemployees le 9.5",
    "numberofemployees lt 1000000000",
    "numberofemployees ge -1",
    "numberofemployees eq 99999999999",
    "not (numberofemployees eq 10)",
    "not (numberofemployees gt 5)",
    "creditlimit eq 5000000",
    "creditlimit gt 4999999.99",
    "creditonhold eq true",
    "creditonhold eq false",
    "creditonhold ne true",
    "creditonhold eq null",
    "industrycode eq 6",
    "industrycode gt 5",
    "industrycode eq null",
    "industrycode ne 6",
    "accountcategorycode eq 1 or accountcategorycode eq 2",
    "statecode eq 0",
    "statecode eq 1",
    "statecode ne 0",
    "statuscode eq 2",
    "address1_latitude eq 59.9139",
    "address1_latitude gt 59",
    "address1_longitude lt 10.8",
    "address1_longitude ne null",
    "lastusedincampaign eq 2024-02-29T23:59:59Z",
    "lastusedincampaign lt 1970-01-01T00:00:00Z",
    "lastusedincampaign ge 2024-03-01T01:00:00+01:00",
    "lastusedincampaign gt 2024-02-29T23:59:58.999Z",
    "lastusedincampaign ge 2024-03-01",
    "lastusedincampaign eq null",
    "overriddencreatedon eq 2001-02-03T04:05:06Z",
    "importsequencenumber eq 7",
    "accountid eq {a3}",
    "accountid ne {a3}",
    "accountid eq '{a3}'",
    "accountid eq A0000000-0000-4000-8000-000000000003",
    "accountid gt {a3}",
    "_primarycontactid_value eq {c0}",
    "_primarycontactid_value ne {c0}",
    "_primarycontactid_value eq null",
    "_primarycontactid_value ne null",
    "_primarycontactid_value eq '{c0}'",
    "_parentaccountid_value eq {a0}",
    "_ownerid_value eq {anna}",
    "_ownerid_value ne {anna}",
    "_owninguser_value eq {anna}",
    "_createdby_value eq {demo}",
    "(name eq 'zebra' or numberofemployees eq 10) and statecode eq 0",
    "name eq 'zebra' or numberofemployees eq 10 and revenue eq 10",
    "not (name eq 'zebra' and revenue eq null)",
    "not (not (name eq 'zebra'))",
    "name eq address1_city",
    "name ne address1_city",
    "numberofemployees gt revenue",
    "numberofemployees eq revenue",
    "name gt accountnumber",
    "createdon le modifiedon",
    "accountid eq {a3} or _parentaccountid_value eq {a0}",
    "true",
    "false or name eq 'zebra'",
];

const CONTACTS: &[&str] = &[
    "fullname eq 'Kari Nordmann'",
    "fullname eq 'solo'",
    "fullname eq 'Only first'",
    "contains(fullname,'i n')",
    "lastname eq null",
    "firstname eq null",
    "lastname eq 'öztürk'",
    "lastname eq 'ozturk'",
    "contains(lastname,'ü')",
    "contains(lastname,'%')",
    "contains(firstname,'_')",
    "contains(lastname,'[')",
    "jobtitle eq 'ceo; \"boss\"'",
    "birthdate eq 1980-02-29",
    "birthdate lt 1970-01-01",
    "birthdate gt 1980-02-28",
    "birthdate ne 1980-02-29",
    "birthdate ge 2000-01-01T00:00:00Z",
    "birthdate gt 1999-12-31T12:00:00Z",
    "birthdate eq null",
    "birthdate le null",
    "gendercode eq 1",
    "donotphone eq true",
    "haschildrencode eq true and numberofchildren eq 0",
    "annualincome eq 1234.56",
    "annualincome gt 1234.5",
    "_parentcustomerid_value eq {a0}",
    "_parentcustomerid_value eq {c0}",
    "_parentcustomerid_value eq null",
    "_parentcustomerid_value ne {a0}",
    "_parentcustomerid_value ne null",
    "lastusedincampaign gt birthdate",
    "firstname eq lastname",
    "_ownerid_value eq {ola} and statecode eq 0",
];

const TASKS: &[&str] = &[
    "statecode eq 0",
    "statecode eq 1 and statuscode eq 5",
    "statuscode eq 4 or statuscode eq 6",
    "prioritycode eq 1",
    "prioritycode ne 1",
    "percentcomplete gt 0",
    "percentcomplete eq null",
    "scheduledend eq 2026-05-01T08:00:00Z",
    "scheduledend lt 2026-05-01T00:00:00+02:00",
    "scheduledend le sortdate",
    "_regardingobjectid_value eq {a0}",
    "_regardingobjectid_value eq {c0}",
    "isbilled eq true",
    "category eq 'SALES'",
    "subject eq 'Über'",
    "subject eq null",
    "activitytypecode eq 'task'",
];

/// Orders, each over everything, in pages of three.
const ORDERS: &[(&str, &str)] = &[
    ("accounts", "name"),
    ("accounts", "name desc"),
    ("accounts", "name asc,accountid desc"),
    ("accounts", "revenue"),
    ("accounts", "revenue desc"),
    ("accounts", "numberofemployees desc,name"),
    ("accounts", "numberofemployees,revenue desc"),
    ("accounts", "industrycode"),
    ("accounts", "creditonhold desc,name"),
    ("accounts", "statecode,name desc"),
    ("accounts", "accountid"),
    ("accounts", "accountid desc"),
    ("accounts", "lastusedincampaign"),
    ("accounts", "lastusedincampaign desc"),
    ("accounts", "address1_latitude"),
    ("accounts", "address1_city,name"),
    ("accounts", "description"),
    ("accounts", "_parentaccountid_value desc"),
    ("accounts", "_primarycontactid_value"),
    ("accounts", "_ownerid_value,name"),
    ("contacts", "lastname,firstname"),
    ("contacts", "lastname desc"),
    ("contacts", "fullname"),
    ("contacts", "birthdate desc"),
    ("contacts", "numberofchildren desc"),
    ("contacts", "_parentcustomerid_value"),
    ("contacts", "gendercode desc,lastname"),
    ("tasks", "scheduledend"),
    ("tasks", "subject desc"),
    ("tasks", "prioritycode,subject,activityid desc"),
    ("tasks", "_regardingobjectid_value desc"),
    ("systemusers", "fullname"),
    ("businessunits", "name desc"),
];

/// Everything else: status, path, headers.
const SHAPES: &[(u16, &str, &str)] = &[
    (200, "accounts", ""),
    (200, "accounts", "Prefer: odata.include-annotations=\"*\""),
    (200, "contacts", "Prefer: odata.include-annotations=\"*\""),
    (200, "tasks", "Prefer: odata.include-annotations=\"*\""),
    (200, "systemusers", "Prefer: odata.include-annotations=\"*\""),
    (200, "businessunits", ""),
    (200, "tasks", "Prefer: odata.include-annotations=\"OData.Community.Display.V1.FormattedValue\""),
    (200, "contacts", "Prefer: odata.include-annotations=\"Microsoft.Dynamics.CRM.*\",odata.maxpagesize=5"),
    (200, "contacts", "Prefer: odata.maxpagesize=5 | Prefer: odata.include-annotations=\"*\""),
    (200, "accounts?$select=name", ""),
    (200, "accounts?$select=name,accountid,_primarycontactid_value", "Prefer: odata.include-annotations=\"*\""),
    (200, "accounts?$select=accountid", ""),
    (200, "accounts?$select=revenue,name,revenue", ""),
    (200, "accounts?$select=", ""),
    (200, "accounts?$orderby=", ""),
    (200, "accounts?$filter=name eq @p1 and @p2&@p1='zebra'", ""),
    (200, "accounts?$select=*", ""),
    (200, "accounts?$select= name , revenue ", ""),
    (200, "accounts?$select=address1_city", ""),
    (200, "contacts?$select=fullname&$filter=lastname eq 'Tie'", ""),
    (200, "accounts?$top=3", ""),
    (200, "accounts?$top=3&$orderby=name", ""),
    (200, "accounts?$top=0", ""),
    (200, "accounts?$top=1000", ""),
    (200, "accounts?$top=7&$orderby=name", "Prefer: odata.maxpagesize=3"),
    (200, "accounts?$count=true&$top=2&$select=name", ""),
    (200, "accounts?$count=true&$filter=statecode eq 1", "Prefer: odata.include-annotations=\"*\""),
    (200, "accounts?$count=false", ""),
    (200, "accounts?$count=true&$select=name&$orderby=name", "Prefer: odata.maxpagesize=4"),
    (200, "accounts?$select=name&$filter=contains(name,'e')&$orderby=name desc", "Prefer: odata.maxpagesize=1"),
    (200, "accounts", "Prefer: odata.maxpagesize=1"),
    (200, "accounts", "Prefer: odata.maxpagesize=14"),
    (200, "accounts", "Prefer: odata.maxpagesize=100000"),
    (200, "accounts/$count", ""),
    (200, "accounts/$count?$filter=statecode eq 1", ""),
    (200, "contacts/$count?$filter=contains(lastname,'tie')", ""),
    (200, "accounts?$expand=primarycontactid", ""),
    (200, "accounts?$expand=primarycontactid($select=fullname)", ""),
    (200, "accounts?$select=name&$expand=primarycontactid($select=fullname),parentaccountid($select=name)", ""),
    (200, "accounts?$select=name&$expand=ownerid($select=fullname),owningbusinessunit($select=name)", ""),
    (
        200,
        "contacts?$select=lastname&$expand=parentcustomerid_account($select=name),parentcustomerid_contact($select=fullname)",
        "Prefer: odata.include-annotations=\"*\"",
    ),
    (
        200,
        "tasks?$select=subject,statecode,_regardingobjectid_value&$expand=regardingobjectid_account_task($select=name)",
        "Prefer: odata.include-annotations=\"*\"",
    ),
    (200, "accounts?$select=name&$expand=createdby($select=fullname)&$top=2", ""),
    (200, "accounts({a0})", ""),
    (200, "accounts({a0})", "Prefer: odata.include-annotations=\"*\""),
    (200, "accounts({a9})", "Prefer: odata.include-annotations=\"*\""),
    (200, "contacts({c1})", "Prefer: odata.include-annotations=\"*\""),
    (200, "tasks({t5})", "Prefer: odata.include-annotations=\"*\""),
    (200, "systemusers({anna})", "Prefer: odata.include-annotations=\"*\""),
    (200, "accounts(A0000000-0000-4000-8000-000000000003)?$select=name", ""),
    (200, "accounts(accountid={a3})?$select=name", ""),
    (200, "accounts({a0})?$select=name&$expand=primarycontactid($select=fullname)", ""),
    (200, "accounts({a3})?$select=name&$expand=primarycontactid($select=fullname)", ""),
    (200, "accounts({a0})", "If-None-Match: null"),
    (304, "accounts({a0})", "If-None-Match: {etag:accounts({a0})}"),
    (304, "accounts({a0})", "If-None-Match: *"),
    (200, "accounts({a0})", "If-None-Match: W/\"1\""),
    (200, "accounts({a0})", "If-None-Match: {etag:accounts({a0})} | Prefer: odata.include-annotations=\"*\""),
    (200, "accounts({a0})?$expand=primarycontactid", "If-None-Match: {etag:accounts({a0})}"),
    (200, "accounts({a0})?$select=name", "If-Match: {etag:accounts({a0})}"),
    (412, "accounts({a0})", "If-Match: W/\"1\""),
    (200, "accounts({a0})?$select=name", "If-Match: *"),
    (404, "accounts({a20})", "If-Match: *"),
    (404, "accounts({a20})", ""),
    (404, "contacts({a0})", ""),
    (200, "accounts({a0})/contact_customer_accounts?$select=fullname", ""),
    (200, "accounts({a0})/Account_Tasks?$select=subject&$count=true", ""),
    (200, "accounts({a0})/contact_customer_accounts?$filter=lastname eq 'none'", ""),
    (200, "accounts?$select=name&$filter=name eq @p1&@p1='zebra'", ""),
    (200, "accounts?$select=name&$filter=name eq @p1", ""),
    (200, "accounts?%24select=name&%24top=1", ""),
    (200, "accounts?$filter=name%20eq%20%27O%27%27Bryan%20%26%20S%C3%B8n%27&$select=name", ""),
    (200, "accounts?$select=name&tag=x&$top=1", ""),
    // Lists of everything differ: a replica tells of the tables it keeps only.
    (200, "EntityDefinitions?$filter=LogicalName eq 'account' or LogicalName eq 'task'", ""),
    (200, "EntityDefinitions?$select=LogicalName,EntitySetName&$filter=LogicalName eq 'account'", ""),
    (
        200,
        "EntityDefinitions?$select=LogicalName&$filter=ChangeTrackingEnabled eq true and ObjectTypeCode eq 2",
        "",
    ),
    (200, "EntityDefinitions(LogicalName='account')", ""),
    (200, "EntityDefinitions(LogicalName='account')?$expand=Attributes", ""),
    (200, "EntityDefinitions(LogicalName='account')?$select=LogicalName&$expand=Attributes($select=LogicalName)", ""),
    (200, "EntityDefinitions(LogicalName='contact')/Attributes", ""),
    (200, "EntityDefinitions(LogicalName='contact')/Attributes?$select=LogicalName,AttributeType", ""),
    (
        200,
        "EntityDefinitions(LogicalName='account')/Attributes/Microsoft.Dynamics.CRM.PicklistAttributeMetadata?$expand=OptionSet",
        "",
    ),
    (
        200,
        "EntityDefinitions(LogicalName='account')/Attributes(LogicalName='industrycode')/Microsoft.Dynamics.CRM.PicklistAttributeMetadata?$expand=OptionSet",
        "",
    ),
    (200, "EntityDefinitions(LogicalName='account')/ManyToOneRelationships", ""),
    (200, "WhoAmI", ""),
    (200, "WhoAmI()", ""),
];

fn check(known: Known) {
    check_as("demo", known);
}

fn check_as(user: &str, known: Known) {
    let world = World::of(user, known);
    for (set, filters) in [("accounts", ACCOUNTS), ("contacts", CONTACTS), ("tasks", TASKS)] {
        let key = if set == "tasks" { "activityid" } else { &format!("{}id", &set[..set.len() - 1]) };
        for filter in filters {
            let path =
                format!("{set}?$select={key}&$filter={}", filter.replace('&', "%26").replace('+', "%2B"));
            let path = escape_percent(&path);
            world.check(200, &Ask::get(&path, ""));
        }
    }
    for (set, order) in ORDERS {
        let path = format!("{set}?$orderby={order}&$count=true");
        world.check(200, &Ask::get(&path, "Prefer: odata.maxpagesize=3"));
        world.check(200, &Ask::get(&format!("{path}&$top=4"), ""));
    }
    for (status, path, headers) in SHAPES {
        let ask = Ask::get(path, headers);
        match user {
            "demo" => world.check(*status, &ask),
            // Not all of these rows are there for everybody.
            _ => {
                world.same(&ask);
            }
        }
    }
    world.agree();
}

/// A per cent sign that begins no escape stands for itself.
fn escape_percent(path: &str) -> String {
    let mut out = String::new();
    for (at, c) in path.char_indices() {
        let escape = path.get(at + 1..at + 3).is_some_and(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
        out.push_str(if c == '%' && !escape { "%25" } else { &path[at..at + c.len_utf8()] });
    }
    out
}

#[test]
fn rows_as_the_server_sent_them_are_read_alike() {
    check(Known::All);
}

#[test]
fn who_sees_his_own_unit_only_reads_alike() {
    for user in ["anna", "ola"] {
        check_as(user, Known::All);
    }
}

#[test]
fn rows_with_changes_that_wait_are_read_alike() {
    check(Known::Older);
}

#[test]
fn rows_made_offline_are_read_alike() {
    check(Known::Nothing);
}
