//! Repeatable requests: sent twice, done once.

use super::support::{Answer, Server};
use flette_odata::time::format_http_date;
use flette_server::web;

const ID: &str = "5f000000-0000-4000-8000-000000000001";
const OTHER: &str = "5f000000-0000-4000-8000-000000000002";

fn sent(days_ago: i64) -> String {
    format_http_date(web::now() - days_ago * 86_400_000)
}

async fn ask(
    server: &Server,
    id: &str,
    method: &str,
    url: &str,
    more: &[(&str, &str)],
    body: &str,
) -> Answer {
    let sent = sent(0);
    let mut headers = vec![("Repeatability-Request-ID", id), ("Repeatability-First-Sent", sent.as_str())];
    headers.extend(more);
    server.send(method, url, &headers, body).await
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_has_no_effect() {
    let server = Server::empty().await;
    let row = "contacts(c0000000-0000-4000-8000-00000000000a)";
    let representation = [("Prefer", "return=representation")];
    for (at, (method, url, headers, body, status)) in [
        ("POST", "contacts", &[][..], r#"{"lastname":"Made once"}"#, 204),
        ("POST", "contacts?$select=lastname", &representation[..], r#"{"lastname":"Made once"}"#, 201),
        ("PATCH", row, &[("If-None-Match", "*")][..], r#"{"lastname":"By id"}"#, 204),
        ("PATCH", row, &representation[..], r#"{"telephone1":"5"}"#, 200),
        (
            "PUT",
            "contacts(c0000000-0000-4000-8000-00000000000a)/telephone1",
            &[][..],
            r#"{"value":"6"}"#,
            204,
        ),
        ("DELETE", row, &[][..], "", 204),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("5f000000-0000-4000-8000-0000000000{at:02}");
        let first = ask(&server, &id, method, url, headers, body).await;
        assert_eq!(first.status, status, "{method} {url}: {}", first.body);
        assert_eq!(first.header("Repeatability-Result"), Some("accepted"));
        let rows = server.list("contacts?$orderby=contactid").await.body;
        let again = ask(&server, &id.to_uppercase(), method, url, headers, body).await;
        let same = ["OData-EntityId", "ETag", "Preference-Applied", "Repeatability-Result", "Content-Type"];
        assert_eq!((again.status, &again.body), (first.status, &first.body), "{method} {url}");
        for name in same {
            assert_eq!(again.header(name), first.header(name), "{method} {url} {name}");
        }
        assert_eq!(server.list("contacts?$orderby=contactid").await.body, rows, "{method} {url}");
    }
}

#[tokio::test]
async fn an_id_belongs_to_one_request_of_one_user() {
    let server = Server::empty().await;
    let made = ask(&server, ID, "POST", "contacts", &[], r#"{"lastname":"Made"}"#).await.id();
    let row = format!("contacts({made})");
    for (method, url, headers, body, status, code) in [
        ("POST", "contacts", &[][..], r#"{"lastname":"Other"}"#, 400, "0x80060888"),
        ("POST", "accounts", &[], r#"{"name":"Made"}"#, 400, "0x80060888"),
        ("PATCH", row.as_str(), &[("If-Match", "W/\"1\"")], r#"{"lastname":"Other"}"#, 412, "0x80060882"),
        ("PATCH", row.as_str(), &[("If-None-Match", "*")], r#"{"lastname":"Other"}"#, 412, "0x80040237"),
        ("DELETE", row.as_str(), &[], "", 400, "0x80060888"),
        (
            "POST",
            "contacts",
            &[("Prefer", "return=representation")],
            r#"{"lastname":"Made"}"#,
            400,
            "0x80060888",
        ),
    ] {
        let answer = ask(&server, ID, method, url, headers, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{method} {url} {body}");
        assert_eq!(answer.header("Repeatability-Result"), Some("rejected"));
    }
    let admin = server.sign_in("admin").await;
    let other = ask(&admin, ID, "POST", "contacts", &[], r#"{"lastname":"Made"}"#).await;
    assert_eq!(other.status, 204);
    assert_ne!(other.id(), made);
    assert_eq!(server.list("contacts?$select=lastname").await.column("lastname"), ["Made", "Made"]);
}

#[tokio::test]
async fn what_cannot_be_repeated_safely_is_rejected() {
    let server = Server::empty().await;
    let (fresh, old, just) = (sent(0), sent(91), sent(89));
    let body = r#"{"lastname":"x"}"#;
    let row = "contacts(c0000000-0000-4000-8000-00000000000b)";
    for (id, first_sent, method, url, condition, status) in [
        (Some("nonsense"), Some(fresh.as_str()), "POST", "contacts", None, 400),
        (Some(ID), Some("yesterday"), "POST", "contacts", None, 400),
        (Some(ID), None, "POST", "contacts", None, 400),
        (None, Some(fresh.as_str()), "POST", "contacts", None, 400),
        (Some(ID), Some(old.as_str()), "POST", "contacts", None, 412),
        // A condition that the request ends makes it safe.
        (Some(ID), Some(old.as_str()), "PATCH", row, Some(("If-None-Match", "*")), 204),
        (Some(OTHER), Some(old.as_str()), "PATCH", row, Some(("If-Match", "*")), 412),
        (Some(OTHER), Some(old.as_str()), "PATCH", row, Some(("If-None-Match", "W/\"1\"")), 412),
        (Some(OTHER), Some(just.as_str()), "POST", "contacts", None, 204),
    ] {
        let mut headers = Vec::new();
        headers.extend(id.map(|id| ("Repeatability-Request-ID", id)));
        headers.extend(first_sent.map(|sent| ("Repeatability-First-Sent", sent)));
        headers.extend(condition);
        let answer = server.send(method, url, &headers, body).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.body);
        let expected = if status >= 400 { "rejected" } else { "accepted" };
        assert_eq!(answer.header("Repeatability-Result"), Some(expected), "{headers:?}");
    }
    // What fails has no effect: it may be tried again under its id.
    let id = "5f000000-0000-4000-8000-000000000003";
    assert_eq!(ask(&server, id, "PATCH", row, &[("If-Match", "W/\"1\"")], body).await.status, 412);
    let etag = server.get(row).await.header("ETag").unwrap().to_owned();
    assert_eq!(ask(&server, id, "PATCH", row, &[("If-Match", &etag)], body).await.status, 204);
}

#[tokio::test]
async fn parts_of_a_batch_and_of_a_change_set_are_repeated_one_by_one() {
    let server = Server::empty().await;
    let sent = sent(0);
    let part = |number: u32, set: &str, body: &str| {
        format!(
            "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {number}\r\n\r\n\
             POST /api/data/v9.2/{set} HTTP/1.1\r\nContent-Type: application/json\r\n\
             Repeatability-Request-ID: 5f000000-0000-4000-8000-00000000001{number}\r\n\
             Repeatability-First-Sent: {sent}\r\n\r\n{body}\r\n"
        )
    };
    let set = |parts: &[String]| {
        let parts: String = parts.iter().map(|part| format!("--c\r\n{part}")).collect();
        format!("--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n{parts}--c--\r\n")
    };
    let account = part(1, "accounts", r#"{"name":"Once"}"#);
    let contact = part(2, "contacts", r#"{"lastname":"Once","parentcustomerid_account@odata.bind":"$1"}"#);
    let task = part(3, "tasks", r#"{"subject":"Late","regardingobjectid_account_task@odata.bind":"$1"}"#);
    let single = format!("--b\r\n{}", part(4, "accounts", r#"{"name":"Alone"}"#));
    let headers = [("Content-Type", "multipart/mixed; boundary=b")];
    let links = |answer: &Answer| {
        let lines = answer.body.lines().filter(|line| line.starts_with("OData-EntityId"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let first = format!("{}{single}--b--", set(&[account.clone(), contact.clone()]));
    let first = server.send("POST", "$batch", &headers, &first).await;
    assert_eq!((first.status, links(&first).len()), (200, 3), "{}", first.body);
    // The set once more, with one part that is new and links to a row made before.
    let again = format!("{}{single}--b--", set(&[account.clone(), contact, task.clone()]));
    let again = server.send("POST", "$batch", &headers, &again).await;
    let (before, after) = (links(&first), links(&again));
    assert_eq!((after.len(), &after[..2], &after[3]), (4, &before[..2], &before[2]), "{}", again.body);
    assert_eq!(again.body.matches("Repeatability-Result: accepted").count(), 4);
    assert_eq!(server.list("accounts?$orderby=name").await.column("name"), ["Alone", "Once"]);
    let expand = "tasks?$select=subject&$expand=regardingobjectid_account_task($select=name)";
    assert_eq!(server.list(expand).await.rows()[0]["regardingobjectid_account_task"]["name"], "Once");
    // Another request under a known id brings the whole set down.
    let other = part(1, "accounts", r#"{"name":"Never"}"#);
    let failed = set(&[part(5, "accounts", r#"{"name":"Never"}"#), other]);
    let failed = server.send("POST", "$batch", &headers, &format!("{failed}--b--")).await;
    assert_eq!(failed.status, 400, "{}", failed.body);
    assert_eq!(server.list("accounts").await.rows().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn repeats_at_the_same_time_have_one_effect() {
    let server = Server::empty().await;
    let mut asked = Vec::new();
    for _ in 0..8 {
        let server = server.clone();
        asked.push(tokio::spawn(async move {
            let answer = ask(&server, ID, "POST", "contacts", &[], r#"{"lastname":"Once"}"#).await;
            assert_eq!(answer.status, 204, "{}", answer.body);
            answer.id()
        }));
    }
    let mut ids = Vec::new();
    for one in asked {
        ids.push(one.await.unwrap());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(server.list("contacts").await.rows().len(), 1);
}

#[tokio::test]
async fn extensions_are_announced() {
    let server = Server::empty().await;
    let extensions = server.get("WhoAmI").await.header("Flette-Extensions").unwrap().to_owned();
    assert_eq!(
        extensions,
        "changes-only, exact-time, field-stamps, known-versions, repeatable-requests, same-user"
    );
    let plain = server.send("POST", "contacts", &[], r#"{"lastname":"x"}"#).await;
    assert_eq!(plain.header("Repeatability-Result"), None);
}

#[tokio::test]
async fn every_answer_of_the_api_tells_the_millisecond_at_which_it_was_ready() {
    let server = Server::empty().await;
    let mut before = flette_server::web::now();
    let created = server.send("POST", "contacts", &[], r#"{"lastname":"x"}"#).await;
    let read = server.get("contacts").await;
    let refused = server.get("nothings").await;
    for answer in [created, read, refused] {
        let told = flette_odata::time::parse_datetime(answer.header("Flette-Date").unwrap()).unwrap();
        assert!((before..=flette_server::web::now()).contains(&told), "{told}");
        before = told;
    }
}
