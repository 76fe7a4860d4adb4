//! Columns that the server drops while a device still names them.

use crate::faults::is_push;
use crate::support::{create, edit, link, text, Device, Fault, Server, Wire};
use flette::model::Key;
use flette::replica::Feed;
use flette_odata::batch::{parse_batch_response, write_batch_response};
use flette_odata::{Method, Request, Uuid};

const ATTRIBUTES: &str = "EntityDefinitions(LogicalName='contact')/Attributes";

pub fn add_column(online: &Wire) {
    let body = r#"{"@odata.type":"Microsoft.Dynamics.CRM.StringAttributeMetadata","SchemaName":"new_Memo","MaxLength":100,
        "DisplayName":{"LocalizedLabels":[{"Label":"Memo","LanguageCode":1033}]},"RequiredLevel":{"Value":"None","CanBeChanged":true}}"#;
    let made = online.ask(Method::Post, ATTRIBUTES, body);
    assert!(made.status < 300, "{made:?}");
}

pub fn drop_column(online: &Wire) {
    let dropped = online.ask(Method::Delete, &format!("{ATTRIBUTES}(LogicalName='new_memo')"), "");
    assert!(dropped.status < 300, "{dropped:?}");
}

/// Makes the column anew, for whole numbers up to 9.
pub fn retype_column(online: &Wire) {
    drop_column(online);
    let body = r#"{"@odata.type":"Microsoft.Dynamics.CRM.IntegerAttributeMetadata","SchemaName":"new_Memo","MinValue":0,
        "MaxValue":9,"DisplayName":{"LocalizedLabels":[{"Label":"Memo","LanguageCode":1033}]},"RequiredLevel":{"Value":"None"}}"#;
    assert!(online.ask(Method::Post, ATTRIBUTES, body).status < 300);
}

