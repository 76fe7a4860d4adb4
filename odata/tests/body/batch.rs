use crate::fixture::{id, no_references, schema, to, A, B, ROOT};
use flette_odata::batch::*;
use flette_odata::{Headers, Method, Request, Response};
use proptest::prelude::*;

/// The example of the developer guide, with either line end and either form of boundary.
fn sample(line_end: &str, quote: &str) -> (String, Vec<u8>) {
    let body = [
        "--batch_b1",
        &format!("Content-Type: multipart/mixed; boundary={quote}changeset_c1{quote}"),
        "",
        "--changeset_c1",
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        "Content-ID: 1",
        "",
        "POST /api/data/v9.2/accounts HTTP/1.1",
        "Content-Type: application/json; type=entry",
        "",
        "{\"name\":\"Sample Ltd\"}",
        "--changeset_c1",
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        "Content-ID:2",
        "",
        "PATCH $1 HTTP/1.1",
        "If-Match: W/\"2300399\"",
        "",
        "{\"parentcustomerid_account@odata.bind\":\"$1\"}",
        "--changeset_c1--",
        "",
        "--batch_b1",
        "content-type: application/http",
        "",
        "GET /api/data/v9.2/contacts?$filter=contains(lastname, 'x') HTTP/1.1",
        "",
        "",
        "--batch_b1--",
        "",
    ];
    (format!("multipart/mixed;boundary={quote}batch_b1{quote}"), body.join(line_end).into_bytes())
}

#[test]
fn requests_are_read_with_either_line_end_and_boundary_quoted_or_bare() {
    for (line_end, quote) in [("\r\n", "\""), ("\n", ""), ("\r\n", ""), ("\n", "\"")] {
        let (content_type, body) = sample(line_end, quote);
        let items = parse_batch(&content_type, &body).unwrap();
        assert_eq!(items.len(), 2);
        let BatchItem::ChangeSet(parts) = &items[0] else { panic!("no change set") };
        assert_eq!(parts[0].content_id.as_deref(), Some("1"));
        assert_eq!(parts[0].request.body, b"{\"name\":\"Sample Ltd\"}");
        assert_eq!(parts[0].request.headers.get("content-type"), Some("application/json; type=entry"));
        assert_eq!((parts[1].request.method, parts[1].request.url.as_str()), (Method::Patch, "$1"));
        assert_eq!(parts[1].content_id.as_deref(), Some("2"));
        assert_eq!(parts[1].request.headers.get("If-Match"), Some("W/\"2300399\""));
        let BatchItem::Single(part) = &items[1] else { panic!("no single") };
        assert_eq!(part.request.url, "/api/data/v9.2/contacts?$filter=contains(lastname, 'x')");
        assert!(part.request.body.is_empty() && part.content_id.is_none());
    }
}

