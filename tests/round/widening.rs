//! Another filter of rows: what is here stays, only what is missing is pulled, and what left goes in one step.

use crate::support::{text, Device, Fault, Server, Wire};
use flette_odata::{Request, Uuid};
use flette_server::api::Profile as Kind;

const SALES: &str = r#"{"contact":{"rows":"jobtitle eq 'Sales'"}}"#;
const BOTH: &str = r#"{"contact":{"rows":"jobtitle eq 'Sales' or jobtitle eq 'Buyer'"}}"#;
const BUYERS: &str = r#"{"contact":{"rows":"jobtitle eq 'Buyer'"}}"#;
/// More than a page.
const SALES_ROWS: usize = 70;
const BUYER_ROWS: usize = 120;

/// A server without change tracking under a filter, with rows in sales and some of buyers.
fn world() -> (Server, Wire, Vec<Uuid>, Vec<Uuid>) {
    let server = Server::with_profile(Kind::Dataverse);
    let online = server.user("admin");
    let make = |title: &str, rows: usize| -> Vec<Uuid> {
        let body = |nth: usize| format!(r#"{{"lastname":"{title} {nth}","jobtitle":"{title}"}}"#);
        (0..rows).map(|nth| online.create("contacts", &body(nth))).collect()
    };
    let (sales, buyers) = (make("Sales", SALES_ROWS), make("Buyer", BUYER_ROWS));
    // A sweep looks back by two seconds, and the server tells whole ones: what was made before is not to be counted as pulled again.
    std::thread::sleep(std::time::Duration::from_millis(3_100));
    (server, online, sales, buyers)
}

/// How many whole contacts have come since this was asked last.
fn came(device: &Device) -> usize {
    let answers = std::mem::take(&mut *device.wire.answers.borrow_mut());
    device.wire.log.borrow_mut().clear();
    answers.iter().map(|answer| answer.matches(r#""jobtitle":""#).count()).sum()
}

fn held(device: &Device, ids: &[Uuid]) -> usize {
    ids.iter().filter(|id| device.row("contact", **id).is_some()).count()
}

#[test]
fn a_wider_filter_pulls_only_what_is_new_and_a_narrower_one_nothing() {
    let (server, online, sales, buyers) = world();
    let mut device = Device::with_profile(&server, "admin", SALES);
    assert_eq!(came(&device), SALES_ROWS);
    device.set_profile(BOTH);
    // One of those that are here is not as it was.
    online.patch("contacts", sales[0], r#"{"fax":"1"}"#);
    device.sync();
    assert_eq!(came(&device), BUYER_ROWS + 1);
    assert_eq!((held(&device, &sales), held(&device, &buyers)), (SALES_ROWS, BUYER_ROWS));
    assert_eq!(device.text("contact", sales[0], "fax"), "1");
    device.set_profile(BUYERS);
    device.sync();
    assert_eq!(came(&device), 0);
    assert_eq!((held(&device, &sales), held(&device, &buyers)), (0, BUYER_ROWS));
    // What follows goes on from there.
    online.patch("contacts", buyers[0], r#"{"fax":"2"}"#);
    online.patch("contacts", sales[1], r#"{"jobtitle":"Buyer"}"#);
    device.sync();
    assert_eq!(device.text("contact", buyers[0], "fax"), "2");
    assert_eq!(held(&device, &sales), 1);
    device.set_profile("{}");
    came(&device);
    device.sync();
    assert_eq!(came(&device), SALES_ROWS - 1);
    assert!(device.replica.state().is_complete("contact"));
}

#[test]
fn the_first_filter_of_a_whole_table_pulls_nothing_again() {
    let (server, _, sales, buyers) = world();
    let mut device = Device::synced(&server, "admin");
    came(&device);
    device.set_profile(SALES);
    device.sync();
    assert_eq!(came(&device), 0);
    assert_eq!((held(&device, &sales), held(&device, &buyers)), (SALES_ROWS, 0));
}

#[test]
fn a_compare_that_is_killed_goes_on_where_it_stood() {
    let (server, _, sales, buyers) = world();
    let mut device = Device::with_profile(&server, "admin", SALES);
    device.set_profile(BOTH);
    came(&device);
    // The list of ids stops after its first page.
    device.wire.fail(|request| request.url.contains("skiptoken").then_some(Fault::LoseRequest));
    assert!(!device.round().ok);
    device.restart();
    assert_eq!((came(&device), held(&device, &sales)), (0, SALES_ROWS));
    // It goes on with its second page; of the rows that are missing only the first lot comes.
    let lots = std::cell::Cell::new(0);
    device.wire.fail(move |request: &Request| {
        let body = String::from_utf8_lossy(&request.body);
        let is_lot = body.contains("contactid%20eq%20");
        lots.set(lots.get() + u32::from(is_lot));
        (is_lot && lots.get() > 1).then_some(Fault::LoseRequest)
    });
    assert!(!device.round().ok);
    let firsts =
        device.wire.log.borrow().iter().filter(|line| line.contains("contacts?$select=contactid&")).count();
    assert!(device.wire.log.borrow().iter().any(|line| line.contains("skiptoken")));
    device.restart();
    let lot = came(&device);
    assert_eq!(
        (lot, held(&device, &buyers), firsts),
        (50, 50, 3),
        "of four pages the last three are asked for"
    );
    device.wire.heal();
    device.sync();
    assert_eq!((came(&device), held(&device, &buyers)), (BUYER_ROWS - lot, BUYER_ROWS));
}

#[test]
fn a_row_with_pending_entries_outlives_a_narrower_filter() {
    let (server, online, sales, buyers) = world();
    let mut device = Device::with_profile(&server, "admin", BOTH);
    device.edit("contact", buyers[0], &[("telephone1", text(&"9".repeat(200)))]);
    assert_eq!(device.round().parked, 1);
    device.set_profile(SALES);
    device.round();
    assert_eq!((held(&device, &sales), held(&device, &buyers)), (SALES_ROWS, 1));
    assert_eq!(device.replica.state().tables["contact"].cursor.outside.len(), 1);
    let op = device.entries()[0].op;
    device.change(|draft| draft.discard(op).unwrap());
    device.edit("contact", buyers[0], &[("fax", text("3"))]);
    device.sync();
    assert_eq!((held(&device, &buyers), device.conflicts().len()), (0, 0));
    assert_eq!(online.json(&format!("contacts({})", buyers[0]))["fax"], "3");
}

#[test]
fn a_row_that_left_is_found_by_the_next_compare() {
    let (server, online, sales, _) = world();
    let device = Device::with_profile(&server, "admin", SALES);
    online.patch("contacts", sales[0], r#"{"jobtitle":"Buyer"}"#);
    online.delete("contacts", sales[1]);
    came(&device);
    for _ in 0..5 {
        device.sync();
    }
    assert_eq!((held(&device, &sales), came(&device)), (SALES_ROWS - 2, 0));
}
