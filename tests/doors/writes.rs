//! Writes at both doors, and what can be read afterwards.

use crate::world::{Ask, Known, Side, World};

/// Status, verb, path, headers, body.
type Case = (u16, &'static str, &'static str, &'static str, &'static str);

const RETURN: &str = "Prefer: return=representation";
const RETURN_ALL: &str = "Prefer: return=representation,odata.include-annotations=\"*\"";

const CREATES: &[Case] = &[
    (204, "POST", "accounts", "", r#"{"name":"Made"}"#),
    (200, "GET", "accounts({new0})", "Prefer: odata.include-annotations=\"*\"", ""),
    (204, "POST", "accounts", "", r#"{"accountid":"{a20}","name":"With id"}"#),
    (204, "POST", "accounts", "", "{}"),
    (
        204,
        "POST",
        "contacts",
        "",
        r#"{"contactid":"C0000000-0000-4000-8000-0000000000AB","lastname":"Upper"}"#,
    ),
    (412, "POST", "accounts", "", r#"{"accountid":"{a20}","name":"Again"}"#),
    (412, "POST", "accounts", "", r#"{"accountid":"{a0}","name":"Again"}"#),
    (201, "POST", "accounts", RETURN, r#"{"accountid":"{a21}","name":"Shown","revenue":12.345}"#),
    (
        201,
        "POST",
        "accounts",
        RETURN_ALL,
        r#"{"accountid":"{a22}","name":"Shown","industrycode":6,"primarycontactid@odata.bind":"/contacts({c0})"}"#,
    ),
    (
        201,
        "POST",
        "accounts?$select=name,revenue",
        RETURN,
        r#"{"accountid":"{a23}","name":"Shown","revenue":1}"#,
    ),
    (
        201,
        "POST",
        "accounts?$select=name&$expand=primarycontactid($select=fullname)",
        RETURN,
        r#"{"name":"Nested","accountid":"{a19}","primarycontactid@odata.bind":"contacts({c0})"}"#,
    ),
    (
        204,
        "POST",
        "contacts",
        "",
        r#"{"contactid":"{c20}","firstname":"A","lastname":"B","parentcustomerid_account@odata.bind":"/accounts({a20})"}"#,
    ),
    (
        204,
        "POST",
        "contacts",
        "",
        r#"{"contactid":"{c21}","lastname":"C","parentcustomerid_contact@odata.bind":"{root}contacts({c20})"}"#,
    ),
    (
        204,
        "POST",
        "contacts",
        "",
        r#"{"contactid":"{c19}","lastname":"D","parentcustomerid_contact@odata.bind":null,"ownerid@odata.bind":"/systemusers({ola})"}"#,
    ),
    (204, "POST", "tasks", "", r#"{"activityid":"{t17}","subject":"T","statecode":1,"statuscode":5}"#),
    (204, "POST", "tasks", "", r#"{"activityid":"{t16}","subject":"T","statecode":2}"#),
    (
        201,
        "POST",
        "tasks",
        RETURN_ALL,
        r#"{"activityid":"{t15}","subject":"T","regardingobjectid_contact_task@odata.bind":"/contacts({c20})","scheduledend":"2026-01-01T01:00:00.999+02:00"}"#,
    ),
    (
        201,
        "POST",
        "accounts",
        RETURN_ALL,
        r#"{"accountid":"{a24}","name":"Kroner","revenue":100,"creditlimit":0.05,"transactioncurrencyid@odata.bind":"/transactioncurrencies({nok})"}"#,
    ),
    // A row points to it by a relationship that restricts its deletion.
    (405, "DELETE", "transactioncurrencies({nok})", "", ""),
    (400, "POST", "accounts", "", r#"{"accountid":"{a25}","name":"Mine","revenue_base":1}"#),
    (204, "PATCH", "accounts({a18})", "", r#"{"name":"Upserted"}"#),
    (204, "PATCH", "accounts({a18})", "", r#"{"name":"Upserted again"}"#),
    (201, "PATCH", "accounts({a17})", RETURN, r#"{"name":"Upserted"}"#),
    (200, "PATCH", "accounts({a17})", RETURN, r#"{"telephone1":"1"}"#),
    (204, "PATCH", "accounts({a16})", "If-None-Match: *", r#"{"name":"Created only"}"#),
    (412, "PATCH", "accounts({a16})", "If-None-Match: *", r#"{"name":"Created twice"}"#),
    (412, "PATCH", "accounts({a1})", "If-None-Match: *", r#"{"name":"Created twice"}"#),
    (404, "PATCH", "accounts({a15})", "If-Match: *", r#"{"name":"Updated only"}"#),
    (404, "PATCH", "accounts({a15})", "If-Match: W/\"1\"", r#"{"name":"Updated only"}"#),
    (404, "PATCH", "accounts({a15})", "", r#"{"name":"x","primarycontactid@odata.bind":"/contacts({a15})"}"#),
    (
        201,
        "PATCH",
        "accounts({a15})?$select=name",
        RETURN,
        r#"{"accountid":"{a15}","name":"x","importsequencenumber":3}"#,
    ),
    (
        204,
        "PATCH",
        "contacts({c18})",
        "If-None-Match: null",
        r#"{"lastname":"n","birthdate":null,"creditlimit":null}"#,
    ),
];

const UPDATES: &[Case] = &[
    (204, "PATCH", "accounts({a0})", "", r#"{"name":"Changed"}"#),
    (204, "PATCH", "accounts({a0})", "If-Match: *", r#"{"revenue":7.77777,"description":null}"#),
    (204, "PATCH", "accounts({a0})", "", "{}"),
    (
        204,
        "PATCH",
        "accounts({a1})",
        "",
        r#"{"transactioncurrencyid@odata.bind":"/transactioncurrencies({nok})"}"#,
    ),
    (200, "PATCH", "accounts({a1})", RETURN_ALL, r#"{"revenue":33.33}"#),
    (
        204,
        "PATCH",
        "accounts({a2})",
        "",
        r#"{"transactioncurrencyid@odata.bind":"/transactioncurrencies({nok})"}"#,
    ),
    (200, "PATCH", "accounts({a2})", RETURN_ALL, r#"{"transactioncurrencyid@odata.bind":null}"#),
    (204, "DELETE", "accounts({a1})/transactioncurrencyid/$ref", "", ""),
    (400, "PATCH", "accounts({a0})", "", r#"{"exchangerate":2}"#),
    (200, "PATCH", "accounts({a0})", RETURN, r#"{"name":"Changed"}"#),
    (200, "PATCH", "accounts({a1})", RETURN_ALL, r#"{"telephone1":"5","industrycode":null}"#),
    (200, "PATCH", "accounts({a1})?$select=telephone1", RETURN, r#"{"telephone1":"6"}"#),
    (
        200,
        "PATCH",
        "accounts({a1})?$select=name&$expand=parentaccountid($select=name)",
        RETURN,
        r#"{"parentaccountid@odata.bind":"/accounts({a0})"}"#,
    ),
    (204, "PATCH", "accounts({a2})", "If-Match: {etag:accounts({a2})}", r#"{"name":"By etag"}"#),
    (412, "PATCH", "accounts({a2})", "If-Match: W/\"1\"", r#"{"name":"Stale"}"#),
    (204, "PATCH", "accounts({a2})", "If-Match: {etag:accounts({a2})}", r#"{"name":"By new etag"}"#),
    (204, "PATCH", "accounts({a2})", "If-None-Match: W/\"1\"", r#"{"name":"Not that one"}"#),
    (204, "PUT", "accounts({a3})/name", "", r#"{"value":"Put"}"#),
    (204, "PUT", "accounts({a3})/revenue", "", r#"{"value":3.5}"#),
    (204, "PUT", "accounts({a3})/description", "", r#"{"value":null}"#),
    (204, "DELETE", "accounts({a3})/name", "", ""),
    (204, "DELETE", "accounts({a3})/revenue", "", ""),
    (204, "DELETE", "accounts({a3})/telephone1", "", ""),
    (412, "PUT", "accounts({a3})/name", "If-Match: W/\"1\"", r#"{"value":"Put"}"#),
    (404, "PUT", "accounts({a20})/name", "", r#"{"value":"Put"}"#),
    (404, "DELETE", "accounts({a20})/name", "", ""),
    (204, "PUT", "accounts({a4})/primarycontactid/$ref", "", r#"{"@odata.id":"contacts({c1})"}"#),
    (204, "PUT", "accounts({a4})/parentaccountid/$ref", "", r#"{"@odata.id":"{root}accounts({a0})"}"#),
    (204, "DELETE", "accounts({a4})/parentaccountid/$ref", "", ""),
    (204, "DELETE", "accounts({a4})/parentaccountid/$ref", "", ""),
    (404, "PUT", "accounts({a4})/primarycontactid/$ref", "", r#"{"@odata.id":"contacts({c20})"}"#),
    (404, "DELETE", "accounts({a20})/primarycontactid/$ref", "", ""),
    (204, "PUT", "contacts({c0})/parentcustomerid_contact/$ref", "", r#"{"@odata.id":"contacts({c1})"}"#),
    (204, "DELETE", "contacts({c0})/parentcustomerid_account/$ref", "", ""),
    (204, "DELETE", "contacts({c1})/parentcustomerid_contact/$ref", "", ""),
    (204, "POST", "accounts({a5})/contact_customer_accounts/$ref", "", r#"{"@odata.id":"contacts({c2})"}"#),
    (204, "POST", "accounts({a5})/Account_Tasks/$ref", "", r#"{"@odata.id":"tasks({t2})"}"#),
    (204, "DELETE", "accounts({a0})/Account_Tasks({t0})/$ref", "", ""),
    (204, "DELETE", "contacts({c0})/Contact_Tasks/$ref?$id={root}tasks({t1})", "", ""),
    (204, "PATCH", "contacts({c3})", "", r#"{"parentcustomerid_account@odata.bind":"/accounts({a1})"}"#),
    (204, "PATCH", "contacts({c3})", "", r#"{"parentcustomerid_contact@odata.bind":"/contacts({c1})"}"#),
    (204, "PATCH", "contacts({c4})", "", r#"{"parentcustomerid_account@odata.bind":"/accounts({a1})"}"#),
    (204, "PATCH", "contacts({c4})", "", r#"{"parentcustomerid_account@odata.bind":null}"#),
    (
        204,
        "PATCH",
        "contacts({c5})",
        "",
        r#"{"parentcustomerid_account":null,"firstname":null,"lastname":"Alone"}"#,
    ),
    (
        204,
        "PATCH",
        "contacts({c6})",
        "",
        r#"{"firstname":"Full","middlename":"M","address1_city":"Here","address1_postalcode":"1","address1_country":"There"}"#,
    ),
    (
        204,
        "PATCH",
        "contacts({c6})",
        "",
        r#"{"address1_city":null,"birthdate":"2000-12-31","gendercode":1,"donotphone":true}"#,
    ),
    (204, "PATCH", "accounts({a6})", "", r#"{"statecode":1}"#),
    (204, "PATCH", "accounts({a7})", "", r#"{"statecode":1,"statuscode":2}"#),
    (204, "PATCH", "accounts({a8})", "", r#"{"statecode":0,"statuscode":1}"#),
    (204, "PATCH", "accounts({a7})", "", r#"{"name":"Inactive rows too"}"#),
    (204, "PATCH", "tasks({t0})", "", r#"{"statuscode":3}"#),
    (204, "PATCH", "tasks({t2})", "", r#"{"statecode":1,"statuscode":5,"percentcomplete":100}"#),
    (204, "PATCH", "tasks({t3})", "", r#"{"statecode":0}"#),
    (400, "PATCH", "tasks({t4})", "", r#"{"statecode":0,"statuscode":5}"#),
    (400, "PATCH", "tasks({t4})", "", r#"{"statuscode":5}"#),
    (400, "PATCH", "tasks({t4})", "", r#"{"statecode":null}"#),
    (400, "PATCH", "tasks({t2})", "", r#"{"subject":"Closed rows take no edits"}"#),
    (
        400,
        "PATCH",
        "tasks({t2})",
        RETURN,
        r#"{"statecode":2,"statuscode":6,"subject":"Nor on the way to another end"}"#,
    ),
    (400, "PUT", "tasks({t2})/percentcomplete", "", r#"{"value":7}"#),
    (400, "DELETE", "tasks({t2})/percentcomplete", "", ""),
    (400, "PUT", "tasks({t2})/regardingobjectid_contact_task/$ref", "", r#"{"@odata.id":"contacts({c1})"}"#),
    (400, "PATCH", "tasks({t5})", "", r#"{"regardingobjectid_contact_task@odata.bind":"/contacts({c1})"}"#),
    (204, "PATCH", "tasks({t2})", "", r#"{"percentcomplete":100}"#),
    (204, "PATCH", "tasks({t2})", "", r#"{"ownerid@odata.bind":"/systemusers({ola})"}"#),
    (204, "PATCH", "tasks({t2})", "", r#"{"statecode":2,"statuscode":6}"#),
    (204, "PATCH", "tasks({t2})", "", r#"{"statecode":0,"subject":"Open again"}"#),
    (204, "PATCH", "tasks({t2})", "", r#"{"subject":"Open for more","statecode":1}"#),
    (400, "PATCH", "accounts({a9})", "", r#"{"ownerid@odata.bind":null}"#),
    (204, "PATCH", "accounts({a9})", "", r#"{"ownerid@odata.bind":"/systemusers({ola})"}"#),
    (204, "PATCH", "accounts({a10})", "", r#"{"ownerid@odata.bind":"/systemusers({anna})"}"#),
    (204, "PATCH", "accounts({a10})", "", r#"{"ownerid@odata.bind":"/systemusers({demo})","name":"Back"}"#),
    (204, "PATCH", "accounts(A0000000-0000-4000-8000-000000000011)", "", r#"{"name":"Upper"}"#),
    (204, "PATCH", "accounts(accountid={a12})", "", r#"{"name":"By key"}"#),
    (200, "PATCH", "accounts({a13})", RETURN, r#"{"accountid":"{a13}","name":"Own id"}"#),
    (204, "PATCH", "accounts({a13})", "", r#"{"accountid":"{a1}","name":"Another id"}"#),
    (204, "PATCH", "accounts({a13})?$select=name", "", r#"{"name":"Selected"}"#),
    (204, "PATCH", "accounts({a13})", "Content-Type: application/json; charset=utf-8", r#"{"name":"Typed"}"#),
    (
        204,
        "PATCH",
        "accounts({a13})",
        "",
        r#"{"@odata.type":"Microsoft.Dynamics.CRM.account","name":"Annotated"}"#,
    ),
];

const DELETES: &[Case] = &[
    (412, "DELETE", "tasks({t4})", "If-Match: W/\"1\"", ""),
    (204, "DELETE", "tasks({t4})", "If-Match: {etag:tasks({t4})}", ""),
    (404, "DELETE", "tasks({t4})", "", ""),
    (404, "DELETE", "tasks({t4})", "If-Match: *", ""),
    (404, "GET", "tasks({t4})", "", ""),
    (404, "PATCH", "tasks({t4})", "If-Match: *", r#"{"subject":"x"}"#),
    (404, "PUT", "tasks({t4})/subject", "", r#"{"value":"x"}"#),
    (204, "DELETE", "tasks({t5})", "If-Match: *", ""),
    (204, "DELETE", "tasks({t0})", "", ""),
    (204, "DELETE", "contacts({c11})", "", ""),
    (
        404,
        "POST",
        "tasks",
        "",
        r#"{"subject":"To nobody","regardingobjectid_contact_task@odata.bind":"/contacts({c11})"}"#,
    ),
    (204, "POST", "accounts", "", r#"{"accountid":"{a20}","name":"Brief"}"#),
    (204, "DELETE", "accounts({a20})", "", ""),
    (404, "GET", "accounts({a20})", "", ""),
];

/// Deleting a row takes others along, or lets them go.
const CASCADES: &[Case] = &[
    (204, "DELETE", "accounts({a1})", "", ""),
    (404, "GET", "contacts({c1})", "", ""),
    (204, "DELETE", "contacts({c0})", "", ""),
    (404, "GET", "contacts({c2})", "", ""),
    (404, "GET", "tasks({t1})", "", ""),
    (204, "DELETE", "accounts({a0})", "If-Match: *", ""),
];

/// Requests that would make a row under the id of one that was deleted, by itself or with another.
const AGAIN: &[Case] = &[
    (204, "PATCH", "contacts({c11})", "", r#"{"lastname":"Again"}"#),
    (204, "PATCH", "contacts({c11})", "If-None-Match: *", r#"{"lastname":"Again"}"#),
    (204, "POST", "contacts", "", r#"{"contactid":"{c11}","lastname":"Again"}"#),
    (404, "PATCH", "contacts({c11})", "If-Match: *", r#"{"lastname":"Again"}"#),
    (404, "PATCH", "contacts({c11})", "If-Match: W/\"1\"", r#"{"lastname":"Again"}"#),
    (204, "PATCH", "tasks({t1})", "", r#"{"subject":"Again"}"#),
];

fn check(known: Known, cases: &[Case]) {
    let world = World::new(known).loosely();
    for (status, method, path, headers, body) in cases {
        world.check(*status, &Ask::new(method, path, headers, body));
    }
    world.read_back();
    world.agree();
}

fn check_all(cases: &[Case]) {
    for known in [Known::All, Known::Older, Known::Nothing] {
        check(known, cases);
    }
}

#[test]
fn rows_are_created_alike() {
    check_all(CREATES);
}

#[test]
fn rows_are_changed_alike() {
    check_all(UPDATES);
}

#[test]
fn rows_are_deleted_alike() {
    check_all(DELETES);
}

#[test]
fn what_hangs_on_a_deleted_row_goes_alike() {
    check_all(CASCADES);
}

#[test]
fn an_id_is_used_again_only_when_the_server_knows_of_the_deletion() {
    let world = World::new(Known::All).loosely();
    for path in ["contacts({c11})", "contacts({c0})"] {
        world.check(204, &Ask::new("DELETE", path, "", ""));
    }
    let refused = |status: u16| if status == 204 { 501 } else { status };
    for (status, method, path, headers, body) in AGAIN {
        let answer = world.ask(Side::Engine, &Ask::new(method, path, headers, body));
        assert_eq!(answer.status, refused(*status), "{method} {path} {headers}");
    }
    world.read_back();
    let world = world.with_the_line_open();
    let again = Ask::new("PATCH", "contacts({c11})", "", r#"{"lastname":"Again"}"#);
    assert_eq!(world.ask(Side::Engine, &again).status, 204);
    let read = Ask::get("contacts({c11})?$select=lastname", "");
    assert_eq!(world.ask(Side::Engine, &read).status, 200);
    world.agree();
}
