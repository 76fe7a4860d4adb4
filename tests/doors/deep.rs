//! Several rows in one request at both doors: rows that come along, rows named by alternate keys, actions on several
//! rows, duplicate detection; and what can be read afterwards.

use crate::world::{Ask, Known, World};

/// Status, verb, path, headers, body.
type Case = (u16, &'static str, &'static str, &'static str, &'static str);

const RETURN: &str = "Prefer: return=representation";
const ALL: &str = "Prefer: odata.include-annotations=\"*\"";
const NO_DUPLICATES: &str = "MSCRM.SuppressDuplicateDetection: false";

const NESTED: &[Case] = &[
    (
        204,
        "POST",
        "accounts",
        "",
        r#"{"accountid":"{a20}","name":"With a new contact","primarycontactid":{"contactid":"{c20}","firstname":"New","lastname":"Deep"}}"#,
    ),
    (200, "GET", "accounts({a20})?$select=name,_primarycontactid_value", ALL, ""),
    (
        204,
        "POST",
        "accounts",
        "",
        r#"{"accountid":"{a21}","name":"With new children","contact_customer_accounts":[{"contactid":"{c21}","lastname":"First"},{"contactid":"{c22}","lastname":"Second","Contact_Tasks":[{"activityid":"{t17}","subject":"At the third level"}]}],"Account_Tasks":[{"activityid":"{t16}","subject":"Beside"}]}"#,
    ),
    (200, "GET", "contacts?$filter=_parentcustomerid_value eq {a21}&$orderby=lastname", ALL, ""),
    (200, "GET", "tasks({t17})", ALL, ""),
    (
        201,
        "POST",
        "accounts?$select=name,_primarycontactid_value&$expand=primarycontactid($select=fullname)",
        RETURN,
        r#"{"accountid":"{a22}","name":"Shown","primarycontactid":{"contactid":"{c23}","lastname":"Shown too"}}"#,
    ),
    (
        204,
        "PATCH",
        "accounts({a23})",
        "",
        r#"{"name":"Upserted deep","Account_Tasks":[{"activityid":"{t15}","subject":"Came along"}]}"#,
    ),
    (400, "PATCH", "accounts({a23})", "", r#"{"Account_Tasks":[{"subject":"Too late"}]}"#),
    (
        204,
        "POST",
        "accounts",
        "",
        r#"{"accountid":"{a24}","name":"Takes over","contact_customer_accounts@odata.bind":["contacts({c3})","/contacts({c4})"]}"#,
    ),
    (200, "GET", "contacts({c3})?$select=_parentcustomerid_value", ALL, ""),
    (
        204,
        "POST",
        "contacts",
        "",
        r#"{"contactid":"{c24}","lastname":"Of a new one","parentcustomerid_account":{"@odata.type":"Microsoft.Dynamics.CRM.account","accountid":"{a25}","name":"New owner"}}"#,
    ),
    (
        204,
        "POST",
        "accounts({a0})/contact_customer_accounts",
        "",
        r#"{"contactid":"{c25}","lastname":"Below"}"#,
    ),
    (200, "GET", "contacts({c25})?$select=fullname,_parentcustomerid_value", "", ""),
    // Refused as a whole: nothing of it is there afterwards.
    (
        412,
        "POST",
        "accounts",
        "",
        r#"{"accountid":"{a26}","name":"Never","contact_customer_accounts":[{"contactid":"{c0}","lastname":"Taken id"}]}"#,
    ),
    (404, "GET", "accounts({a26})", "", ""),
    (
        404,
        "POST",
        "accounts",
        "",
        r#"{"accountid":"{a26}","name":"Never","contact_customer_accounts@odata.bind":["contacts({c27})"]}"#,
    ),
    (
        404,
        "POST",
        "accounts",
        "",
        r#"{"accountid":"{a26}","name":"Never","primarycontactid":{"contactid":"{c26}","lastname":"x","parentcustomerid_account@odata.bind":"accounts({a27})"}}"#,
    ),
    (404, "GET", "contacts({c26})", "", ""),
    (404, "GET", "accounts({a26})", "", ""),
    (
        400,
        "POST",
        "accounts",
        "",
        r#"{"name":"x","contact_customer_accounts":[{"lastname":"x","parentcustomerid_account@odata.bind":"accounts({a0})"}]}"#,
    ),
    (
        400,
        "POST",
        "accounts",
        "",
        r#"{"name":"x","primarycontactid":{"@odata.type":"Microsoft.Dynamics.CRM.account","name":"x"}}"#,
    ),
    (
        400,
        "POST",
        "accounts",
        "",
        r#"{"name":"x","Account_Tasks":[{"subject":"x","statecode":1,"statuscode":2}]}"#,
    ),
    (204, "DELETE", "accounts({a21})", "", ""),
    (404, "GET", "contacts({c22})", "", ""),
    (404, "GET", "tasks({t16})", "", ""),
];

const KEYS: &[Case] = &[
    (204, "PATCH", "accounts(tickersymbol='ONE')", "", r#"{"accountid":"{a20}","name":"By key"}"#),
    (200, "GET", "accounts(tickersymbol='one')?$select=name,tickersymbol", "", ""),
    (
        204,
        "PATCH",
        "accounts(tickersymbol='ONE')",
        "",
        r#"{"name":"Changed by key","tickersymbol":"dropped"}"#,
    ),
    (200, "PATCH", "accounts(tickersymbol='ONE')?$select=name,tickersymbol", RETURN, r#"{"telephone1":"9"}"#),
    (
        201,
        "PATCH",
        "accounts(tickersymbol='TWO')?$select=name,tickersymbol",
        RETURN,
        r#"{"accountid":"{a21}","name":"Two"}"#,
    ),
    (204, "PATCH", "accounts(tickersymbol='THREE')", "", r#"{"accountid":"{a22}","tickersymbol":"tri"}"#),
    (404, "GET", "accounts(tickersymbol='THREE')", "", ""),
    (200, "GET", "accounts(tickersymbol='tri')?$select=tickersymbol", ALL, ""),
    (412, "POST", "accounts", "", r#"{"name":"Taken","tickersymbol":"one"}"#),
    (412, "PATCH", "accounts({a1})", "", r#"{"tickersymbol":"Two"}"#),
    (412, "PUT", "accounts({a1})/tickersymbol", "", r#"{"value":"Two"}"#),
    (204, "PATCH", "accounts({a20})", "", r#"{"tickersymbol":"ONE","name":"Its own key"}"#),
    (412, "PATCH", "accounts(tickersymbol='ONE')", "If-None-Match: *", r#"{"name":"x"}"#),
    (404, "PATCH", "accounts(tickersymbol='NONE')", "If-Match: *", r#"{"name":"x"}"#),
    (404, "PATCH", "accounts(tickersymbol='NONE')", "If-Match: W/\"1\"", r#"{"name":"x"}"#),
    (404, "DELETE", "accounts(tickersymbol='NONE')", "", ""),
    (404, "GET", "accounts(tickersymbol='NONE')", "", ""),
    (404, "PUT", "accounts(tickersymbol='NONE')/name", "", r#"{"value":"x"}"#),
    (204, "PUT", "accounts(tickersymbol='two')/description", "", r#"{"value":"put"}"#),
    (204, "DELETE", "accounts(tickersymbol='two')/description", "", ""),
    (
        204,
        "POST",
        "contacts",
        "",
        r#"{"contactid":"{c20}","lastname":"Bound","parentcustomerid_account@odata.bind":"accounts(tickersymbol='one')"}"#,
    ),
    (
        404,
        "POST",
        "contacts",
        "",
        r#"{"lastname":"Bound","parentcustomerid_account@odata.bind":"accounts(tickersymbol='none')"}"#,
    ),
    (
        400,
        "POST",
        "contacts",
        "",
        r#"{"lastname":"Bound","parentcustomerid_account@odata.bind":"accounts(name='x')"}"#,
    ),
    (200, "GET", "contacts({c20})?$select=_parentcustomerid_value", "", ""),
    (
        204,
        "PUT",
        "contacts({c3})/parentcustomerid_account/$ref",
        "",
        r#"{"@odata.id":"accounts(tickersymbol='two')"}"#,
    ),
    (
        204,
        "POST",
        "accounts(tickersymbol='two')/contact_customer_accounts/$ref",
        "",
        r#"{"@odata.id":"contacts({c4})"}"#,
    ),
    (
        200,
        "GET",
        "contacts?$filter=_parentcustomerid_value eq {a21}&$select=fullname&$orderby=contactid",
        "",
        "",
    ),
    (204, "DELETE", "accounts(tickersymbol='two')/contact_customer_accounts({c4})/$ref", "", ""),
    // Keys of several columns, whatever their order; a null in one makes it none.
    (204, "POST", "accounts", "", r#"{"accountid":"{a23}","name":"Listed","stockexchange":"OSE","sic":"1"}"#),
    (204, "POST", "accounts", "", r#"{"accountid":"{a24}","name":"Half listed","stockexchange":"OSE"}"#),
    (204, "POST", "accounts", "", r#"{"accountid":"{a25}","name":"Half listed","stockexchange":"ose"}"#),
    (412, "PATCH", "accounts({a25})", "", r#"{"sic":"1"}"#),
    (204, "PATCH", "accounts(sic='1',stockexchange='ose')", "", r#"{"telephone1":"7"}"#),
    (400, "GET", "accounts(stockexchange='ose')", "", ""),
    (400, "GET", "accounts(stockexchange='ose',sic=1)", "", ""),
    (
        204,
        "POST",
        "contacts",
        "",
        r#"{"contactid":"{c21}","lastname":"Numbered","employeeid":"E's","numberofchildren":2}"#,
    ),
    (200, "GET", "contacts(employeeid='E''s',numberofchildren=2)?$select=lastname", "", ""),
    (
        204,
        "POST",
        "accounts",
        "",
        r#"{"accountid":"{a26}","yominame":"U","parentaccountid@odata.bind":"accounts({a20})"}"#,
    ),
    (200, "GET", "accounts(yominame='u',_parentaccountid_value={a20})?$select=yominame", "", ""),
    // A key is free again when its row is gone or has another.
    (204, "PATCH", "accounts({a20})", "", r#"{"tickersymbol":null}"#),
    (204, "POST", "accounts", "", r#"{"accountid":"{a27}","tickersymbol":"ONE"}"#),
    (204, "DELETE", "accounts(tickersymbol='ONE')", "", ""),
    (404, "GET", "accounts({a27})", "", ""),
    (204, "PATCH", "accounts({a20})", "", r#"{"tickersymbol":"one"}"#),
];

const SEVERAL: &[Case] = &[
    (
        204,
        "POST",
        "accounts/Microsoft.Dynamics.CRM.UpsertMultiple",
        "",
        r#"{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.account","accountid":"{a20}","name":"One"},{"@odata.type":"Microsoft.Dynamics.CRM.account","accountid":"{a0}","telephone1":"77"},{"@odata.type":"Microsoft.Dynamics.CRM.account","@odata.id":"accounts(tickersymbol='M')","accountid":"{a21}","name":"By key"}]}"#,
    ),
    (200, "GET", "accounts(tickersymbol='m')?$select=name", "", ""),
    (
        200,
        "POST",
        "accounts/Microsoft.Dynamics.CRM.CreateMultiple",
        "",
        r#"{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.account","accountid":"{a22}","name":"Two"},{"@odata.type":"Microsoft.Dynamics.CRM.account","accountid":"{a23}","name":"Deep","contact_customer_accounts":[{"contactid":"{c20}","lastname":"In several"}]}]}"#,
    ),
    (200, "POST", "accounts/Microsoft.Dynamics.CRM.CreateMultiple", "", r#"{"Targets":[]}"#),
    (
        204,
        "POST",
        "accounts/Microsoft.Dynamics.CRM.UpdateMultiple",
        "",
        r#"{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.account","accountid":"{a22}","name":"Two again"},{"@odata.type":"Microsoft.Dynamics.CRM.account","@odata.id":"accounts(tickersymbol='m')","telephone1":"8"},{"@odata.type":"Microsoft.Dynamics.CRM.account","accountid":"{a1}","revenue":5}]}"#,
    ),
    (
        404,
        "POST",
        "accounts/Microsoft.Dynamics.CRM.UpdateMultiple",
        "",
        r#"{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.account","accountid":"{a1}","name":"Never"},{"@odata.type":"Microsoft.Dynamics.CRM.account","accountid":"{a27}","name":"Absent"}]}"#,
    ),
    (
        412,
        "POST",
        "accounts/Microsoft.Dynamics.CRM.CreateMultiple",
        "",
        r#"{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.account","accountid":"{a26}","name":"Never"},{"@odata.type":"Microsoft.Dynamics.CRM.account","accountid":"{a0}","name":"Taken"}]}"#,
    ),
    (404, "GET", "accounts({a26})", "", ""),
    (
        404,
        "POST",
        "accounts/Microsoft.Dynamics.CRM.UpdateMultiple",
        "",
        r#"{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.account","@odata.id":"accounts(tickersymbol='absent')","name":"x"}]}"#,
    ),
    (
        400,
        "POST",
        "accounts/Microsoft.Dynamics.CRM.UpdateMultiple",
        "",
        r#"{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.account","name":"Which?"}]}"#,
    ),
    (
        400,
        "POST",
        "accounts/Microsoft.Dynamics.CRM.UpsertMultiple",
        "",
        r#"{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.account","accountid":"{a1}","Account_Tasks":[{"subject":"deep"}]}]}"#,
    ),
];

const DUPLICATES: &[Case] = &[
    (412, "POST", "accounts", NO_DUPLICATES, r#"{"name":"o'bryan & søn"}"#),
    (
        204,
        "POST",
        "accounts",
        "MSCRM.SuppressDuplicateDetection: true",
        r#"{"accountid":"{a20}","name":"o'bryan & søn"}"#,
    ),
    (412, "PATCH", "accounts({a1})", NO_DUPLICATES, r#"{"name":"Zebra"}"#),
    (204, "PATCH", "accounts({a1})", NO_DUPLICATES, r#"{"telephone1":"Not looked at"}"#),
    (204, "PATCH", "accounts({a1})", NO_DUPLICATES, r#"{"name":"Nobody's yet"}"#),
    (412, "POST", "contacts", NO_DUPLICATES, r#"{"firstname":"KARI","lastname":"Nordmann"}"#),
    (204, "POST", "contacts", NO_DUPLICATES, r#"{"contactid":"{c20}","lastname":"Nordmann"}"#),
    (412, "POST", "contacts", NO_DUPLICATES, r#"{"lastname":"x","emailaddress1":"FIRST@example.org"}"#),
    (204, "POST", "tasks", NO_DUPLICATES, r#"{"activityid":"{t17}","subject":"Call"}"#),
    (
        412,
        "POST",
        "accounts",
        NO_DUPLICATES,
        r#"{"accountid":"{a21}","name":"Alone","contact_customer_accounts":[{"firstname":"kari","lastname":"nordmann"}]}"#,
    ),
    (404, "GET", "accounts({a21})", "", ""),
];

fn check_all(cases: &[Case]) {
    for known in [Known::All, Known::Older, Known::Nothing] {
        let world = World::new(known).loosely();
        for (status, method, path, headers, body) in cases {
            world.check(*status, &Ask::new(method, path, headers, body));
        }
        world.read_back();
        world.agree();
    }
}

#[test]
fn rows_that_come_along_are_made_alike() {
    check_all(NESTED);
}

#[test]
fn alternate_keys_name_rows_alike() {
    check_all(KEYS);
}

#[test]
fn several_rows_are_written_alike() {
    check_all(SEVERAL);
}

#[test]
fn duplicates_are_found_alike() {
    check_all(DUPLICATES);
}
