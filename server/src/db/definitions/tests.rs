use super::*;
use crate::schema::schema;

fn account() -> Table {
    schema().table("account").cloned().unwrap()
}

#[test]
fn a_newer_server_adds_its_columns_and_keeps_what_was_customised() {
    let before = account();
    let mut current = before.clone();
    let custom = Column { logical_name: "new_colour".into(), ..before.columns[1].clone() };
    current.columns.push(custom.clone());
    current.columns[1].display_name = "Customised".into();
    let mut own = before.clone();
    own.columns[1].display_name = "Renamed by the server".into();
    own.columns[2].display_name = "Also renamed".into();
    own.display_name = "Company".into();
    own.columns.push(Column { logical_name: "brandnew".into(), ..before.columns[2].clone() });
    own.columns.retain(|column| column.logical_name != "sic");

    let merged = merged(&current, &before, &own);
    assert_eq!(merged.display_name, "Company");
    assert_eq!(merged.columns[1].display_name, "Customised");
    assert_eq!(merged.columns[2].display_name, "Also renamed");
    assert_eq!(merged.column("new_colour"), Some(&custom));
    assert!(merged.column("brandnew").is_some());
    assert!(merged.column("sic").is_some(), "what is in a column that the server gave up would be lost");
    assert_eq!(merged.columns.len(), before.columns.len() + 2);
}

#[test]
fn a_column_keeps_its_kind_of_value() {
    let before = account();
    let mut after = before.clone();
    assert!(check_kinds(&before, &after).is_ok());
    let place = after.columns.iter().position(|column| column.logical_name == "revenue").unwrap();
    after.columns[place].kind = flette_odata::ColumnKind::BigInt;
    let error = check_kinds(&before, &after).unwrap_err();
    assert_eq!((error.status, error.message.contains("revenue")), (500, true));
}

#[test]
fn what_belongs_to_no_table_is_added_and_nothing_of_it_is_changed() {
    let own = schema();
    assert!(!own.many_to_many.is_empty());
    let mut current = own.clone();
    current.many_to_many.remove(0);
    current.many_to_many[0].intersect = "customised".into();
    let merged = with_rest(&current, &own);
    assert_eq!(merged.many_to_many.len(), own.many_to_many.len());
    assert_eq!(merged.many_to_many[0].intersect, "customised");
    assert_eq!(merged.many_to_many.last(), own.many_to_many.first());
    assert!(with_rest(&own, &own) == own);
}
