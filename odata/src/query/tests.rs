use super::*;
use crate::edm::ColumnKind;
use crate::filter::CompareOp;
use crate::fixture::schema;
use crate::value::Value;
use proptest::prelude::*;

fn parse(options: &[(&str, &str)]) -> Result<Query> {
    let options: Vec<_> = options.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let schema = schema();
    parse_query(&options, schema.table("account").unwrap(), &schema)
}

fn names(list: &[&str]) -> Option<Vec<String>> {
    Some(list.iter().map(|name| (*name).to_owned()).collect())
}

fn order(column: &str, descending: bool) -> OrderBy {
    OrderBy { path: Vec::new(), column: column.into(), descending }
}

fn expand_of(navigation: &str, select: Option<Vec<String>>) -> Expand {
    Expand { navigation: navigation.into(), select, ..Expand::default() }
}

#[test]
fn selections_become_logical_names() {
    fn check(list: &str, expected: Option<Vec<String>>) {
        assert_eq!(parse(&[("$select", list)]).map(|query| query.select), Ok(expected), "{list}");
    }
    check("name", names(&["name"]));
    check(" name , revenue ", names(&["name", "revenue"]));
    check("name,name", names(&["name"]));
    check("accountid,_primarycontactid_value", names(&["accountid", "primarycontactid"]));
    check("*", None);
    check("", None);
    assert_eq!(parse(&[]), Ok(Query::default()));
}

#[test]
fn orders_and_numbers_are_read() {
    fn check(list: &str, expected: &[(&str, bool)]) {
        let keys = parse(&[("$orderby", list)]).map(|query| query.orderby);
        let expected = expected.iter().map(|(column, d)| order(column, *d));
        assert_eq!(keys, Ok(expected.collect()), "{list}");
    }
    check("name", &[("name", false)]);
    check("name asc, createdon  desc", &[("name", false), ("createdon", true)]);
    check("_primarycontactid_value desc", &[("primarycontactid", true)]);
    check("", &[]);
    let query = parse(&[
        ("$top", "0"),
        ("$count", "true"),
        ("$skiptoken", "<cookie />"),
        ("$deltatoken", "919042!08/22/2017"),
        ("tag", "x"),
    ]);
    let expected = Query {
        top: Some(0),
        count: true,
        skip_token: Some("<cookie />".into()),
        delta_token: Some("919042!08/22/2017".into()),
        ..Query::default()
    };
    assert_eq!(query, Ok(expected));
    assert_eq!(parse(&[("$count", "false"), ("$top", "4294967295")]).map(|q| q.top), Ok(Some(u32::MAX)));
}

#[test]
fn lookups_are_expanded() {
    fn check(list: &str, expected: &[(&str, Option<Vec<String>>)]) {
        let expands = parse(&[("$expand", list)]).map(|query| query.expand);
        let expected = expected.iter().map(|(navigation, select)| expand_of(navigation, select.clone()));
        assert_eq!(expands, Ok(expected.collect()), "{list}");
    }
    check("", &[]);
    check("primarycontactid", &[("primarycontactid", None)]);
    check("primarycontactid()", &[("primarycontactid", None)]);
    check("primarycontactid($select=fullname)", &[("primarycontactid", names(&["fullname"]))]);
    check(
        "primarycontactid($select=fullname,_parentcustomerid_value),ownerid($select=fullname,name)",
        &[
            ("primarycontactid", names(&["fullname", "parentcustomerid"])),
            ("ownerid", names(&["fullname", "name"])),
        ],
    );
}

#[test]
fn expansion_ends_at_its_cap() {
    let mut schema = schema();
    let table = schema.tables.iter_mut().find(|table| table.logical_name == "account").unwrap();
    let lookup = table.column("primarycontactid").unwrap().clone();
    for at in 0..=EXPAND_MAX {
        let mut lookup = lookup.clone();
        lookup.logical_name = format!("n{at}");
        if let ColumnKind::Lookup { targets } = &mut lookup.kind {
            targets[0].navigation = format!("n{at}");
        }
        table.columns.push(lookup);
    }
    let status = |count: usize| {
        let list: Vec<String> = (0..count).map(|at| format!("n{at}")).collect();
        let options = [("$expand".to_owned(), list.join(","))];
        parse_query(&options, schema.table("account").unwrap(), &schema)
            .map_or_else(|error| error.status, |_| 200)
    };
    assert_eq!((status(EXPAND_MAX), status(EXPAND_MAX + 1)), (200, 400));
}

