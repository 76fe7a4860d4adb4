//! `$batch` at both doors.

use crate::world::{Ask, Known, World};

/// Items parted by `~~~`. One that begins with `[` is a change set, whose parts are parted by `~~`; a part is a request
/// line, header lines, an empty line, a body.
pub fn batch(items: &str, prefer: &str) -> Ask {
    let mut body = String::new();
    for item in items.split("~~~").map(str::trim) {
        body.push_str("--batch_b\n");
        match item.strip_prefix('[') {
            None => body.push_str(&part(item, None)),
            Some(set) => {
                body.push_str("Content-Type: multipart/mixed;boundary=changeset_c\n\n");
                for (at, one) in set.split("~~").enumerate() {
                    body.push_str(&format!("--changeset_c\n{}", part(one.trim(), Some(at + 1))));
                }
                body.push_str("--changeset_c--\n\n");
            }
        }
    }
    body.push_str("--batch_b--\n");
    Ask::new("POST", "$batch", &format!("Content-Type: multipart/mixed;boundary=batch_b | {prefer}"), &body)
}

fn part(text: &str, content_id: Option<usize>) -> String {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let (line, headers) = head.split_once('\n').unwrap_or((head, ""));
    let content_id = content_id.map_or(String::new(), |id| format!("Content-ID: {id}\n"));
    let content_type = if body.is_empty() { "" } else { "Content-Type: application/json; type=entry\n" };
    let headers = if headers.is_empty() { String::new() } else { format!("{headers}\n") };
    let line = line.replace(' ', "%20").replacen("%20", " ", 1);
    format!(
        "Content-Type: application/http\nContent-Transfer-Encoding: binary\n{content_id}\n{line} HTTP/1.1\n{content_type}{headers}\n{body}\n"
    )
}

const GO_ON: &str = "Prefer: odata.continue-on-error";

