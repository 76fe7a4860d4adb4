//! Names this server answers to. A page whose own host name was made to point to this machine (DNS rebinding)
//! is of the same origin for its browser, but its requests still carry the foreign name.

use std::net::SocketAddr;

/// Names of this machine for itself.
const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
/// Longest `Host` that is looked at, bytes.
const HOST_BYTES_MAX: usize = 300;

/// Names this server answers to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Hosts {
    /// Every well-formed name: the address it listens on is known to the network anyway.
    #[default]
    Any,
    /// These, on any port.
    Only(Vec<String>),
}

impl Hosts {
    /// What fits an address to listen on: a loopback address answers to its own names and the further ones,
    /// every other address to the further ones if there are any, and else to all.
    pub fn of(listen: SocketAddr, further: &[String]) -> Hosts {
        let own: &[&str] = if listen.ip().is_loopback() { &LOOPBACK_NAMES } else { &[] };
        let further = further.iter().map(|name| name.to_ascii_lowercase());
        let names: Vec<String> = own.iter().map(|name| (*name).to_owned()).chain(further).collect();
        match names.is_empty() {
            true => Hosts::Any,
            false => Hosts::Only(names),
        }
    }

    /// Whether a request with this `Host` is for this server. Links in answers are made of it, so that it
    /// must be well-formed in any case.
    pub(super) fn allow(&self, host: &str) -> bool {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b);
        if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.bytes().all(plain) {
            return false;
        }
        match self {
            Hosts::Any => true,
            Hosts::Only(names) => {
                let host = without_port(host);
                names.iter().any(|name| name.eq_ignore_ascii_case(host))
            }
        }
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_server_answers_to_its_own_names_only() {
        let local = Hosts::of("127.0.0.1:8080".parse().unwrap(), &["CRM.example".to_owned()]);
        let check = |hosts: &Hosts, host: &str, expected: bool| {
            assert_eq!(hosts.allow(host), expected, "{host}");
        };
        for host in
            ["localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1:8080", "[::1]:8080", "crm.example"]
        {
            check(&local, host, true);
        }
        for host in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example:8080",
            "127.0.0.2",
            "localhost:",
            "localhost:8080:8080",
            "::1",
            "",
            "localhost/",
            "a@localhost",
        ] {
            check(&local, host, false);
        }
        let open = Hosts::of("0.0.0.0:8080".parse().unwrap(), &[]);
        check(&open, "anything.example:8080", true);
        check(&open, "any thing", false);
        check(&open, "a\"b", false);
        check(&open, &"a".repeat(HOST_BYTES_MAX), true);
        check(&open, &"a".repeat(HOST_BYTES_MAX + 1), false);
        let named = Hosts::of("0.0.0.0:8080".parse().unwrap(), &["crm.example".to_owned()]);
        check(&named, "crm.example:8080", true);
        check(&named, "localhost", false);
    }
}
