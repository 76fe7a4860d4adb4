//! What both doors refuse, with the same status, code and words.

use crate::world::{Ask, Known, World};

/// Reads that no schema makes sense of.
const READS: &[(u16, &str, &str)] = &[
    (400, "accounts?$select=nothing", ""),
    (400, "accounts?$select=primarycontactid", ""),
    (400, "accounts?$select=name,,revenue", ""),
    (400, "accounts?$filter=", ""),
    (400, "accounts?$filter=name", ""),
    (400, "accounts?$filter=name eq", ""),
    (400, "accounts?$filter=name eq 'x", ""),
    (400, "accounts?$filter=lastname eq 'O'Bryan'", ""),
    (400, "accounts?$filter=name like 'x'", ""),
    (400, "accounts?$filter=nothing eq 1", ""),
    (400, "accounts?$filter=(name eq 'x'", ""),
    (400, "accounts?$filter=name eq 'x')", ""),
    (400, "accounts?$filter=name eq 'x' and", ""),
    (400, "accounts?$filter=name eq 1", ""),
    (400, "accounts?$filter=revenue eq 'x'", ""),
    (400, "accounts?$filter=statecode eq 'Active'", ""),
    (400, "accounts?$filter=creditonhold eq 1", ""),
    (400, "accounts?$filter=createdon gt 'yesterday'", ""),
    (400, "accounts?$filter=createdon gt 2024-13-01", ""),
    (400, "accounts?$filter=accountid eq 'x'", ""),
    (400, "accounts?$filter=_primarycontactid_value eq 5", ""),
    (400, "accounts?$filter=contains(name)", ""),
    (400, "accounts?$filter=contains(revenue,'1')", ""),
    (400, "accounts?$filter=startswith(name,1)", ""),
    (400, "accounts?$filter=tolower(name) eq 'x'", ""),
    (400, "accounts?$filter=name in ('a','b')", ""),
    (400, "accounts?$filter=revenue add 1 gt 2", ""),
    (400, "accounts?$filter=primarycontactid/nothing eq 'x'", ""),
    (400, "accounts?$filter=ownerid/fullname eq 'x'", ""),
    (400, "accounts?$filter=contact_customer_accounts/any(c:lastname eq 'x')", ""),
    (400, "accounts?$filter=Microsoft.Dynamics.CRM.Today(PropertyName='name')", ""),
    (400, "accounts?$orderby=primarycontactid/nothing", ""),
    (400, "accounts?$apply=aggregate(name with sum as n)", ""),
    (400, "accounts?$apply=groupby((name))&$filter=name eq 'x'", ""),
    (400, "accounts?savedQuery=x", ""),
    (400, "accounts?$expand=primarycontactid($top=1)", ""),
    (400, "accounts?$expand=contact_customer_accounts/$ref", ""),
    (400, "accounts?$orderby=nothing", ""),
    (400, "accounts?$orderby=name up", ""),
    (400, "accounts?$orderby=primarycontactid", ""),
    (400, "accounts?$top=-1", ""),
    (400, "accounts?$top=x", ""),
    (400, "accounts?$top=99999999999", ""),
    (400, "accounts?$count=yes", ""),
    (400, "accounts?$skip=1", ""),
    (400, "accounts?$search=x", ""),
    (400, "accounts?$format=json", ""),
    (400, "accounts?$Select=name", ""),
    (400, "accounts?$nothing=1", ""),
    (400, "accounts?nothing=1", ""),
    (400, "accounts?$top=1&$top=2", ""),
    (400, "accounts?$expand=nothing", ""),
    (400, "accounts?$expand=primarycontactid($select=nothing)", ""),
    (400, "accounts?$expand=primarycontactid($select=fullname", ""),
    (400, "accounts?$expand=PrimaryContactId", ""),
    (400, "accounts?$skiptoken=x", ""),
    (400, "accounts?$skiptoken=%3Ccookie%20pagenumber=%222%22%20/%3E", ""),
    (400, "accounts({a0})?$filter=name eq 'x'", ""),
    (400, "accounts({a0})?$top=1", ""),
    (400, "accounts({a0})?$orderby=name", ""),
    (400, "accounts({a0})?$count=true", ""),
    (400, "accounts({a0})?$select=nothing", ""),
    (400, "accounts/$count?$select=name", ""),
    (400, "accounts/$count?$top=1", ""),
    (400, "accounts(1)", ""),
    (400, "accounts()", ""),
    (400, "accounts('x')", ""),
    (400, "accounts({a0}", ""),
    (400, "accounts(accountid='x')", ""),
    (400, "accounts(name='x')", ""),
    (400, "accounts(nothing={a0})", ""),
    (400, "accounts({a0})", "If-None-Match: 5"),
    (400, "accounts({a0})", "If-Match: \"a\",\"b\""),
    (400, "accounts({a0})", "If-Match: * | If-None-Match: *"),
    (400, "accounts?$filter=%FF eq 1", ""),
    (400, "accounts?$filter=name eq '%FF'", ""),
    (400, "accounts?$filter=name eq '%zz'", ""),
    (400, "EntityDefinitions?$filter=nonsense", ""),
];

