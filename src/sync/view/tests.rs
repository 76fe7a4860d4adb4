use super::*;
use flette_odata::filter::print_filter;
use uuid::Uuid;

const ME: Me = Me { user: Uuid::from_u128(1), business_unit: Uuid::from_u128(2) };

/// What a view of accounts with this inside keeps, as text.
fn read(inside: &str) -> Result<String> {
    let schema = flette_server::schema::schema();
    let account = schema.table("account").unwrap();
    let fetch = format!("<fetch><entity name='account'>{inside}</entity></fetch>");
    filter(&fetch, account, &schema, ME).map(|filter| print_filter(&filter, account, &schema))
}

#[track_caller]
fn check(inside: &str, expected: &str) {
    let text = read(inside).unwrap_or_else(|why| panic!("{inside}: {why}"));
    assert_eq!(text, expected, "{inside}");
    let schema = flette_server::schema::schema();
    let account = schema.table("account").unwrap();
    flette_odata::filter::parse_filter(&text, account, &schema).unwrap();
}

fn condition(attributes: &str) -> String {
    format!("<filter><condition {attributes}/></filter>")
}

#[test]
fn conditions_are_said_in_words_that_a_filter_has() {
    for (attributes, expected) in [
        ("attribute='name' operator='eq' value='A&amp;B'", "name eq 'A&B'"),
        ("attribute='name' operator='not-null'", "name ne null"),
        ("attribute='name' operator='like' value='%x%'", "contains(name,'x')"),
        ("attribute='name' operator='like' value='x%'", "startswith(name,'x')"),
        ("attribute='name' operator='like' value='%x'", "endswith(name,'x')"),
        ("attribute='name' operator='not-like' value='x'", "name ne 'x'"),
        ("attribute='name' operator='like' value='%'", "name ne null"),
        (
            "attribute='ownerid' operator='eq-userid'",
            "_ownerid_value eq 00000000-0000-0000-0000-000000000001",
        ),
        (
            "attribute='ownerid' operator='ne-userid'",
            "_ownerid_value ne 00000000-0000-0000-0000-000000000001",
        ),
        (
            "attribute='owningbusinessunit' operator='eq-businessid'",
            "_owningbusinessunit_value eq 00000000-0000-0000-0000-000000000002",
        ),
        (
            "attribute='createdon' operator='last-x-days' value='3'",
            "Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon',PropertyValue='3')",
        ),
        (
            "attribute='createdon' operator='this-year'",
            "Microsoft.Dynamics.CRM.ThisYear(PropertyName='createdon')",
        ),
        ("attribute='revenue' operator='gt' valueof='creditlimit'", "revenue gt creditlimit"),
    ] {
        check(&condition(attributes), expected);
    }
    let list = "<filter><condition attribute='numberofemployees' operator='not-in'><value>1</value>\
        <value>2</value></condition></filter>";
    check(list, "not (numberofemployees eq 1 or numberofemployees eq 2)");
}

#[test]
fn groups_keep_their_shape() {
    check("", "true");
    check("<filter type='or'/>", "true");
    check(
        "<filter><condition attribute='name' operator='eq' value='a'/><filter type='or'>\
         <condition attribute='fax' operator='null'/><condition attribute='fax' operator='eq' value='b'/></filter></filter>\
         <filter><condition attribute='statecode' operator='eq' value='0'/></filter>",
        "(name eq 'a' and (fax eq null or fax eq 'b')) and statecode eq 0",
    );
}

#[test]
fn links_become_paths_and_lambdas() {
    check(
        "<link-entity name='contact' from='contactid' to='primarycontactid' alias='c'><filter type='or'>\
         <condition attribute='fax' operator='ne' value='1'/><condition attribute='lastname' operator='null'/></filter></link-entity>",
        "primarycontactid/contactid ne null and (primarycontactid/fax ne '1' or primarycontactid/lastname eq null)",
    );
    check(
        "<link-entity name='contact' from='parentcustomerid' to='accountid'><filter>\
         <condition attribute='ownerid' operator='eq-userid'/></filter></link-entity>",
        "contact_customer_accounts/any(x:x/_ownerid_value eq 00000000-0000-0000-0000-000000000001)",
    );
    check(
        "<filter type='or'><condition attribute='fax' operator='null'/>\
         <link-entity name='contact' from='parentcustomerid' to='accountid' link-type='not any'/></filter>",
        "fax eq null or not contact_customer_accounts/any()",
    );
    check(
        "<filter><link-entity name='contact' from='parentcustomerid' to='accountid' link-type='all'>\
         <filter><condition attribute='fax' operator='null'/></filter></link-entity></filter>",
        "contact_customer_accounts/any() and not contact_customer_accounts/any(x:x/fax eq null)",
    );
    check(
        "<link-entity name='accountleads' from='accountid' to='accountid'>\
         <link-entity name='lead' from='leadid' to='leadid'><filter>\
         <condition attribute='subject' operator='eq' value='s'/></filter></link-entity></link-entity>",
        "accountleads_association/any(x:x/subject eq 's')",
    );
    check(
        "<link-entity name='contact' from='contactid' to='primarycontactid' link-type='outer' alias='c'/>\
         <filter type='or'><condition entityname='c' attribute='fax' operator='eq' value='1'/>\
         <condition attribute='fax' operator='eq' value='2'/></filter>",
        "primarycontactid/fax eq '1' or fax eq '2'",
    );
}

#[test]
fn what_a_filter_cannot_say_is_refused_with_the_reason() {
    let behind = "<link-entity name='contact' from='parentcustomerid' to='accountid' alias='c'>";
    for (inside, expected) in [
        (condition("attribute='name' operator='like' value='a_b'"), "wildcards within"),
        (condition("attribute='colour' operator='null'"), "colour"),
        (
            format!("{behind}<link-entity name='task' from='regardingobjectid' to='contactid'/></link-entity>"),
            "rows behind rows of 'contact_customer_accounts'",
        ),
        (
            "<link-entity name='contact' from='lastname' to='name'/>".to_owned(),
            "no relationship joins 'account' and 'contact' so",
        ),
        (
            format!(
                "{behind}</link-entity><filter><condition entityname='c' attribute='fax' operator='null'/></filter>"
            ),
            "a condition on 'c' stands outside of its link",
        ),
    ] {
        let why = read(&inside).unwrap_err();
        assert!(why.contains(expected), "{inside}: {why}");
    }
    let schema = flette_server::schema::schema();
    let account = schema.table("account").unwrap();
    for (fetch, expected) in [
        ("<fetch top='5'><entity name='account'/></fetch>", "first rows only"),
        ("<fetch><entity name='contact'/></fetch>", "a view of 'contact'"),
        (
            "<fetch aggregate='true'><entity name='account'><attribute name='name' aggregate='count' alias='n'/></entity></fetch>",
            "figures",
        ),
        ("", "null"),
    ] {
        let why = filter(fetch, account, &schema, ME).unwrap_err();
        assert!(why.contains(expected), "{fetch}: {why}");
    }
}
