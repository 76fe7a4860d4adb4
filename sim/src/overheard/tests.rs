use super::*;
use flette_odata::batch::{write_batch_request, write_batch_response, Part};

const ROW: &str = "5f0c9a52-7d0c-4a6e-9d5b-6f0f3c2f1a11";

fn patch(operation: &str, value: &str) -> Request {
    let body = format!(r#"{{"lastname":"{value}"}}"#).into_bytes();
    Request::new(Method::Patch, format!("contacts({ROW})")).json(body).header(OPERATION, operation)
}

fn in_batch(parts: &[Request], answers: &[Response]) -> (Request, Response) {
    let part = |request: &Request| BatchItem::Single(Part { content_id: None, request: request.clone() });
    let items: Vec<BatchItem> = parts.iter().map(part).collect();
    let (kind, body) = write_batch_request(&items, Uuid::from_u128(1));
    let mut request = Request::new(Method::Post, "/api/data/v9.2/$batch").header("Content-Type", kind);
    request.body = body;
    let answers: Vec<BatchAnswer> = answers.iter().cloned().map(BatchAnswer::Single).collect();
    (request, write_batch_response(&answers, Uuid::from_u128(2), 200))
}

/// Whether an acknowledged edit can be found again after this was heard.
fn found_after(parts: &[Request], answers: &[Response]) -> bool {
    let row = ROW.parse().unwrap();
    let mut account = Account::default();
    let deed = crate::account::Deed::Edit { row, values: vec![("lastname", "v1".to_owned())], parent: None };
    let record = account.begin(0, vec![(deed, None)], 0);
    account.end(record, crate::account::Said::Done, None);
    let (request, answer) = in_batch(parts, answers);
    Overheard::default().take(&request, &answer, &mut account).unwrap();
    let told = crate::account::Testimony { journal: Json::Null, export: Json::Null };
    account.settle(0, &told, &|_| true).is_ok()
}

#[test]
fn what_the_server_took_over_or_showed_stood_there() {
    let shown = format!(r#"{{"contactid":"{ROW}","lastname":"v1"}}"#).into_bytes();
    let read = Request::get(format!("contacts({ROW})"));
    let cases: &[(&str, Request, Response, bool)] = &[
        ("taken over", patch("a", "v1"), Response::empty(204), true),
        ("refused", patch("a", "v1"), Response::empty(412), false),
        ("another value", patch("a", "v2"), Response::empty(204), false),
        ("shown", patch("a", "v2"), Response::json(200, shown.clone()), true),
        ("read", read, Response::json(200, shown), true),
    ];
    for (name, request, answer, found) in cases {
        assert_eq!(
            found_after(std::slice::from_ref(request), std::slice::from_ref(answer)),
            *found,
            "{name}"
        );
    }
}

#[test]
fn an_operation_that_comes_to_something_else_the_second_time_is_noticed() {
    let (mut heard, mut account) = (Overheard::default(), Account::default());
    let mut take = |request: Request, answer: Response| heard.take(&request, &answer, &mut account);
    let done = |version: &str| Response::empty(204).header("ETag", version);
    assert!(take(patch("a", "v1"), done("1")).is_ok());
    assert!(take(patch("a", "v1"), Response::empty(503)).is_ok());
    assert!(take(patch("a", "v1"), done("1")).is_ok());
    assert!(take(patch("b", "v2"), done("2")).is_ok());
    assert!(take(patch("a", "v1"), done("3")).unwrap_err().contains("I-4"));
}

#[test]
fn where_there_are_no_receipts_an_operation_may_come_to_something_else() {
    let (mut heard, mut account) = (Overheard::default(), Account::default());
    account.goes_by_rows();
    for version in ["1", "2"] {
        let done = Response::empty(204).header("ETag", version);
        assert!(heard.take(&patch("a", "v1"), &done, &mut account).is_ok());
    }
}

/// A value stands, another one, and the first once more.
#[test]
fn only_what_an_app_wrote_over_whatever_stands_there_may_come_twice() {
    let row: Uuid = ROW.parse().unwrap();
    for (version, held) in [("*", true), ("W/\"1\"", false)] {
        let mut account = Account::default();
        let request = patch("a", "v1").header("If-Match", version);
        Overheard::default().take(&request, &Response::empty(204), &mut account).unwrap();
        let mut watch = |value: &str| {
            let shown = [("lastname".to_owned(), value.to_owned())].into();
            account.watch(&[(row, shown)].into())
        };
        assert!(["v1", "v2"].map(&mut watch).iter().all(Result::is_ok));
        assert_eq!(watch("v1").is_ok(), held, "{version}");
        assert!(["v3", "v1"].map(watch).iter().any(Result::is_err), "a third time");
    }
}
