use super::*;
use crate::error::Result;
use crate::fixture::schema;
use crate::http::{Method, Request};
use crate::names::ContentIds;
use proptest::prelude::*;

const ROOT: &str = "/api/data/v9.2/";
const ID: &str = "a0000000-0000-4000-8000-000000000001";
const CONTACT: &str = "c0000000-0000-4000-8000-00000000000a";
const METHODS: [Method; 5] = [Method::Get, Method::Post, Method::Patch, Method::Put, Method::Delete];

fn uuid(text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap()
}

fn references(name: &str) -> Option<EntityRef> {
    (name == "$1").then(|| EntityRef { table: "account".into(), id: uuid(ID) })
}

fn read(method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Result<Operation> {
    let mut request = Request::new(method, format!("{ROOT}{path}"));
    request.headers = headers.iter().copied().collect();
    request.body = body.as_bytes().to_vec();
    parse(&request, ROOT, &schema(), &ContentIds(references))
}

/// Name of the variant, or the status of the error.
fn kind(result: &Result<Operation>) -> String {
    match result {
        Ok(operation) => {
            let text = format!("{operation:?}");
            text.split([' ', '(']).next().unwrap_or_default().to_owned()
        }
        Err(error) => error.status.to_string(),
    }
}

#[test]
fn every_verb_on_every_resource_has_its_answer() {
    fn check(path: &str, expected: [&str; 5]) {
        for (method, expected) in METHODS.into_iter().zip(expected) {
            let found = read(method, path, &[], "{}");
            assert_eq!(kind(&found), expected, "{} {path}: {found:?}", method.as_str());
        }
    }
    let row = format!("accounts({ID})");
    check("", ["Service", "405", "405", "405", "405"]);
    check("$metadata", ["Metadata", "405", "405", "405", "405"]);
    check("WhoAmI", ["WhoAmI", "405", "405", "405", "405"]);
    check("EntityDefinitions", ["Definitions", "Define", "Define", "Define", "Define"]);
    check("InsertOptionValue", ["405", "Action", "405", "405", "405"]);
    check("Microsoft.Dynamics.CRM.PublishAllXml", ["405", "Action", "405", "405", "405"]);
    check("RetrieveTimestamp()", ["Function", "405", "405", "405", "405"]);
    check("$batch", ["405", "400", "405", "405", "405"]);
    check("accounts", ["ReadCollection", "Create", "405", "405", "405"]);
    check("accounts/$count", ["Count", "405", "405", "405", "405"]);
    check(&row, ["ReadRow", "405", "Update", "405", "Delete"]);
    check(&format!("{row}/name"), ["ReadProperty", "405", "405", "400", "SetProperty"]);
    check(&format!("{row}/_primarycontactid_value"), ["ReadProperty", "405", "405", "400", "400"]);
    check(&format!("{row}/accountid"), ["ReadProperty", "405", "405", "400", "400"]);
    check(&format!("{row}/createdon"), ["ReadProperty", "405", "405", "400", "400"]);
    check(&format!("{row}/primarycontactid/$ref"), ["ReadReference", "405", "405", "400", "SetReference"]);
    check(&format!("{row}/ownerid/$ref"), ["ReadReference", "405", "405", "400", "400"]);
    check(&format!("{row}/name/$value"), ["ReadProperty", "405", "405", "405", "405"]);
    check(&format!("{row}/primarycontactid"), ["ReadNavigation", "405", "405", "405", "405"]);
    check(&format!("{row}/contact_customer_accounts"), ["ReadRelated", "Create", "405", "405", "405"]);
    check(&format!("{row}/contact_customer_accounts/$count"), ["CountRelated", "405", "405", "405", "405"]);
    check(&format!("{row}/contact_customer_accounts/$ref"), ["ReadRelated", "400", "405", "405", "400"]);
    check("accounts/Microsoft.Dynamics.CRM.CreateMultiple", ["405", "400", "405", "405", "405"]);
    check("accounts/Microsoft.Dynamics.CRM.UpdateMultiple", ["405", "400", "405", "405", "405"]);
    check("accounts/Microsoft.Dynamics.CRM.UpsertMultiple", ["405", "400", "405", "405", "405"]);
    check("pointers/Microsoft.Dynamics.CRM.CreateMultiple", ["405", "405", "405", "405", "405"]);
    check("pointers", ["ReadCollection", "405", "405", "405", "405"]);
    check(&format!("pointers({ID})"), ["ReadRow", "405", "405", "405", "405"]);
    let link = format!("pointers({ID})/regardingobjectid_account/$ref");
    check(&link, ["ReadReference", "405", "405", "400", "405"]);
    check(&format!("{row}/account_pointers({ID})/$ref"), ["405", "405", "405", "405", "405"]);
    check(&format!("pointers({ID})/subject"), ["ReadProperty", "405", "405", "400", "405"]);
    // Nobody here knows where a path leads; what is written has an address of its own.
    for path in ["primarycontactid/lastname", "primarycontactid/parentcustomerid_account/$ref"] {
        check(&format!("{row}/{path}"), ["501", "405", "405", "405", "405"]);
    }
    for path in [format!("contact_customer_accounts({ID})"), "primarycontactid/$value".to_owned()] {
        let get = if path.ends_with("$value") { "404" } else { "501" };
        let other = if path.ends_with("$value") { "404" } else { "405" };
        check(&format!("{row}/{path}"), [get, other, other, other, other]);
    }
}

#[test]
fn options_that_make_no_sense_on_a_resource_are_refused() {
    fn check(method: Method, path: &str, expected: &str) {
        let found = read(method, path, &[], "{}");
        assert_eq!(kind(&found), expected, "{path}: {found:?}");
    }
    let row = format!("accounts({ID})");
    check(Method::Get, &format!("{row}?$select=name&$expand=primarycontactid"), "ReadRow");
    for option in ["$filter=true", "$orderby=name", "$top=1", "$count=true", "$skiptoken=x", "$deltatoken=x"]
    {
        check(Method::Get, &format!("{row}?{option}"), "400");
        check(Method::Patch, &format!("{row}?{option}"), "400");
        check(Method::Delete, &format!("{row}?{option}"), "400");
        check(Method::Post, &format!("accounts?{option}"), "400");
    }
    check(Method::Post, "accounts?$select=name&tag=offline", "Create");
    check(Method::Patch, &format!("{row}?$select=name&tag=offline"), "Update");
    check(Method::Delete, &format!("{row}?tag=offline"), "Delete");
    check(Method::Delete, &format!("{row}?$select=name"), "400");
    check(Method::Get, "accounts/$count?$filter=true", "Count");
    check(Method::Get, "accounts/$count?$deltatoken=x", "Count");
    check(Method::Get, "accounts/$count?$select=name", "400");
    check(Method::Get, "accounts/$count?$top=1", "400");
    check(Method::Get, "accounts?nonsense=1", "400");
}

#[test]
fn a_patch_creates_unless_a_condition_forbids_it() {
    fn check(headers: &[(&str, &str)], expected: std::result::Result<Condition, u16>) {
        let found = read(Method::Patch, &format!("accounts({ID})"), headers, r#"{"name":"x"}"#);
        let found = match found {
            Ok(Operation::Update { condition, write, .. }) => {
                assert_eq!(write.values, [("name".to_owned(), Value::Text("x".into()))]);
                Ok(condition)
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.status),
        };
        assert_eq!(found, expected, "{headers:?}");
    }
    check(&[], Ok(Condition::None));
    check(&[("If-None-Match", "null")], Ok(Condition::None));
    check(&[("If-Match", "*"), ("If-None-Match", "null")], Ok(Condition::IfMatchAny));
    check(&[("If-Match", "W/\"1\"")], Ok(Condition::IfMatch("W/\"1\"".into())));
    check(&[("If-None-Match", "*")], Ok(Condition::IfNoneMatchAny));
    check(&[("If-Match", "nonsense")], Err(400));
    // A column for creation only goes through as long as the PATCH may create.
    let body = r#"{"overriddencreatedon":"2020-01-01T00:00:00Z"}"#;
    let status = |name: &str, value: &str| {
        kind(&read(Method::Patch, &format!("accounts({ID})"), &[(name, value)], body))
    };
    assert_eq!(status("If-None-Match", "*"), "Update");
    assert_eq!(status("If-None-Match", "null"), "Update");
    assert_eq!(status("If-Match", "*"), "400");
    assert_eq!(status("If-Match", "W/\"1\""), "400");
}

#[test]
fn links_are_told_from_the_side_of_the_lookup() {
    fn check(
        method: Method,
        path: &str,
        body: &str,
        expected: std::result::Result<(&str, &str, &str, bool), u16>,
    ) {
        let found = match read(method, path, &[], body) {
            Ok(Operation::SetReference { table, id, navigation, target, .. }) => {
                let points_to_account =
                    target.is_some_and(|to| to == EntityRef { table: "account".into(), id: uuid(ID) });
                Ok((table, id.to_string(), navigation, points_to_account))
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.status),
        };
        let expected = expected
            .map(|(table, id, navigation, to)| (table.to_owned(), id.to_owned(), navigation.to_owned(), to));
        assert_eq!(found, expected, "{} {path} {body}", method.as_str());
    }
    let account = format!(r#"{{"@odata.id":"https://crm.example/api/data/v9.2/accounts({ID})"}}"#);
    let contact = format!(r#"{{"@odata.id":"contacts({CONTACT})"}}"#);
    let lookup = format!("contacts({CONTACT})/parentcustomerid_account/$ref");
    let linked = |points: bool| Ok(("contact", CONTACT, "parentcustomerid_account", points));
    check(Method::Put, &lookup, &account, linked(true));
    check(Method::Put, &lookup, r#"{"@odata.id":"$1"}"#, linked(true));
    check(Method::Put, &lookup, r#"{"@odata.id":"$2"}"#, Err(400));
    check(Method::Put, &lookup, &contact, Err(400));
    check(Method::Put, &lookup, "{", Err(400));
    check(Method::Delete, &lookup, "", linked(false));
    let links = format!("accounts({ID})/contact_customer_accounts");
    check(Method::Post, &format!("{links}/$ref"), &contact, linked(true));
    check(Method::Post, &format!("{links}/$ref"), &account, Err(400));
    check(Method::Post, &format!("{links}/$ref"), "[]", Err(400));
    check(Method::Post, &format!("{links}({CONTACT})/$ref"), &contact, Err(405));
    check(Method::Delete, &format!("{links}({CONTACT})/$ref"), "", linked(false));
    check(Method::Delete, &format!("{links}/$ref?$id=contacts({CONTACT})"), "", linked(false));
    check(Method::Delete, &format!("{links}/$ref?$id=accounts({ID})"), "", Err(400));
    check(Method::Delete, &format!("{links}({CONTACT})/$ref?$id=contacts({CONTACT})"), "", Err(400));
    check(Method::Delete, &format!("accounts({ID})/owner_accounts({CONTACT})/$ref"), "", Err(404));
}

#[test]
fn a_property_is_set_and_cleared() {
    let path = format!("accounts({ID})/name");
    let value = |result: Result<Operation>| match result {
        Ok(Operation::SetProperty { column, value, .. }) => (column, value),
        other => panic!("{other:?}"),
    };
    let set = value(read(Method::Put, &path, &[], r#"{"value":"x"}"#));
    assert_eq!(set, ("name".to_owned(), Value::Text("x".into())));
    let cleared = value(read(Method::Delete, &path, &[], ""));
    assert_eq!(cleared, ("name".to_owned(), Value::Null));
}

#[test]
fn headers_of_a_read_are_kept() {
    let headers = [
        ("Prefer", "odata.maxpagesize=2,odata.include-annotations=\"*\""),
        ("Prefer", "odata.track-changes"),
        ("If-None-Match", "null"),
    ];
    let Ok(Operation::ReadCollection { prefer, .. }) = read(Method::Get, "accounts", &headers, "") else {
        panic!("not read");
    };
    assert_eq!((prefer.page_size_max, prefer.track_changes), (Some(2), true));
    assert!(prefer.annotations.includes("x"));
    let found = read(Method::Get, &format!("accounts({ID})"), &[("If-None-Match", "W/\"7\"")], "");
    let Ok(Operation::ReadRow { condition, .. }) = found else { panic!("not read") };
    assert!(condition.not_modified("W/\"7\""));
}

#[test]
fn a_batch_is_opened() {
    let body = format!("--b\nContent-Type: application/http\n\nGET {ROOT}accounts HTTP/1.1\n\n\n--b--\n");
    let headers = [("Content-Type", "multipart/mixed;boundary=b")];
    let Ok(Operation::Batch(items)) = read(Method::Post, "$batch", &headers, &body) else {
        panic!("not read");
    };
    assert_eq!(items.len(), 1);
}

/// Recorded from the npm package dynamics-web-api 2.5.0, word for word but for ids and host. One request a
/// line: what it means, verb, path, header, body.
#[test]
fn what_a_common_client_sends_is_understood() {
    let recorded = include_str!("client_requests.tsv").replace("{id}", ID).replace("{contact}", CONTACT);
    for line in recorded.lines() {
        let mut fields = line.split('\t');
        let mut field = || fields.next().unwrap_or_default();
        let (expected, method, path) = (field(), Method::parse(field()).unwrap(), field());
        let headers: Vec<_> = field().split_once(": ").into_iter().collect();
        let found = read(method, path, &headers, field());
        assert_eq!(kind(&found), expected, "{line}: {found:?}");
    }
}

proptest! {
    #[test]
    fn reading_never_panics(
        method in proptest::sample::select(METHODS.to_vec()),
        path in proptest::sample::select(vec!["accounts", "contacts(ID)", "accounts(ID)/name", "$batch"]),
        query in "\\PC{0,20}",
        header in "\\PC{0,20}",
        body in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut request = Request::new(method, format!("{ROOT}{}?{query}", path.replace("ID", ID)));
        for name in ["Prefer", "If-Match", "If-None-Match", "Content-Type"] {
            request.headers.push(name, header.clone());
        }
        request.body = body;
        let _ = parse(&request, ROOT, &schema(), &ContentIds(references));
    }
}
