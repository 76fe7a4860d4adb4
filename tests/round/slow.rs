//! A way to the server on which no full page arrives in time.

use crate::support::{Device, Server, Wire};
use flette::platform::{Transport, TransportError};
use flette::sync::{round, Outside, Progress, Report};
use flette_odata::{Request, Response};
use std::cell::RefCell;

/// Pages of contacts that hold more rows than this do not arrive.
const ROWS_MAX: u32 = 130;

/// See the module.
struct Slow<'a> {
    wire: &'a Wire,
    asked: RefCell<Vec<u32>>,
}

impl Transport for Slow<'_> {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let rows = request.headers.get("Prefer").and_then(|prefer| {
            let (_, rows) = prefer.split_once("odata.maxpagesize=")?;
            rows.split(',').next()?.parse::<u32>().ok()
        });
        if let Some(rows) = rows.filter(|_| request.url.contains("/contacts?")) {
            self.asked.borrow_mut().push(rows);
            if rows > ROWS_MAX {
                return Err(TransportError::Timeout);
            }
        }
        self.wire.send(request).await
    }
}

fn pull(device: &Device, wire: &Slow<'_>) -> Report {
    let (now, random) = (|| device.now(), crate::support::chance());
    let outside = Outside { transport: wire, now: &now, random: &random };
    pollster::block_on(round(&device.replica, &outside, &device.config, &Progress::default()))
}

#[test]
fn pages_that_do_not_arrive_in_time_are_asked_for_with_fewer_rows() {
    let server = Server::start();
    let online = server.user("admin");
    for n in 0..150 {
        online.create("contacts", &format!(r#"{{"lastname":"C{n}"}}"#));
    }
    let mut device = Device::new(&server, "demo");
    device.config.page_size = 500;
    let wire = Slow { wire: &device.wire, asked: RefCell::default() };
    assert!(!pull(&device, &wire).ok);
    assert!(!pull(&device, &wire).ok);
    let report = pull(&device, &wire);
    assert!(report.ok, "{report:?}");
    assert_eq!(wire.asked.borrow()[..3], [500, 250, 125]);
    assert_eq!(device.count("contact"), 150);
}