#[test]
fn aliases_stand_for_literals() {
    fn check(filter: &str, value: Option<&str>, expected: Value) {
        let mut options = vec![("$filter", filter)];
        options.extend(value.map(|value| ("@p", value)));
        let found = parse(&options).map(|query| query.filter);
        let expected = Filter::Compare { column: "name".into(), op: CompareOp::Equal, value: expected };
        assert_eq!(found, Ok(Some(expected)), "{filter} {value:?}");
    }
    check("name eq @p", Some("'O''Bryan'"), Value::Text("O'Bryan".into()));
    check("@p eq name", Some("null"), Value::Null);
    check("name eq @p", None, Value::Null);
    check("name eq @q", Some("'x'"), Value::Null);
    let ordered = parse(&[("@o", "name desc"), ("$orderby", "@o")]).map(|query| query.orderby.len());
    assert_eq!(ordered, Ok(1));
    assert_eq!(parse(&[("$orderby", "@o")]).map(|query| query.orderby.len()), Ok(0));
    for hostile in ["@p", "name", "'x' or true", "'x", "(1)", ""] {
        let refused = parse(&[("$filter", "name eq @p"), ("@p", hostile)]).map_err(|error| error.status);
        assert_eq!(refused, Err(400), "{hostile}");
    }
}

#[test]
fn what_is_unknown_or_malformed_is_refused() {
    fn check(options: &[(&str, &str)], status: u16, part: &str) {
        let error = parse(options).expect_err(part);
        assert_eq!((error.status, error.code.as_str()), (status, "0x80060888"), "{options:?}");
        assert!(error.message.contains(part), "{options:?}: {}", error.message);
    }
    check(&[("$skip", "1")], 400, "$skip is not supported");
    check(&[("$search", "x")], 400, "$search is not supported");
    check(&[("$format", "json")], 400, "$format is not supported");
    check(&[("$compute", "x")], 400, "$compute is not supported");
    check(&[("$Top", "1")], 400, "$Top is not supported");
    check(&[("top", "1")], 400, "top is not supported");
    check(&[("", "")], 400, "is not supported");
    check(&[("$top", "1"), ("$top", "1")], 400, "'$top' was specified more than once");
    check(&[("@p", "1"), ("@p", "2")], 400, "'@p' was specified more than once");
    check(&[("$apply", "x")], 501, "$apply");
    check(&[("savedQuery", "x")], 400, "'savedQuery' is malformed");
    check(&[("userQuery", "")], 400, "'userQuery' is malformed");
    check(&[("$top", "-1")], 400, "'$top' is malformed");
    check(&[("$top", "4294967296")], 400, "'$top' is malformed");
    check(&[("$top", "")], 400, "'$top' is malformed");
    check(&[("$count", "yes")], 400, "'$count' is malformed");
    check(&[("$select", "nonsense")], 400, "named 'nonsense' on type 'Microsoft.Dynamics.CRM.account'");
    check(&[("$select", "name,")], 400, "named ''");
    check(&[("$select", "primarycontactid")], 400, "named 'primarycontactid'");
    check(&[("$orderby", "name up")], 400, "'$orderby' is malformed");
    check(&[("$orderby", "name asc desc")], 400, "'$orderby' is malformed");
    check(&[("$orderby", "name,")], 400, "'$orderby' is malformed");
    check(&[("$orderby", "nonsense")], 400, "named 'nonsense'");
    check(&[("$orderby", "primarycontactid/fullname")], 501, "another table");
    check(&[("$orderby", &vec!["name"; ORDER_KEYS_MAX + 1].join(","))], 400, "more than 32 keys");
    check(&[("$filter", "")], 400, "position 0");
    check(&[("$expand", "nonsense")], 400, "named 'nonsense'");
    check(&[("$expand", "name")], 400, "named 'name'");
    check(&[("$expand", "primarycontactid,")], 400, "named ''");
    check(&[("$expand", "primarycontactid(")], 400, "'$expand' is malformed");
    check(&[("$expand", "primarycontactid($select=fullname")], 400, "'$expand' is malformed");
    check(&[("$expand", "primarycontactid($select)")], 400, "'$expand' is malformed");
    check(
        &[("$expand", "primarycontactid($select=a;$select=b)")],
        400,
        "type 'Microsoft.Dynamics.CRM.contact'",
    );
    check(
        &[("$expand", "primarycontactid($select=fullname;$select=fullname)")],
        400,
        "'$expand' is malformed",
    );
    check(&[("$expand", "primarycontactid($skip=1)")], 400, "$skip is not supported");
    check(&[("$expand", "primarycontactid($filter=fullname eq 'x')")], 501, "only $select");
    check(&[("$expand", "primarycontactid,primarycontactid")], 400, "twice");
    check(&[("$expand", "contact_customer_accounts")], 501, "single-valued");
    check(&[("$expand", "primarycontactid/$ref")], 501, "single-valued");
}

