//! Relationships that are followed: rows come and go with rows of other tables, without being changed themselves.

use crate::support::{text, Device, Fault, Server, Wire};
use flette::model::{EntityRef, Value};
use flette_odata::{Method, Uuid};
use flette_server::api::Profile as Kind;

/// Contacts in sales, and the accounts that they belong to.
const OF_CONTACTS: &str =
    r#"{"contact":{"rows":"jobtitle eq 'Sales'"},"account":{"related":["contact_customer_accounts"]}}"#;

const KINDS: [Kind; 2] = [Kind::Open, Kind::Dataverse];
/// A row that left a filter without tracking is found by then.
const ROUNDS_MAX: usize = 5;

fn account(online: &Wire, name: &str) -> Uuid {
    online.create("accounts", &format!(r#"{{"name":"{name}"}}"#))
}

fn contact(online: &Wire, title: &str, account: Uuid) -> Uuid {
    let of = format!(r#""parentcustomerid_account@odata.bind":"accounts({account})""#);
    online.create("contacts", &format!(r#"{{"lastname":"{title}","jobtitle":"{title}",{of}}}"#))
}

fn belongs_to(online: &Wire, contact: Uuid, account: Uuid) {
    let body = format!(r#"{{"parentcustomerid_account@odata.bind":"accounts({account})"}}"#);
    online.patch("contacts", contact, &body);
}

/// Which of these accounts are here.
fn here<const N: usize>(device: &Device, ids: [Uuid; N]) -> [bool; N] {
    ids.map(|id| device.row("account", id).is_some())
}

struct World {
    server: Server,
    online: Wire,
    /// Of a contact in sales, of a buyer, of nobody.
    accounts: [Uuid; 3],
    sales: Uuid,
    buyer: Uuid,
}

fn world(kind: Kind) -> World {
    let server = Server::with_profile(kind);
    let online = server.user("admin");
    let accounts = ["Of sales", "Of a buyer", "Of nobody"].map(|name| account(&online, name));
    let (sales, buyer) = (contact(&online, "Sales", accounts[0]), contact(&online, "Buyer", accounts[1]));
    // A sweep looks back by two seconds, and the server tells whole ones: what was made before must not come by it.
    std::thread::sleep(std::time::Duration::from_millis(3_100));
    World { server, online, accounts, sales, buyer }
}

#[test]
fn accounts_come_and_go_with_the_contacts_that_point_to_them() {
    for kind in KINDS {
        let World { server, online, accounts, sales, buyer } = world(kind);
        let device = Device::with_profile(&server, "admin", OF_CONTACTS);
        assert_eq!(here(&device, accounts), [true, false, false], "{kind:?}");
        // A contact enters the filter, and its account comes along in the same round.
        online.patch("contacts", buyer, r#"{"jobtitle":"Sales"}"#);
        device.sync();
        assert_eq!(here(&device, accounts), [true, true, false], "{kind:?}");
        belongs_to(&online, sales, accounts[2]);
        device.sync();
        assert_eq!(here(&device, accounts), [false, true, true], "{kind:?}");
        // The last contact leaves.
        online.patch("contacts", buyer, r#"{"jobtitle":"Buyer"}"#);
        online.delete("contacts", sales);
        for _ in 0..if kind == Kind::Open { 1 } else { ROUNDS_MAX } {
            device.sync();
        }
        assert_eq!(here(&device, accounts), [false, false, false], "{kind:?}");
    }
}

#[test]
fn a_followed_table_that_says_nothing_new_costs_no_compare() {
    let World { server, online, accounts, sales, .. } = world(Kind::Dataverse);
    let device = Device::with_profile(&server, "admin", OF_CONTACTS);
    device.wire.log.borrow_mut().clear();
    let compares = || {
        let log = std::mem::take(&mut *device.wire.log.borrow_mut());
        log.iter().filter(|line| line.contains("accounts?$select=accountid&")).count()
    };
    // The sweeps look back: what they tell again is no news.
    device.sync();
    device.sync();
    assert_eq!(compares(), 0);
    online.patch("contacts", sales, r#"{"fax":"1"}"#);
    device.sync();
    assert_eq!((compares(), here(&device, accounts)), (1, [true, false, false]));
}

#[test]
fn contacts_come_and_go_with_the_accounts_on_which_they_hang() {
    let profile = r#"{"account":{"rows":"name eq 'Of a buyer'"},
        "contact":{"rows":"jobtitle eq 'Chief'","related":["parentcustomerid_account"]}}"#;
    for kind in KINDS {
        let World { server, online, accounts, sales, buyer } = world(kind);
        let chief = contact(&online, "Chief", accounts[2]);
        let device = Device::with_profile(&server, "admin", profile);
        let contacts = || [sales, buyer, chief].map(|id| device.row("contact", id).is_some());
        assert_eq!(contacts(), [false, true, true], "{kind:?}");
        online.patch("accounts", accounts[0], r#"{"name":"Of a buyer"}"#);
        device.sync();
        assert_eq!((contacts(), here(&device, accounts)), ([true, true, true], [true, true, false]));
        belongs_to(&online, buyer, accounts[2]);
        online.patch("accounts", accounts[0], r#"{"name":"Another"}"#);
        for _ in 0..ROUNDS_MAX {
            device.sync();
        }
        assert_eq!((contacts(), here(&device, accounts)), ([false, false, true], [false, true, false]));
    }
}

#[test]
fn what_is_edited_here_brings_the_rows_that_it_leads_to() {
    for kind in KINDS {
        let World { server, online, accounts, sales, .. } = world(kind);
        let device = Device::with_profile(&server, "admin", OF_CONTACTS);
        let to = EntityRef { table: "account".to_owned(), id: accounts[2] };
        device.edit("contact", sales, &[("parentcustomerid", Value::Lookup(to))]);
        // A row that is made here outside of what is wanted is sent, and goes.
        let made = device.create("account", &[("name", text("Of nobody, either"))]);
        device.sync();
        assert_eq!(here(&device, accounts), [false, false, true], "{kind:?}");
        assert_eq!(online.json(&format!("accounts({made})"))["name"], "Of nobody, either");
        assert_eq!(here(&device, [made]), [false]);
        assert!(device.conflicts().is_empty() && device.entries().is_empty());
    }
}

#[test]
fn a_round_that_is_cut_short_before_the_compare_is_made_up_for() {
    for kind in KINDS {
        let World { server, online, accounts, buyer, .. } = world(kind);
        let mut device = Device::with_profile(&server, "admin", OF_CONTACTS);
        online.patch("contacts", buyer, r#"{"jobtitle":"Sales"}"#);
        device.wire.fail(|request| request.url.contains("accounts?").then_some(Fault::LoseRequest));
        assert!(!device.round().ok);
        assert!(device.row("contact", buyer).is_some());
        assert_eq!(here(&device, accounts), [true, false, false]);
        device.restart();
        device.wire.heal();
        device.sync();
        assert_eq!(here(&device, accounts), [true, true, false], "{kind:?}");
    }
}

#[test]
fn a_row_of_which_changes_wait_stays_when_nothing_leads_to_it_any_more() {
    for kind in KINDS {
        let World { server, online, accounts, sales, .. } = world(kind);
        let device = Device::with_profile(&server, "admin", OF_CONTACTS);
        // The server will not take this: longer than the column.
        device.edit("account", accounts[0], &[("telephone1", text(&"9".repeat(200)))]);
        assert_eq!(device.round().parked, 1);
        belongs_to(&online, sales, accounts[1]);
        device.round();
        assert_eq!(here(&device, accounts), [true, true, false], "{kind:?}");
        let outside = || device.replica.state().tables["account"].cursor.outside.len();
        assert_eq!((outside(), device.entries().len(), device.conflicts().len()), (1, 1, 0));
        let op = device.entries()[0].op;
        device.change(|draft| draft.discard(op).unwrap());
        device.sync();
        assert_eq!((here(&device, accounts), outside()), ([false, true, false], 0), "{kind:?}");
    }
}

#[test]
fn tables_that_look_at_each_other_come_to_rest() {
    let profile = r#"{"account":{"rows":"name eq 'Of nobody'","related":["contact_customer_accounts"]},
        "contact":{"rows":"jobtitle eq 'Sales'","related":["parentcustomerid_account"]}}"#;
    let World { server, online, accounts, sales, buyer } = world(Kind::Dataverse);
    let device = Device::with_profile(&server, "admin", profile);
    let contacts = || [sales, buyer].map(|id| device.row("contact", id).is_some());
    assert_eq!((here(&device, accounts), contacts()), ([true, false, true], [true, false]));
    belongs_to(&online, buyer, accounts[2]);
    belongs_to(&online, sales, accounts[1]);
    device.sync();
    // One step: what only came because it is related brings no others.
    assert_eq!((here(&device, accounts), contacts()), ([false, true, true], [true, true]));
    device.sync();
    assert!(!device.replica.state().tables.values().any(|table| table.cursor.stirred));
}

#[test]
fn a_relationship_that_does_not_exist_is_told_and_the_table_is_not_pulled_whole() {
    let World { server, accounts, .. } = world(Kind::Open);
    let mut device = Device::new(&server, "admin");
    device.set_profile(r#"{"account":{"related":["friends"]}}"#);
    let report = device.round();
    assert!(report.problem.is_some_and(|problem| problem.contains("no navigation property 'friends'")));
    assert_eq!(here(&device, accounts), [false, false, false]);
    assert_eq!(device.wire.ask(Method::Get, "accounts/$count", "").status, 200);
    // Where rows are here already, they are kept up to date.
    let mut device = Device::with_profile(&server, "admin", OF_CONTACTS);
    device.set_profile(r#"{"contact":{"rows":"jobtitle eq 'Sales'"},"account":{"related":["friends"]}}"#);
    server.user("admin").patch("accounts", accounts[0], r#"{"fax":"1"}"#);
    device.sync();
    assert_eq!(device.text("account", accounts[0], "fax"), "1");
    assert!(device.replica.state().record.unknown_rows().next().is_some());
}
