use crate::fixture::{column, decimal, id, schema, to, A, B, ROOT};
use flette_odata::edm::{ColumnKind, OptionItem};
use flette_odata::names::{ContentIds, NoNames};
use flette_odata::payload::*;
use flette_odata::{ODataError, Schema, Value};
use proptest::prelude::*;

fn write_as(kind: WriteKind, table: &str, body: &str) -> Result<Write, ODataError> {
    let schema = schema();
    let names = ContentIds(|name: &str| (name == "$1").then(|| to("contact", B)));
    let scope = Scope { schema: &schema, root: ROOT, names: &names };
    parse_write(body.as_bytes(), schema.table(table).unwrap(), kind, &scope)
}

fn alone(schema: &Schema) -> Scope<'_> {
    Scope { schema, root: ROOT, names: &NoNames }
}

fn write(table: &str, body: &str) -> Result<Write, ODataError> {
    write_as(WriteKind::Update, table, body)
}

fn one(table: &str, body: &str) -> Value {
    let mut write = write(table, body).unwrap_or_else(|e| panic!("{body}: {e}"));
    assert_eq!(write.values.len(), 1, "{body}");
    write.values.remove(0).1
}

#[test]
fn values_are_read_as_their_column_has_them() {
    let account = |body: &str| one("account", body);
    let text = |t: &str| Value::Text(t.to_owned());
    let cases = [
        (r#"{"name":"a \"b\" é"}"#, text("a \"b\" é")),
        (r#"{"name":""}"#, text("")),
        (r#"{"name":"\ud83d\ude00abcdefgh"}"#, text("😀abcdefgh")),
        (r#"{"description":null}"#, Value::Null),
        (r#"{"numberofemployees": 1000000 }"#, Value::Int(1_000_000)),
        (r#"{"numberofemployees":-0}"#, Value::Int(0)),
        (r#"{"biggest":9223372036854775807}"#, Value::Int(i64::MAX)),
        (r#"{"biggest":-9223372036854775808}"#, Value::Int(i64::MIN)),
        (r#"{"revenue":5000000.0000}"#, Value::Decimal(decimal("5000000"))),
        (r#"{"revenue":0.005}"#, Value::Decimal(decimal("0.01"))),
        (r#"{"revenue":-0.005}"#, Value::Decimal(decimal("-0.01"))),
        (r#"{"revenue":1e3}"#, Value::Decimal(decimal("1000"))),
        (r#"{"exchangerate":99999999999.0123456789}"#, Value::Decimal(decimal("99999999999.0123456789"))),
        (r#"{"address1_latitude":-90}"#, Value::Double(-90.0)),
        (r#"{"address1_latitude":1.5e1}"#, Value::Double(15.0)),
        (r#"{"creditonhold":true}"#, Value::Bool(true)),
        (r#"{"industrycode":2}"#, Value::Int(2)),
        (r#"{"founded":"1970-01-03"}"#, Value::Date(2)),
        (r#"{"lastonholdtime":"1970-01-01T01:00:02.999+01:00"}"#, Value::DateTime(2000)),
        (r#"{"statecode":1}"#, Value::Int(1)),
    ];
    for (body, expected) in cases {
        assert_eq!(account(body), expected, "{body}");
    }
}

#[test]
fn a_bind_names_an_earlier_request_by_any_request_id() {
    let known = [("$1", A), ("$10", B), ("$5f000000-0000-7000-8000-00000000000a", A), ("$x.y_z~1", B)];
    let names = ContentIds(|name: &str| {
        known.iter().find(|(known, _)| *known == name).map(|(_, id)| to("contact", id))
    });
    let schema = schema();
    let scope = Scope { schema: &schema, root: ROOT, names: &names };
    for (reference, id) in known {
        for url in [reference.to_owned(), format!("/{reference}")] {
            assert_eq!(resolve_bind(&url, &scope), Ok(to("contact", id)), "{url}");
        }
    }
    for (url, code) in [
        ("$2", "0x80060888"),
        ("$100", "0x80060888"),
        ("$5f000000-0000-7000-8000-00000000000", "0x80060888"),
        ("$metadata", "0x80048d19"),
        ("$1/parentcustomerid_account", "0x80048d19"),
        ("$", "0x80048d19"),
    ] {
        let error = resolve_bind(url, &scope).unwrap_err();
        assert_eq!((error.status, error.code.as_str()), (400, code), "{url}");
    }
}

/// Accounts get their ids from the service.
fn with_given_ids() -> Schema {
    let mut schema = schema();
    let account = schema.tables.iter_mut().find(|table| table.logical_name == "account").unwrap();
    let column = account.columns.iter_mut().find(|column| column.logical_name == "accountid").unwrap();
    column.valid_for_create = false;
    schema
}

#[test]
fn where_the_service_gives_ids_a_new_row_comes_without_one() {
    let schema = with_given_ids();
    let account = schema.table("account").unwrap();
    let contact = schema.table("contact").unwrap();
    let with_id = format!(r#"{{"accountid":"{A}","name":"x"}}"#);
    let read = |table, kind, body: &str| parse_write(body.as_bytes(), table, kind, &alone(&schema));
    let refused = |result: Result<Write, ODataError>| {
        let error = result.unwrap_err();
        assert_eq!((error.status, error.code.as_str()), (400, "0x80060888"));
        assert_eq!(error.message, "The property 'accountid' of 'account' cannot be set.");
    };
    refused(read(account, WriteKind::Create, &with_id));
    let nested = format!(r#"{{"lastname":"x","parentcustomerid_account":{with_id}}}"#);
    for kind in [WriteKind::Create, WriteKind::Upsert] {
        refused(read(contact, kind, &nested));
    }
    // Not known yet whether it is a new one.
    let upsert = read(account, WriteKind::Upsert, &with_id).unwrap();
    let missing = check_made_by_id(account, id(A), &upsert).unwrap_err();
    assert_eq!((missing.status, missing.code.as_str()), (404, "0x80040217"));
    assert_eq!(check_write(account, &upsert, WriteKind::Create).unwrap_err().status, 400);
    assert_eq!(check_write(account, &upsert, WriteKind::Update), Ok(()));
    assert!(read(account, WriteKind::Update, &with_id).is_ok());
    let plain = read(account, WriteKind::Create, r#"{"name":"x"}"#).unwrap();
    assert_eq!(check_write(account, &plain, WriteKind::Create), Ok(()));
    assert_eq!(check_made_by_id(account, id(A), &plain).unwrap_err().status, 404);
    assert_eq!(check_made_by_id(contact, id(A), &Write::default()), Ok(()));
}

#[test]
fn lookups_are_bound_by_every_form_of_url() {
    let contact = Value::Lookup(to("contact", B));
    let upper = B.to_uppercase();
    for url in [
        format!("/contacts({B})"),
        format!("contacts({B})"),
        format!("contacts(contactid={upper})"),
        format!("{ROOT}contacts({B})"),
        format!("http://proxy:8080/api/data/v9.2/contacts({B})"),
        format!("/api/data/v9.2/contacts({B})"),
        "$1".to_owned(),
        "/$1".to_owned(),
    ] {
        let body = format!(r#"{{"primarycontactid@odata.bind":"{url}"}}"#);
        assert_eq!(one("account", &body), contact, "{url}");
    }
    assert_eq!(one("account", r#"{"primarycontactid@odata.bind":null}"#), Value::Null);
    assert_eq!(one("account", r#"{"primarycontactid":null}"#), Value::Null);
    let body = format!(r#"{{"ownerid@odata.bind":"teams({A})"}}"#);
    assert_eq!(one("account", &body), Value::Lookup(to("team", A)));
}

#[test]
fn siblings_of_a_polymorphic_lookup_are_one_value() {
    let account = format!(r#""parentcustomerid_account@odata.bind":"accounts({A})""#);
    let expected = Value::Lookup(to("account", A));
    for body in [
        format!("{{{account}}}"),
        format!(r#"{{"parentcustomerid_contact@odata.bind":null,{account}}}"#),
        format!(r#"{{{account},"parentcustomerid_contact":null}}"#),
    ] {
        assert_eq!(one("contact", &body), expected, "{body}");
    }
    let both = format!(r#"{{{account},"parentcustomerid_contact@odata.bind":"contacts({B})"}}"#);
    assert_eq!(write("contact", &both).unwrap_err().code, "0x80048d19");
}

#[test]
fn the_primary_key_is_not_among_the_values() {
    let body = format!(
        r#"{{"accountid":"{A}","name":"x","@odata.type":"account","name@Some.Thing":[[]],"@odata.etag":1}}"#
    );
    for kind in [WriteKind::Create, WriteKind::Update, WriteKind::Upsert] {
        let write = write_as(kind, "account", &body).unwrap();
        assert_eq!(write.id, Some(id(A)));
        assert_eq!(write.values, vec![("name".to_owned(), Value::Text("x".to_owned()))]);
    }
    assert_eq!(write("account", "{}").unwrap(), Write::default());
}

#[test]
fn what_does_not_fit_is_refused_with_its_code() {
    let no_bind = "0x80048d19";
    let cases: &[(&str, &str, &str)] = &[
        ("account", "", "0x80048d19"),
        ("account", "[]", "0x80048d19"),
        ("account", "\"secret\"", "0x80048d19"),
        ("account", "null", "0x80048d19"),
        ("account", "{\"name\":\"x\"", "0x80048d19"),
        ("account", "{\"name\":\"x\"} {}", "0x80048d19"),
        ("account", "{\"name\":\"x\",}", "0x80048d19"),
        ("account", "{\"name\":\"x\",\"name\":\"y\"}", "0x80048d19"),
        ("account", "{\"name\":\"x\",\"n\\u0061me\":\"y\"}", "0x80048d19"),
        ("account", "{\"@a\":1,\"@a\":1}", "0x80048d19"),
        ("account", r#"{"name":"\ud83d"}"#, "0x80048d19"),
        ("account", r#"{"name":"\ude00\ud83d"}"#, "0x80048d19"),
        ("account", r#"{"name":"a\u0000b"}"#, "0x80048d19"),
        ("account", r#"{"name":1}"#, "0x80048d19"),
        ("account", r#"{"name":{}}"#, "0x80048d19"),
        ("account", r#"{"name":null}"#, "0x80040200"),
        ("account", r#"{"name":"12345678901"}"#, "0x80044331"),
        ("account", r#"{"name":"😀😀😀😀😀x"}"#, "0x80044331"),
        ("account", r#"{"nosuch":1}"#, "0x80060888"),
        ("account", r#"{"Name":"x"}"#, "0x80060888"),
        ("account", r#"{"createdon":"2026-01-01T00:00:00Z"}"#, "0x80060888"),
        ("account", r#"{"overriddenname":"x"}"#, "0x80060888"),
        ("account", r#"{"numberofemployees":1.0}"#, "0x80048d19"),
        ("account", r#"{"numberofemployees":"1"}"#, "0x80048d19"),
        ("account", r#"{"numberofemployees":true}"#, "0x80048d19"),
        ("account", r#"{"numberofemployees":-1}"#, "0x8004432f"),
        ("account", r#"{"numberofemployees":1000001}"#, "0x8004432f"),
        ("account", r#"{"numberofemployees":99999999999999999999}"#, "0x8004432f"),
        ("account", r#"{"biggest":9223372036854775808}"#, "0x8004432f"),
        ("account", r#"{"biggest":1e400}"#, "0x80048d19"),
        ("account", r#"{"revenue":1e400}"#, "0x80044330"),
        ("account", r#"{"revenue":100000000000.01}"#, "0x80044330"),
        ("account", r#"{"revenue":-1000000.01}"#, "0x80044330"),
        ("account", r#"{"revenue":"1"}"#, "0x80048d19"),
        ("account", r#"{"revenue":NaN}"#, "0x80048d19"),
        ("account", r#"{"revenue":01}"#, "0x80048d19"),
        ("account", r#"{"exchangerate":0}"#, "0x80044330"),
        ("account", r#"{"address1_latitude":1e400}"#, "0x80044330"),
        ("account", r#"{"address1_latitude":90.1}"#, "0x80044330"),
        ("account", r#"{"creditonhold":1}"#, "0x80048d19"),
        ("account", r#"{"creditonhold":"true"}"#, "0x80048d19"),
        ("account", r#"{"industrycode":3}"#, "0x8004431a"),
        ("account", r#"{"industrycode":4294967297}"#, "0x8004431a"),
        ("account", r#"{"industrycode":"1"}"#, "0x80048d19"),
        ("account", r#"{"statecode":9}"#, "0x8004431a"),
        ("account", r#"{"statuscode":9}"#, "0x8004431a"),
        ("account", r#"{"founded":"2026-02-30"}"#, "0x80048d19"),
        ("account", r#"{"founded":20260101}"#, "0x80048d19"),
        ("account", r#"{"lastonholdtime":"2026-01-15"}"#, "0x80048d19"),
        ("account", r#"{"lastonholdtime":"2026-01-15T25:00:00Z"}"#, "0x80048d19"),
        ("account", r#"{"accountid":"x"}"#, "0x80048d19"),
        ("account", r#"{"accountid":null}"#, "0x80048d19"),
        ("account", r#"{"accountid":"{a0000000-0000-4000-8000-000000000001}"}"#, "0x80048d19"),
        ("account", r#"{"_primarycontactid_value":null}"#, no_bind),
        ("account", r#"{"primarycontactid":"b0000000-0000-4000-8000-000000000002"}"#, no_bind),
        ("account", r#"{"primarycontactid@odata.bind":"contacts(b0000000)"}"#, no_bind),
        ("account", r#"{"primarycontactid@odata.bind":"contacts"}"#, no_bind),
        ("account", r#"{"primarycontactid@odata.bind":""}"#, no_bind),
        ("account", r#"{"primarycontactid@odata.bind":7}"#, no_bind),
        (
            "account",
            r#"{"primarycontactid@odata.bind":"accounts(b0000000-0000-4000-8000-000000000002)"}"#,
            no_bind,
        ),
        (
            "account",
            r#"{"primarycontactid@odata.bind":"x/contacts(b0000000-0000-4000-8000-000000000002)"}"#,
            no_bind,
        ),
        (
            "account",
            r#"{"primarycontactid@odata.bind":"nosuch(b0000000-0000-4000-8000-000000000002)"}"#,
            "0x80060888",
        ),
        ("account", r#"{"primarycontactid@odata.bind":"$2"}"#, "0x80060888"),
        ("account", r#"{"PrimaryContactId@odata.bind":null}"#, "0x80060888"),
        ("account", r#"{"ownerid@odata.bind":null}"#, "0x80040200"),
        ("account", r#"{"createdby@odata.bind":null}"#, "0x80060888"),
        ("contact", r#"{"parentcustomerid@odata.bind":null}"#, "0x80060888"),
        ("contact", r#"{"parentcustomerid":null}"#, "0x80060888"),
        ("contact", r#"{"fullname":"x"}"#, "0x80060888"),
    ];
    for (table, body, code) in cases {
        let error = write(table, body).expect_err(body);
        assert_eq!((error.status, error.code.as_str()), (400, *code), "{body}");
        for secret in ["secret", "12345678901", "b0000000"] {
            assert!(!error.message.contains(secret), "{}", error.message);
        }
    }
}

#[test]
fn which_columns_may_be_written_depends_on_the_kind() {
    let body = r#"{"overriddenname":"x"}"#;
    assert!(write_as(WriteKind::Create, "account", body).is_ok());
    let upsert = write_as(WriteKind::Upsert, "account", body).unwrap();
    let schema = schema();
    let account = schema.table("account").unwrap();
    assert!(check_writable(account, &upsert.values, WriteKind::Create).is_ok());
    assert_eq!(check_writable(account, &upsert.values, WriteKind::Update).unwrap_err().code, "0x80060888");
}

#[test]
fn one_property_and_one_reference() {
    let schema = schema();
    let account = schema.table("account").unwrap();
    let property = |column: &str, body: &str| {
        parse_property(body.as_bytes(), account, account.column(column).unwrap()).map_err(|e| e.code)
    };
    assert_eq!(property("name", r#"{"@odata.context":"x","value":"y"}"#), Ok(Value::Text("y".into())));
    assert_eq!(property("description", r#"{"value":null}"#), Ok(Value::Null));
    for (column, body, code) in [
        ("name", r#"{"value":null}"#, "0x80040200"),
        ("name", r#"{"value":"12345678901"}"#, "0x80044331"),
        ("name", r#"{}"#, "0x80048d19"),
        ("name", r#"{"value":"x","more":1}"#, "0x80048d19"),
        ("name", r#""x""#, "0x80048d19"),
        ("createdon", r#"{"value":null}"#, "0x80060888"),
        ("accountid", r#"{"value":null}"#, "0x80060888"),
        ("primarycontactid", r#"{"value":null}"#, "0x80060888"),
    ] {
        assert_eq!(property(column, body), Err(code.to_owned()), "{column} {body}");
    }
    let reference = |navigation: &str, body: &str| {
        parse_reference(body.as_bytes(), account, navigation, &alone(&schema)).map_err(|e| e.code)
    };
    let body = format!(r#"{{"@odata.id":"{ROOT}contacts({B})"}}"#);
    assert_eq!(reference("primarycontactid", &body), Ok(to("contact", B)));
    for (navigation, body, code) in [
        ("primarycontactid", r#"{"@odata.id":null}"#.to_owned(), "0x80048d19"),
        ("primarycontactid", r#"{"value":"x"}"#.to_owned(), "0x80048d19"),
        ("parentaccountid", body.clone(), "0x80048d19"),
        ("nosuch", body.clone(), "0x80060888"),
        ("createdby", body.replace("contacts", "systemusers"), "0x80060888"),
    ] {
        assert_eq!(reference(navigation, &body), Err(code.to_owned()), "{navigation} {body}");
    }
}

#[test]
fn depth_is_bounded_and_costs_no_stack() {
    let deep = "[".repeat(1_000_000);
    let closed = format!("{deep}{}", "]".repeat(1_000_000));
    for body in [
        deep.clone(),
        format!("{{\"name\":{deep}"),
        format!("{{\"name\":{closed}}}"),
        "{\"a\":".repeat(1_000_000),
    ] {
        assert_eq!(write("account", &body).unwrap_err().code, "0x80048d19");
    }
    assert!(write("account", &format!("{{\"@x\":{closed}}}")).is_err());
    // The body itself is one of the 127 levels; brackets in texts are none.
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        write("account", &format!("{{\"@x\":{open}{close},\"name\":\"\\\"{{{{\"}}"))
    };
    assert!(nested(126).is_ok());
    assert_eq!(nested(127).unwrap_err().code, "0x80048d19");
    let brackets = format!("{{\"description\":\"{}\"}}", "[".repeat(128));
    assert!(write("account", &brackets).is_ok());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body: Vec<u8>) {
        let schema = schema();
        for table in &schema.tables {
            let _ = parse_write(&body, table, WriteKind::Create, &alone(&schema));
        }
    }

    #[test]
    fn any_value_of_any_column_is_read_or_refused(
        column in 0usize..26,
        value in prop_oneof![
            "\"\\PC{0,40}\"", "-?[0-9]{1,40}(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,10})?",
            "\"(\\\\u[dD][89abAB][0-9a-f]{2}){1,3}\"", Just("{}".to_owned()), Just("true".to_owned()),
            "\"/?(contacts|accounts|\\$)[($a-f0-9=')/-]{0,50}\"",
        ],
        bind: bool,
    ) {
        let schema = schema();
        let account = schema.table("account").unwrap();
        let column = &account.columns[column % account.columns.len()];
        let name = format!("{}{}", column.logical_name, if bind { "@odata.bind" } else { "" });
        let body = format!("{{\"{name}\":{value}}}");
        match parse_write(body.as_bytes(), account, WriteKind::Upsert, &alone(&schema)) {
            Ok(write) => prop_assert!(write.values.len() <= 1),
            Err(error) => prop_assert!(error.status == 400 || error.status == 501),
        }
    }

    #[test]
    fn what_is_rendered_is_read_as_the_same_value(
        text in "[^\\x00]{0,5}", int in 0i64..=1_000_000, any: i64, cents in -100_000_000i64..100_000_000,
        degrees in -90.0f64..=90.0, flag: bool, seconds in -60_000_000_000i64..250_000_000_000, days in -700_000i32..2_900_000,
    ) {
        let money = flette_odata::Decimal::new(i128::from(cents), 2).unwrap();
        for (column, value) in [
            ("name", Value::Text(text.clone())),
            ("numberofemployees", Value::Int(int)),
            ("biggest", Value::Int(any)),
            ("revenue", Value::Decimal(money)),
            ("address1_latitude", Value::Double(degrees)),
            ("creditonhold", Value::Bool(flag)),
            ("founded", Value::Date(days)),
            ("lastonholdtime", Value::DateTime(seconds * 1000)),
            ("description", Value::Null),
        ] {
            let schema = schema();
            let mut body = format!("{{\"{column}\":").into_bytes();
            let shape = schema.table("account").unwrap().column(column).unwrap();
            flette_odata::render::write_value(&mut body, shape, &value);
            body.push(b'}');
            prop_assert_eq!(one("account", std::str::from_utf8(&body).unwrap()), value);
        }
    }

    #[test]
    fn a_decimal_is_read_to_the_last_digit(whole in 0u64..100_000_000_000, fraction in 1u64..10_000_000_000) {
        let text = format!("{whole}.{fraction:010}");
        let read = one("account", &format!("{{\"exchangerate\":{text}}}"));
        prop_assert_eq!(read, Value::Decimal(decimal(&text)));
    }
}

#[test]
fn several_options_are_one_text_in_rising_order() {
    let options = [1, 3, 20].map(|value| OptionItem { value, label: format!("Option {value}") });
    let kind = ColumnKind::MultiPicklist { options: options.to_vec() };
    let mut schema = schema();
    schema.tables[0].columns.push(column("colours", kind));
    let read = |json: &str| {
        let body = format!("{{\"colours\":{json}}}");
        let write = parse_write(body.as_bytes(), &schema.tables[0], WriteKind::Update, &alone(&schema));
        write.map(|write| write.values[0].1.clone())
    };
    for (json, text) in [("\"20,1\"", "1,20"), ("\"3\"", "3"), ("\" 3 , 3,1\"", "1,3")] {
        assert_eq!(read(json).unwrap(), Value::Text(text.into()), "{json}");
    }
    for json in ["null", "\"\"", "\" \""] {
        assert_eq!(read(json).unwrap(), Value::Null, "{json}");
    }
    for (json, code) in [("\"2\"", "0x8004431a"), ("\"1,,3\"", "0x8004431a"), ("3", "0x80048d19")] {
        assert_eq!(read(json).unwrap_err().code, code, "{json}");
    }
    let column = schema.tables[0].column("colours").unwrap();
    assert_eq!(
        flette_odata::format::formatted(column, &Value::Text("1,20".into())).as_deref(),
        Some("Option 1; Option 20")
    );
}
