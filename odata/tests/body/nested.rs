//! Rows that come along with a row, rows in lists, and what clients say of the time.

use crate::fixture::{id, schema, to, A, B, ROOT};
use flette_odata::names::ContentIds;
use flette_odata::payload::*;
use flette_odata::{ODataError, Value};

fn write_as(kind: WriteKind, table: &str, body: &str) -> Result<Write, ODataError> {
    let schema = schema();
    let names = ContentIds(|name: &str| (name == "$1").then(|| to("contact", B)));
    let scope = Scope { schema: &schema, root: ROOT, names: &names };
    parse_write(body.as_bytes(), schema.table(table).unwrap(), kind, &scope)
}

/// What a write brings along, as a line of text.
fn shown(write: &Write) -> String {
    let names = |write: &Write| write.values.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>().join(",");
    let related = write.related.iter().map(|related| match related {
        Related::Parent { column, table, write } => format!("{column}={table}{}", shown(write)),
        Related::Children { collection, table, writes } => {
            format!("{collection}+{table}{}", writes.iter().map(shown).collect::<String>())
        }
        Related::Links { collection, rows } => format!("{collection}<-{}", rows.len()),
    });
    let all: Vec<String> = std::iter::once(names(write)).chain(related).collect();
    format!("({})", all.join(" "))
}