#[test]
fn malformed_batches_are_refused_as_a_whole() {
    let get = "--b\r\n\r\nGET /x HTTP/1.1\r\n\r\n\r\n";
    let inner = |part: &str| {
        format!("--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n{part}\r\n--c--\r\n--b--\r\n")
    };
    let post = "Content-ID: 1\r\n\r\nPOST /x HTTP/1.1\r\n\r\n{}\r\n";
    let cases: &[(&str, &str, String)] = &[
        ("no boundary", "multipart/mixed", format!("{get}--b--")),
        ("empty boundary", "multipart/mixed; boundary=\"\"", format!("{get}--b--")),
        ("other type", "application/json; boundary=b", format!("{get}--b--")),
        ("no closing delimiter", "multipart/mixed; boundary=b", get.to_owned()),
        ("cut in the closing delimiter", "multipart/mixed; boundary=b", format!("{get}--b-")),
        ("empty body", "multipart/mixed; boundary=b", String::new()),
        ("empty part", "multipart/mixed; boundary=b", "--b\r\n\r\n--b--".to_owned()),
        ("no version", "multipart/mixed; boundary=b", "--b\r\n\r\nGET /x\r\n\r\n--b--".to_owned()),
        (
            "strange verb",
            "multipart/mixed; boundary=b",
            "--b\r\n\r\nMERGE /x HTTP/1.1\r\n\r\n--b--".to_owned(),
        ),
        ("batch in batch", "multipart/mixed; boundary=b", get.replace("/x", "/x/$batch?a=b") + "--b--"),
        (
            "batch in batch, encoded",
            "multipart/mixed; boundary=b",
            get.replace("/x", "/x/%24Batch") + "--b--",
        ),
        ("GET in a change set", "multipart/mixed; boundary=b", inner("\r\nGET /x HTTP/1.1\r\n\r\n")),
        ("doubled Content-ID", "multipart/mixed; boundary=b", inner(&format!("{post}--c\r\n{post}"))),
        (
            "nested change set",
            "multipart/mixed; boundary=b",
            inner("Content-Type: multipart/mixed; boundary=d\r\n\r\n--d--"),
        ),
        ("too many", "multipart/mixed; boundary=b", get.repeat(BATCH_PARTS_MAX + 1) + "--b--"),
        (
            "too many headers",
            "multipart/mixed; boundary=b",
            format!("--b\r\n{}\r\n\r\nGET /x HTTP/1.1\r\n--b--", "a: b\r\n".repeat(BATCH_HEADERS_MAX + 1)),
        ),
    ];
    for (name, content_type, body) in cases {
        let error = parse_batch(content_type, body.as_bytes()).expect_err(name);
        assert_eq!((error.status, error.code.as_str()), (400, "0x80048d19"), "{name}");
    }
    let one_get = get.repeat(BATCH_PARTS_MAX - 1);
    let with_set = |parts: &str| one_get.clone() + &inner(parts);
    let (last, too_many) =
        (with_set(post), with_set(&format!("{post}--c\r\n{}", post.replace(": 1", ": 2"))));
    assert_eq!(parse_batch("multipart/mixed; boundary=b", last.as_bytes()).unwrap().len(), BATCH_PARTS_MAX);
    assert!(parse_batch("multipart/mixed; boundary=b", too_many.as_bytes()).is_err());
    let most = get.repeat(BATCH_PARTS_MAX) + "--b--";
    assert_eq!(parse_batch("multipart/mixed; boundary=b", most.as_bytes()).unwrap().len(), BATCH_PARTS_MAX);
}

#[test]
fn a_boundary_that_begins_another_one_does_not_split_it() {
    let body = "--b\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\n\r\nPOST /x HTTP/1.1\r\n\r\n--b2\r\n\
                --b1--\r\n--b--";
    let items = parse_batch("multipart/mixed; boundary=b", body.as_bytes()).unwrap();
    let BatchItem::ChangeSet(parts) = &items[0] else { panic!("no change set") };
    assert_eq!(parts[0].request.body, b"--b2");
}

#[test]
fn responses_have_no_preamble_and_the_prefixes_clients_look_for() {
    let created = Response::empty(204).header("OData-EntityId", format!("{ROOT}accounts({A})"));
    let answers = [
        BatchAnswer::ChangeSet(vec![(Some("1".into()), created)]),
        BatchAnswer::Single(Response::empty(404)),
    ];
    let response = write_batch_response(&answers, id(B), 404);
    let text = String::from_utf8(response.body).unwrap();
    assert!(text.starts_with(&format!(
        "--batchresponse_{B}\r\nContent-Type: multipart/mixed; boundary=changesetresponse_"
    )));
    assert!(text.contains("\r\nHTTP/1.1 204 No Content\r\nOData-Version: 4.0\r\n"), "{text}");
    assert!(text.contains("Content-ID: 1\r\n\r\nHTTP/1.1"));
    assert!(text.ends_with(&format!("\r\n--batchresponse_{B}--\r\n")));
    assert_eq!(response.status, 404);
    let expected = format!("multipart/mixed; boundary=batchresponse_{B}");
    assert_eq!(response.headers.get("content-type"), Some(expected.as_str()));
}