#[test]
fn separators_inside_quotes_and_brackets_do_not_split() {
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(split_outside(text, ',').collect::<Vec<_>>(), expected, "{text}");
    }
    check("", &[""]);
    check("a,b", &["a", "b"]);
    check("a(b,c),d", &["a(b,c)", "d"]);
    check("a('),',b),[1,2]", &["a('),',b)", "[1,2]"]);
    check("a((b),c),d", &["a((b),c)", "d"]);
    check("'it''s,',x", &["'it''s,'", "x"]);
    check("),a", &[")", "a"]);
    check("(((,", &["(((,"]);
}

/// URLs as the client dynamics-web-api composes them.
#[test]
fn the_urls_of_a_common_client_are_understood() {
    fn check(query: &str, expected: Query) {
        let schema = schema();
        let url = format!("https://crm.example/api/data/v9.2/accounts?{query}");
        let target = crate::path::parse_url(&url, "/api/data/v9.2/", &schema).unwrap();
        let found = parse_query(&target.options, schema.table("account").unwrap(), &schema);
        assert_eq!(found, Ok(expected), "{query}");
    }
    let equal = |column: &str, value: Value| {
        Some(Filter::Compare { column: column.into(), op: CompareOp::Equal, value })
    };
    check(
        "$select=name,revenue&$filter=statecode%20eq%200&$count=true&$top=5&$orderby=name asc,createdon desc",
        Query {
            select: names(&["name", "revenue"]),
            filter: equal("statecode", Value::Int(0)),
            orderby: vec![order("name", false), order("createdon", true)],
            top: Some(5),
            count: true,
            ..Query::default()
        },
    );
    check(
        "$filter=name%20eq%20'O''Bryan%20%26%20S%C3%B8n'&$expand=primarycontactid($select=fullname)",
        Query {
            filter: equal("name", Value::Text("O'Bryan & Søn".into())),
            expand: vec![expand_of("primarycontactid", names(&["fullname"]))],
            ..Query::default()
        },
    );
    check(
        "$select=name&$skiptoken=%3Ccookie%20pagenumber=%222%22%20pagingcookie=%22x%22%20/%3E",
        Query {
            select: names(&["name"]),
            skip_token: Some("<cookie pagenumber=\"2\" pagingcookie=\"x\" />".into()),
            ..Query::default()
        },
    );
}

proptest! {
    #[test]
    fn reading_never_panics(
        name in proptest::sample::select(vec!["$select", "$filter", "$orderby", "$expand", "$top", "@p"]),
        value in "\\PC*",
    ) {
        let _ = parse(&[(name, &value), ("$filter", "name eq @p")]);
        let _ = parse(&[("$expand", &format!("primarycontactid({value})"))]);
    }
}
