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

/// What was read, without the text it was read from.
fn bare(expands: Vec<Expand>) -> Vec<Expand> {
    let one = |expand: Expand| Expand { options: String::new(), expand: bare(expand.expand), ..expand };
    expands.into_iter().map(one).collect()
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
        let expands = parse(&[("$expand", list)]).map(|query| bare(query.expand));
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
    let lambda = [("$filter", "contact_customer_accounts/any(c:c/lastname eq @p)"), ("@p", "'x'")];
    let same = [("$filter", "contact_customer_accounts/any(c:c/lastname eq 'x')"), ("@p", "5")];
    assert_eq!(parse(&lambda), parse(&same));
    let list = [
        ("$filter", "Microsoft.Dynamics.CRM.In(PropertyName=@p1,PropertyValues=@p2)"),
        ("@p1", "'name'"),
        ("@p2", "[\"a\",'b']"),
    ];
    let plain = [("$filter", "name eq 'a' or name eq 'b'")];
    assert_eq!(parse(&list).map(|query| query.filter), parse(&plain).map(|query| query.filter));
    for hostile in ["'name','x'", "['name'", "name'", "@p2", ""] {
        let options = [("$filter", "Microsoft.Dynamics.CRM.Today(PropertyName=@p1)"), ("@p1", hostile)];
        assert_eq!(parse(&options).map_err(|error| error.status), Err(400), "{hostile}");
    }
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
    check(&[("$orderby", "primarycontactid/nonsense")], 400, "named 'nonsense'");
    check(&[("$orderby", "primarycontactid/")], 400, "position 17");
    check(&[("$orderby", "ownerid/fullname")], 400, "principal");
    check(&[("$orderby", "contact_customer_accounts/lastname")], 400, "not a single value");
    check(&[("$orderby", "'name'")], 400, "'$orderby' is malformed");
    check(&[("$orderby", "name desc (")], 400, "'$orderby' is malformed");
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
    check(&[("$expand", "primarycontactid,primarycontactid")], 400, "twice");
    for option in ["$filter=fullname eq 'x'", "$orderby=fullname", "$top=1", "$count=true"] {
        check(&[("$expand", &format!("primarycontactid({option})"))], 400, "inside $expand of a single row");
    }
}

#[test]
fn collections_are_expanded_with_options_of_their_own() {
    let parsed = parse(&[(
        "$expand",
        "contact_customer_accounts($select=lastname;$filter=lastname eq 'a;b,c)' and contains(fullname,'(');\
         $orderby=lastname desc,fullname;$top=3;$count=true),account_teams,ownerid/$ref",
    )]);
    let text = |column: &str, value: &str| Filter::Compare {
        column: column.into(),
        op: CompareOp::Equal,
        value: Value::Text(value.into()),
    };
    let contains =
        Filter::Text { column: "fullname".into(), op: crate::filter::TextOp::Contains, pattern: "(".into() };
    let expected = vec![
        Expand {
            collection: true,
            filter: Some(Filter::And(vec![text("lastname", "a;b,c)"), contains])),
            orderby: vec![order("lastname", true), order("fullname", false)],
            top: Some(3),
            count: true,
            ..expand_of("contact_customer_accounts", names(&["lastname"]))
        },
        Expand { collection: true, ..expand_of("account_teams", None) },
        Expand { reference_only: true, ..expand_of("ownerid", None) },
    ];
    // What a link to the rest of a collection must repeat.
    let written = parsed.as_ref().map(|query| query.expand[0].options.as_str());
    assert!(written.is_ok_and(|text| text.starts_with("$select=lastname;") && text.ends_with(";$count=true")));
    assert_eq!(parsed.map(|query| bare(query.expand)), Ok(expected));
    let nested = parse(&[("$expand", "primarycontactid($expand=parentcustomerid_account($expand=ownerid))")]);
    let inner =
        Expand { expand: vec![expand_of("ownerid", None)], ..expand_of("parentcustomerid_account", None) };
    let expected = Expand { expand: vec![inner], ..expand_of("primarycontactid", None) };
    assert_eq!(nested.map(|query| bare(query.expand)), Ok(vec![expected]));
}

