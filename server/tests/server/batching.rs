//! `$batch`.

use super::support::{Answer, Server};

fn part(headers: &str, request: &str) -> String {
    format!(
        "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n{headers}\r\n{request}\r\n"
    )
}

fn post(content_id: u32, set: &str, body: &str) -> String {
    let request = format!(
        "POST /api/data/v9.2/{set} HTTP/1.1\r\nContent-Type: application/json; type=entry\r\n\r\n{body}"
    );
    part(&format!("Content-ID: {content_id}\r\n"), &request)
}

fn get(url: &str) -> String {
    part("", &format!("GET {url} HTTP/1.1\r\nAccept: application/json\r\n\r\n"))
}

fn change_set(parts: &[String]) -> String {
    let inner: String = parts.iter().map(|part| format!("--changeset_c\r\n{part}")).collect();
    format!("Content-Type: multipart/mixed; boundary=\"changeset_c\"\r\n\r\n{inner}--changeset_c--\r\n")
}

async fn send(server: &Server, headers: &[(&str, &str)], items: &[String]) -> Answer {
    let body: String =
        items.iter().map(|item| format!("--batch_b\r\n{item}")).collect::<String>() + "--batch_b--\r\n";
    let mut all = vec![("Content-Type", "multipart/mixed; boundary=batch_b")];
    all.extend(headers);
    server.send("POST", "$batch", &all, &body).await
}

fn statuses(answer: &Answer) -> Vec<String> {
    let lines = answer.body.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 "));
    lines.map(|line| line[..3].to_owned()).collect()
}

#[tokio::test]
async fn a_change_set_links_its_rows_and_is_answered_in_order() {
    let server = Server::empty().await;
    let set = change_set(&[
        post(1, "accounts", r#"{"name":"Batch AS"}"#),
        post(2, "contacts", r#"{"lastname":"Én","parentcustomerid_account@odata.bind":"$1"}"#),
        part(
            "Content-ID: 3\r\n",
            "PATCH $1 HTTP/1.1\r\nContent-Type: application/json\r\n\r\n\
             {\"primarycontactid@odata.bind\":\"$2\"}",
        ),
    ]);
    let read = "/api/data/v9.2/accounts?$select=name&$expand=primarycontactid($select=fullname)";
    let answer = send(&server, &[], &[set, get(read)]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(statuses(&answer), ["204", "204", "204", "200"]);
    assert!(answer.body.starts_with("--batchresponse_"));
    assert!(answer.body.contains("--changesetresponse_"));
    assert!(answer.body.contains("Content-ID: 2\r\n"));
    assert_eq!(answer.body.matches("Location: http://crm.example/api/data/v9.2/").count(), 3);
    assert!(answer.body.contains(r#""primarycontactid":{"@odata.etag":"#));
    assert!(answer.body.contains(r#""fullname":"Én""#));
}

#[tokio::test]
async fn a_failed_change_set_leaves_nothing_and_stops_the_batch_unless_told_to_go_on() {
    for go_on in [false, true] {
        let server = Server::empty().await;
        let long = format!(r#"{{"subject":"{}"}}"#, "x".repeat(201));
        let good = change_set(&[post(1, "accounts", r#"{"name":"Stays"}"#)]);
        let bad = change_set(&[post(1, "accounts", r#"{"name":"Goes"}"#), post(2, "tasks", &long)]);
        let headers: &[(&str, &str)] = if go_on { &[("Prefer", "odata.continue-on-error")] } else { &[] };
        let read = get("/api/data/v9.2/accounts?$select=name&$orderby=name");
        let answer = send(&server, headers, &[good, bad, read]).await;
        assert_eq!(answer.status, if go_on { 200 } else { 400 });
        assert!(answer
            .header("Content-Type")
            .unwrap()
            .starts_with("multipart/mixed; boundary=batchresponse_"));
        let expected: &[&str] = if go_on { &["204", "400", "200"] } else { &["204", "400"] };
        assert_eq!(statuses(&answer), expected, "{}", answer.body);
        assert!(answer.body.contains("0x80044331") && answer.body.contains("REQ_ID: "));
        assert_eq!(server.list("accounts?$select=name").await.column("name"), ["Stays"]);
    }
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_does_nothing() {
    let server = Server::empty().await;
    let unknown = change_set(&[part(
        "Content-ID: 2\r\n",
        "PATCH $9 HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{\"name\":\"x\"}",
    )]);
    let answer = send(&server, &[], &[unknown]).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.body.contains("Content-ID Reference: '$9' does not exist in the batch context."),
        "{}",
        answer.body
    );
    let reading = change_set(&[post(1, "accounts", r#"{"name":"x"}"#), get("/api/data/v9.2/accounts")]);
    let answer = send(&server, &[], &[reading]).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "0x80048d19"));
    let cut = "--batch_b\r\nContent-Type: application/http\r\n";
    let headers = [("Content-Type", "multipart/mixed; boundary=batch_b")];
    let answer = server.send("POST", "$batch", &headers, cut).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "0x80048d19"));
    let answer = server.send("POST", "$batch", &[], "{}").await;
    assert_eq!(answer.status, 415);
    assert_eq!(server.list("accounts?$select=name").await.rows().len(), 0);
}

#[tokio::test]
async fn bare_line_feeds_and_relative_urls_are_taken() {
    let server = Server::empty().await;
    let body = "--dwa_1\nContent-Type: multipart/mixed;boundary=cs_1\n\n\
        --cs_1\nContent-Type: application/http\n\
        Content-Transfer-Encoding: binary\nContent-ID: 1\n\n\
        POST http://crm.example/api/data/v9.2/accounts HTTP/1.1\n\
        Content-Type: application/json\n\n{\"name\":\"LF\"}\n--cs_1--\n\
        --dwa_1\nContent-Type: application/http\n\
        Content-Transfer-Encoding: binary\n\nGET accounts?$select=name&$top=1 HTTP/1.1\n\n\n--dwa_1--";
    let headers = [("Content-Type", "multipart/mixed;boundary=dwa_1")];
    let answer = server.send("POST", "$batch", &headers, body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(statuses(&answer), ["204", "200"], "{}", answer.body);
    assert!(answer.body.contains(r#""name":"LF""#));
}

/// Where the database has one writer: two batches that took turns would both be answered when the later one can.
#[tokio::test]
async fn two_batches_of_a_user_do_not_take_turns() {
    const PARTS: u32 = 400;
    let server = Server::empty().await;
    if module_path!().contains("::on_postgres::") {
        return;
    }
    let batch = |name: &str| -> Vec<String> {
        let body = format!(r#"{{"name":"{name}"}}"#);
        (1..=PARTS).map(|id| post(id, "accounts", &body)).collect()
    };
    let (first, second) = (batch("a"), batch("b"));
    let answers = tokio::join!(send(&server, &[], &first), send(&server, &[], &second));
    assert_eq!((answers.0.status, answers.1.status), (200, 200));
    let names = server.list("accounts?$select=name&$orderby=versionnumber").await.column("name");
    assert_eq!(names.len(), 2 * PARTS as usize);
    let turns = names.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert_eq!(turns, 1, "{}", names.concat());
}
