//! The program itself: its one line, its signals, its files.

use super::support;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Running {
    child: Child,
    address: String,
}

impl Running {
    fn start(database: &str) -> Running {
        Running::with(database, &[])
    }

    fn with(database: &str, further: &[&str]) -> Running {
        let mut child = Command::new(env!("CARGO_BIN_EXE_flette-server"))
            .args(["serve", "--listen", "127.0.0.1:0", "--demo", "20", "--database"])
            .arg(database)
            .args(further)
            .env("FLETTE_LOG", "info")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://").expect("one line").to_owned();
        assert!(!address.ends_with(":0"));
        Running { child, address }
    }

    /// One request over a socket of its own: status, headers, body.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let length = body.len();
        let host = &self.address;
        write!(
            socket,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{headers}\r\n{body}"
        )
        .unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), head.to_lowercase(), body.to_owned())
    }

    fn sign_in(&self) -> String {
        let form = "grant_type=password&username=demo&password=flette";
        let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
        let (status, _, body) = self.ask("POST", "/oauth2/v2.0/token", headers, form);
        assert_eq!(status, 200, "{body}");
        let json: serde_json::Value = serde_json::from_str(&body).unwrap();
        format!("Authorization: Bearer {}\r\n", json["access_token"].as_str().unwrap())
    }

    fn signal(&mut self, signal: &str) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(started.elapsed() < Duration::from_secs(30), "it does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_answer_over_a_socket_has_a_date_and_a_signal_stops_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let database = support::lasting(&folder);
    let mut server = Running::start(&database);
    let bearer = server.sign_in();
    for (path, status) in
        [("/healthz", 200), ("/api/data/v9.2/WhoAmI", 200), ("/nothing", 404), ("/api/data/v9.2/x", 404)]
    {
        let (answered, head, _) = server.ask("GET", path, &bearer, "");
        assert_eq!(answered, status, "{path}");
        let date = head.lines().find_map(|line| line.strip_prefix("date: ")).expect("a Date header");
        assert!(date.ends_with("gmt"), "{date}");
    }
    // A client that keeps its connection open does not hold the server up.
    let _idle = TcpStream::connect(&server.address).unwrap();
    assert_eq!(server.signal("-TERM"), Some(0));
    let mut log = String::new();
    server.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("demo data: 26 of 26 rows"), "{log}");

    // Sessions, rows and tokens outlive the process; the demo data is not made twice.
    let mut server = Running::start(&database);
    let (status, _, body) = server.ask("GET", "/api/data/v9.2/contacts/$count", &bearer, "");
    assert_eq!((status, body.as_str()), (200, "20"));
    assert_eq!(server.signal("-INT"), Some(0));
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let database = support::lasting(&folder);
    let mut server = Running::start(&database);
    let bearer = server.sign_in();
    let track = format!("{bearer}Prefer: odata.track-changes\r\n");
    let (_, _, first) = server.ask("GET", "/api/data/v9.2/accounts?$select=name", &track, "");
    let first: serde_json::Value = serde_json::from_str(&first).unwrap();
    let delta = first["@odata.deltaLink"].as_str().unwrap();
    let delta = &delta[delta.find("/api").unwrap()..];
    let mut written = Vec::new();
    for round in 0..3 {
        for number in 0..20 {
            let name = format!("Acknowledged {round}-{number}");
            let headers = format!("{bearer}Content-Type: application/json\r\n");
            let body = format!("{{\"name\":\"{name}\"}}");
            let (status, _, _) = server.ask("POST", "/api/data/v9.2/accounts", &headers, &body);
            assert_eq!(status, 204);
            written.push(name);
        }
        assert_eq!(server.signal("-KILL"), None);
        server = Running::start(&database);
        let (status, _, body) = server.ask("GET", delta, &bearer, "");
        assert_eq!(status, 200, "{body}");
        // The body may be chunked; names are looked for in the text.
        for name in &written {
            assert!(body.contains(name.as_str()), "{name} is lost");
        }
    }
}

#[test]
fn the_log_holds_no_values() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Running::start(&support::lasting(&folder));
    let bearer = server.sign_in();
    let headers = format!("{bearer}Content-Type: application/json\r\n");
    server.ask("POST", "/api/data/v9.2/accounts", &headers, "{\"name\":\"Canary1\"}");
    server.ask("POST", "/api/data/v9.2/accounts", &headers, "{\"name\":\"Canary2\",\"nothing\":\"Canary3\"}");
    server.ask("GET", "/api/data/v9.2/accounts?$filter=name%20eq%20'Canary4'", &bearer, "");
    server.signal("-TERM");
    let mut log = String::new();
    server.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("/api/data/v9.2/accounts"), "{log}");
    assert!(!log.contains("Canary"), "{log}");
    let token = bearer.trim().rsplit(' ').next().unwrap();
    assert!(!log.contains(token));
}