#[test]
fn a_full_pull_that_names_a_dropped_column_reads_the_columns_anew_and_goes_on_with_change_tracking() {
    let server = Server::start();
    let online = server.user("admin");
    add_column(&online);
    let kept = online.create("contacts", r#"{"lastname":"Kept","new_memo":"note"}"#);
    let gone = online.create("contacts", r#"{"lastname":"Gone"}"#);
    let device = Device::synced(&server, "demo");
    assert_eq!(device.text("contact", kept, "new_memo"), "note");
    drop_column(&online);
    online.delete("contacts", gone);
    device.change(|draft| {
        let mut cursor = draft.cursor("contact");
        cursor.delta_link = cursor.delta_link.map(|link| link.replace("deltatoken=", "deltatoken=99999"));
        draft.set_cursor("contact", cursor);
    });
    let report = device.round();
    assert!(!report.ok && report.problem.is_some_and(|problem| problem.contains("400")));
    device.sync();
    let feed = device.replica.state().tables["contact"].cursor.feed;
    assert_eq!(feed, Feed::Delta, "the user may track changes as before");
    assert!(device.row("contact", gone).is_none());
    assert!(!device.row("contact", kept).unwrap().contains_key("new_memo"));
    let late = online.create("contacts", r#"{"lastname":"Late"}"#);
    device.sync();
    online.delete("contacts", late);
    device.sync();
    assert!(device.row("contact", late).is_none());
}

#[test]
fn a_change_set_whose_answer_was_lost_is_known_as_carried_out_after_a_column_was_dropped() {
    let server = Server::start();
    let online = server.user("admin");
    add_column(&online);
    let edited = online.create("accounts", r#"{"name":"Edited"}"#);
    let device = Device::synced(&server, "demo");
    let who = (device.replica.state().record.user, device.replica.state().record.business_unit);
    let made = Uuid::now_v7();
    device.change(|draft| {
        draft.begin_change_set();
        create(draft, ("contact", made), &[("lastname", text("Made"))], who.0, who.1);
        edit(draft, &Key::new("account", edited), &[("telephone1", text("1"))]);
        draft.end_change_set();
    });
    device.wire.fail(|request| {
        let push = String::from_utf8_lossy(&request.body).contains("\r\nPATCH ");
        push.then_some(Fault::LoseAnswer)
    });
    assert!(!device.round().ok);
    device.wire.heal();
    drop_column(&online);
    device.edit("contact", made, &[("jobtitle", text("Boss"))]);
    // The columns are compared now and then only.
    device.change(|draft| draft.record.schema_checked = None);
    device.sync();
    assert!(device.entries().is_empty(), "{:?}", device.entries());
    assert!(device.conflicts().is_empty());
    assert_eq!(online.json(&format!("contacts({made})"))["jobtitle"], "Boss");
    assert_eq!(online.json(&format!("accounts({edited})"))["telephone1"], "1");
}

#[test]
fn what_stood_in_a_column_that_was_dropped_and_made_again_under_its_name_is_gone_here_too() {
    let server = Server::start();
    let online = server.user("admin");
    add_column(&online);
    let noted = online.create("contacts", r#"{"lastname":"Noted","new_memo":"note"}"#);
    let device = Device::synced(&server, "demo");
    drop_column(&online);
    add_column(&online);
    device.change(|draft| draft.record.schema_checked = None);
    device.sync();
    assert_eq!(device.text("contact", noted, "new_memo"), "");
    device.edit("contact", noted, &[("new_memo", text("again"))]);
    device.sync();
    assert_eq!(online.json(&format!("contacts({noted})"))["new_memo"], "again");
    let feed = device.replica.state().tables["contact"].cursor.feed;
    assert_eq!(feed, Feed::Delta);
}

/// The device knows that the column went, and had no time to read the rows without it.
#[test]
fn what_stood_in_a_column_is_gone_too_where_its_rows_were_yet_to_be_read_without_it() {
    let server = Server::start();
    let online = server.user("admin");
    add_column(&online);
    let noted = online.create("contacts", r#"{"lastname":"Noted","new_memo":"note"}"#);
    let device = Device::synced(&server, "demo");
    drop_column(&online);
    device.change(|draft| draft.record.schema_checked = None);
    device.wire.fail(|request| request.url.contains("/contacts?").then_some(Fault::LoseRequest));
    device.round();
    assert!(!device.row("contact", noted).unwrap().contains_key("new_memo"), "the drop is known");
    add_column(&online);
    device.wire.heal();
    device.change(|draft| draft.record.schema_checked = None);
    device.sync();
    assert_eq!(device.text("contact", noted, "new_memo"), "");
}

/// The receipt tells the row as it was when its column still took texts.
#[test]
fn a_receipt_that_does_not_fit_the_columns_any_more_settles_what_was_sent() {
    for gone in [false, true] {
        let server = Server::start();
        let online = server.user("admin");
        add_column(&online);
        let device = Device::synced(&server, "demo");
        let made = device.create("contact", &[("lastname", text("Made")), ("new_memo", text("note"))]);
        device.wire.fail(|request| is_push(request).then_some(Fault::LoseAnswer));
        assert!(!device.round().ok);
        device.wire.heal();
        retype_column(&online);
        if gone {
            online.delete("contacts", made);
        }
        device.change(|draft| draft.record.schema_checked = None);
        device.sync();
        assert!(device.entries().is_empty() && device.conflicts().is_empty(), "{gone}");
        assert_eq!(device.row("contact", made).is_none(), gone);
    }
}

#[test]
fn a_table_that_the_server_does_not_describe_takes_no_other_along() {
    let server = Server::start();
    let mut device = Device::new(&server, "demo");
    device.config.tables.insert(0, "nothing".to_owned());
    let report = device.round();
    assert_eq!(report.problem.as_deref(), Some("table nothing: the server does not describe it"));
    assert!(!device.replica.state().schema.tables.is_empty());
    for table in &device.config.tables[1..] {
        assert!(device.replica.state().schema.table(table).is_some(), "{table}");
    }
}

/// Something on the way puts answers of a batch into another order.
#[test]
fn definitions_that_changed_places_are_asked_for_again() {
    for (first, second) in [(0, 14), (3, 31), (0, 20)] {
        let server = Server::start();
        let device = Device::synced(&server, "demo");
        let known = device.replica.state().schema.clone();
        let (wire, done) = (server.user("demo"), std::cell::Cell::new(false));
        device.wire.fail(move |request| {
            let asks = String::from_utf8_lossy(&request.body).contains("EntityDefinitions");
            (asks && !done.replace(true)).then(|| {
                let answer = wire.forward(request.clone());
                let kind = answer.headers.get("Content-Type").unwrap_or_default().to_owned();
                let mut parts = parse_batch_response(&kind, &answer.body).unwrap();
                parts.swap(first, second);
                Fault::Answer(write_batch_response(&parts, Uuid::from_u128(1), 200))
            })
        });
        // All of them are read.
        device.change(|draft| {
            (draft.record.schema_checked, draft.record.definition_stamp) = (None, None);
        });
        device.sync();
        assert!(device.replica.state().schema == known, "{first} and {second}");
        assert_eq!(device.replica.state().record.generation, 1, "{first} and {second}");
    }
}

/// The server does not describe a table for a while: what points to its rows cannot be sent, and goes when it does again.
#[test]
fn what_was_parked_since_a_table_was_missing_goes_when_it_is_back() {
    let server = Server::start();
    let online = server.user("admin");
    let account = online.create("accounts", r#"{"name":"Its account"}"#);
    let contact = online.create("contacts", r#"{"lastname":"Waits"}"#);
    let device = Device::synced(&server, "demo");
    let wire = server.user("demo");
    device.wire.fail(move |request| {
        let body = String::from_utf8_lossy(&request.body);
        body.contains("EntityDefinitions").then(|| {
            let body = body.replace("LogicalName='account'", "LogicalName='nothing'");
            Fault::Answer(wire.forward(Request { body: body.into_bytes(), ..request.clone() }))
        })
    });
    device.edit("contact", contact, &[("parentcustomerid", link("account", account))]);
    device.change(|draft| {
        (draft.record.schema_checked, draft.record.definition_stamp) = (None, None);
    });
    device.round();
    assert!(device.replica.state().schema.table("account").is_none());
    let [waits] = &device.entries()[..] else { panic!("{:?}", device.entries()) };
    assert!(waits.is_parked());
    device.wire.heal();
    device.change(|draft| draft.record.schema_checked = None);
    device.sync();
    assert!(device.entries().is_empty());
    let stands = online.json(&format!("contacts({contact})"));
    assert_eq!(stands["_parentcustomerid_value"], account.to_string());
}

/// How often a device asks what changed in definitions from now on.
fn asked_for_definitions(device: &Device) -> std::rc::Rc<std::cell::Cell<u32>> {
    let asked = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = asked.clone();
    device.wire.fail(move |request| {
        if String::from_utf8_lossy(&request.body).contains("RetrieveMetadataChanges") {
            count.set(count.get() + 1);
        }
        None
    });
    asked
}

#[test]
fn a_new_column_is_here_in_the_round_after_the_page_that_told_of_another_version() {
    let server = Server::start();
    let online = server.user("admin");
    let before = online.create("contacts", r#"{"lastname":"Before"}"#);
    let device = Device::synced(&server, "demo");
    add_column(&online);
    online.patch("contacts", before, r#"{"new_memo":"note"}"#);
    let asked = asked_for_definitions(&device);
    device.sync();
    assert_eq!((asked.get(), device.row("contact", before).unwrap().get("new_memo")), (0, None));
    device.sync();
    assert_eq!((asked.get(), device.text("contact", before, "new_memo").as_str()), (1, "note"));
    // And no round looks again.
    device.sync();
    device.clock_error_millis.set(20 * 60 * 60 * 1000);
    device.sync();
    assert_eq!(asked.get(), 1);
    device.clock_error_millis.set(25 * 60 * 60 * 1000);
    device.sync();
    assert_eq!(asked.get(), 2);
}

#[test]
fn where_views_decide_about_rows_definitions_are_compared_each_hour() {
    let server = Server::start();
    let view = server.user("admin").create(
        "savedqueries",
        r#"{"name":"Local","querytype":16,"returnedtypecode":"contact","fetchxml":"<fetch><entity name='contact'/></fetch>"}"#,
    );
    let profile = format!(r#"{{"contact":{{"rows":{{"view":"{view}"}}}}}}"#);
    let device = Device::with_profile(&server, "demo", &profile);
    let asked = asked_for_definitions(&device);
    device.sync();
    assert_eq!(asked.get(), 0);
    device.clock_error_millis.set(61 * 60 * 1000);
    device.sync();
    assert_eq!(asked.get(), 1);
}
