//! Tables whose rows get their ids from the service, at both doors: a new row takes none of the client's own.

use crate::batches::batch;
use crate::world::{Ask, World};

/// Status, verb, path, headers, body.
type Case = (u16, &'static str, &'static str, &'static str, &'static str);

const RETURN: &str = "Prefer: return=representation";

const CASES: &[Case] = &[
    (400, "POST", "accounts", "", r#"{"accountid":"{a20}","name":"x"}"#),
    (400, "POST", "accounts", "", r#"{"accountid":"{a0}","name":"x"}"#),
    (400, "POST", "accounts", "", r#"{"accountid":null,"name":"x"}"#),
    (204, "POST", "accounts", "", r#"{"name":"Made"}"#),
    (201, "POST", "accounts?$select=name", RETURN, r#"{"name":"Shown"}"#),
    (204, "PATCH", "accounts({new0})", "", r#"{"telephone1":"1"}"#),
    (204, "PATCH", "accounts({new0})", "If-Match: *", r#"{"accountid":"{new0}","telephone1":"2"}"#),
    (412, "PATCH", "accounts({new0})", "If-None-Match: *", r#"{"telephone1":"3"}"#),
    (204, "PUT", "accounts({new0})/description", "", r#"{"value":"x"}"#),
    (404, "PATCH", "accounts({a20})", "", r#"{"name":"x"}"#),
    (404, "PATCH", "accounts({a20})", "", r#"{"accountid":"{a20}","name":"x"}"#),
    (404, "PATCH", "accounts({a20})", "If-Match: *", r#"{"name":"x"}"#),
    (404, "PATCH", "accounts({a20})", "If-None-Match: *", r#"{"name":"x"}"#),
    (404, "PATCH", "accounts({a20})", "If-None-Match: W/\"1\"", r#"{"name":"x"}"#),
    (404, "PATCH", "accounts({a20})", "", r#"{"name":"x","statuscode":2}"#),
    (404, "PUT", "accounts({a20})/name", "", r#"{"value":"x"}"#),
    (405, "PUT", "accounts({a20})", "", r#"{"name":"x"}"#),
    (
        400,
        "POST",
        "accounts/Microsoft.Dynamics.CRM.CreateMultiple",
        "",
        r#"{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.account","accountid":"{a20}","name":"x"}]}"#,
    ),
    (
        400,
        "POST",
        "accounts/Microsoft.Dynamics.CRM.CreateMultiple",
        "",
        r#"{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.account","@odata.id":"accounts({a20})","name":"x"}]}"#,
    ),
    (
        404,
        "POST",
        "accounts/Microsoft.Dynamics.CRM.UpsertMultiple",
        "",
        r#"{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.account","name":"never"},{"@odata.type":"Microsoft.Dynamics.CRM.account","accountid":"{a20}","name":"x"}]}"#,
    ),
    (
        204,
        "POST",
        "accounts/Microsoft.Dynamics.CRM.UpsertMultiple",
        "",
        r#"{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.account","name":"New"},{"@odata.type":"Microsoft.Dynamics.CRM.account","accountid":"{a0}","name":"Old"}]}"#,
    ),
    (
        400,
        "POST",
        "contacts",
        "",
        r#"{"lastname":"x","parentcustomerid_account":{"@odata.type":"Microsoft.Dynamics.CRM.account","accountid":"{a20}","name":"x"}}"#,
    ),
    (
        204,
        "POST",
        "contacts",
        "",
        r#"{"contactid":"{c20}","lastname":"Deep","parentcustomerid_account":{"@odata.type":"Microsoft.Dynamics.CRM.account","name":"Above"}}"#,
    ),
    (
        400,
        "PATCH",
        "contacts({c21})",
        "",
        r#"{"lastname":"x","account_primary_contact":[{"accountid":"{a20}","name":"x"}]}"#,
    ),
    (
        204,
        "PATCH",
        "contacts({c21})",
        "If-None-Match: *",
        r#"{"lastname":"Deep too","account_primary_contact":[{"name":"Below"}]}"#,
    ),
    (204, "PATCH", "accounts(tickersymbol='T1')", "", r#"{"name":"By key"}"#),
    (204, "PATCH", "accounts(tickersymbol='T1')", "", r#"{"name":"By key again"}"#),
    (400, "PATCH", "accounts(tickersymbol='T2')", "", r#"{"accountid":"{a20}","name":"x"}"#),
    (404, "GET", "accounts({a20})", "", ""),
];

/// Outer status, items. The parts of a change set are numbered.
const BATCHES: &[(u16, &str)] = &[
    (400, "[POST accounts\n\n{\"accountid\":\"{a20}\",\"name\":\"x\"}"),
    (404, "[PATCH accounts({a20})\nIf-None-Match: *\n\n{\"name\":\"x\"}"),
    (
        200,
        "[POST accounts\n\n{\"name\":\"In a set\"} ~~ POST contacts\n\n{\"contactid\":\"{c22}\",\"lastname\":\"Of it\",\"parentcustomerid_account@odata.bind\":\"$1\"} ~~ PATCH $1\n\n{\"primarycontactid@odata.bind\":\"$2\"}",
    ),
    (200, "GET contacts({c22})?$select=fullname&$expand=parentcustomerid_account($select=name)"),
];

#[test]
fn new_rows_get_their_ids_from_whoever_answers() {
    let world = World::giving_ids(&["account"]).loosely();
    for (status, method, path, headers, body) in CASES {
        world.check(*status, &Ask::new(method, path, headers, body));
    }
    for (status, items) in BATCHES {
        world.check(*status, &batch(items, ""));
    }
    world.read_back();
    world.agree();
}

/// Parts of a change set that refer to each other by names of any kind.
const NAMED: &[(u16, &str, &str, &str)] = &[
    (200, "5f000000-0000-4000-8000-00000000000a", "5f000000-0000-4000-8000-00000000000b", "ab"),
    (200, "1", "10", "100"),
    (200, "10", "1", "100"),
    (200, "a.b_c~d-1", "a.b_c~d", "a"),
    (400, "1", "10", "1"),
];

#[test]
fn parts_of_a_change_set_have_names_of_any_kind() {
    let world = World::giving_ids(&["account", "contact"]).loosely();
    for (status, first, second, third) in NAMED {
        let parts = [
            (first, "POST accounts", r#"{"name":"Above"}"#.to_owned()),
            (
                second,
                "POST contacts",
                format!(r#"{{"lastname":"Below","parentcustomerid_account@odata.bind":"${first}"}}"#),
            ),
            (
                third,
                &format!("PATCH ${first}?$select=name"),
                format!(r#"{{"primarycontactid@odata.bind":"/${second}","telephone1":"5"}}"#),
            ),
        ];
        let part = |(name, line, body): &(&&str, &str, String)| {
            format!(
                "--c\nContent-Type: application/http\nContent-ID: {name}\n\n{line} HTTP/1.1\n\
                 Content-Type: application/json\nPrefer: return=representation\n\n{body}\n"
            )
        };
        let set: String = parts.iter().map(part).collect();
        let body = format!("--b\nContent-Type: multipart/mixed; boundary=c\n\n{set}--c--\n--b--\n");
        world.check(*status, &Ask::new("POST", "$batch", "Content-Type: multipart/mixed; boundary=b", &body));
    }
    for unknown in ["$10", "$5f000000-0000-4000-8000-00000000000a", "$x.y"] {
        world.check(400, &batch(&format!("GET {unknown}"), ""));
        world.check(400, &batch(&format!("[POST accounts\n\n{{\"name\":\"x\"}} ~~ DELETE {unknown}"), ""));
    }
    world.read_back();
    world.agree();
}
