use super::*;
use crate::model::{FieldEdit, Value};

fn profile(text: &str) -> Profile {
    Profile::read(text, &["contact".to_owned(), "account".to_owned(), "annotation".to_owned()]).unwrap()
}

fn server() -> Schema {
    flette_server::schema::schema()
}

fn names(schema: &Schema, table: &str) -> Vec<String> {
    schema.table(table).unwrap().columns.iter().map(|column| column.logical_name.clone()).collect()
}

#[test]
fn what_the_profile_leaves_out_is_not_in_the_schema_and_everything_else_is() {
    let left_out = profile(
        r#"{"contact":{"fields":{"fax":{"direction":"none"},"parentcustomerid":{"direction":"none"}}}}"#,
    );
    let scoped = scoped(&server(), &left_out, &Pending::new());
    let gone = ["fax", "parentcustomerid"];
    let expected: Vec<String> =
        names(&server(), "contact").into_iter().filter(|name| !gone.contains(&name.as_str())).collect();
    assert_eq!(names(&scoped.schema, "contact"), expected);
    assert_eq!(names(&scoped.schema, "account"), names(&server(), "account"));
    assert_eq!(scoped.left_out.of("contact").len(), 2);
    // Whatever a request may call them by.
    for name in ["fax", "_parentcustomerid_value", "parentcustomerid_account", "contact_customer_accounts"] {
        assert!(scoped.left_out.names.contains(name), "{name}");
    }
    let untouched = super::scoped(&server(), &Profile::default(), &Pending::new());
    assert_eq!(untouched, Scoped { schema: server(), ..Scoped::default() });
}

#[test]
fn what_follows_from_a_column_goes_with_it_and_what_rows_are_found_by_stays() {
    let check = |text: &str, table: &str, gone: &[&str]| {
        let scoped = scoped(&server(), &profile(text), &Pending::new());
        let left_out: BTreeSet<&str> = scoped.left_out.of(table).iter().map(String::as_str).collect();
        assert_eq!(left_out, gone.iter().copied().collect(), "{text}");
    };
    let none = |table: &str, column: &str| {
        format!(r#"{{"{table}":{{"fields":{{"{column}":{{"direction":"none"}}}}}}}}"#)
    };
    check(&none("account", "revenue"), "account", &["revenue", "revenue_base"]);
    check(&none("contact", "address1_city"), "contact", &["address1_city", "address1_composite"]);
    check(&none("annotation", "documentbody"), "annotation", &["documentbody", "filesize"]);
    for column in ["contactid", "fullname", "lastname", "ownerid", "statecode", "transactioncurrencyid"] {
        check(&none("contact", column), "contact", &[]);
    }
}

#[test]
fn a_column_that_only_comes_down_is_read_only() {
    let down =
        profile(r#"{"contact":{"fields":{"fax":{"direction":"down"},"lastname":{"direction":"down"}}}}"#);
    let scoped = scoped(&server(), &down, &Pending::new());
    let contact = scoped.schema.table("contact").unwrap();
    let editable = |name: &str| contact.column(name).map(|c| (c.valid_for_create, c.valid_for_update));
    assert_eq!((editable("fax"), editable("lastname")), (Some((false, false)), Some((true, true))));
    assert!(scoped.left_out.columns.is_empty());
}

#[test]
fn a_column_stays_until_its_edits_are_settled() {
    let none =
        profile(r#"{"contact":{"fields":{"fax":{"direction":"none"},"jobtitle":{"direction":"none"}}}}"#);
    let waits = Pending::from([("contact".to_owned(), BTreeSet::from(["fax".to_owned()]))]);
    let scoped = scoped(&server(), &none, &waits);
    assert_eq!((scoped.left_out.of("contact"), scoped.kept_for_edits), (&["jobtitle".to_owned()][..], 1));
    assert!(names(&scoped.schema, "contact").contains(&"fax".to_owned()));
}

#[test]
fn entries_tell_which_columns_they_give_a_value() {
    let key = |table: &str| crate::model::Key::new(table, uuid::Uuid::nil());
    let entry = |table: &str, change: Change| Entry {
        seq: crate::model::Seq(1),
        op: crate::model::OpId(uuid::Uuid::nil()),
        key: key(table),
        change,
        at: crate::model::Hlc::default(),
        base: None,
        change_set: None,
        state: crate::journal::EntryState::Waiting,
        holders: Vec::new(),
        added: false,
        first_sent: None,
        before: None,
    };
    let edit = FieldEdit { name: "fax".to_owned(), old: Value::Int(1), new: Value::Null };
    let row = [("name".to_owned(), Value::Int(1)), ("fax".to_owned(), Value::Null)].into();
    let entries = [
        entry("contact", Change::Update(vec![edit])),
        entry("contact", Change::Delete),
        entry("account", Change::Create(row)),
    ];
    let expected: Pending = [("contact", "fax"), ("account", "name")]
        .into_iter()
        .map(|(table, column)| (table.to_owned(), BTreeSet::from([column.to_owned()])))
        .collect();
    assert_eq!(pending(entries.iter()), expected);
}