/// Queries that the server answers and a replica never does: changes, and rows of tables that it does not keep.
const ONLY_SERVER: &[(&str, &str)] = &[
    ("accounts", "Prefer: odata.track-changes"),
    ("accounts?$deltatoken=x", ""),
    ("accounts/$count?$deltatoken=x", ""),
    ("accounts?$expand=owningteam", ""),
    ("accounts?$filter=owningteam/name eq 'x'", ""),
    ("accounts?$filter=Microsoft.Dynamics.CRM.EqualUserTeams(PropertyName='ownerid')", ""),
    ("accounts?fetchXml=<fetch><entity name='account'><link-entity name='lead' from='parentaccountid' to='accountid'/></entity></fetch>", ""),
    ("leads", ""),
    ("accounts?$top=1", "CallerObjectId: d0000000-0000-4000-8000-000000000001"),
    ("$metadata", "MSCRMCallerID: d0000000-0000-4000-8000-000000000001"),
];

/// What is not there: the server knows it is not, and a replica cannot know that of what its schema lacks.
const BEYOND: &[(u16, &str)] = &[
    (404, "nothing"),
    (404, "account"),
    (404, "Accounts"),
    (404, "accounts({a0})/nothing"),
    (404, "accounts({a0})/owner_accounts"),
    (404, "accounts/nothing"),
    (404, "EntityDefinitions(LogicalName='nothing')"),
    (404, "CalculateRollupField(Target=@p1,FieldName=@p2)?@p1={}&@p2='x'"),
];

/// Status, verb, path, headers, body.
type Case = (u16, &'static str, &'static str, &'static str, &'static str);