#[test]
fn what_cannot_be_expanded_is_refused() {
    fn check(list: &str, part: &str) {
        let error = parse(&[("$expand", list)]).expect_err(list);
        assert_eq!(error.status, 400, "{list}");
        assert!(error.message.contains(part), "{list}: {}", error.message);
    }
    check("contact_customer_accounts/$ref", "only supported on lookup type");
    check("account_teams/$ref", "only supported on lookup type");
    check("primarycontactid/$ref($select=fullname)", "'$expand' is malformed");
    check("primarycontactid/fullname", "named 'primarycontactid/fullname'");
    check("*", "named '*'");
    check("contact_customer_accounts($levels=2)", "$levels is not supported");
    check("contact_customer_accounts($top=x)", "'$expand' is malformed");
    check("contact_customer_accounts($count=1)", "'$expand' is malformed");
    check("contact_customer_accounts($top=1;$top=1)", "'$expand' is malformed");
    check("contact_customer_accounts($filter=name eq 'x')", "named 'name'");
    check("contact_customer_accounts($filter=lastname eq @p)", "aliases are not supported inside $expand");
    check("parentaccountid($expand=account_teams)", "cannot be expanded inside $expand");
    check("ownerid($expand=createdby)", "several tables");
    // Orders and limits do not go together with collections in collections.
    let inner = "contact_customer_contacts";
    let both = "not supported together with a collection";
    check(&format!("contact_customer_accounts($top=1;$expand={inner})"), both);
    check(&format!("contact_customer_accounts($orderby=lastname;$expand={inner})"), both);
    check(&format!("contact_customer_accounts($expand={inner}($top=1))"), both);
    check(&format!("primarycontactid($expand={inner}($orderby=lastname))"), both);
    assert!(parse(&[("$expand", &format!("contact_customer_accounts($expand={inner})"))]).is_ok());
    let above = "contact_customer_accounts($top=1;$expand=parentcustomerid_account)";
    assert!(parse(&[("$expand", above)]).is_ok());
    let deep = |levels: usize| {
        let options = "$expand=parentaccountid(".repeat(levels - 1);
        format!("parentaccountid({options}{}", ")".repeat(levels))
    };
    assert!(parse(&[("$expand", &deep(EXPAND_MAX))]).is_ok());
    check(&deep(EXPAND_MAX + 1), "more than 15");
    check(&"parentaccountid($expand=".repeat(100_000), "'$expand' is malformed");
}

#[test]
fn orders_follow_paths() {
    let keys = parse(&[("$orderby", "primarycontactid/parentcustomerid_account/name desc,name")]);
    let path = vec!["primarycontactid".to_owned(), "parentcustomerid_account".to_owned()];
    let expected = vec![OrderBy { path, column: "name".into(), descending: true }, order("name", false)];
    assert_eq!(keys.map(|query| query.orderby), Ok(expected));
}

#[test]
fn groups_and_what_is_reckoned_of_them() {
    let path = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let key = |names: &[&str], column: &str, alias: &str| GroupKey {
        path: path(names),
        column: column.into(),
        alias: alias.into(),
    };
    let of = |op, names: &[&str], column: &str, alias: &str| Aggregate {
        op,
        column: Some((path(names), column.into())),
        alias: alias.into(),
    };
    let check = |text: &str, expected: Apply| {
        assert_eq!(parse(&[("$apply", text)]).map(|query| query.apply), Ok(Some(expected)), "{text}");
    };
    check(
        "groupby((statuscode))",
        Apply { group: vec![key(&[], "statuscode", "statuscode")], ..Apply::default() },
    );
    check(
        "groupby((_ownerid_value,primarycontactid/fullname),aggregate(revenue with sum as total,\
         numberofemployees with average as mean , primarycontactid/creditlimit with max as most,\
         accountid with countdistinct as kinds,$count as n))",
        Apply {
            group: vec![
                key(&[], "ownerid", "_ownerid_value"),
                key(&["primarycontactid"], "fullname", "primarycontactid_fullname"),
            ],
            aggregates: vec![
                of(AggregateOp::Sum, &[], "revenue", "total"),
                of(AggregateOp::Average, &[], "numberofemployees", "mean"),
                of(AggregateOp::Max, &["primarycontactid"], "creditlimit", "most"),
                of(AggregateOp::CountDistinct, &[], "accountid", "kinds"),
                Aggregate { op: AggregateOp::Count, column: None, alias: "n".into() },
            ],
            ..Apply::default()
        },
    );
    let filter = Filter::Compare { column: "statecode".into(), op: CompareOp::Equal, value: Value::Int(0) };
    check(
        "filter(statecode eq 0)/aggregate(createdon with min as first)",
        Apply {
            filter: Some(filter),
            aggregates: vec![of(AggregateOp::Min, &[], "createdon", "first")],
            ..Apply::default()
        },
    );
    let aliased = parse(&[("$apply", "filter(name eq @p)/groupby((name))"), ("@p", "'x'")]);
    assert!(aliased.is_ok_and(|query| query.apply.is_some_and(|apply| apply.filter.is_some())));
}

