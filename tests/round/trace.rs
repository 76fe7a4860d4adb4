//! The trace: it tells what happened, outlives the engine, and never tells a value.

use crate::station::Station;
use crate::support::{tick, Fault, Server, TABLES};
use flette_odata::{Method, ODataError, Request};
use serde_json::Value;

/// Texts that stand in rows of these tests, in queries and in the server's words.
const SECRETS: [&str; 6] = ["Zanzibar", "Quagga", "Okapi", "K-77", "555-0199", "Xylem"];

fn events(station: &Station, after: u64) -> Vec<Value> {
    station.get(&format!("/flette/trace?after={after}"))["events"].as_array().unwrap().clone()
}

fn all(events: &[Value], what: &str) -> Vec<Value> {
    events.iter().filter(|event| event["what"] == what).cloned().collect()
}

/// A station that has seen an accepted, a merged, a conflicting and a parked change, a change of rights and a hold.
fn eventful(server: &Server) -> Station {
    let online = server.user("admin");
    let merged = online.create("accounts", r#"{"name":"Zanzibar","telephone1":"555-0199"}"#);
    let torn = online.create("contacts", r#"{"lastname":"Quagga"}"#);
    let station = Station::new(server, "demo", &TABLES);
    station.sync();
    station.patch(&format!("accounts({merged})"), r#"{"telephone1":"555-0199-1"}"#);
    station.patch(&format!("contacts({torn})"), r#"{"lastname":"Quagga Here"}"#);
    tick();
    online.patch("accounts", merged, r#"{"websiteurl":"http://zanzibar.example/Xylem"}"#);
    online.patch("contacts", torn, r#"{"lastname":"Quagga There"}"#);
    online.create("accounts", r#"{"name":"Okapi","accountnumber":"K-77"}"#);
    station.create("accounts", r#"{"name":"Okapi Two","accountnumber":"K-77"}"#);
    station.create("accounts", r#"{"name":"Okapi Three"}"#);
    station.get("accounts?$filter=name eq 'Zanzibar'&$select=name");
    station.post("/flette/sync", "");
    let words = "Xylem of Zanzibar is busy";
    let busy = move || ODataError::new(429, "0x80072322", words).to_response().header("Retry-After", "7");
    station.wire.fail(move |_: &Request| Some(Fault::Answer(busy())));
    station.post("/flette/sync", "");
    station.wire.heal();
    station
}

#[test]
fn the_trace_tells_what_became_of_each_change_and_of_each_request() {
    let server = Server::start();
    let station = eventful(&server);
    let events = events(&station, 0);
    let seqs: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "{seqs:?}");
    let parked = all(&events, "parked");
    let [parked] = parked.as_slice() else { panic!("{parked:?}") };
    let entry = station.journal().into_iter().find(|entry| entry["state"] == "parked").unwrap();
    assert_eq!(parked["op"], entry["op"]);
    let told = ["table", "kind", "class", "status", "code"].map(|name| parked[name].to_string());
    assert_eq!(told, ["\"account\"", "\"create\"", "\"duplicate\"", "412", "\"0x80060892\""]);
    assert_eq!(entry["reason"]["class"], "duplicate");
    let conflicts = all(&events, "conflict");
    assert_eq!((conflicts.len(), &conflicts[0]["table"]), (1, &Value::from("contact")));
    assert_eq!(all(&events, "merged").first().map(|event| event["table"].clone()), Some("account".into()));
    assert!(all(&events, "accepted").len() >= 2);
    let holds = all(&events, "hold");
    assert_eq!((&holds[0]["why"], &holds[0]["retry_after_millis"]), (&"busy".into(), &7_000.into()));
    assert_eq!(all(&events, "round-began").len(), all(&events, "round-ended").len());
    assert_eq!(all(&events, "schema").len(), 1);
    let pages: u64 = all(&events, "page").iter().filter_map(|page| page["rows"].as_u64()).sum();
    assert!(pages >= 3);
    let asked =
        |about: &str| all(&events, "request").iter().any(|r| r["about"] == about && r["status"] == 200);
    for about in ["WhoAmI", "EntityDefinitions", "account", "contact", "$batch"] {
        assert!(asked(about), "{about}");
    }
    let last = *seqs.last().unwrap();
    assert!(self::events(&station, last).is_empty());
    assert_eq!(self::events(&station, seqs[seqs.len() - 3]).len(), 2);
    assert_eq!(station.ask(Method::Get, "/flette/trace?after=x", "").status, 400);
    assert_eq!(station.ask(Method::Post, "/flette/trace", "").status, 405);
}

#[test]
fn no_value_name_or_query_of_a_synchronised_world_is_in_the_trace() {
    let server = Server::start();
    let mut station = eventful(&server);
    let conflicts = station.get("/flette/conflicts");
    let id = conflicts["conflicts"][0]["id"].as_str().unwrap();
    station.post(&format!("/flette/conflicts/{id}/resolve"), r#"{"take":"local"}"#);
    let lost = |_: &Request| Some(Fault::LoseRequest);
    station.wire.fail(lost);
    station.post("/flette/sync", "");
    station.wire.heal();
    let expired = || ODataError::new(410, "Zanzibar", "expired for Quagga").to_response();
    let delta = |request: &Request| request.url.contains("/accounts") && request.url.contains("deltatoken");
    station.wire.fail(move |request| delta(request).then(|| Fault::Answer(expired())));
    station.post("/flette/sync", "");
    station.wire.heal();
    station.restart();
    let file = station.ask(Method::Get, "/flette/trace/export", "");
    let disposition = file.headers.get("Content-Disposition").unwrap_or_default();
    assert_eq!(disposition, "attachment; filename=\"flette-trace.json\"");
    let text = String::from_utf8(file.body).unwrap();
    assert!(text.contains("\"what\":\"swapped\"") && text.contains("\"what\":\"decided\""), "{text}");
    for secret in SECRETS {
        assert!(!text.to_lowercase().contains(&secret.to_lowercase()), "{secret} in {text}");
    }
    for table in ["accounts", "contacts"] {
        let rows = server.user("admin").json(table);
        for row in rows["value"].as_array().unwrap() {
            for (name, value) in row.as_object().unwrap() {
                // A type is the table's, and shorter texts stand in any text by chance.
                let is_time = |text: &str| text.starts_with("20") && text.ends_with('Z');
                let told =
                    value.as_str().filter(|text| text.len() > 7 && !name.contains('@') && !is_time(text));
                assert!(told.is_none_or(|value| !text.contains(value)), "{name} in {text}");
            }
        }
    }
}

#[test]
fn the_newest_events_outlive_the_engine() {
    let server = Server::start();
    let mut station = Station::new(&server, "demo", &TABLES);
    station.sync();
    let before = events(&station, 0);
    station.restart();
    let after = events(&station, 0);
    assert!(after.len() > 10, "{after:?}");
    assert_eq!(all(&after, "started").len(), 2);
    // All but the round's end, which came after its last commit.
    let kept = &after[..after.len() - 1];
    assert_eq!(kept, &before[..kept.len()]);
    assert!(before.len() - kept.len() <= 2, "{before:?}");
    let last = after.last().unwrap()["seq"].as_u64().unwrap();
    assert!(last > before.last().unwrap()["seq"].as_u64().unwrap(), "no number is given twice");
}
