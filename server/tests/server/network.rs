//! Towards the network: origins, host names, forgery, limits, throttling, figures.

use super::support::{database, Answer, Server, HOST};
use axum::extract::ConnectInfo;
use flette_server::api::{Profile, Service};
use flette_server::web::{Hosts, Limits, MetricsAccess, Options, BODY_BYTES_MAX, URL_BYTES_MAX};
use flette_server::{people, web};
use std::net::SocketAddr;

const ORIGIN: &str = "https://app.example";
const FORM: &str = "application/x-www-form-urlencoded";

fn server(options: Options) -> Server {
    let database = database();
    people::add_demo_people(&database, web::now()).unwrap();
    Server::with(Service::new(database, Profile::Open), options)
}

fn with_origin() -> Server {
    server(Options { origins: vec![ORIGIN.parse().unwrap()], ..Options::default() })
}

#[tokio::test]
async fn pages_of_a_listed_origin_may_call_the_api_with_a_bearer_token() {
    let server = with_origin().sign_in("demo").await;
    let asked = [
        ("Origin", ORIGIN),
        ("Access-Control-Request-Method", "PATCH"),
        ("Access-Control-Request-Headers", "authorization,content-type,if-match,odata-version,prefer"),
    ];
    for path in ["/api/data/v9.2/accounts", "/api/data/v9.2/$batch", "/oauth2/v2.0/token"] {
        let answer = server.bare("OPTIONS", path, &asked, "").await;
        assert_eq!(answer.status, 204, "{path}");
        assert_eq!(answer.header("Access-Control-Allow-Origin"), Some(ORIGIN));
        assert!(answer.header("Access-Control-Allow-Methods").unwrap().contains("PATCH"));
        let granted = answer.header("Access-Control-Allow-Headers").unwrap();
        for name in ["authorization", "content-type", "if-match", "odata-version", "prefer"] {
            assert!(granted.split(", ").any(|n| n == name), "{name}: {granted}");
        }
    }
    let answer = server.send("GET", "WhoAmI", &[("Origin", ORIGIN)], "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("Access-Control-Allow-Origin"), Some(ORIGIN));
    assert_eq!(answer.header("Vary"), Some("Origin"));
    let exposed = answer.header("Access-Control-Expose-Headers").unwrap().to_lowercase();
    for name in ["odata-entityid", "etag", "retry-after", "preference-applied", "req_id", "odata-version"] {
        assert!(exposed.split(", ").any(|n| n == name), "{name}: {exposed}");
    }
    assert_eq!(answer.header("Access-Control-Allow-Credentials"), None, "the cookie is this origin's own");
}

#[tokio::test]
async fn pages_of_other_origins_are_told_nothing() {
    for server in [with_origin(), server(Options::default())] {
        let server = server.sign_in("demo").await;
        for origin in
            ["https://evil.example", "null", "https://app.example.evil.example", "http://app.example"]
        {
            let asked = [("Origin", origin), ("Access-Control-Request-Method", "POST")];
            let answer = server.bare("OPTIONS", "/api/data/v9.2/accounts", &asked, "").await;
            assert_eq!(answer.status, 403, "{origin}");
            assert_eq!(answer.header("Access-Control-Allow-Origin"), None, "{origin}");
            let answer = server.send("GET", "WhoAmI", &[("Origin", origin)], "").await;
            assert_eq!(answer.header("Access-Control-Allow-Origin"), None, "{origin}");
        }
        // The page's own door is open to this origin alone, listed or not.
        let asked = [("Origin", ORIGIN), ("Access-Control-Request-Method", "POST")];
        let answer = server.bare("OPTIONS", "/auth/sign-in", &asked, "").await;
        assert_eq!(answer.header("Access-Control-Allow-Origin"), None);
    }
}

type Header = (&'static str, &'static str);

/// What a page of another site can make a browser send without a preflight, by form, link or `fetch`.
fn forgeries() -> Vec<(&'static str, Vec<Header>, &'static str)> {
    let row = r#"{"name":"forged"}"#;
    let simple =
        ["text/plain", FORM, "multipart/form-data; boundary=x", "text/plain; charset=application/json"];
    let sites = ["cross-site", "same-site", "none"];
    let mut all = Vec::new();
    for kind in simple {
        all.push(("POST", vec![("Content-Type", kind)], row));
        all.push(("POST", vec![("Content-Type", kind), ("Origin", "null")], row));
        all.push(("POST", vec![("Content-Type", kind), ("Origin", "https://evil.example")], row));
        for site in sites {
            all.push(("POST", vec![("Content-Type", kind), ("Sec-Fetch-Site", site)], row));
        }
        // A form cannot say another verb; those who let it in a field or header are wrong.
        all.push((
            "POST",
            vec![("Content-Type", kind), ("X-HTTP-Method-Override", "DELETE")],
            "_method=DELETE",
        ));
    }
    all.push(("POST", vec![], ""));
    all.push(("POST", vec![], row));
    // Even what only a preflight would allow is refused when the browser names the foreign site.
    for site in sites {
        all.push(("POST", vec![("Content-Type", "application/json"), ("Sec-Fetch-Site", site)], row));
    }
    for origin in ["https://evil.example", "null", "http://crm.example.evil.example", "http://crm.example:81"]
    {
        all.push(("POST", vec![("Content-Type", "application/json"), ("Origin", origin)], row));
        all.push(("DELETE", vec![("If-Match", "*"), ("Origin", origin)], ""));
        all.push(("PATCH", vec![("Content-Type", "application/json"), ("Origin", origin)], row));
    }
    all
}

#[tokio::test]
async fn no_foreign_page_writes_by_the_cookie() {
    for server in [with_origin(), server(Options::default())] {
        let json = ("Content-Type", "application/json");
        let body = r#"{"username":"demo","password":"flette"}"#;
        let answer = server.bare("POST", "/auth/sign-in", &[json], body).await;
        let cookie = answer.header("Set-Cookie").unwrap().split(';').next().unwrap().to_owned();
        let with_cookie = |headers: &[(&'static str, &'static str)]| -> Vec<(&str, &str)> {
            headers.iter().copied().chain([("Cookie", cookie.as_str())]).collect()
        };
        let made =
            server.bare("POST", "/api/data/v9.2/accounts", &with_cookie(&[json]), "{\"name\":\"A\"}").await;
        let id = made.id();
        for (method, headers, body) in forgeries() {
            let path = match method {
                "POST" => "/api/data/v9.2/accounts".to_owned(),
                _ => format!("/api/data/v9.2/accounts({id})"),
            };
            let answer = server.bare(method, &path, &with_cookie(&headers), body).await;
            assert_eq!(answer.status, 403, "{method} {headers:?}");
            for path in ["/api/data/v9.2/$batch", "/auth/sign-out"] {
                let answer = server.bare("POST", path, &with_cookie(&headers), body).await;
                assert_eq!(answer.status, 403, "{path} {headers:?}");
            }
            let sign_in = server.bare("POST", "/auth/sign-in", &headers, body).await;
            assert!(sign_in.header("Set-Cookie").is_none(), "{headers:?}");
        }
        let rows = server.bare("GET", "/api/data/v9.2/accounts?$select=name", &with_cookie(&[]), "").await;
        assert_eq!(rows.column("name"), ["A"]);
        // What real clients of the Web API send from the page itself is let through.
        for headers in [
            vec![json],
            vec![json, ("OData-Version", "4.0"), ("OData-MaxVersion", "4.0"), ("If-None-Match", "null")],
            vec![("Content-Type", "application/json; charset=utf-8"), ("Sec-Fetch-Site", "same-origin")],
        ] {
            let answer = server
                .bare("POST", "/api/data/v9.2/accounts", &with_cookie(&headers), "{\"name\":\"B\"}")
                .await;
            assert_eq!(answer.status, 204, "{headers:?}");
        }
        let delete = with_cookie(&[("OData-Version", "4.0"), ("OData-MaxVersion", "4.0")]);
        let answer = server.bare("DELETE", &format!("/api/data/v9.2/accounts({id})"), &delete, "").await;
        assert_eq!(answer.status, 204);
    }
}

#[tokio::test]
async fn a_name_that_was_bent_to_this_machine_gets_no_answer() {
    let hosts = Hosts::of("127.0.0.1:8080".parse().unwrap(), &[]);
    let server = server(Options { hosts, ..Options::default() });
    for path in ["/healthz", "/", "/auth/who", "/api/data/v9.2/WhoAmI", "/oauth2/v2.0/token"] {
        let answer = server.bare("GET", path, &[], "").await;
        assert_eq!(answer.status, 421, "{path}: the host is {HOST}");
    }
    let answer = server.get_as_host("localhost:8080", "/healthz").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn every_answer_tells_browsers_to_be_careful() {
    let server = with_origin().sign_in("demo").await;
    for url in ["WhoAmI", "accounts", "nothing", "$metadata"] {
        let answer = server.get(url).await;
        assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"), "{url}");
        assert_eq!(answer.header("Referrer-Policy"), Some("no-referrer"), "{url}");
        assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{url}");
        assert_eq!(answer.header("Cross-Origin-Resource-Policy"), Some("same-origin"), "{url}");
        assert_eq!(answer.header("Strict-Transport-Security"), None, "{url}");
        assert_eq!(answer.header("x-ms-service-request-id").map(str::len), Some(36), "{url}");
        let json = answer.header("Content-Type").is_some_and(|kind| kind.starts_with("application/json"));
        assert_eq!(answer.header("Content-Security-Policy").is_some(), json, "{url}");
    }
    let answer = server.send("GET", "WhoAmI", &[("X-Forwarded-Proto", "https")], "").await;
    assert_eq!(answer.header("Strict-Transport-Security"), Some("max-age=31536000"));
    let headers = [("Content-Type", "application/json"), ("X-Forwarded-Proto", "https")];
    let body = r#"{"username":"demo","password":"flette"}"#;
    let cookie = server.bare("POST", "/auth/sign-in", &headers, body).await;
    let cookie = cookie.header("Set-Cookie").unwrap().to_owned();
    assert!(cookie.starts_with("__Host-flette_session="), "{cookie}");
    assert!(
        cookie.contains("; Path=/; HttpOnly; SameSite=Strict; ") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
}

#[tokio::test]
async fn urls_and_bodies_end_at_their_limits() {
    let server = server(Options::default()).sign_in("demo").await;
    let url = |length: usize| {
        let start = "/api/data/v9.2/accounts?$select=name&@x=%27";
        format!("{start}{}%27", "a".repeat(length - start.len() - 3))
    };
    for (length, refused) in [(URL_BYTES_MAX - 1, false), (URL_BYTES_MAX, false), (URL_BYTES_MAX + 1, true)] {
        let answer = server.absolute("GET", &url(length), &[], "").await;
        assert_eq!(answer.status == 414, refused, "{length}: {}", answer.body);
    }
    let body = |length: usize| {
        let start = r#"{"name":"long"}"#;
        format!("{start}{}", " ".repeat(length - start.len()))
    };
    for (length, status) in [(BODY_BYTES_MAX - 1, 204), (BODY_BYTES_MAX, 204), (BODY_BYTES_MAX + 1, 413)] {
        assert_eq!(server.send("POST", "accounts", &[], &body(length)).await.status, status, "{length}");
    }
}

#[tokio::test]
async fn who_asks_too_much_is_told_when_to_come_again() {
    let limits = Limits { requests: 3, ..Limits::default() };
    let server = server(Options { throttle: Some(limits), ..Options::default() });
    let (demo, anna) = (server.sign_in("demo").await, server.sign_in("anna").await);
    for left in ["2", "1", "0"] {
        let answer = demo.get("WhoAmI").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-ms-ratelimit-burst-remaining-xrm-requests"), Some(left));
        assert!(answer.header("x-ms-ratelimit-time-remaining-xrm-requests").is_some());
    }
    let answer = demo.get("WhoAmI").await;
    assert_eq!((answer.status, answer.code().as_str()), (429, "0x80072322"));
    let wait: u32 = answer.header("Retry-After").unwrap().parse().unwrap();
    assert!((290..=300).contains(&wait), "{wait}");
    assert_eq!(anna.get("WhoAmI").await.status, 200, "limits are each user's own");
    let figures = server.get_from(Some("127.0.0.1:5000"), "/metrics", &[]).await;
    assert!(
        figures.body.contains("flette_throttled_requests_total{limit=\"requests\"} 1"),
        "{}",
        figures.body
    );
}

#[tokio::test]
async fn signing_in_waits_after_so_many_failures() {
    let server = server(Options::default());
    let form = |password: &str| format!("grant_type=password&username=anna&password={password}");
    let ask = |text: String| {
        let server = server.clone();
        async move { server.bare("POST", "/oauth2/v2.0/token", &[("Content-Type", FORM)], &text).await }
    };
    for _ in 0..10 {
        assert_eq!(ask(form("wrong")).await.status, 400);
    }
    for password in ["wrong", "flette"] {
        let answer = ask(form(password)).await;
        assert_eq!((answer.status, answer.code().as_str()), (429, "0x8005f103"));
        assert!(answer.header("Retry-After").unwrap().parse::<u32>().unwrap() > 200);
    }
    let body = r#"{"username":"ANNA","password":"flette"}"#;
    let page = server.bare("POST", "/auth/sign-in", &[("Content-Type", "application/json")], body).await;
    assert_eq!(page.status, 429, "both doors count together");
    assert_eq!(ask(form("flette").replace("anna", "ola")).await.status, 200);
}

#[tokio::test]
async fn figures_are_for_programs_of_this_machine() {
    async fn check(server: &Server, peer: Option<&str>, headers: &[(&str, &str)], status: u16) -> Answer {
        let answer = server.get_from(peer, "/metrics", headers).await;
        assert_eq!(answer.status, status, "{peer:?} {headers:?}");
        answer
    }
    let here = server(Options::default()).sign_in("demo").await;
    here.get("accounts").await;
    here.get("nothing").await;
    here.send("GET", "accounts", &[("Prefer", "odata.track-changes")], "").await;
    check(&here, None, &[], 404).await;
    check(&here, Some("192.0.2.1:5000"), &[], 404).await;
    check(&here, Some("127.0.0.1:5000"), &[("X-Forwarded-For", "192.0.2.1")], 404).await;
    check(&here, Some("[::1]:5000"), &[], 200).await;
    let figures = check(&here, Some("127.0.0.1:5000"), &[], 200).await;
    for line in [
        "flette_requests_total{class=\"Read\",status=\"200\"} 1",
        "flette_requests_total{class=\"Read\",status=\"404\"} 1",
        "flette_requests_total{class=\"Feed\",status=\"200\"} 1",
        "flette_request_seconds_count{class=\"SignIn\"} 1",
        "flette_requests_under_way 1",
        "flette_database_connections_used 0",
        "flette_database_retries_total 0",
        "# TYPE flette_database_writes counter",
        "# EOF",
    ] {
        assert!(figures.body.contains(line), "{line}: {}", figures.body);
    }
    let open = server(Options { metrics: MetricsAccess::Everybody, ..Options::default() });
    check(&open, Some("192.0.2.1:5000"), &[], 200).await;
}

/// A peer's address as the socket would give it.
pub fn peer(address: &str) -> ConnectInfo<SocketAddr> {
    ConnectInfo(address.parse().unwrap())
}
