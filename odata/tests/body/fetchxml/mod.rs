//! FetchXML: what is read, what is refused with which code, what it means for rows.

mod evaluating;
mod generate;

use crate::fixture::schema;
use flette_odata::edm::Column;
use flette_odata::fetchxml::*;
use generate::Chance;
use proptest::prelude::*;

/// Columns that chance plays with.
fn wanted(column: &Column) -> bool {
    let name = column.logical_name.as_str();
    !matches!(name, "versionnumber" | "owningbusinessunit" | "owninguser" | "owningteam")
}

const TABLES: [&str; 4] = ["account", "contact", "task", "systemuser"];

/// A query for accounts with this inside.
fn accounts(inside: &str) -> String {
    format!("<fetch><entity name='account'>{inside}</entity></fetch>")
}

fn read(text: &str) -> Fetch {
    parse(text, &schema()).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

#[test]
fn what_is_wrong_is_refused_with_the_documented_code() {
    fn check(text: &str, code: &str) {
        match parse(text, &schema()) {
            Ok(fetch) => panic!("{text} was read as {fetch:?}"),
            Err(error) => {
                assert_eq!((error.status, error.code.as_str()), (400, code), "{text}: {}", error.message)
            }
        }
    }
    let inside = |text: &str, code: &str| check(&accounts(text), code);
    check("", "0x80041124");
    check("  ", "0x80041124");
    check("<fetch>", "0x80041101");
    check("<!DOCTYPE fetch [<!ENTITY a 'b'>]><fetch><entity name='account'/></fetch>", "0x80041101");
    check("<fetch><entity name='&a;'/></fetch>", "0x80041101");
    check("<query><entity name='account'/></query>", "0x8004111c");
    check("<fetch/>", "0x80041123");
    check("<fetch><filter/></fetch>", "0x8004111c");
    check("<fetch><entity name='account'/><entity name='account'/></fetch>", "0x8004111c");
    check("<fetch><entity/></fetch>", "0x80041123");
    check("<fetch><entity name='nothing'/></fetch>", "0x80041102");
    check("<fetch distinct='yes'><entity name='account'/></fetch>", "0x80041115");
    check("<fetch distinct='1'><entity name='account'><no-attrs/></entity></fetch>", "0x8004112C");
    check("<fetch top='5' page='1'><entity name='account'/></fetch>", "0x80041139");
    check("<fetch top='0'><entity name='account'/></fetch>", "0x8004110c");
    check("<fetch top='5001'><entity name='account'/></fetch>", "0x80041139");
    check("<fetch top='x'><entity name='account'/></fetch>", "0x80041139");
    check("<fetch page='0'><entity name='account'/></fetch>", "0x8004110c");
    inside("text", "0x8004111c");
    inside("<column name='name'/>", "0x8004111c");
    inside("<attribute name='nothing'/>", "0x80041103");
    inside("<attribute name='name' alias='1'/>", "0x80041109");
    inside("<attribute name='name' alias='a b'/>", "0x80041109");
    inside("<attribute name='name' alias='x'/><attribute name='description' alias='x'/>", "0x80041130");
    inside("<attribute name='name' aggregate='count' alias='x'/>", "0x8004111a");
    inside("<order attribute='nothing'/>", "0x80041103");
    inside("<order attribute='name' descending='maybe'/>", "0x80041119");
    inside("<order alias='name'/>", "0x8004111f");
    inside("<order entityname='contact' attribute='fullname'/>", "0x8004110b");
    inside("<filter type='xor'/>", "0x80041122");
    inside("<filter><attribute name='name'/></filter>", "0x8004111c");
    let condition =
        |text: &str, code: &str| check(&accounts(&format!("<filter><condition {text}/></filter>")), code);
    condition("operator='null'", "0x80041123");
    condition("attribute='name'", "0x80041123");
    condition("attribute='nothing' operator='null'", "0x80041103");
    condition("attribute='name' operator='is'", "0x80041120");
    condition("attribute='name' operator='eq'", "0x80041139");
    condition("attribute='name' operator='last-x-days' value='1'", "0x80041120");
    condition("attribute='name' operator='eq-userid'", "0x80041120");
    condition("attribute='name' operator='contain-values' value='1'", "0x80041120");
    condition("attribute='revenue' operator='like' value='1'", "0x80041120");
    condition("attribute='creditonhold' operator='gt' value='1'", "0x80041120");
    condition("attribute='revenue' operator='eq' value='much'", "0x80041139");
    condition("attribute='accountid' operator='eq' value='1'", "0x80041139");
    condition("attribute='createdon' operator='eq' value='soon'", "0x80041139");
    condition("attribute='createdon' operator='last-x-days' value='0'", "0x80041139");
    condition("attribute='createdon' operator='last-x-days' value='-1'", "0x80041139");
    condition("attribute='createdon' operator='in-fiscal-period' value='5'", "0x80041139");
    condition("attribute='name' operator='between' value='a'", "0x80041139");
    condition("attribute='name' operator='eq' valueof='nothing'", "0x80041103");
    condition("attribute='name' operator='eq' valueof='revenue'", "0x80041139");
    condition("attribute='name' operator='like' valueof='name'", "0x80041120");
    condition("attribute='name' operator='eq' valueof='c.fullname'", "0x8004110b");
    condition("entityname='contact' attribute='fullname' operator='null'", "0x8004110b");
    let link = |text: &str, code: &str| check(&accounts(&format!("<link-entity {text}/>")), code);
    link("from='contactid' to='primarycontactid'", "0x80041123");
    link("name='nothing' from='contactid' to='primarycontactid'", "0x80041102");
    link("name='contact' from='contactid'", "0x80041123");
    link("name='contact' from='contactid' to='nothing'", "0x80041103");
    link("name='contact' from='nothing' to='primarycontactid'", "0x80041103");
    link("name='contact' from='lastname' to='primarycontactid'", "0x80041104");
    link("name='contact' from='contactid' to='primarycontactid' link-type='full'", "0x80041117");
    link("name='contact' from='contactid' to='primarycontactid' link-type='any'", "0x80041117");
    inside("<filter><link-entity name='contact' to='primarycontactid'/></filter>", "0x80041117");
    inside(
        "<link-entity name='contact' to='primarycontactid' alias='c'/>\
         <link-entity name='contact' to='primarycontactid' alias='c'/>",
        "0x80041130",
    );
    inside(
        "<link-entity name='contact' to='primarycontactid'><filter>\
         <condition entityname='account' attribute='name' operator='null'/></filter></link-entity>",
        "0x8004110b",
    );
}

#[test]
fn aggregates_are_refused_where_they_make_no_sense() {
    fn check(inside: &str, code: &str) {
        let text = format!("<fetch aggregate='true'><entity name='account'>{inside}</entity></fetch>");
        let error = parse(&text, &schema()).expect_err(&text);
        assert_eq!(error.code, code, "{text}: {}", error.message);
    }
    check("", "0x8004112C");
    check("<all-attributes/>", "0x8004111a");
    check("<attribute name='name'/>", "0x8004111a");
    check("<attribute name='name' groupby='true'/>", "0x80041109");
    check("<attribute name='name' aggregate='sum' alias='x'/>", "0x8004112F");
    check("<attribute name='industrycode' aggregate='max' alias='x'/>", "0x8004112F");
    check("<attribute name='revenue' aggregate='median' alias='x'/>", "0x8004111a");
    check("<attribute name='revenue' aggregate='sum' distinct='true' alias='x'/>", "0x8004111a");
    check("<attribute name='revenue' aggregate='sum' groupby='true' alias='x'/>", "0x8004111a");
    check("<attribute name='revenue' groupby='maybe' alias='x'/>", "0x8004112E");
    check("<attribute name='revenue' groupby='true' dategrouping='day' alias='x'/>", "0x80041135");
    check("<attribute name='createdon' groupby='true' dategrouping='decade' alias='x'/>", "0x80041135");
    check("<attribute name='name' groupby='true' alias='x'/><order attribute='name'/>", "0x8004111f");
    check("<attribute name='name' groupby='true' alias='x'/><order alias='y'/>", "0x8004111f");
}

#[test]
fn what_is_not_carried_out_is_not_passed_over() {
    for inside in [
        "<attribute name='accountid' rowaggregate='CountChildren' alias='n'/>",
        "<filter><condition attribute='name' aggregate='count' alias='n' operator='gt' value='1'/></filter>",
    ] {
        let error = parse(&accounts(inside), &schema()).expect_err(inside);
        assert_eq!(error.status, 501, "{inside}");
    }
}

#[test]
fn each_limit_holds_at_its_edge() {
    fn check(make: &dyn Fn(usize) -> String, max: usize) {
        if let Err(error) = parse(&make(max), &schema()) {
            panic!("{max} is allowed: {error}");
        }
        assert!(parse(&make(max + 1), &schema()).is_err(), "{max} is the most");
    }
    let condition = "<condition attribute='name' operator='null'/>";
    check(&|n| accounts(&format!("<filter>{}</filter>", condition.repeat(n))), FETCH_CONDITIONS_MAX);
    let link = "<link-entity name='contact' to='primarycontactid'/>";
    check(&|n| accounts(&link.repeat(n)), FETCH_LINKS_MAX);
    let value = "<value>1</value>";
    check(
        &|n| {
            let values = value.repeat(n);
            let condition = format!("<condition attribute='name' operator='in'>{values}</condition>");
            accounts(&format!("<filter>{condition}</filter>"))
        },
        FETCH_VALUES_MAX,
    );
    let order = "<order attribute='name'/>";
    check(&|n| accounts(&order.repeat(n)), FETCH_ORDERS_MAX);
    let attribute = |n| format!("<attribute name='name' alias='x{n}'/>");
    check(&|n| accounts(&(0..n).map(attribute).collect::<String>()), FETCH_ATTRIBUTES_MAX);
    // An entity is the first level.
    let nested = |n: usize| format!("{}{}", "<filter>".repeat(n - 1), "</filter>".repeat(n - 1));
    check(&|n| accounts(&nested(n)), FETCH_DEPTH_MAX);
    let empty = accounts("").len();
    check(&|n| accounts(&" ".repeat(n - empty)), FETCH_LENGTH_MAX);
    // Deep nesting of what nobody knows must not overflow the stack.
    let deep = FETCH_LENGTH_MAX / 7 - 10;
    assert!(parse(&accounts(&format!("{}{}", "<a>".repeat(deep), "</a>".repeat(deep))), &schema()).is_err());
}

#[test]
fn queries_as_views_and_builders_write_them_are_read() {
    let text = "<fetch version='1.0' output-format='xml-platform' mapping='logical' distinct='false' no-lock='true' \
        latematerialize='true' useraworderby='true'><!-- a view -->\
        <entity name='contact'><attribute name='fullname'/><attribute name='parentcustomerid'/>\
        <attribute name='contactid'/><order attribute='fullname' descending='false'/>\
        <filter type='and' isquickfindfields='1'><condition attribute='ownerid' operator='eq-userid'/>\
        <condition attribute='statecode' operator='eq' value='0'/>\
        <condition attribute='parentcustomerid' operator='eq' uiname='Sample' uitype='account' \
        value='{A0000000-0000-4000-8000-000000000001}'/></filter>\
        <link-entity name='account' from='accountid' to='parentcustomerid' visible='false' link-type='outer' \
        alias='a_410707b195544cd984376608b1802904'><attribute name='revenue'/></link-entity>\
        <link-entity name='task' from='regardingobjectid' to='contactid' intersect='true'/></entity></fetch>";
    let schema = schema();
    let fetch = read(text);
    let names: Vec<String> = fetch.outputs(&schema).unwrap().into_iter().map(|output| output.name).collect();
    let revenue = "a_410707b195544cd984376608b1802904_x002e_revenue";
    assert_eq!(names, ["fullname", "_parentcustomerid_value", "contactid", revenue]);
    let positions: Vec<_> = fetch
        .positions(&schema)
        .unwrap()
        .iter()
        .map(|at| (at.place, at.column.logical_name.clone()))
        .collect();
    let expected = [(0, "fullname"), (0, "contactid"), (1, "accountid"), (2, "activityid")];
    assert_eq!(positions, expected.map(|(place, name)| (place, name.to_owned())));
    assert_eq!(fetch.extent, Extent::Page { number: 1, count: None, cookie: None });
    assert_eq!(fetch.entity.links[1].alias, "task1");
}

#[test]
fn a_page_has_at_most_as_many_rows_as_the_service_gives() {
    fn check(attributes: &str, expected: (u32, u32)) {
        let fetch = read(&format!("<fetch {attributes}><entity name='account'/></fetch>"));
        assert_eq!(fetch.page(PAGE_ROWS_MAX), expected, "{attributes}");
    }
    check("", (1, 5000));
    check("page='3'", (3, 5000));
    check("page='3' count='0'", (3, 5000));
    check("count='5000'", (1, 5000));
    check("count='5001'", (1, 5000));
    check("page='2' count='7'", (2, 7));
    check("top='5000'", (1, 5000));
}

#[test]
fn cookies_bring_back_where_a_page_ended() {
    use flette_odata::Value;
    let schema = schema();
    let fetch = read(&accounts(
        "<attribute name='name'/><order attribute='name'/><order attribute='revenue'/>\
         <link-entity name='contact' to='primarycontactid' alias='c'/>",
    ));
    let positions = fetch.positions(&schema).unwrap();
    let id = |number| Value::Guid(generate::id("x", number));
    let last = vec![Value::Text("<a> \"b\" & 'c'\n".into()), Value::Null, id(1), id(2)];
    let text = Cookie::write(&fetch, 1, &positions, &last, &last);
    assert!(text.starts_with("<cookie page=\"1\"><name last=\"&lt;a&gt;"), "{text}");
    let cookie = Cookie { page: 1, last: Some(last) };
    assert_eq!(Cookie::read(&text, &fetch, &positions).unwrap(), cookie);
    let once = text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    assert_eq!(Cookie::read(&once, &fetch, &positions).unwrap(), cookie);
    let annotation = Cookie::annotation(1, &text);
    assert!(annotation.starts_with("<cookie pagenumber=\"2\" pagingcookie=\"%253ccookie%2520page%253d"));
    assert!(annotation.ends_with("\" istracking=\"False\" />"));

    let code = |text: &str| Cookie::read(text, &fetch, &positions).expect_err(text).code;
    for bad in ["x", "%", "<cookie/>", "<cookie page='0'/>", "<x page='1'/>", "<cookie page='1'>x</cookie>"] {
        assert_eq!(code(bad), "0x8004112a", "{bad}");
    }
    assert_eq!(code("<cookie page='1'><name last='a'/></cookie>"), "0x80041129");
    assert_eq!(code(&text.replace("<revenue", "<description")), "0x80041129");
    assert_eq!(code(&text.replace("<c.contactid last=\"{", "<c.contactid last=\"{x")), "0x8004112a");

    let long = vec![Value::Text("x".repeat(COOKIE_LENGTH_MAX)), Value::Null, id(1), id(2)];
    let text = Cookie::write(&fetch, 4, &positions, &long, &long);
    assert_eq!(Cookie::read(&text, &fetch, &positions).unwrap(), Cookie { page: 4, last: None });
    let strange = vec![Value::Text("\u{1}".into()), Value::Null, id(1), id(2)];
    assert_eq!(Cookie::write(&fetch, 4, &positions, &strange, &strange), "<cookie page=\"4\"></cookie>");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_printed_is_read_as_the_same_query(seed in any::<u64>()) {
        let text = generate::fetch(&schema(), &TABLES, &wanted, &mut Chance(seed));
        let fetch = read(&text);
        let printed = print(&fetch);
        prop_assert_eq!(&parse(&printed, &schema()).unwrap(), &fetch, "{}\n{}", text, printed);
        prop_assert_eq!(print(&read(&printed)), printed);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,80}", seed in any::<u64>(), cuts in 1usize..4) {
        let _ = parse(&text, &schema());
        let _ = parse(&accounts(&text), &schema());
        // Nearly right: a query with pieces taken out, doubled, or replaced.
        let mut chance = Chance(seed);
        let mut near = generate::fetch(&schema(), &TABLES, &wanted, &mut chance);
        for _ in 0..cuts {
            let bounds: Vec<usize> = near.char_indices().map(|(at, _)| at).chain([near.len()]).collect();
            let (from, to) = (*chance.of(&bounds), *chance.of(&bounds));
            let (from, to) = (from.min(to), from.max(to).min(from.min(to) + 40));
            let to = *bounds.iter().find(|at| **at >= to).unwrap_or(&from);
            let piece = near[from..to].to_owned();
            match chance.below(3) {
                0 => near.replace_range(from..to, ""),
                1 => near.insert_str(from, &piece),
                _ => near.replace_range(from..to, &text),
            }
        }
        if let Ok(fetch) = parse(&near, &schema()) {
            prop_assert_eq!(parse(&print(&fetch), &schema()).unwrap(), fetch);
        }
    }
}