#[test]
fn what_cannot_be_grouped_or_reckoned_is_refused() {
    fn check(text: &str, part: &str) {
        let error = parse(&[("$apply", text)]).expect_err(text);
        assert_eq!(error.status, 400, "{text}");
        assert!(error.message.contains(part), "{text}: {}", error.message);
    }
    check("", "position 0");
    check("x", "transformation 'x' is not supported");
    check("topcount(1,revenue)", "transformation 'topcount' is not supported");
    check("groupby", "position 7");
    check("groupby(name)", "position 8");
    check("groupby(())", "position 9");
    check("groupby((name)", "position 14");
    check("groupby((name,))", "position 14");
    check("groupby((name,name))", "comes twice");
    check("groupby((nonsense))", "named 'nonsense'");
    check("groupby((ownerid/fullname))", "principal");
    check("groupby((rollup(name)))", "named 'rollup'");
    check("groupby((name),filter(true))", "position 15");
    check("groupby((name),aggregate($count as name))", "comes twice");
    check("groupby((name))/filter(true)", "Nothing can follow");
    check("groupby((name)) x", "position 16");
    check("filter(true)", "position 12");
    check("filter(true)/filter(true)/groupby((name))", "transformation 'filter'");
    check("filter(name)/groupby((name))", "single boolean value");
    check("aggregate()", "position 10");
    check("aggregate(revenue)", "position 17");
    check("aggregate(revenue with sum)", "position 26");
    check("aggregate(revenue with sum as)", "position 29");
    check("aggregate(revenue with sum as a.b)", "position 33");
    check("aggregate(revenue with median as m)", "aggregation method");
    check("aggregate(name with sum as m)", "'name' cannot be aggregated");
    check("aggregate(name with min as m)", "'name' cannot be aggregated");
    check("aggregate(createdon with average as m)", "'createdon' cannot be aggregated");
    check("aggregate(revenue with sum as a,revenue with max as a)", "comes twice");
    check("aggregate($count)", "position 16");
    let many = |count: usize| {
        let list: Vec<String> = (0..count).map(|at| format!("$count as a{at}")).collect();
        format!("aggregate({})", list.join(","))
    };
    assert!(parse(&[("$apply", &many(AGGREGATES_MAX))]).is_ok());
    check(&many(AGGREGATES_MAX + 1), "'$apply' is malformed");
}

#[test]
fn whole_queries_leave_no_room_for_other_options() {
    fn check(whole: (&str, &str), other: (&str, &str), allowed: bool) {
        assert_eq!(parse(&[whole, other]).is_ok(), allowed, "{whole:?} {other:?}");
        assert_eq!(parse(&[other, whole]).is_ok(), allowed, "{other:?} {whole:?}");
    }
    let id = "a0000000-0000-4000-8000-000000000001";
    let apply = ("$apply", "groupby((name))");
    check(apply, ("$filter", "true"), false);
    check(apply, ("$orderby", "name"), false);
    check(apply, ("$top", "1"), false);
    check(apply, ("@p", "1"), true);
    check(("fetchXml", "<fetch/>"), ("$select", "name"), false);
    check(("fetchXml", "<fetch/>"), ("savedQuery", id), false);
    check(("fetchXml", "<fetch/>"), ("tag", "x"), true);
    check(("savedQuery", id), ("userQuery", id), false);
    check(("savedQuery", id), apply, false);
    check(("savedQuery", id), ("$top", "1"), true);
    check(("userQuery", id), ("$filter", "true"), true);
    let query = parse(&[("userQuery", &id.to_uppercase())]).unwrap();
    assert_eq!(query.saved, Some(SavedQuery::User(Uuid::try_parse(id).unwrap())));
    let query = parse(&[("fetchXml", "<fetch/>")]).unwrap();
    assert_eq!(query.fetch.as_deref(), Some("<fetch/>"));
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
        let found = found.map(|query| Query { expand: bare(query.expand.clone()), ..query });
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

    #[test]
    fn reading_nearly_valid_options_never_panics(
        name in proptest::sample::select(vec!["$select", "$filter", "$orderby", "$expand", "$apply", "@p"]),
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "primarycontactid", "contact_customer_accounts", "account_teams", "(", ")", "/", ",", ";", "=", "$ref",
                "$expand", "$filter", "$orderby", "$top", "$count", "name", "desc", "groupby", "((", "aggregate",
                " with ", "sum", " as ", "x", "filter", "any(c:c/", "lastname eq 'x'", "'", "\"", "[", "]", "é", "@p",
                "Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=", "null", "1", " ",
            ]),
            0..20,
        ),
    ) {
        let _ = parse(&[(name, &words.concat()), ("@p", &words.join(" "))]);
        let _ = parse(&[("@p", &words.concat()), ("$filter", "name eq @p"), ("$orderby", "@p")]);
    }

    #[test]
    fn expansions_of_any_shape_stay_within_their_limits(shape in proptest::collection::vec(0..5_usize, 1..60)) {
        let mut text = String::new();
        let mut open = 0;
        for step in shape {
            match step {
                0 | 1 => {
                    text.push_str("parentaccountid($expand=");
                    open += 1;
                }
                2 if open > 0 => {
                    text.push_str("primarycontactid)");
                    open -= 1;
                }
                3 => text.push_str("contact_customer_accounts,"),
                _ => text.push_str("primarycontactid,"),
            }
        }
        text.push_str(&")".repeat(open));
        fn count(expands: &[Expand]) -> usize {
            expands.iter().map(|expand| 1 + count(&expand.expand)).sum()
        }
        if let Ok(query) = parse(&[("$expand", &text)]) {
            prop_assert!(count(&query.expand) <= EXPAND_MAX);
        }
    }
}
