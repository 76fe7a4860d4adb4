//! Rows named by alternate keys: in URLs, in bodies, in upserts.

use crate::fixture::{id, schema, A, B, ROOT};
use flette_odata::edm::AlternateKey;
use flette_odata::error::Result;
use flette_odata::names::{NoNames, RowNames};
use flette_odata::operation::{parse, Operation};
use flette_odata::path::AlternateName;
use flette_odata::{EntityRef, Method, ODataError, Request, Schema, Table, Uuid, Value};

/// Accounts are known by `name`, and by `numberofemployees` with `primarycontactid`; users by `name`.
fn keyed() -> Schema {
    let mut schema = schema();
    let key = |name: &str, columns: &[&str]| AlternateKey {
        name: name.to_owned(),
        columns: columns.iter().map(|c| (*c).to_owned()).collect(),
        ..AlternateKey::default()
    };
    for table in &mut schema.tables {
        match table.logical_name.as_str() {
            "account" => {
                table.keys = vec![key("k", &["name"]), key("l", &["numberofemployees", "primarycontactid"])]
            }
            "contact" => table.keys = vec![key("m", &["parentcustomerid"])],
            _ => {}
        }
    }
    schema
}

/// Knows one account, `here`.
struct OneRow;

impl RowNames for OneRow {
    fn content(&self, _: &str) -> Option<EntityRef> {
        None
    }

    fn by_key(&self, _: &Table, key: &AlternateName) -> Result<Option<Uuid>> {
        let known = key.values.iter().any(|(_, value)| *value == Value::Text("here".to_owned()));
        Ok(known.then(|| id(A)))
    }
}

