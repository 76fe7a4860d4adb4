use super::*;

fn profile(text: &str) -> Profile {
    Profile::read(text, &["contact".to_owned(), "account".to_owned()]).unwrap()
}

fn table(name: &str) -> Table {
    flette_server::schema::schema().table(name).cloned().unwrap()
}

#[test]
fn a_field_comes_before_its_table_and_the_newest_wins_where_nothing_is_set() {
    let policy = Policy::of(&profile(
        r#"{"contact":{"merge":"server","fields":{"fax":{"merge":"local"},"jobtitle":{"merge":"newest"},"telephone1":{}}}}"#,
    ));
    for (table, fields, rule) in [
        ("contact", &["telephone1"][..], Rule::Server),
        ("contact", &["fax"], Rule::Local),
        ("contact", &["jobtitle"], Rule::Newest),
        ("account", &["fax"], Rule::Newest),
        // What merges as one value: the first that has a rule of its own, else the table's.
        ("contact", &["telephone1", "fax", "jobtitle"], Rule::Local),
        ("contact", &["telephone1", "jobtitle", "fax"], Rule::Newest),
        ("contact", &["telephone1", "telephone2"], Rule::Server),
    ] {
        assert_eq!(policy.fields(table, fields.iter().copied()), rule, "{table} {fields:?}");
    }
    assert_eq!((policy.table("contact"), policy.table("account")), (Rule::Server, Rule::Newest));
}

#[test]
fn what_means_nothing_apart_is_one_group() {
    let contact = table("contact");
    let names = |column: &str, currency: bool| {
        let group = group(&contact, contact.column(column).unwrap(), currency);
        group.into_iter().map(|column| column.logical_name.as_str()).collect::<BTreeSet<_>>()
    };
    let lines = ["line1", "line2", "line3", "city", "stateorprovince", "postalcode", "country"];
    for address in ["address1_", "address2_"] {
        let all: Vec<String> = lines.iter().map(|line| format!("{address}{line}")).collect();
        for name in &all {
            assert_eq!(names(name, false), all.iter().map(String::as_str).collect(), "{name}");
        }
    }
    assert_eq!(names("statuscode", false), BTreeSet::from(["statecode", "statuscode"]));
    // Amounts go with their currency when that changes, and alone while it stands.
    assert_eq!(names("annualincome", false), BTreeSet::from(["annualincome"]));
    let money = names("annualincome", true);
    assert!(money.contains("annualincome") && money.contains(CURRENCY) && money.contains("creditlimit"));
    assert_eq!(names(CURRENCY, true), money);
    assert_eq!(names("telephone1", true), BTreeSet::from(["telephone1"]));
}

#[test]
fn columns_that_only_go_up_keep_what_was_here() {
    let policy = Policy::of(&profile(r#"{"contact":{"fields":{"fax":{"direction":"up"}}}}"#));
    let text = |text: &str| Value::Text(text.to_owned());
    let row = |fax: &str| Row::from([("fax".to_owned(), text(fax)), ("jobtitle".to_owned(), text(fax))]);
    let check = |table: &str, known: Option<&str>, ours: bool, expected: &str| {
        let mut told = row("there");
        let known = known.map(row);
        policy.carry(table, (&mut told, known.as_ref()), &|_, _| ours);
        assert_eq!((&told["fax"], &told["jobtitle"]), (&text(expected), &text("there")), "{table} {ours}");
    };
    check("contact", Some("here"), false, "here");
    // It is our own value that came back.
    check("contact", Some("here"), true, "there");
    // The first value comes with the row.
    check("contact", None, false, "there");
    check("account", Some("here"), false, "there");
}
