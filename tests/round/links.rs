//! Links of a server that does not know under which name it is asked.

use crate::support::{Device, Fault, Server};

/// The answer with links that name the server as it calls itself.
fn under_its_own_name(body: &str) -> String {
    let mut parts = body.split(r#"Link":"http://"#);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |told, part| {
        let path = part.split_once('/').map_or(part, |(_, path)| path);
        format!(r#"{told}Link":"https://crm.internal/org/{path}"#)
    })
}

#[test]
fn links_are_followed_where_the_api_is_whatever_host_they_name() {
    let server = Server::start();
    let online = server.user("admin");
    for n in 0..120 {
        online.create("contacts", &format!(r#"{{"lastname":"C{n}"}}"#));
    }
    let device = Device::new(&server, "demo");
    device.wire.fail(|_| Some(Fault::Told(under_its_own_name)));
    device.sync();
    assert_eq!(device.count("contact"), 120);
    device.sync();
    let log = device.wire.log.borrow();
    let pages = log.iter().filter(|line| line.starts_with("GET contacts?") && line.contains("token="));
    assert!(pages.count() > 2 && !log.iter().any(|line| line.contains("crm.internal")), "{log:?}");
}
