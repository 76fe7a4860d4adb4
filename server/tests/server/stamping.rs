//! Field stamps: told by clients that know of them, kept, and given back to those who name them.

use super::support::Server;
use flette_odata::time::{format_datetime, parse_datetime};
use flette_server::web;

const NAMED: [(&str, &str); 1] = [("Prefer", "odata.include-annotations=\"Flette.ModifiedOn\"")];

async fn stamps(server: &Server, url: &str) -> serde_json::Value {
    let answer = server.send("GET", url, &NAMED, "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn millis(value: &serde_json::Value) -> i64 {
    value.as_str().and_then(parse_datetime).unwrap_or_else(|| panic!("no stamp: {value}"))
}

#[tokio::test]
async fn an_older_edit_that_comes_late_is_recognised() {
    let server = Server::empty().await;
    let began = web::now();
    let id = server.create("contacts", r#"{"lastname":"A","telephone1":"1"}"#).await;
    let url = format!("contacts({id})?$select=lastname,telephone1,_parentcustomerid_value");
    let row = stamps(&server, &url).await;
    let made = millis(&row["@Flette.ModifiedOn"]);
    assert!((began..=web::now()).contains(&made), "{row}");
    assert!(row.get("telephone1@Flette.ModifiedOn").is_none(), "{row}");

    let path = format!("contacts({id})");
    assert_eq!(server.send("PATCH", &path, &[], r#"{"telephone1":"2"}"#).await.status, 204);
    let row = stamps(&server, &url).await;
    let second = millis(&row["telephone1@Flette.ModifiedOn"]);
    assert!(second >= made && millis(&row["@Flette.ModifiedOn"]) == made, "{row}");

    let account = server.create("accounts", r#"{"name":"A"}"#).await;
    let (older, newer) = (format_datetime(made - 5_250), format_datetime(web::now() + 3_600_000));
    let body = format!(
        r#"{{"telephone1":"3","telephone1@Flette.ModifiedOn":"{older}",
            "lastname":"B","lastname@Flette.ModifiedOn":"{newer}",
            "parentcustomerid_account@odata.bind":"accounts({account})",
            "_parentcustomerid_value@Flette.ModifiedOn":"{older}"}}"#
    );
    assert_eq!(server.send("PATCH", &path, &[], &body).await.status, 204);
    let row = stamps(&server, &url).await;
    assert_eq!(row["telephone1@Flette.ModifiedOn"], older.as_str());
    assert_eq!(row["_parentcustomerid_value@Flette.ModifiedOn"], older.as_str());
    let clamped = millis(&row["lastname@Flette.ModifiedOn"]);
    assert!((second..=web::now()).contains(&clamped), "{row}");

    // The same value again: a newer choice counts, an older or untold one does not.
    for (body, expected) in [
        (r#"{"telephone1":"3"}"#.to_owned(), older.clone()),
        (
            format!(
                r#"{{"telephone1":"3","telephone1@Flette.ModifiedOn":"{}"}}"#,
                format_datetime(made - 9_000)
            ),
            older,
        ),
        (
            format!(r#"{{"telephone1":"3","telephone1@Flette.ModifiedOn":"{}"}}"#, format_datetime(made)),
            format_datetime(made),
        ),
    ] {
        assert_eq!(server.send("PATCH", &path, &[], &body).await.status, 204);
        let row = stamps(&server, &url).await;
        let own = row.get("telephone1@Flette.ModifiedOn").unwrap_or(&row["@Flette.ModifiedOn"]);
        assert_eq!(own, expected.as_str(), "{body}");
    }
}

#[tokio::test]
async fn stamps_come_with_new_rows_lists_deltas_and_answers_to_writes() {
    let server = Server::empty().await;
    let at = "2020-01-02T03:04:05.678Z";
    let body = format!(r#"{{"lastname":"A","@Flette.ModifiedOn":"{at}"}}"#);
    let both = [("Prefer", "return=representation,odata.include-annotations=\"*,Flette.*\"")];
    let made = server.send("POST", "contacts", &both, &body).await;
    assert_eq!((made.status, made.json()["@Flette.ModifiedOn"].as_str()), (201, Some(at)), "{}", made.body);
    let id = made.json()["contactid"].as_str().unwrap().to_owned();
    let body = format!(r#"{{"value":"5","@Flette.ModifiedOn":"{at}"}}"#);
    let put = server.send("PUT", &format!("contacts({id})/telephone1"), &[], &body).await;
    assert_eq!(put.status, 204, "{}", put.body);
    let list = server.send("GET", "contacts?$select=telephone1", &NAMED, "").await;
    assert_eq!(list.rows()[0]["@Flette.ModifiedOn"], at);
    let stamp = millis(&list.rows()[0]["telephone1@Flette.ModifiedOn"]);
    assert!(stamp > web::now() - 600_000, "a property's own body tells no time: {stamp}");
    let tracked = [("Prefer", "odata.track-changes,odata.include-annotations=\"Flette.ModifiedOn\"")];
    let (rows, _) = server.drain("contacts?$select=lastname", &tracked).await;
    assert_eq!(rows[0]["@Flette.ModifiedOn"], at);
    assert!(rows[0].get("telephone1@Flette.ModifiedOn").is_none(), "what is not selected: {}", rows[0]);
}

#[tokio::test]
async fn others_see_nothing_of_it() {
    let server = Server::empty().await;
    let id = server.create("contacts", r#"{"lastname":"A"}"#).await;
    server.send("PATCH", &format!("contacts({id})"), &[], r#"{"telephone1":"2"}"#).await;
    for prefer in [
        "",
        "odata.include-annotations=\"*\"",
        "odata.include-annotations=\"OData.*,Microsoft.*\"",
        "odata.include-annotations=\"Flette.*,-Flette.ModifiedOn\"",
    ] {
        let row = server.send("GET", &format!("contacts({id})"), &[("Prefer", prefer)], "").await;
        assert!(!row.body.contains("@Flette") && !row.body.contains("flette_"), "{prefer}: {}", row.body);
    }
    for body in [
        r#"{"telephone1":"1","telephone1@Flette.ModifiedOn":"yesterday"}"#,
        r#"{"telephone1":"1","nothing@Flette.ModifiedOn":"2020-01-01T00:00:00Z"}"#,
    ] {
        assert_eq!(server.send("PATCH", &format!("contacts({id})"), &[], body).await.status, 400, "{body}");
    }
}
