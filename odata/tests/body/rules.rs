use crate::fixture::{column, id, schema, to, A, B};
use flette_odata::edm::ColumnKind;
use flette_odata::rules::{check_open, complete_create, complete_update, computed};
use flette_odata::{ODataError, Row, Table, Value};

const USER: &str = "50000000-0000-4000-8000-000000000001";
const UNIT: &str = "60000000-0000-4000-8000-000000000001";

fn text(t: &str) -> Value {
    Value::Text(t.to_owned())
}

fn named(values: &[(&str, Value)]) -> Vec<(String, Value)> {
    values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn create(table: &str, values: &[(&str, Value)]) -> Result<Row, ODataError> {
    let schema = schema();
    let table = schema.table(table).unwrap();
    complete_create(table, &schema, named(values), id(A), id(USER), id(UNIT), 1_700_000_000_999)
}

fn update(table: &str, current: &Row, values: &[(&str, Value)]) -> Result<Vec<(String, Value)>, ODataError> {
    complete_update(schema().table(table).unwrap(), current, named(values))
}

#[test]
fn a_new_row_has_every_column_defaults_owner_and_stamps() {
    let row = create("account", &[("name", text("x"))]).unwrap();
    let schema = schema();
    let account: &Table = schema.table("account").unwrap();
    assert!(
        account.columns.iter().all(|c| row.contains_key(&c.logical_name))
            && row.len() == account.columns.len()
    );
    for (column, expected) in [
        ("accountid", Value::Guid(id(A))),
        ("name", text("x")),
        ("description", Value::Null),
        ("creditonhold", Value::Bool(false)),
        ("industrycode", Value::Int(2)),
        ("statecode", Value::Int(0)),
        ("statuscode", Value::Int(1)),
        ("createdon", Value::DateTime(1_700_000_000_000)),
        ("modifiedon", Value::DateTime(1_700_000_000_000)),
        ("createdby", Value::Lookup(to("systemuser", USER))),
        ("modifiedby", Value::Lookup(to("systemuser", USER))),
        ("ownerid", Value::Lookup(to("systemuser", USER))),
        ("owninguser", Value::Lookup(to("systemuser", USER))),
        ("owningteam", Value::Null),
        ("owningbusinessunit", Value::Lookup(to("businessunit", UNIT))),
        ("versionnumber", Value::Null),
    ] {
        assert_eq!(row[column], expected, "{column}");
    }
}

#[test]
fn what_is_given_stands_against_defaults() {
    let given = [
        ("name", text("x")),
        ("ownerid", Value::Lookup(to("team", B))),
        ("creditonhold", Value::Bool(true)),
        ("industrycode", Value::Null),
        ("accountid", Value::Guid(id(B))),
    ];
    let row = create("account", &given).unwrap();
    assert_eq!(row["owningteam"], Value::Lookup(to("team", B)));
    assert_eq!((&row["owninguser"], &row["industrycode"]), (&Value::Null, &Value::Null));
    assert_eq!((&row["creditonhold"], &row["accountid"]), (&Value::Bool(true), &Value::Guid(id(A))));
    let imported = [("fullname", text("As it was"))];
    assert_eq!(create("contact", &imported).unwrap()["fullname"], text("As it was"));
    let old = [("name", text("x")), ("overriddencreatedon", Value::DateTime(1000))];
    let row = create("account", &old).unwrap();
    assert_eq!(
        (&row["createdon"], &row["modifiedon"]),
        (&Value::DateTime(1000), &Value::DateTime(1_700_000_000_000))
    );
    assert_eq!(create("task", &[]).unwrap()["activitytypecode"], text("task"));
}

#[test]
fn state_and_status_follow_each_other_or_are_refused() {
    let int = |n: Option<i64>| n.map_or(Value::Null, Value::Int);
    let cases = [
        (None, None, Some((0, 2))),
        (Some(1), None, Some((1, 5))),
        (None, Some(6), Some((2, 6))),
        (Some(0), Some(3), Some((0, 3))),
        (Some(0), Some(5), None),
        (Some(2), Some(2), None),
        (Some(9), None, None),
        (None, Some(9), None),
    ];
    for (state, status, expected) in cases {
        let row = create("task", &[("statecode", int(state)), ("statuscode", int(status))]);
        match (row, expected) {
            (Ok(row), Some((state, status))) => {
                assert_eq!(
                    (&row["statecode"], &row["statuscode"]),
                    (&Value::Int(state), &Value::Int(status))
                );
            }
            (Err(error), None) => assert_eq!((error.status, error.code.as_str()), (400, "0x80048408")),
            (other, _) => panic!("{state:?} {status:?}: {other:?}"),
        }
    }
    let open = create("task", &[("statuscode", Value::Int(3))]).unwrap();
    let closed = update("task", &open, &[("statecode", Value::Int(1))]).unwrap();
    assert_eq!(closed, named(&[("statecode", Value::Int(1)), ("statuscode", Value::Int(5))]));
    assert_eq!(update("task", &open, &[("statecode", Value::Int(0))]).unwrap(), []);
    assert_eq!(update("task", &open, &[("statuscode", Value::Int(5))]).unwrap_err().code, "0x80048408");
    for column in ["statecode", "statuscode"] {
        assert_eq!(update("task", &open, &[(column, Value::Null)]).unwrap_err().code, "0x80048408");
    }
    let both = [("statecode", Value::Int(2)), ("statuscode", Value::Int(6))];
    assert_eq!(update("task", &open, &both).unwrap(), named(&both));
}

#[test]
fn what_the_service_requires_must_be_there() {
    assert_eq!(create("account", &[]).unwrap_err().code, "0x80040200");
    assert_eq!(create("account", &[("name", Value::Null)]).unwrap_err().code, "0x80040200");
    let row = create("account", &[("name", text("x"))]).unwrap();
    assert_eq!(update("account", &row, &[("name", Value::Null)]).unwrap_err().code, "0x80040200");
    let foreign = [("name", text("x")), ("primarycontactid", Value::Lookup(to("nosuch", B)))];
    assert_eq!(create("account", &foreign).unwrap_err().code, "0x80040353");
}

#[test]
fn an_update_holds_only_what_changes_and_what_follows() {
    let row = create("contact", &[("firstname", text("Ola")), ("lastname", text("Nordmann"))]).unwrap();
    assert_eq!(row["fullname"], text("Ola Nordmann"));
    assert_eq!(update("contact", &row, &[("firstname", text("Ola"))]).unwrap(), []);
    assert_eq!(update("contact", &row, &[("contactid", Value::Guid(id(B)))]).unwrap(), []);
    let changed =
        update("contact", &row, &[("firstname", text("Kari")), ("lastname", text("Nordmann"))]).unwrap();
    assert_eq!(changed, named(&[("firstname", text("Kari")), ("fullname", text("Kari Nordmann"))]));
    let team = Value::Lookup(to("team", B));
    let moved = update("contact", &row, &[("ownerid", team.clone())]).unwrap();
    let expected = [("ownerid", team.clone()), ("owningteam", team), ("owninguser", Value::Null)];
    assert_eq!(moved, named(&expected));
}

#[test]
fn composites_are_built_from_the_parts_there_are() {
    let schema = schema();
    let contact = schema.table("contact").unwrap();
    type Case<'c> = (&'c [(&'c str, &'c str)], Option<&'c str>);
    let cases: &[Case<'_>] = &[
        (&[], None),
        (&[("country", "NO")], Some("NO")),
        (&[("city", "Oslo"), ("postalcode", "0150")], Some("Oslo, 0150")),
        (&[("city", ""), ("postalcode", "0150")], Some("0150")),
        (
            &[
                ("line1", "Main 1"),
                ("city", "Redmond"),
                ("stateorprovince", "WA"),
                ("postalcode", "98052"),
                ("country", "USA"),
            ],
            Some("Main 1\r\nRedmond, WA 98052\r\nUSA"),
        ),
    ];
    for (parts, expected) in cases {
        let mut row = create("contact", &[]).unwrap();
        for (name, value) in *parts {
            row.insert(format!("address1_{name}"), text(value));
        }
        let composite =
            computed(contact, &row).into_iter().find(|(name, _)| name == "address1_composite").unwrap().1;
        assert_eq!(composite, expected.map_or(Value::Null, text), "{parts:?}");
    }
}

#[test]
fn a_row_that_is_not_wholly_known_gets_no_guessed_columns() {
    let partial: Row = named(&[("firstname", text("Ola"))]).into_iter().collect();
    let changed = update("contact", &partial, &[("firstname", text("Kari"))]).unwrap();
    assert_eq!(changed, named(&[("firstname", text("Kari"))]));
}

#[test]
fn notes_have_columns_that_follow() {
    let mut table = schema().table("contact").unwrap().clone();
    let long = || ColumnKind::Memo { length_max: 1000 };
    for (name, kind, written) in [
        ("documentbody", long(), true),
        ("filesize", ColumnKind::Integer { min: 0, max: i32::MAX }, false),
        ("objecttypecode", long(), false),
    ] {
        let mut column = column(name, kind);
        (column.valid_for_create, column.valid_for_update) = (written, written);
        table.columns.push(column);
    }
    let file = |body: &str| ("documentbody", text(body));
    let about = ("objectid", Value::Lookup(to("lead", A)));
    type Case<'c> = (&'c [(&'c str, Value)], &'c str, Option<Value>);
    let cases: [Case<'_>; 5] = [
        (&[file("aGVsbG8=")], "filesize", Some(Value::Int(5))),
        (&[file("aGVs\r\nbG8h")], "filesize", Some(Value::Int(6))),
        (&[("documentbody", Value::Null)], "filesize", Some(Value::Int(0))),
        (&[about], "objecttypecode", Some(text("lead"))),
        (&[("objectid", Value::Null)], "objecttypecode", Some(Value::Null)),
    ];
    for (row, column, expected) in cases {
        let row: Row = named(row).into_iter().collect();
        let found = computed(&table, &row).into_iter().find(|(name, _)| name == column).map(|(_, v)| v);
        assert_eq!(found, expected, "{row:?}");
    }
}

#[test]
fn a_note_is_a_document_as_long_as_it_has_a_file() {
    let mut schema = schema();
    let table = schema.tables.iter_mut().find(|table| table.logical_name == "contact").unwrap();
    let (label_false, label_true) = ("No".to_owned(), "Yes".to_owned());
    for (name, kind) in [
        ("documentbody", ColumnKind::Memo { length_max: 1000 }),
        ("isdocument", ColumnKind::Boolean { label_false, label_true, default: false }),
    ] {
        table.columns.push(column(name, kind));
    }
    let table = schema.table("contact").unwrap();
    let (file, none, flag) = (("documentbody", text("YQ==")), ("documentbody", Value::Null), "isdocument");
    let said = |document: bool| (flag, Value::Bool(document));
    let one = std::slice::from_ref;
    type Case<'c> = (&'c [(&'c str, Value)], bool, &'c [(&'c str, Value)], bool);
    let cases: [Case<'_>; 7] = [
        (&[], false, one(&file), true),
        (one(&file), true, &[("lastname", text("x"))], true),
        (one(&file), true, one(&none), false),
        (&[file.clone(), said(false)], true, &[said(false)], true),
        (&[("documentbody", text(""))], false, &[], false),
        (&[said(true)], true, &[("lastname", text("x"))], true),
        (&[said(true)], true, &[said(false)], false),
    ];
    for (given, made, change, changed) in cases {
        let row = complete_create(table, &schema, named(given), id(A), id(USER), id(UNIT), 0).unwrap();
        assert_eq!(row[flag], Value::Bool(made), "{given:?}");
        let mut after = row.clone();
        after.extend(complete_update(table, &row, named(change)).unwrap());
        assert_eq!(after[flag], Value::Bool(changed), "{given:?} {change:?}");
    }
}

/// Columns of an update that names a state with its status, and others.
fn edit(state: Option<(i64, i64)>, others: &[(&str, Value)]) -> Vec<(String, Value)> {
    let pair =
        state.map(|(state, status)| [("statecode", Value::Int(state)), ("statuscode", Value::Int(status))]);
    named(&[pair.iter().flatten().cloned().collect::<Vec<_>>().as_slice(), others].concat())
}

#[test]
fn closed_rows_take_a_state_and_an_owner_and_nothing_else() {
    let schema = schema();
    let subject = || ("subject", text("Edited"));
    let owner = || ("ownerid", Value::Lookup(to("systemuser", B)));
    type Case<'c> = (i64, Option<(i64, i64)>, &'c [(&'c str, Value)], bool);
    let cases: [Case<'_>; 14] = [
        (0, None, &[subject()], true),
        (0, Some((1, 5)), &[subject()], true),
        (1, None, &[subject()], false),
        (2, None, &[subject()], false),
        (1, None, &[("subject", Value::Null)], false),
        (1, None, &[subject(), owner()], false),
        (1, Some((1, 5)), &[subject()], false),
        (1, Some((2, 6)), &[subject()], false),
        (1, Some((0, 2)), &[subject()], true),
        (1, Some((0, 2)), &[], true),
        (1, Some((2, 6)), &[], true),
        (1, None, &[owner()], true),
        (1, None, &[("subject", text("As it was"))], true),
        (1, None, &[("activityid", Value::Guid(id(B)))], true),
    ];
    let closable = [
        ("task", true, Some("0x8004022e")),
        ("opportunity", false, Some("0x80040515")),
        ("lead", false, Some("0x80040519")),
        ("account", false, None),
        ("new_project", false, None),
    ];
    for (name, activity, code) in closable {
        let mut table = schema.table("task").unwrap().clone();
        (table.logical_name, table.activity) = (name.to_owned(), activity);
        for (state, to_state, others, taken) in &cases {
            let status = [2, 5, 6][usize::try_from(*state).unwrap()];
            let values = [("subject", text("As it was")), ("statecode", Value::Int(*state))];
            let mut row = create("task", &values).unwrap();
            row.insert("statuscode".to_owned(), Value::Int(status));
            let changed = complete_update(&table, &row, edit(*to_state, others));
            match code.filter(|_| !taken) {
                None => assert!(changed.is_ok(), "{name} {state} {to_state:?} {others:?}: {changed:?}"),
                Some(code) => {
                    let error = changed.unwrap_err();
                    assert_eq!((error.status, error.code.as_str()), (400, code), "{name} {state} {others:?}");
                    assert!(!error.message.contains("Edited"));
                }
            }
            assert_eq!(check_open(&table, &row).is_err(), code.is_some() && *state != 0, "{name} {state}");
        }
    }
    // An appointment that is scheduled is open.
    let mut row = create("task", &[]).unwrap();
    row.insert("statecode".to_owned(), Value::Int(3));
    assert!(check_open(schema.table("task").unwrap(), &row).is_ok());
}