#[test]
fn a_request_under_way_is_answered_before_the_process_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Running::start(&support::lasting(&folder));
    let bearer = server.sign_in();
    let mut socket = TcpStream::connect(&server.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let body = "{\"name\":\"Late\"}";
    let (begun, rest) = body.split_at(5);
    write!(
        socket,
        "POST /api/data/v9.2/accounts HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\
         Content-Type: application/json\r\n{bearer}\r\n{begun}",
        server.address,
        body.len()
    )
    .unwrap();
    // The server has to have taken the connection before it is told to stop.
    std::thread::sleep(Duration::from_millis(300));
    let id = server.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let mut refused = false;
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(20));
        refused |= TcpStream::connect(&server.address).is_err();
        if refused {
            break;
        }
    }
    assert!(refused, "a server that stops takes no further connection");
    assert!(server.child.try_wait().unwrap().is_none(), "it waits for what is under way");
    socket.write_all(rest.as_bytes()).unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 204"), "{text}");
    let started = Instant::now();
    while server.child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_secs(5), "it does not stop");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_log_may_be_json_and_a_loopback_server_knows_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let further = ["--log-format", "json", "--throttle=requests=1", "--cors-origin", "https://app.example"];
    let mut server = Running::with(&support::lasting(&folder), &further);
    let bearer = server.sign_in();
    let (status, head, _) = server.ask("GET", "/api/data/v9.2/WhoAmI", &bearer, "");
    assert_eq!(status, 200);
    let id = head.lines().find_map(|line| line.strip_prefix("x-ms-service-request-id: ")).unwrap().to_owned();
    let (status, head, _) = server.ask("GET", "/api/data/v9.2/WhoAmI", &bearer, "");
    assert_eq!(status, 429);
    assert!(head.contains("retry-after: "), "{head}");
    let (status, _, figures) = server.ask("GET", "/metrics", "", "");
    assert_eq!(status, 200);
    assert!(figures.contains("flette_throttled_requests_total"), "{figures}");
    let mut socket = TcpStream::connect(&server.address).unwrap();
    write!(socket, "GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 421"), "{text}");
    assert_eq!(server.signal("-TERM"), Some(0));
    let mut log = String::new();
    server.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    let lines: Vec<serde_json::Value> =
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let line =
        lines.iter().find(|line| line["request_id"] == id.as_str()).expect("the request is in the log");
    assert_eq!((&line["method"], &line["status"]), (&"GET".into(), &200.into()));
    assert_eq!(line["path"], "/api/data/v9.2/WhoAmI");
}

/// Only PostgreSQL lets many processes write; a SQLite file does too, one after the other.
#[test]
fn two_servers_on_one_database_are_one() {
    let folder = tempfile::tempdir().unwrap();
    let database = support::lasting(&folder);
    // Both at once: one of them makes the tables.
    let starting: Vec<_> = (0..2)
        .map(|_| {
            let database = database.clone();
            std::thread::spawn(move || Running::start(&database))
        })
        .collect();
    let mut servers: Vec<Running> = starting.into_iter().map(|one| one.join().unwrap()).collect();
    let bearer = servers[0].sign_in();
    let json = format!("{bearer}Content-Type: application/json\r\n");
    let (status, _, count) = servers[1].ask("GET", "/api/data/v9.2/contacts/$count", &bearer, "");
    assert_eq!(
        (status, count.as_str()),
        (200, "20"),
        "a token of one is good for both; the demo is made once"
    );

    let track = format!("{bearer}Prefer: odata.track-changes\r\n");
    let (_, _, first) = servers[1].ask("GET", "/api/data/v9.2/accounts?$select=name", &track, "");
    let first: serde_json::Value = serde_json::from_str(&first).unwrap();
    let delta = first["@odata.deltaLink"].as_str().unwrap();
    let delta = delta[delta.find("/api").unwrap()..].to_owned();
    // Each id is created through both at once: one of them makes it.
    let mut made = 0;
    for number in 0..20 {
        let id = format!("00000000-0000-4000-8000-{number:012}");
        let answers: Vec<u16> = std::thread::scope(|scope| {
            let create = |server: &'static str, address: &Running| {
                let body = format!(r#"{{"accountid":"{id}","name":"{server} {number}"}}"#);
                address.ask("POST", "/api/data/v9.2/accounts", &json, &body).0
            };
            let (one, other) = (&servers[0], &servers[1]);
            let other = scope.spawn(move || create("other", other));
            let one = create("one", one);
            vec![one, other.join().unwrap()]
        });
        let mut answers = answers;
        answers.sort_unstable();
        assert_eq!(answers, [204, 412], "{number}");
        made += 1;
    }
    let (status, _, told) = servers[1].ask("GET", &delta, &bearer, "");
    assert_eq!(status, 200, "{told}");
    assert_eq!(told.matches("\"accountid\"").count(), made);
    for server in &mut servers {
        assert_eq!(server.signal("-TERM"), Some(0));
    }
}
