//! A server to ask, and what to ask it with.

use axum::body::Body;
use axum::http::Request;
use axum::Router;
use flette_server::api::{Profile, Service};
use flette_server::db::{Database, Location};
use flette_server::web::Options;
use flette_server::{demo, people, schema, web};
use http_body_util::BodyExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tower::ServiceExt;

pub const ROOT: &str = "/api/data/v9.2/";
pub const HOST: &str = "crm.example";

/// An answer, read as a whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Rows of a list.
    pub fn rows(&self) -> Vec<serde_json::Value> {
        self.json()["value"].as_array().cloned().unwrap_or_else(|| panic!("no list: {}", self.body))
    }

    /// One property of every row, as text.
    pub fn column(&self, name: &str) -> Vec<String> {
        let text = |row: &serde_json::Value| match &row[name] {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.rows().iter().map(text).collect()
    }

    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or("no error").to_owned()
    }

    /// The id in `OData-EntityId`.
    pub fn id(&self) -> String {
        let url =
            self.header("OData-EntityId").unwrap_or_else(|| panic!("no id: {} {}", self.status, self.body));
        url[url.len() - 37..url.len() - 1].to_owned()
    }
}

/// A server in memory, and who is signed in.
#[derive(Clone)]
pub struct Server {
    app: Router,
    service: Arc<Service>,
    token: Option<String>,
}

/// A place for a new database, of the kind that this suite is for.
pub fn location() -> Location {
    /// A database with its tables, to make copies of.
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    if !module_path!().contains("::on_postgres::") {
        return Location::Memory;
    }
    let server = crate::postgres::Postgres::shared();
    let template = TEMPLATE.get_or_init(|| {
        let url = server.database();
        let database = open(&Location::Postgres(url.clone()));
        people::found(&database, web::now()).unwrap();
        people::add_demo_people(&database, web::now()).unwrap();
        url
    });
    Location::Postgres(server.copy_of(template))
}

/// The same, for a database that outlives the process which opens it, as a URL.
pub fn lasting(folder: &tempfile::TempDir) -> String {
    match location() {
        Location::Postgres(url) => url,
        Location::File(_) | Location::Memory => {
            format!("sqlite:{}", folder.path().join("crm.sqlite").display())
        }
    }
}

fn open(location: &Location) -> Database {
    Database::open(location, Arc::new(schema::schema()), "Test").unwrap()
}

pub fn database() -> Database {
    let database = open(&location());
    people::found(&database, web::now()).unwrap();
    database
}

impl Server {
    pub fn over(database: Database, profile: Profile, site: Option<PathBuf>) -> Server {
        Server::with(Service::new(database, profile), Options { site, ..Options::default() })
    }

    pub fn with(service: Service, options: Options) -> Server {
        let service = Arc::new(service);
        Server { app: web::app(service.clone(), options), service, token: None }
    }

    /// The database behind the server's back.
    pub fn database(&self) -> &Database {
        self.service.database()
    }

    /// With the demo's users and `rows` contacts; nobody is signed in.
    pub fn with_rows(rows: u64, profile: Profile) -> Server {
        let database = database();
        people::add_demo_people(&database, web::now()).unwrap();
        demo::fill(&database, rows, web::now(), &mut |_, _| {}).unwrap();
        Server::over(database, profile, None)
    }

    /// An empty server on which `demo` is signed in.
    pub async fn empty() -> Server {
        Server::with_rows(0, Profile::Open).sign_in("demo").await
    }

    /// The same server with somebody signed in.
    pub async fn sign_in(&self, user: &str) -> Server {
        let form = format!("grant_type=password&username={user}&password=flette");
        let answer = self
            .bare(
                "POST",
                "/oauth2/v2.0/token",
                &[("Content-Type", "application/x-www-form-urlencoded")],
                &form,
            )
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        Server { token: Some(token), ..self.clone() }
    }

    /// Sends a request as it is.
    pub async fn bare(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(url).header("Host", HOST);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.pass(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// A `GET` from a peer with an address, or from one that nothing is known of.
    pub async fn get_from(&self, peer: Option<&str>, url: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().uri(url).header("Host", HOST);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        if let Some(peer) = peer {
            request.extensions_mut().insert(super::network::peer(peer));
        }
        self.pass(request).await
    }

    /// A `GET` for a host name.
    pub async fn get_as_host(&self, host: &str, url: &str) -> Answer {
        self.pass(Request::builder().uri(url).header("Host", host).body(Body::empty()).unwrap()).await
    }

    async fn pass(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = |v: &axum::http::HeaderValue| v.to_str().unwrap().to_owned();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers.iter().map(|(n, v)| (n.to_string(), text(v))).collect(),
            body: String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
        }
    }

    /// Sends a request to the API; `url` is relative to its root, or a link from an answer.
    pub async fn send(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let url = match url.strip_prefix("http://crm.example") {
            Some(path) => path.to_owned(),
            None => format!("{ROOT}{url}"),
        };
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut all = headers.to_vec();
        if let Some(bearer) = &bearer {
            all.push(("Authorization", bearer));
        }
        if !body.is_empty() && !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("Content-Type")) {
            all.push(("Content-Type", "application/json"));
        }
        self.bare(method, &encoded(&url), &all, body).await
    }

    /// The same with a URL that is sent as it is.
    pub async fn absolute(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send(method, &format!("http://crm.example{url}"), headers, body).await
    }

    pub async fn get(&self, url: &str) -> Answer {
        self.send("GET", url, &[], "").await
    }

    /// A list that must be there.
    pub async fn list(&self, url: &str) -> Answer {
        let answer = self.get(url).await;
        assert_eq!(answer.status, 200, "{url}: {}", answer.body);
        answer
    }

    /// Creates a row; its id.
    pub async fn create(&self, set: &str, body: &str) -> String {
        let answer = self.send("POST", set, &[], body).await;
        assert_eq!(answer.status, 204, "{}", answer.body);
        answer.id()
    }

    /// Follows next links to the end: all rows, and the delta link.
    pub async fn drain(
        &self,
        url: &str,
        headers: &[(&str, &str)],
    ) -> (Vec<serde_json::Value>, Option<String>) {
        let mut rows = Vec::new();
        let mut url = url.to_owned();
        for _ in 0..10_000 {
            let answer = self.send("GET", &url, headers, "").await;
            assert_eq!(answer.status, 200, "{url}: {}", answer.body);
            rows.extend(answer.rows());
            let json = answer.json();
            match json["@odata.nextLink"].as_str() {
                Some(next) => {
                    assert!(answer.body.find("nextLink") < answer.body.find("\"value\""));
                    url = next.to_owned();
                }
                None => return (rows, json["@odata.deltaLink"].as_str().map(str::to_owned)),
            }
        }
        panic!("the links do not end");
    }
}

fn encoded(url: &str) -> String {
    let encoded = url.replace(' ', "%20").replace('<', "%3C").replace('>', "%3E").replace('"', "%22");
    encoded.chars().map(|c| if c.is_ascii() { c.to_string() } else { percent(&c.to_string()) }).collect()
}

fn percent(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

/// The shared sample data, where this machine has it.
pub fn shared() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        std::env::var_os("FLETTE_SHARED").map(PathBuf::from),
        Some(root.join("../../shared")),
        Some(root.join("../../../shared")),
    ];
    folders.into_iter().flatten().find(|folder| folder.join("data/northwind/customers.csv").is_file())
}
