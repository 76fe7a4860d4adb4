//! Sets of activity parties, pairs of rows, and which columns may be written at all.

use super::support::Server;
use flette_odata::edm::{ColumnKind, Required};
use flette_server::schema::schema;

#[tokio::test]
async fn parties_come_with_their_activity_and_are_replaced_as_a_set() {
    let server = Server::empty().await;
    let contact = server.create("contacts", r#"{"lastname":"C"}"#).await;
    let account = server.create("accounts", r#"{"name":"A"}"#).await;
    let body = format!(
        r#"{{"subject":"S","email_activity_parties":[
            {{"partyid_contact@odata.bind":"contacts({contact})","participationtypemask":2}},
            {{"addressused":"x@example.com","participationtypemask":1}}]}}"#
    );
    let email = server.create("emails", &body).await;
    let parties = format!("emails({email})/email_activity_parties");
    let masks = || async {
        let mut masks = server.list(&parties).await.column("participationtypemask");
        masks.sort();
        masks
    };
    assert_eq!(masks().await, ["1", "2"]);
    let etag = server.get(&format!("emails({email})")).await.header("ETag").unwrap().to_owned();
    let set = format!(
        r#"{{"value":[{{"partyid_account@odata.bind":"accounts({account})","participationtypemask":3}}]}}"#
    );
    let stale = server.send("PUT", &parties, &[("If-Match", "W/\"1\"")], &set).await;
    assert_eq!((stale.status, stale.code().as_str()), (412, "0x80060882"));
    assert_eq!(masks().await, ["1", "2"]);
    let put = server.send("PUT", &parties, &[("If-Match", &etag)], &set).await;
    assert_eq!((put.status, put.body.as_str()), (204, ""));
    assert_eq!(masks().await, ["3"]);
    assert_eq!(server.list(&parties).await.column("_partyid_value"), [account]);
    assert_ne!(server.get(&format!("emails({email})")).await.header("ETag"), Some(etag.as_str()));
    let one = server.list(&parties).await.column("activitypartyid").remove(0);
    for (method, url, body, status) in [
        ("POST", "activityparties".to_owned(), r#"{"participationtypemask":2}"#, 405),
        ("PATCH", format!("activityparties({one})"), r#"{"participationtypemask":2}"#, 405),
        ("DELETE", format!("activityparties({one})"), "", 405),
        ("PUT", parties.clone(), r#"{"value":[{"participationtypemask":99}]}"#, 400),
        (
            "PUT",
            parties.clone(),
            r#"{"value":[{"partyid_contact@odata.bind":"contacts(00000000-0000-4000-8000-000000000009)"}]}"#,
            404,
        ),
        ("PUT", format!("emails({contact})/email_activity_parties"), set.as_str(), 404),
    ] {
        let refused = server.send(method, &url, &[], body).await;
        assert_eq!(refused.status, status, "{method} {url} {body}: {}", refused.body);
        assert_eq!(masks().await, ["3"], "{method} {url}");
    }
    let empty = server.send("PUT", &parties, &[], r#"{"value":[]}"#).await;
    assert_eq!(empty.status, 204);
    assert!(masks().await.is_empty());
    assert_eq!(server.send("DELETE", &format!("emails({email})"), &[], "").await.status, 204);
}

#[tokio::test]
async fn parties_are_not_written_with_who_takes_part() {
    let server = Server::empty().await;
    let email = server.create("emails", r#"{"subject":"S"}"#).await;
    let account = server.create("accounts", r#"{"name":"A"}"#).await;
    let etag = server.get(&format!("emails({email})")).await.header("ETag").unwrap().to_owned();
    let party = format!(r#"{{"activityid_email@odata.bind":"emails({email})","participationtypemask":2}}"#);
    let deep = |name: &str| format!(r#"{{"name":"{name}","account_activity_parties":[{party}]}}"#);
    let contact = format!(r#"{{"lastname":"C","parentcustomerid_account":{}}}"#, deep("B"));
    let parties = format!("accounts({account})/account_activity_parties");
    for (method, url, body, status) in [
        ("POST", "accounts", deep("B"), 400),
        ("PATCH", "accounts(a0000000-0000-4000-8000-00000000000b)", deep("B"), 400),
        ("POST", "contacts", contact, 400),
        ("POST", parties.as_str(), party.clone(), 405),
        ("PUT", parties.as_str(), format!(r#"{{"value":[{party}]}}"#), 405),
    ] {
        let refused = server.send(method, url, &[], &body).await;
        assert_eq!(refused.status, status, "{method} {url}: {}", refused.body);
    }
    assert_eq!(server.list("accounts?$select=name").await.column("name"), ["A"]);
    assert!(server.list("activityparties").await.rows().is_empty());
    assert_eq!(server.get(&format!("emails({email})")).await.header("ETag"), Some(etag.as_str()));
}

#[tokio::test]
async fn pairs_are_made_and_parted_once_and_go_with_either_row() {
    let server = Server::empty().await.sign_in("admin").await;
    let who = server.get("WhoAmI").await.json();
    let me = who["UserId"].as_str().unwrap().to_owned();
    let unit = who["BusinessUnitId"].as_str().unwrap().to_owned();
    let body = format!(r#"{{"name":"T","teamtype":0,"businessunitid@odata.bind":"businessunits({unit})"}}"#);
    let team = server.create("teams", &body).await;
    let members = format!("teams({team})/teammembership_association");
    let link = format!(r#"{{"@odata.id":"http://crm.example/api/data/v9.2/systemusers({me})"}}"#);
    let ids = || async { server.list(&members).await.column("systemuserid") };
    for _ in 0..2 {
        let joined = server.send("POST", &format!("{members}/$ref"), &[], &link).await;
        assert_eq!(joined.status, 204, "{}", joined.body);
        assert_eq!(ids().await, std::slice::from_ref(&me));
    }
    let urls = [format!("{members}({me})/$ref"), format!("{members}/$ref?$id=systemusers({me})")];
    for url in &urls {
        assert_eq!(server.send("DELETE", url, &[], "").await.status, 204);
        assert!(ids().await.is_empty());
        // Not there: nothing happens. And back again, from the other end.
        assert_eq!(server.send("DELETE", url, &[], "").await.status, 204);
        let back = format!(r#"{{"@odata.id":"teams({team})"}}"#);
        let url = format!("systemusers({me})/teammembership_association/$ref");
        assert_eq!(server.send("POST", &url, &[], &back).await.status, 204);
        assert_eq!(ids().await, std::slice::from_ref(&me));
    }
    for (body, status) in [
        (r#"{"@odata.id":"contacts(00000000-0000-4000-8000-000000000009)"}"#, 400),
        (r#"{"@odata.id":"systemusers(00000000-0000-4000-8000-000000000009)"}"#, 404),
        (r#"{"@odata.id":5}"#, 400),
        ("{}", 400),
    ] {
        let refused = server.send("POST", &format!("{members}/$ref"), &[], body).await;
        assert_eq!(refused.status, status, "{body}: {}", refused.body);
    }
    assert_eq!(server.send("DELETE", &format!("teams({team})"), &[], "").await.status, 204);
    let mine = server.list(&format!("systemusers({me})/teammembership_association?$select=teamid")).await;
    assert!(!mine.column("teamid").contains(&team));
    let demo = server.sign_in("demo").await;
    let team = server.create("teams", &body).await;
    let refused =
        demo.send("POST", &format!("teams({team})/teammembership_association/$ref"), &[], &link).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
}

/// A value of a column's type that every such column takes, as JSON.
fn value_of(kind: &ColumnKind) -> Option<String> {
    Some(match kind {
        ColumnKind::Text { .. } | ColumnKind::Memo { .. } => "\"x\"".to_owned(),
        ColumnKind::Integer { min, .. } => min.max(&0).to_string(),
        ColumnKind::BigInt => "5".to_owned(),
        ColumnKind::Decimal { min, .. } | ColumnKind::Money { min, .. } => min.to_string(),
        ColumnKind::Double { .. } => "1.5".to_owned(),
        ColumnKind::Boolean { .. } => "true".to_owned(),
        ColumnKind::DateTime => "\"2020-01-01T00:00:00Z\"".to_owned(),
        ColumnKind::Date => "\"2020-01-01\"".to_owned(),
        ColumnKind::Picklist { options, .. } => options.first()?.value.to_string(),
        _ => return None,
    })
}

#[tokio::test]
async fn every_column_is_written_or_refused_as_its_definition_says() {
    let server = Server::empty().await;
    let schema = schema();
    for (name, body) in
        [("account", r#"{"name":"n"}"#), ("contact", r#"{"lastname":"n"}"#), ("task", r#"{"subject":"n"}"#)]
    {
        let table = schema.table(name).unwrap();
        let id = server.create(&table.set_name, body).await;
        let url = format!("{}({id})", table.set_name);
        for column in &table.columns {
            let Some(value) = value_of(&column.kind) else { continue };
            let property = &column.logical_name;
            let patch = server.send("PATCH", &url, &[], &format!("{{\"{property}\":{value}}}")).await;
            // The new row has the same value.
            if table.keys.iter().any(|key| key.columns.contains(property)) {
                let body = format!("{{\"{property}\":null}}");
                assert_eq!(server.send("PATCH", &url, &[], &body).await.status, 204);
            }
            let created = {
                let mut whole: serde_json::Value = serde_json::from_str(body).unwrap();
                whole[property] = serde_json::from_str(&value).unwrap();
                server.send("POST", &table.set_name, &[], &whole.to_string()).await
            };
            for (answer, valid) in [(&patch, column.valid_for_update), (&created, column.valid_for_create)] {
                let expected = if valid { (204, String::new()) } else { (400, "0x80060888".to_owned()) };
                let code = if answer.status < 400 { String::new() } else { answer.code() };
                assert_eq!((answer.status, code), expected, "{name}.{property} {value}: {}", answer.body);
            }
            if column.valid_for_update && column.required != Required::System {
                let cleared = server.send("PATCH", &url, &[], &format!("{{\"{property}\":null}}")).await;
                assert_eq!(cleared.status, 204, "{name}.{property}: {}", cleared.body);
            }
        }
    }
}