fn ask(method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Result<Operation> {
    let mut request = Request::new(method, format!("{ROOT}{path}"));
    request.headers = headers.iter().copied().collect();
    request.body = body.as_bytes().to_vec();
    parse(&request, ROOT, &keyed(), &OneRow)
}

#[test]
fn an_alternate_key_names_a_row_in_every_url() {
    for (method, path, body) in [
        (Method::Get, "accounts(name='here')", ""),
        (Method::Get, "accounts(name=%27here%27)?$select=name", ""),
        (Method::Get, "accounts(name = 'here')", ""),
        (Method::Patch, "accounts(name='here')", "{}"),
        (Method::Delete, "accounts(name='here')", ""),
        (Method::Put, "accounts(name='here')/description", r#"{"value":"x"}"#),
        (Method::Delete, "accounts(name='here')/description", ""),
        (Method::Delete, "accounts(name='here')/primarycontactid/$ref", ""),
    ] {
        let found = ask(method, path, &[], body);
        let (Ok(Operation::ReadRow { id: row, .. })
        | Ok(Operation::Update { id: row, .. })
        | Ok(Operation::Delete { id: row, .. })
        | Ok(Operation::SetProperty { id: row, .. })
        | Ok(Operation::SetReference { id: row, .. })) = found
        else {
            panic!("{path}: {found:?}")
        };
        assert_eq!(row, id(A), "{path}");
    }
    for (method, path, body) in [
        (Method::Get, "accounts(name='gone')", ""),
        (Method::Delete, "accounts(name='gone')", ""),
        (Method::Put, "accounts(name='gone')/description", r#"{"value":"x"}"#),
        (
            Method::Post,
            "accounts(name='gone')/account_parentcustomerids/$ref",
            r#"{"@odata.id":"contacts(x)"}"#,
        ),
    ] {
        let refused =
            ask(method, path, &[], &body.replace("contacts(x)", &format!("contacts({B})"))).unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (404, "0x80060891"), "{path}");
        assert!(refused.message.contains("account") && !refused.message.contains("gone"));
    }
}

#[test]
fn keys_are_read_by_the_types_of_their_columns() {
    let contact = Value::Lookup(EntityRef { table: "contact".to_owned(), id: id(B) });
    let text = |text: &str| vec![("name".to_owned(), Value::Text(text.to_owned()))];
    let two = vec![("numberofemployees".to_owned(), Value::Int(5)), ("primarycontactid".to_owned(), contact)];
    let turned: Vec<_> = two.iter().rev().cloned().collect();
    for (key, expected, echoed) in [
        ("name='it''s'".to_owned(), text("it's"), "name='it''s'".to_owned()),
        ("name='a,b=(c)'".to_owned(), text("a,b=(c)"), "name='a,b=%28c%29'".to_owned()),
        ("name='%C3%A5%20%25'".to_owned(), text("å %"), "name='%C3%A5%20%25'".to_owned()),
        (
            format!("numberofemployees=5,_primarycontactid_value={B}"),
            two,
            format!("numberofemployees=5,_primarycontactid_value={B}"),
        ),
        (
            format!("_primarycontactid_value={B},numberofemployees=5"),
            turned,
            format!("_primarycontactid_value={B},numberofemployees=5"),
        ),
    ] {
        let created = ask(Method::Patch, &format!("accounts({key})"), &[], "{}").unwrap();
        let Operation::Create { url_key, write, .. } = created else { panic!("{created:?}") };
        assert_eq!((url_key, write.values), (Some(echoed), expected), "{key}");
    }
    for key in [
        "nothing='x'",
        "description='x'",
        "numberofemployees=5",
        "name='x',numberofemployees=5",
        "name='x',name='y'",
        "name=x",
        "name='x' or true",
        "name=null",
        "name=",
        "name='x",
        "name='x',",
        "'x'",
        "name='x')(",
    ] {
        let refused = ask(Method::Get, &format!("accounts({key})"), &[], "").expect_err(key);
        assert_eq!((refused.status, refused.code.as_str()), (400, "0x80060888"), "{key}");
    }
    let undeclared = ask(Method::Get, "accounts(description='x')", &[], "").unwrap_err().message;
    assert!(undeclared.starts_with(
        "The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.account'."
    ));
    // A lookup with several targets cannot tell which it means.
    assert_eq!(
        ask(Method::Get, &format!("contacts(_parentcustomerid_value={B})"), &[], "").unwrap_err().status,
        400
    );
    // Users and teams have the key of their principal.
    assert!(ask(Method::Get, &format!("teams(ownerid={B})"), &[], "").is_ok());
    assert_eq!(ask(Method::Get, &format!("teams(teamid={B})"), &[], "").unwrap_err().status, 400);
}

#[test]
fn an_upsert_by_key_makes_the_row_that_is_not_there() {
    let key = "accounts(name='gone')";
    let values = |found: Result<Operation>| match found {
        Ok(Operation::Create { write, url_key, .. }) => ("create", write.values, url_key),
        Ok(Operation::Update { write, url_key, .. }) => ("update", write.values, url_key),
        other => panic!("{other:?}"),
    };
    let name = |text: &str| ("name".to_owned(), Value::Text(text.to_owned()));
    let more = ("description".to_owned(), Value::Text("d".to_owned()));
    let url = |text: &str| Some(format!("name='{text}'"));
    for (path, body, expected) in [
        (key, "{}", ("create", vec![name("gone")], url("gone"))),
        // What the body says of a new row counts more than its URL.
        (key, r#"{"name":"body"}"#, ("create", vec![name("body")], url("gone"))),
        (key, r#"{"description":"d"}"#, ("create", vec![more.clone(), name("gone")], url("gone"))),
        (
            "accounts(name='here')",
            r#"{"name":"body","description":"d"}"#,
            ("update", vec![more], url("here")),
        ),
    ] {
        assert_eq!(values(ask(Method::Patch, path, &[], body)), expected, "{path} {body}");
    }
    let refused = ask(Method::Patch, key, &[("If-Match", "*")], "{}").unwrap_err();
    assert_eq!(refused.code, "0x80060891");
    assert_eq!(values(ask(Method::Patch, key, &[("If-None-Match", "*")], "{}")).0, "create");
    assert_eq!(values(ask(Method::Patch, key, &[("If-None-Match", "null")], "{}")).0, "create");
}

#[test]
fn binds_and_links_name_rows_by_key() {
    let bound = ask(
        Method::Post,
        "accounts",
        &[],
        r#"{"name":"x","parentaccountid@odata.bind":"/accounts(name='here')"}"#,
    );
    let Ok(Operation::Create { write, .. }) = bound else { panic!("{bound:?}") };
    assert_eq!(write.values[1].1, Value::Lookup(EntityRef { table: "account".to_owned(), id: id(A) }));
    let encoded = r#"{"@odata.id":"http://x/api/data/v9.2/accounts(name=%27here%27)"}"#;
    let put = ask(Method::Put, &format!("accounts({B})/parentaccountid/$ref"), &[], encoded);
    assert!(matches!(put, Ok(Operation::SetReference { target: Some(to), .. }) if to.id == id(A)));
    for (url, status, code) in [
        ("accounts(name='gone')", 404, "0x80060891"),
        ("accounts(description='x')", 400, "0x80060888"),
        ("accounts('here')", 400, "0x80048d19"),
    ] {
        let body = format!(r#"{{"name":"x","parentaccountid@odata.bind":"{url}"}}"#);
        let refused = ask(Method::Post, "accounts", &[], &body).unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (status, code), "{url}");
    }
}

#[test]
fn who_holds_no_rows_says_so() {
    let request = Request::get(format!("{ROOT}accounts(name='here')"));
    let refused: ODataError = parse(&request, ROOT, &keyed(), &NoNames).unwrap_err();
    assert_eq!(refused.status, 501);
}