/// Outer status, preference, items.
const BATCHES: &[(u16, &str, &str)] = &[
    (200, "", "GET accounts({a0})?$select=name"),
    (200, "", "GET {root}accounts?$select=name&$orderby=name&$top=2\nPrefer: odata.include-annotations=\"*\" ~~~ GET /api/data/v9.2/accounts({a1})?$select=name"),
    (200, "", "GET accounts/$count ~~~ GET accounts?$select=accountid&$orderby=accountid&$top=1 ~~~ GET WhoAmI"),
    (200, "", "GET accounts({a0})\nIf-None-Match: *"),
    (404, "", "GET accounts({a0})?$select=name ~~~ GET accounts({a20}) ~~~ GET accounts({a1})?$select=name"),
    (200, GO_ON, "GET accounts({a0})?$select=name ~~~ GET accounts({a20}) ~~~ GET accounts({a1})?$select=name"),
    (400, "", "GET accounts?$filter=nothing eq 1"),
    (200, GO_ON, "GET accounts?$filter=nothing eq 1 ~~~ GET accounts?$skiptoken=x"),
    (
        200,
        "",
        "[POST accounts\n\n{\"accountid\":\"{a20}\",\"name\":\"One\"} ~~ POST contacts\n\n{\"contactid\":\"{c20}\",\"lastname\":\"Of one\",\"parentcustomerid_account@odata.bind\":\"$1\"} ~~ PATCH $1\n\n{\"telephone1\":\"5\"} ~~ PUT $1/description\n\n{\"value\":\"put\"} ~~ PUT $1/primarycontactid/$ref\n\n{\"@odata.id\":\"$2\"}",
    ),
    (200, "", "GET accounts({a20})?$select=name,telephone1,description,_primarycontactid_value ~~~ GET contacts({c20})?$select=fullname"),
    (
        200,
        "",
        "[POST accounts\nPrefer: return=representation\n\n{\"accountid\":\"{a21}\",\"name\":\"Shown\"} ~~ PATCH accounts({a21})?$select=name\nPrefer: return=representation\n\n{\"name\":\"Shown again\"} ~~ DELETE tasks({t7})",
    ),
    (
        412,
        "",
        "[POST accounts\n\n{\"accountid\":\"{a22}\",\"name\":\"Rolled back\"} ~~ PATCH accounts({a0})\nIf-Match: W/\"1\"\n\n{\"name\":\"never\"} ~~ PATCH accounts({a1})\n\n{\"name\":\"never\"}",
    ),
    (404, "", "GET accounts({a22})"),
    (
        200,
        GO_ON,
        "[POST accounts\n\n{\"accountid\":\"{a22}\",\"name\":\"Rolled back\"} ~~ PATCH accounts({a0})\n\n{\"name\":5} ~~~ GET accounts({a22}) ~~~ [POST accounts\n\n{\"accountid\":\"{a23}\",\"name\":\"Kept\"} ~~~ GET accounts({a23})?$select=name",
    ),
    (
        400,
        "",
        "[PATCH accounts({a2})\n\n{\"name\":\"Committed\"} ~~~ [PATCH accounts({a2})\n\n{\"nothing\":1} ~~~ [PATCH accounts({a2})\n\n{\"name\":\"Never reached\"}",
    ),
    (200, "", "GET accounts({a2})?$select=name"),
    (400, "", "[PATCH $1\n\n{\"name\":\"x\"}"),
    (400, "", "[POST contacts\n\n{\"lastname\":\"x\",\"parentcustomerid_account@odata.bind\":\"$2\"} ~~ POST accounts\n\n{\"name\":\"x\"}"),
    (400, "", "[POST contacts\n\n{\"lastname\":\"x\",\"parentcustomerid_account@odata.bind\":\"$9\"}"),
    (400, "", "[GET accounts({a0})"),
    (404, "", "[POST accounts\n\n{\"name\":\"x\"} ~~ PATCH $1/nothing\n\n{\"value\":5}"),
    (200, "", "POST accounts\n\n{\"accountid\":\"{a19}\",\"name\":\"Single\"} ~~~ PATCH accounts({a19})\nIf-Match: *\n\n{\"name\":\"Single again\"} ~~~ PUT accounts({a19})/name\n\n{\"value\":\"Third\"} ~~~ GET accounts({a19})?$select=name ~~~ DELETE accounts({a19})"),
    (412, "", "POST accounts\n\n{\"accountid\":\"{a0}\",\"name\":\"Single\"}"),
    (404, "", "DELETE accounts({a19}) ~~~ PATCH accounts({a1})\n\n{\"name\":\"never\"}"),
    (405, "", "PATCH accounts\n\n{\"name\":\"x\"}"),
    (200, GO_ON, "PATCH accounts({a3})\n\n{\"name\":\"Before\"} ~~~ POST accounts\n\n{ ~~~ PATCH accounts({a3})\n\n{\"telephone1\":\"after\"} ~~~ GET accounts({a3})?$select=name,telephone1"),
    (
        400,
        "",
        "[POST tasks\n\n{\"activityid\":\"{t17}\",\"subject\":\"For both\",\"regardingobjectid_account_task@odata.bind\":\"$2\"} ~~ POST accounts\n\n{\"name\":\"x\"}",
    ),
    // What goes with a row is gone for the rest of the set; who pointed to it does not any more.
    (404, "", "[DELETE accounts({a1}) ~~ PATCH contacts({c1})\nIf-Match: *\n\n{\"jobtitle\":\"never\"}"),
    (404, "", "[DELETE contacts({c0}) ~~ PUT tasks({t1})/subject\n\n{\"value\":\"never\"}"),
    (404, "", "[DELETE contacts({c0}) ~~ PUT accounts({a3})/primarycontactid/$ref\n\n{\"@odata.id\":\"contacts({c2})\"}"),
    (200, "", "GET tasks({t1})?$select=subject ~~~ GET contacts({c1})?$select=jobtitle"),
    (
        200,
        "",
        "[DELETE contacts({c0}) ~~ PATCH accounts({a0})?$select=telephone1,_primarycontactid_value\nPrefer: return=representation\n\n{\"telephone1\":\"after\"}",
    ),
];

fn check(known: Known) {
    let world = World::new(known).loosely();
    for (status, prefer, items) in BATCHES {
        world.check(*status, &batch(items, prefer));
    }
    let raw = |body: &str| Ask::new("POST", "$batch", "Content-Type: multipart/mixed; boundary=\"b\"", body);
    for body in [
        "--b\nContent-Type: application/http\n\nGET accounts({a0}) HTTP/1.1\n\n",
        "--b\nContent-Type: application/http\n\nSEIZE accounts({a0}) HTTP/1.1\n\n\n--b--",
        "--b\nContent-Type: application/http\n\nGET\n\n\n--b--",
        "--b\n\n--b--",
    ] {
        world.check(400, &raw(body));
    }
    world.check(200, &raw("--b--"));
    world.read_back();
    world.agree();
}

#[test]
fn batches_are_answered_alike() {
    for known in [Known::All, Known::Older, Known::Nothing] {
        check(known);
    }
}