#[test]
fn every_change_set_has_a_boundary_of_its_own() {
    let set = || BatchAnswer::ChangeSet(vec![(None, Response::empty(204))]);
    let response = write_batch_response(&[set(), set()], id(B), 200);
    let text = String::from_utf8(response.body).unwrap();
    let closing: Vec<&str> = text.lines().filter(|l| l.starts_with("--") && l.ends_with("--")).collect();
    assert_eq!(closing.len(), 3);
    assert!(closing[0] != closing[1] && !closing[0].contains(B), "{closing:?}");
}

#[test]
fn header_values_cannot_begin_lines_of_their_own() {
    let response = Response::empty(204).header("X", "a\r\nY: b\n\n{}");
    let text =
        String::from_utf8(write_batch_response(&[BatchAnswer::Single(response)], id(A), 200).body).unwrap();
    assert!(text.contains("X: a  Y: b  {}\r\n"), "{text}");
}

#[test]
fn responses_with_one_blank_line_without_content_id_or_cut_short() {
    let body = "--r\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: application/http\n\n\
                HTTP/1.1 204 No Content\nOData-Version: 4.0\n\n--c--\n--r\n\nHTTP/1.1 400 Bad Request\n\n{}\n--r--";
    let answers = parse_batch_response("multipart/mixed; boundary=r", body.as_bytes()).unwrap();
    let BatchAnswer::ChangeSet(set) = &answers[0] else { panic!("no change set") };
    assert_eq!((set[0].0.as_deref(), set[0].1.status, set[0].1.body.len()), (None, 204, 0));
    let BatchAnswer::Single(single) = &answers[1] else { panic!("no single") };
    assert_eq!((single.status, single.body.as_slice()), (400, b"{}".as_slice()));
    for end in 0..body.len() - 1 {
        let error = parse_batch_response("multipart/mixed; boundary=r", &body.as_bytes()[..end]).unwrap_err();
        assert_eq!(error.status, 502, "cut at {end}");
    }
}

#[test]
fn references_resolve_to_urls() {
    let guid = format!("${B}");
    let references = |name: &str| match name {
        "$1" => Some(to("account", A)),
        "$10" => Some(to("contact", A)),
        "$a.b_c~d-1" => Some(to("contact", B)),
        name => (name == guid).then(|| to("account", B)),
    };
    let cases = [
        ("$1", Some(format!("{ROOT}accounts({A})"))),
        ("/$1", Some(format!("{ROOT}accounts({A})"))),
        ("$1/name", Some(format!("{ROOT}accounts({A})/name"))),
        ("$1?$select=name", Some(format!("{ROOT}accounts({A})?$select=name"))),
        ("$10", Some(format!("{ROOT}contacts({A})"))),
        ("$10/fullname", Some(format!("{ROOT}contacts({A})/fullname"))),
        (&guid, Some(format!("{ROOT}accounts({B})"))),
        (&format!("/{guid}/name"), Some(format!("{ROOT}accounts({B})/name"))),
        ("$a.b_c~d-1?$select=fullname", Some(format!("{ROOT}contacts({B})?$select=fullname"))),
        ("$2", None),
        ("$1x", None),
        ("$100", None),
        (&guid[..36], None),
        (&format!("{guid}0"), None),
        ("accounts", Some(format!("{ROOT}accounts"))),
        ("/api/data/v9.2/accounts", Some("/api/data/v9.2/accounts".to_owned())),
        ("http://x/api", Some("http://x/api".to_owned())),
        ("$metadata", Some(format!("{ROOT}$metadata"))),
    ];
    for (url, expected) in cases {
        assert_eq!(resolve_url(url, &references, &schema(), ROOT), expected, "{url}");
    }
    assert_eq!(resolve_url("$1", &no_references, &schema(), ROOT), None);
    assert_eq!(
        unknown_reference("/$1/x").message,
        "Content-ID Reference: '$1' does not exist in the batch context."
    );
    assert!(unknown_reference(&guid).message.contains(&guid));
    assert!(unknown_reference(&format!("${}", "9".repeat(1000))).message.len() < 200);
}