const WRITES: &[Case] = &[
    (400, "POST", "accounts", "", "{"),
    (400, "POST", "accounts", "", "[]"),
    (400, "POST", "accounts", "", "5"),
    (400, "POST", "accounts", "", "null"),
    (400, "POST", "accounts", "", r#"{"name":"a"}x"#),
    (400, "POST", "accounts", "", r#"{"name":"a","name":"b"}"#),
    (400, "POST", "accounts", "", ""),
    (400, "POST", "accounts", "", r#"{"nothing":1}"#),
    (400, "POST", "accounts", "", r#"{"Name":"x"}"#),
    (400, "POST", "accounts", "", r#"{"name":5}"#),
    (400, "POST", "accounts", "", r#"{"name":{}}"#),
    (400, "POST", "accounts", "", r#"{"name":["x"]}"#),
    (400, "POST", "accounts", "", r#"{"revenue":"x"}"#),
    (400, "POST", "accounts", "", r#"{"revenue":-1}"#),
    (400, "POST", "accounts", "", r#"{"revenue":100000000001}"#),
    (400, "POST", "accounts", "", r#"{"revenue":1e400}"#),
    (400, "POST", "accounts", "", r#"{"revenue":true}"#),
    (400, "POST", "accounts", "", r#"{"numberofemployees":1.5}"#),
    (400, "POST", "accounts", "", r#"{"numberofemployees":-1}"#),
    (400, "POST", "accounts", "", r#"{"numberofemployees":1000000001}"#),
    (400, "POST", "accounts", "", r#"{"numberofemployees":"5"}"#),
    (400, "POST", "accounts", "", r#"{"address1_latitude":90.1}"#),
    (400, "POST", "accounts", "", r#"{"creditonhold":1}"#),
    (400, "POST", "accounts", "", r#"{"creditonhold":"true"}"#),
    (400, "POST", "accounts", "", r#"{"industrycode":0}"#),
    (400, "POST", "accounts", "", r#"{"industrycode":34}"#),
    (400, "POST", "accounts", "", r#"{"industrycode":"Accounting"}"#),
    (400, "POST", "accounts", "", r#"{"lastusedincampaign":"yesterday"}"#),
    (400, "POST", "accounts", "", r#"{"lastusedincampaign":"2024-02-30T00:00:00Z"}"#),
    (400, "POST", "accounts", "", r#"{"lastusedincampaign":"2024-02-29T25:00:00Z"}"#),
    (400, "POST", "accounts", "", r#"{"lastusedincampaign":5}"#),
    (400, "POST", "contacts", "", r#"{"birthdate":"2023-02-29"}"#),
    (400, "POST", "contacts", "", r#"{"birthdate":"2023-02-28T00:00:00Z"}"#),
    (400, "POST", "accounts", "", r#"{"accountid":"x"}"#),
    (400, "POST", "accounts", "", r#"{"accountid":5}"#),
    (400, "POST", "accounts", "", r#"{"createdon":"2024-01-01T00:00:00Z"}"#),
    (400, "POST", "accounts", "", r#"{"versionnumber":5}"#),
    (400, "POST", "contacts", "", r#"{"fullname":"x"}"#),
    (400, "POST", "accounts", "", r#"{"_primarycontactid_value":"{c0}"}"#),
    (400, "POST", "accounts", "", r#"{"primarycontactid":"{c0}"}"#),
    (400, "POST", "accounts", "", r#"{"primarycontactid@odata.bind":"/accounts({a0})"}"#),
    (404, "POST", "accounts", "", r#"{"primarycontactid@odata.bind":"/contacts({c20})"}"#),
    (400, "POST", "accounts", "", r#"{"primarycontactid@odata.bind":"/contacts(x)"}"#),
    (400, "POST", "accounts", "", r#"{"primarycontactid@odata.bind":"nothing"}"#),
    (400, "POST", "accounts", "", r#"{"primarycontactid@odata.bind":5}"#),
    (400, "POST", "accounts", "", r#"{"primarycontactid@odata.bind":"$1"}"#),
    (400, "POST", "accounts", "", r#"{"nothing@odata.bind":"/contacts({c0})"}"#),
    (400, "POST", "accounts", "", r#"{"PrimaryContactId@odata.bind":"/contacts({c0})"}"#),
    (400, "POST", "contacts", "", r#"{"parentcustomerid@odata.bind":"/accounts({a0})"}"#),
    (
        400,
        "POST",
        "contacts",
        "",
        r#"{"parentcustomerid_account@odata.bind":"/accounts({a0})","parentcustomerid_contact@odata.bind":"/contacts({c0})"}"#,
    ),
    (400, "POST", "accounts", "", r#"{"createdby@odata.bind":"/systemusers({demo})"}"#),
    (404, "POST", "accounts", "", r#"{"ownerid@odata.bind":"/systemusers({a0})"}"#),
    (400, "POST", "accounts", "", r#"{"statecode":5}"#),
    (400, "POST", "accounts", "", r#"{"statecode":0,"statuscode":2}"#),
    (400, "POST", "accounts", "", r#"{"statuscode":9}"#),
    (400, "POST", "tasks", "", r#"{"statecode":1,"statuscode":2}"#),
    (400, "POST", "accounts?$filter=name eq 'x'", "", r#"{"name":"x"}"#),
    (400, "POST", "accounts?$select=nothing", "", r#"{"name":"x"}"#),
    (400, "POST", "accounts", "", r#"{"primarycontactid":{"lastname":5}}"#),
    (400, "POST", "accounts", "", r#"{"contact_customer_accounts":{"lastname":"deep"}}"#),
    (400, "PATCH", "accounts({a0})", "If-Match: *", r#"{"Account_Tasks":[{"subject":"deep"}]}"#),
    (400, "POST", "accounts/Microsoft.Dynamics.CRM.CreateMultiple", "", r#"{"Targets":[{"name":"x"}]}"#),
    (405, "PATCH", "accounts/Microsoft.Dynamics.CRM.CreateMultiple", "", r#"{"Targets":[]}"#),
    (400, "POST", "accounts({a0})/contact_customer_accounts", "", r#"{"nothing":1}"#),
    (405, "PUT", "accounts({a0})/contact_customer_accounts", "", r#"{"value":[]}"#),
    (405, "POST", "accounts({a0})", "", r#"{"name":"x"}"#),
    (405, "POST", "accounts/$count", "", "{}"),
    (405, "POST", "$metadata", "", "{}"),
    (405, "POST", "", "", "{}"),
    (405, "POST", "WhoAmI", "", "{}"),
    (405, "PATCH", "accounts", "", r#"{"name":"x"}"#),
    (405, "PUT", "accounts", "", r#"{"name":"x"}"#),
    (405, "DELETE", "accounts", "", ""),
    (405, "PUT", "accounts({a0})", "", r#"{"name":"x"}"#),
    (405, "PATCH", "accounts({a0})/name", "", r#"{"value":"x"}"#),
    (405, "POST", "accounts({a0})/name", "", r#"{"value":"x"}"#),
    (405, "PATCH", "accounts({a0})/primarycontactid/$ref", "", "{}"),
    (405, "DELETE", "$batch", "", ""),
    (400, "PATCH", "accounts({a0})", "", "{"),
    (400, "PATCH", "accounts({a0})", "", ""),
    (400, "PATCH", "accounts({a0})", "", r#"{"nothing":1}"#),
    (400, "PATCH", "accounts({a0})", "", r#"{"importsequencenumber":5}"#),
    (400, "PATCH", "accounts({a0})", "", r#"{"modifiedon":"2024-01-01T00:00:00Z"}"#),
    (400, "PATCH", "accounts({a0})", "If-Match: 5", r#"{"name":"x"}"#),
    (400, "PATCH", "accounts({a0})", "If-Match: * | If-None-Match: *", r#"{"name":"x"}"#),
    (404, "PATCH", "accounts({a0})", "", r#"{"primarycontactid@odata.bind":"/contacts({c20})"}"#),
    (400, "PATCH", "accounts({a0})?$top=1", "", r#"{"name":"x"}"#),
    (400, "PATCH", "accounts(x)", "", r#"{"name":"x"}"#),
    (400, "PATCH", "accounts(telephone1='A-1')", "", r#"{"name":"x"}"#),
    (400, "PUT", "accounts({a0})/name", "", r#""x""#),
    (400, "PUT", "accounts({a0})/name", "", r#"{"name":"x"}"#),
    (400, "PUT", "accounts({a0})/name", "", r#"{"value":5}"#),
    (400, "PUT", "accounts({a0})/accountid", "", r#"{"value":"{a1}"}"#),
    (400, "PUT", "accounts({a0})/createdon", "", r#"{"value":null}"#),
    (400, "PUT", "accounts({a0})/statecode", "", r#"{"value":7}"#),
    (400, "PUT", "accounts({a0})/statuscode", "", r#"{"value":2}"#),
    (400, "DELETE", "accounts({a0})/statecode", "", ""),
    (400, "DELETE", "accounts({a0})/accountid", "", ""),
    (400, "DELETE", "accounts({a0})/createdon", "", ""),
    (400, "DELETE", "accounts({a0})/ownerid/$ref", "", ""),
    (400, "DELETE", "accounts({a0})/createdby/$ref", "", ""),
    (400, "PUT", "accounts({a0})/primarycontactid/$ref", "", "{}"),
    (400, "PUT", "accounts({a0})/primarycontactid/$ref", "", r#"{"@odata.id":5}"#),
    (400, "PUT", "accounts({a0})/primarycontactid/$ref", "", r#"{"@odata.id":"accounts({a1})"}"#),
    (400, "PUT", "accounts({a0})/createdby/$ref", "", r#"{"@odata.id":"systemusers({demo})"}"#),
    (400, "POST", "accounts({a0})/contact_customer_accounts/$ref", "", r#"{"@odata.id":"accounts({a1})"}"#),
    (404, "POST", "accounts({a0})/contact_customer_accounts/$ref", "", r#"{"@odata.id":"contacts({c20})"}"#),
    (404, "POST", "accounts({a20})/contact_customer_accounts/$ref", "", r#"{"@odata.id":"contacts({c0})"}"#),
    (400, "DELETE", "accounts({a0})/contact_customer_accounts/$ref", "", ""),
    (404, "DELETE", "accounts({a20})", "", ""),
    (400, "DELETE", "accounts({a0})?$select=name", "", ""),
    (415, "POST", "accounts", "Content-Type: text/plain", r#"{"name":"x"}"#),
    (415, "POST", "accounts", "Content-Type: application/xml", "<name/>"),
    (415, "PATCH", "accounts({a0})", "Content-Type: application/x-www-form-urlencoded", "name=x"),
    (415, "POST", "$batch", "Content-Type: application/json", "{}"),
    (400, "POST", "$batch", "Content-Type: multipart/mixed", "x"),
    (400, "POST", "$batch", "Content-Type: multipart/mixed; boundary=b", "--c\n\n--c--"),
    (400, "POST", "$batch", "", ""),
];

fn check(known: Known) {
    let world = World::new(known);
    let everything = |world: &World| {
        for (status, path, headers) in READS {
            world.check(*status, &Ask::get(path, headers));
        }
        for (status, method, path, headers, body) in WRITES {
            world.check(*status, &Ask::new(method, path, headers, body));
        }
        let long = "ø".repeat(161);
        for (status, body) in [
            (400, format!(r#"{{"name":"{long}"}}"#)),
            (400, format!(r#"{{"name":"{}"}}"#, "😀".repeat(81))),
            (400, format!(r#"{{"telephone1":"{}"}}"#, &long[..102])),
            (400, format!(r#"{{"description":"{}"}}"#, "x".repeat(2001))),
        ] {
            world.check(status, &Ask::new("POST", "accounts", "", &body));
            world.check(status, &Ask::new("PATCH", "accounts({a0})", "", &body));
        }
        let deep = format!("accounts?$filter={}name eq 'x'{}", "(".repeat(2000), ")".repeat(2000));
        world.check(400, &Ask::get(&deep, ""));
    };
    everything(&world);
    // Nothing of it was carried out.
    world.read_back();
    world.agree();
}

#[test]
fn bad_requests_are_refused_alike() {
    for known in [Known::All, Known::Older, Known::Nothing] {
        check(known);
    }
}

/// Writes that the server judges and the replica does not: no others may be refused with 501.
const SERVER_ONLY: &[Case] = &[
    (400, "POST", "systemusers", "", r#"{"firstname":"x"}"#),
    (403, "PATCH", "systemusers({demo})", "", r#"{"firstname":"x"}"#),
    (403, "DELETE", "systemusers({demo})", "", ""),
    (403, "PUT", "systemusers({demo})/firstname", "", r#"{"value":"x"}"#),
    (403, "PATCH", "accounts({a0})", "MSCRMCallerID: {anna}", r#"{"name":"For somebody else"}"#),
    (204, "POST", "accounts", "", r#"{"Account_Emails":[{"subject":"Of a table that is not offline"}]}"#),
    (204, "POST", "contacts", "", r#"{"lastname":"x","contactleads_association@odata.bind":[]}"#),
];

#[test]
fn what_only_the_server_can_write_is_said_to_be_missing() {
    let world = World::new(Known::All);
    for (status, method, path, headers, body) in SERVER_ONLY {
        let ask = Ask::new(method, path, headers, body);
        let status_at = |side| world.ask(side, &ask).status;
        assert_eq!(status_at(crate::world::Side::Engine), 501, "{method} {path} {body}");
        assert_eq!(status_at(crate::world::Side::Server), *status, "{method} {path} {body}");
    }
}

#[test]
fn queries_that_only_the_server_answers_are_left_to_it() {
    for known in [Known::All, Known::Older, Known::Nothing] {
        let world = World::new(known);
        for (path, headers) in ONLY_SERVER {
            let answer = world.ask(crate::world::Side::Engine, &Ask::get(path, headers));
            assert_eq!(answer.status, 501, "{path}");
        }
    }
}

#[test]
fn what_only_the_server_can_know_comes_from_it_or_is_said_to_be_missing() {
    let world = World::new(Known::All);
    for (_, path) in BEYOND {
        let answer = world.ask(crate::world::Side::Engine, &Ask::get(path, ""));
        assert_eq!(answer.status, 501, "{path}");
    }
    let world = world.with_the_line_open();
    for (status, path) in BEYOND {
        world.check(*status, &Ask::get(path, ""));
    }
    world.agree();
}