#[test]
fn rows_come_along_with_a_new_row() {
    let bind = format!("contacts({B})");
    let cases = [
        (r#"{"name":"x","primarycontactid":{"lastname":"y"}}"#.to_owned(), "(name primarycontactid=contact(lastname))"),
        (
            r#"{"account_parentcustomerids":[{"lastname":"a"},{"lastname":"b","firstname":"c"}]}"#.to_owned(),
            "( account_parentcustomerids+contact(lastname)(lastname,firstname))",
        ),
        (
            r#"{"account_parentcustomerids":[{"contact_regardingobjectids":[{"subject":"s"}],"lastname":"a"}]}"#
                .to_owned(),
            "( account_parentcustomerids+contact(lastname contact_regardingobjectids+task(subject)))",
        ),
        (r#"{"account_parentcustomerids":[]}"#.to_owned(), "( account_parentcustomerids+contact)"),
        (
            format!(r#"{{"account_parentcustomerids@odata.bind":["{bind}","$1","/{bind}"]}}"#),
            "( account_parentcustomerids<-3)",
        ),
        (
            format!(r#"{{"primarycontactid":{{"parentcustomerid_contact@odata.bind":"{bind}"}}}}"#),
            "( primarycontactid=contact(parentcustomerid))",
        ),
        (
            r#"{"ownerid":{"@odata.type":"Microsoft.Dynamics.CRM.team","name":"t"}}"#.to_owned(),
            "( ownerid=team(name))",
        ),
    ];
    for (body, expected) in &cases {
        for kind in [WriteKind::Create, WriteKind::Upsert] {
            let write = write_as(kind, "account", body).unwrap_or_else(|e| panic!("{body}: {e}"));
            assert_eq!(shown(&write), *expected, "{body}");
        }
        let refused = write_as(WriteKind::Update, "account", body).unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (400, "0x80060888"), "{body}");
        let schema = schema();
        let upsert = write_as(WriteKind::Upsert, "account", body).unwrap();
        let later = check_write(schema.table("account").unwrap(), &upsert, WriteKind::Update);
        assert_eq!(later.unwrap_err().code, "0x80060888", "{body}");
    }
}

#[test]
fn rows_that_cannot_come_along_are_refused() {
    let twice = format!(r#"{{"primarycontactid@odata.bind":"contacts({B})","primarycontactid":{{}}}}"#);
    let back = format!(
        r#"{{"account_parentcustomerids":[{{"parentcustomerid_account@odata.bind":"accounts({A})"}}]}}"#
    );
    for (body, code) in [
        (r#"{"primarycontactid":{"nothing":1}}"#, "0x80060888"),
        (r#"{"primarycontactid":{"fullname":"x"}}"#, "0x80060888"),
        (r#"{"primarycontactid":{"lastname":5}}"#, "0x80048d19"),
        (r#"{"primarycontactid":{"lastname":"a","lastname":"b"}}"#, "0x80048d19"),
        (r#"{"primarycontactid":[]}"#, "0x80048d19"),
        (r#"{"primarycontactid":{"@odata.type":"Microsoft.Dynamics.CRM.account"}}"#, "0x80048d19"),
        (r#"{"ownerid":{"name":"t"}}"#, "0x80048d19"),
        (r#"{"account_parentcustomerids":{}}"#, "0x80048d19"),
        (r#"{"account_parentcustomerids":null}"#, "0x80048d19"),
        (r#"{"account_parentcustomerids":["x"]}"#, "0x80048d19"),
        (r##"{"account_parentcustomerids":[{"@odata.type":"#Microsoft.Dynamics.CRM.task"}]}"##, "0x80048d19"),
        (r#"{"account_parentcustomerids@odata.bind":"contacts(x)"}"#, "0x80048d19"),
        (r#"{"account_parentcustomerids@odata.bind":[7]}"#, "0x80048d19"),
        (r#"{"account_parentcustomerids@odata.bind":["$7"]}"#, "0x80060888"),
        (r#"{"account_nothing@odata.bind":[]}"#, "0x80060888"),
        (twice.as_str(), "0x80048d19"),
        (back.as_str(), "0x80048d19"),
    ] {
        let refused = write_as(WriteKind::Create, "account", body).expect_err(body);
        assert_eq!((refused.status, refused.code.as_str()), (400, code), "{body}");
    }
}

#[test]
fn rows_come_along_up_to_a_depth_and_a_number() {
    let chain = |depth: usize| {
        format!(
            "{{{}\"lastname\":\"x\"{}}}",
            "\"parentcustomerid_contact\":{".repeat(depth),
            "}".repeat(depth)
        )
    };
    let list = |count: usize| {
        format!(r#"{{"account_parentcustomerids":[{}]}}"#, vec![r#"{"lastname":"x"}"#; count].join(","))
    };
    assert!(write_as(WriteKind::Create, "contact", &chain(NESTED_DEPTH_MAX)).is_ok());
    assert!(write_as(WriteKind::Create, "account", &list(NESTED_ROWS_MAX)).is_ok());
    for refused in [
        write_as(WriteKind::Create, "contact", &chain(NESTED_DEPTH_MAX + 1)),
        write_as(WriteKind::Create, "account", &list(NESTED_ROWS_MAX + 1)),
    ] {
        assert_eq!(refused.unwrap_err().code, "0x80048d19");
    }
}

fn targets(kind: WriteKind, body: &str) -> Result<Vec<Target>, ODataError> {
    let schema = schema();
    let names = ContentIds(|name: &str| (name == "$1").then(|| to("account", B)));
    let scope = Scope { schema: &schema, root: ROOT, names: &names };
    parse_targets(body.as_bytes(), schema.table("account").unwrap(), kind, &scope)
}

#[test]
fn targets_name_their_type_and_their_row() {
    let kind = r#""@odata.type":"Microsoft.Dynamics.CRM.account","name":"x""#;
    let list = |more: &str| format!(r#"{{"Targets":[{{{kind}{more}}}]}}"#);
    let by_id = list(&format!(r#","accountid":"{A}""#));
    let by_url = list(&format!(r#","@odata.id":"accounts({A})""#));
    let by_whole_url = list(&format!(r#","@odata.id":"{ROOT}accounts(accountid={A})""#));
    use WriteKind::{Create, Update, Upsert};
    for (write_kind, body, expected) in [
        (Create, list(""), Ok(None)),
        (Create, by_id.clone(), Ok(Some(id(A)))),
        (Update, by_id.clone(), Ok(Some(id(A)))),
        (Update, by_url.clone(), Ok(Some(id(A)))),
        (Upsert, by_whole_url, Ok(Some(id(A)))),
        (Upsert, by_id, Ok(Some(id(A)))),
        (Upsert, list(""), Ok(None)),
        (Update, list(""), Err("0x80048d19")),
        (Update, list(&format!(r#","@odata.id":"contacts({A})""#)), Err("0x80048d19")),
        (Update, list(r#","@odata.id":"accounts(x)""#), Err("0x80048d19")),
        (Upsert, list(r#","@odata.id":"accounts(name='x')""#), Err("0x80060888")),
        (Create, list(r#","nothing":1"#), Err("0x80060888")),
        (Create, r#"{"Targets":[{"name":"x"}]}"#.to_owned(), Err("0x80048d19")),
        (Create, list("").replace("CRM.account", "CRM.contact"), Err("0x80048d19")),
        (Create, r#"{"Targets":{}}"#.to_owned(), Err("0x80048d19")),
        (Create, r#"{"Targets":[5]}"#.to_owned(), Err("0x80048d19")),
        (Create, r#"{}"#.to_owned(), Err("0x80048d19")),
        (Create, r#"{"Targets":[],"Other":1}"#.to_owned(), Err("0x80048d19")),
    ] {
        let found = targets(write_kind, &body);
        let found = found.map(|all| all[0].id).map_err(|error| error.code);
        assert_eq!(found, expected.map_err(str::to_owned), "{write_kind:?} {body}");
    }
    let many = |count: usize| format!(r#"{{"Targets":[{}]}}"#, vec![format!("{{{kind}}}"); count].join(","));
    assert_eq!(targets(Create, &many(TARGETS_MAX)).unwrap().len(), TARGETS_MAX);
    assert_eq!(targets(Create, &many(TARGETS_MAX + 1)).unwrap_err().code, "0x80048d19");
    assert_eq!(targets(Create, &many(0)), Ok(Vec::new()));
}

#[test]
fn times_of_edits_are_told_by_property_or_navigation_property() {
    let at = "2026-01-15T10:02:11.250Z";
    let millis = flette_odata::time::parse_datetime(at).unwrap();
    for (table, name, expected) in [
        ("account", "name", Ok("name")),
        ("account", "", Ok("")),
        ("account", "_primarycontactid_value", Ok("primarycontactid")),
        ("account", "primarycontactid", Ok("primarycontactid")),
        ("contact", "parentcustomerid_contact", Ok("parentcustomerid")),
        ("account", "nothing", Err("0x80060888")),
        ("account", "accountid", Err("0x80060888")),
    ] {
        let body = format!(r#"{{"{name}@Flette.ModifiedOn":"{at}"}}"#);
        let found = write_as(WriteKind::Update, table, &body).map(|write| write.stamps).map_err(|e| e.code);
        let expected = expected.map(|name| vec![(name.to_owned(), millis)]).map_err(str::to_owned);
        assert_eq!(found, expected, "{body}");
    }
    for value in ["5", "null", "\"yesterday\"", "\"2026-01-15\""] {
        let body = format!(r#"{{"name@Flette.ModifiedOn":{value}}}"#);
        assert_eq!(write_as(WriteKind::Update, "account", &body).unwrap_err().code, "0x80048d19", "{body}");
    }
}

#[test]
fn sets_are_read_as_new_rows() {
    let schema = schema();
    let names = flette_odata::names::NoNames;
    let scope = Scope { schema: &schema, root: ROOT, names: &names };
    let read = |body: &str| parse_set(body.as_bytes(), schema.table("contact").unwrap(), &scope);
    assert_eq!(read(r#"{"value":[]}"#), Ok(Vec::new()));
    let two = read(r#"{"@odata.context":"x","value":[{"lastname":"a"},{"lastname":"b"}]}"#).unwrap();
    assert_eq!(two[1].values, [("lastname".to_owned(), Value::Text("b".to_owned()))]);
    for body in [r#"{"value":{}}"#, r#"{"value":[1]}"#, r#"[]"#, r#"{}"#] {
        assert_eq!(read(body).unwrap_err().code, "0x80048d19", "{body}");
    }
}
