use super::*;

const ME: Uuid = Uuid::from_u128(1);
const UNIT: Uuid = Uuid::from_u128(2);

fn found(profile: &str) -> BTreeMap<String, Wanted> {
    let scope = ["account", "contact", "opportunity", "lead", "task", "accountleads"].map(str::to_owned);
    let profile = Profile::read(profile, &scope).unwrap();
    let mut schema = flette_server::schema::schema();
    schema.tables.retain(|table| scope.contains(&table.logical_name));
    let views = profile.views().map(|(table, view)| (table.to_owned(), fetch(table, view)));
    wanted(&schema, (&profile, &views.collect()), Me { user: ME, business_unit: UNIT })
}

/// The FetchXML of a view, which is known by its only condition.
fn fetch(table: &str, condition: &str) -> std::result::Result<String, String> {
    match condition {
        "" => Err("there is none".to_owned()),
        condition => Ok(format!(
            "<fetch><entity name='{table}'><filter><condition {condition}/></filter></entity></fetch>"
        )),
    }
}

/// Of the table `account`: filter and the tables that it looks at.
#[track_caller]
fn check(profile: &str, expected: &str, tables: &[&str]) {
    match found(profile).remove("account") {
        Some(Wanted::Rows { filter, looks_at }) => {
            let looks_at: Vec<&str> = looks_at.iter().map(String::as_str).collect();
            assert_eq!((filter.as_str(), looks_at.as_slice()), (expected, tables), "{profile}");
        }
        other => panic!("{profile}: {other:?}"),
    }
}

#[test]
fn a_filter_stands_as_it_was_written() {
    let own = format!("_ownerid_value eq {ME}  or  _owningbusinessunit_value eq {UNIT}");
    let profile = r#"{"account":{"rows":"_ownerid_value eq {me}  or  _owningbusinessunit_value eq {my-business-unit}"}}"#;
    check(profile, &own, &[]);
    // What the server alone understands is left to it.
    check(r#"{"account":{"rows":"colour eq 1"}}"#, "colour eq 1", &[]);
    assert!(found("{}").is_empty() && found(r#"{"account":{"merge":"server"}}"#).is_empty());
}

#[test]
fn a_filter_that_looks_at_other_tables_is_known_to() {
    check(
        r#"{"account":{"rows":"primarycontactid/fullname eq 'x' and Account_Tasks/any()"}}"#,
        "primarycontactid/fullname eq 'x' and Account_Tasks/any()",
        &["contact", "task"],
    );
    check(
        r#"{"account":{"rows":"accountleads_association/any(x:x/subject eq 'y')"}}"#,
        "accountleads_association/any(x:x/subject eq 'y')",
        &["accountleads", "lead"],
    );
}

#[test]
fn rows_that_kept_rows_point_to_are_asked_for_by_a_lambda() {
    let mine = format!("_ownerid_value eq {ME}");
    let contact = r#""contact":{"rows":"_ownerid_value eq {me} and (statecode eq 0 or fax eq 'x')"}"#;
    let lambda = format!(
        "contact_customer_accounts/any(x:x/_ownerid_value eq {ME} and (x/statecode eq 0 or x/fax eq 'x'))"
    );
    check(
        &format!(
            r#"{{"account":{{"rows":"_ownerid_value eq {{me}}","related":["contact_customer_accounts"]}},{contact}}}"#
        ),
        &format!("({mine}) or {lambda}"),
        &["contact"],
    );
    check(
        &format!(r#"{{"account":{{"related":["contact_customer_accounts"]}},{contact}}}"#),
        &lambda,
        &["contact"],
    );
    check(
        r#"{"account":{"related":["contact_customer_accounts","opportunity_customer_accounts"]}}"#,
        "contact_customer_accounts/any() or opportunity_customer_accounts/any()",
        &["contact", "opportunity"],
    );
}

#[test]
fn rows_that_hang_on_kept_rows_are_asked_for_by_a_path() {
    check(
        r#"{"account":{"related":["primarycontactid"]},"contact":{"rows":"not (fax eq 'x') or parentcustomerid_account/name eq 'y'"}}"#,
        "(primarycontactid/contactid ne null and (not primarycontactid/fax eq 'x' or \
         primarycontactid/parentcustomerid_account/name eq 'y'))",
        &["account", "contact"],
    );
    check(
        r#"{"account":{"related":["primarycontactid"]}}"#,
        "primarycontactid/contactid ne null",
        &["contact"],
    );
}

#[test]
fn rows_of_a_view_are_followed_too() {
    check(
        r#"{"account":{"rows":{"view":"attribute='fax' operator='null'"},"related":["contact_customer_accounts"]},
            "contact":{"rows":{"view":"attribute='ownerid' operator='eq-userid'"}}}"#,
        &format!("(fax eq null) or contact_customer_accounts/any(x:x/_ownerid_value eq {ME})"),
        &["contact"],
    );
    let unknown = r#"{"account":{"related":["contact_customer_accounts"]},"contact":{"rows":{"view":""}}}"#;
    for table in ["account", "contact"] {
        match found(unknown).remove(table) {
            Some(Wanted::Unknown { why }) => {
                assert_eq!(why, "The profile: the view for the rows of 'contact': there is none.");
            }
            other => panic!("{table}: {other:?}"),
        }
    }
}

#[test]
fn what_cannot_be_followed_says_why() {
    for (profile, expected) in [
        (r#"{"account":{"related":["friends"]}}"#, "has no navigation property 'friends'"),
        (
            r#"{"account":{"related":["ownerid"]}}"#,
            "'ownerid' of 'account' leads to a table that does not go",
        ),
        (
            r#"{"account":{"related":["contact_customer_accounts"]},"contact":{"related":["parentcustomerid_account"]}}"#,
            "'contact_customer_accounts' leads to 'contact', of which only related rows are kept",
        ),
        (
            r#"{"account":{"related":["contact_customer_accounts"]},"contact":{"rows":"colour eq 1"}}"#,
            "whose rows are not understood here",
        ),
        (
            r#"{"account":{"related":["contact_customer_accounts"]},"contact":{"rows":"Contact_Tasks/any()"}}"#,
            "the rows of 'contact' go by a collection",
        ),
    ] {
        match found(profile).remove("account") {
            Some(Wanted::Unknown { why }) => assert!(why.contains(expected), "{profile}: {why}"),
            other => panic!("{profile}: {other:?}"),
        }
    }
}