/// Bodies of any bytes that are more than line breaks; those count as no body.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(any::<u8>(), 1..200),
        "\\PC{0,20}(\r\n|\n|--batch_|--|\\{\\})*\\PC{0,20}".prop_map(String::into_bytes),
    ]
    .prop_map(|body| if body.iter().all(|b| matches!(b, b'\r' | b'\n')) { Vec::new() } else { body })
}

fn any_headers() -> impl Strategy<Value = Headers> {
    prop::collection::vec(("[A-Za-z][A-Za-z-]{0,12}", "([!-~]([ -~]{0,20}[!-~])?)?"), 0..4).prop_map(
        |fields| fields.into_iter().filter(|(n, _)| !n.eq_ignore_ascii_case("content-id")).collect(),
    )
}

fn any_part(methods: &'static [Method]) -> impl Strategy<Value = Part> {
    let url = "(/|\\$)[!-~]{0,30}( [!-~]{1,5})?"
        .prop_filter("no batch inside", |url| !url.to_lowercase().contains("batch"));
    let content_id = prop::option::of("[A-Za-z0-9]{1,8}");
    (content_id, prop::sample::select(methods), url, any_headers(), any_body()).prop_map(
        |(content_id, method, url, headers, body)| Part {
            content_id,
            request: Request { method, url, headers, body },
        },
    )
}

fn any_item() -> impl Strategy<Value = BatchItem> {
    const WRITES: &[Method] = &[Method::Post, Method::Patch, Method::Put, Method::Delete];
    let change_set = prop::collection::vec(any_part(WRITES), 0..4).prop_map(|mut parts| {
        for (at, part) in parts.iter_mut().enumerate() {
            part.content_id = part.content_id.take().map(|id| format!("{id}{at}"));
        }
        BatchItem::ChangeSet(parts)
    });
    prop_oneof![
        any_part(&[Method::Get, Method::Post, Method::Delete]).prop_map(BatchItem::Single),
        change_set
    ]
}

fn any_answer() -> impl Strategy<Value = BatchAnswer> {
    let response = || {
        (100u16..600, any_headers(), any_body()).prop_map(|(status, headers, body)| Response {
            status,
            headers,
            body,
        })
    };
    let set = prop::collection::vec((prop::option::of("[a-z0-9]{1,8}"), response()), 0..4);
    prop_oneof![response().prop_map(BatchAnswer::Single), set.prop_map(BatchAnswer::ChangeSet)]
}

fn responses_of(answer: &mut BatchAnswer) -> Vec<&mut Response> {
    match answer {
        BatchAnswer::Single(response) => vec![response],
        BatchAnswer::ChangeSet(parts) => parts.iter_mut().map(|(_, response)| response).collect(),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(items in prop::collection::vec(any_item(), 0..5), boundary: u128) {
        let (content_type, body) = write_batch_request(&items, flette_odata::Uuid::from_u128(boundary));
        prop_assert_eq!(parse_batch(&content_type, &body).unwrap(), items);
    }

    #[test]
    fn answers_are_read_back(answers in prop::collection::vec(any_answer(), 0..5), boundary: u128) {
        let response = write_batch_response(&answers, flette_odata::Uuid::from_u128(boundary), 200);
        let content_type = response.headers.get("Content-Type").unwrap().to_owned();
        let mut read = parse_batch_response(&content_type, &response.body).unwrap();
        for part in read.iter_mut().flat_map(responses_of) {
            // The writer's own, on errors that have none.
            let named = part.headers.get("REQ_ID").is_some();
            prop_assert!(!named || part.status >= 400);
            part.headers.remove("REQ_ID");
        }
        prop_assert_eq!(read, answers);
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        body in prop::collection::vec(prop_oneof![Just("--b"), Just("--"), Just("\r\n"), Just("\n"), Just("Content-Type: multipart/mixed; boundary=c"), Just("--c"), Just("GET / HTTP/1.1"), Just("HTTP/1.1 200"), Just("é: \u{0}")], 0..30)
    ) {
        let body = body.concat();
        let _ = parse_batch("multipart/mixed; boundary=b", body.as_bytes());
        let _ = parse_batch_response("multipart/mixed; boundary=b", body.as_bytes());
    }
}
