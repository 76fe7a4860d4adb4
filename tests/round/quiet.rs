//! Rounds in which little happens, as most of them are.

use crate::support::{Device, Server, TABLES};

/// How many transactions the next round is.
#[track_caller]
fn transactions(device: &Device) -> u64 {
    let before = device.replica.state().revision.0;
    let report = device.round();
    assert!(report.ok, "{report:?}");
    device.replica.state().revision.0 - before
}

#[test]
fn tables_of_which_nothing_changed_move_on_together() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    assert_eq!(device.config.tables, TABLES);
    let links = || -> Vec<Option<String>> {
        let state = device.replica.state();
        TABLES.iter().map(|name| state.tables[*name].cursor.delta_link.clone()).collect()
    };
    let before = links();
    assert!(before.iter().all(Option::is_some));
    let user = server.user("admin");
    let made = user.create("contacts", r#"{"lastname":"Made"}"#);
    // Who is calling, four tables, the one of which a row came, the one beside it, and that all is in.
    assert!(transactions(&device) <= 5);
    assert_eq!(device.text("contact", made, "lastname"), "Made");
    assert!(links().iter().zip(&before).all(|(now, before)| now != before), "each place moved on");
    // Two groups of tables.
    assert!(transactions(&device) <= 4);
    user.delete("contacts", made);
    assert!(transactions(&device) <= 5);
    assert_eq!(device.row("contact", made), None);
    assert!(transactions(&device) <= 4);
}
