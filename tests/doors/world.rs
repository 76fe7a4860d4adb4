//! A server, and beside it an engine whose replica was pulled from that server before the line was cut.

use crate::answers::Seen;
use crate::seeds;
use crate::support::{all_tables, chance, Desk, Server, Wire, TABLES};
use flette::engine::{Config, Engine, Identity, Profile};
use flette::store::memory::MemoryStore;
use flette_odata::{Method, Request, Response, Uuid};
use std::cell::RefCell;

const ROOT: &str = "/api/data/v9.2/";
/// Tables in scope beside those of rounds.
const VIEWS: [&str; 2] = ["savedquery", "userquery"];

/// A request to be put at both doors. Ids are written as placeholders: `{a3}`, `{c3}`, `{t3}` for seeded rows (see
/// [`crate::seeds`]), `{new0}` for the first row whose id a door chose, `{etag:accounts(…)}` for what that door says.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: Method,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// `Name: value`, parted by ` | `.
fn headers(text: &str) -> Vec<(String, String)> {
    let fields = text.split(" | ").filter_map(|field| field.split_once(": "));
    fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

impl Ask {
    pub fn get(path: &str, fields: &str) -> Ask {
        Ask { method: Method::Get, path: path.to_owned(), headers: headers(fields), body: String::new() }
    }

    pub fn new(method: &str, path: &str, fields: &str, body: &str) -> Ask {
        let method = Method::parse(method).unwrap();
        let mut headers = headers(fields);
        if !body.is_empty() && !headers.iter().any(|(name, _)| name == "Content-Type") {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        Ask { method, path: path.to_owned(), headers, body: body.to_owned() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Server,
    Engine,
}

/// How much of the seeds the replica knows from the server; the rest was told to both doors after the line was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// All of it.
    All,
    /// Other values of all rows, corrected offline.
    Older,
    /// None of it: every row was made offline.
    Nothing,
}

/// See the module.
pub struct World {
    #[allow(dead_code, reason = "stops the server when dropped")]
    server: Server,
    online: Wire,
    engine: Engine<Desk>,
    base: String,
    /// Rows whose ids the doors chose: the server's, the engine's.
    made: RefCell<Vec<(Uuid, Uuid)>>,
    /// Whether etags and stamps must agree too.
    exact: bool,
    /// Whether the engine must answer by itself.
    offline: bool,
    /// What is being tried, to be told when it fails.
    case: RefCell<String>,
    /// Answers of the server with something in them.
    filled: RefCell<usize>,
    mismatches: RefCell<Vec<String>>,
    asked: RefCell<usize>,
}

impl World {
    pub fn new(known: Known) -> World {
        World::of("demo", known)
    }

    /// The world of a user who sees all, or only his own business unit.
    pub fn of(user: &str, known: Known) -> World {
        World::over(user, known, with_views(TABLES.map(str::to_owned).to_vec()))
    }

    /// The world with more tables in scope than accounts, contacts, tasks and who works with them.
    pub fn wide(known: Known) -> World {
        World::over("demo", known, with_views(all_tables()))
    }

    fn over(user: &str, known: Known, tables: Vec<String>) -> World {
        let mut world = World::made(user, tables, &mut |online| match known {
            Known::All => seeds::plant(online, seeds::Values::Final),
            Known::Older => seeds::plant(online, seeds::Values::Older),
            Known::Nothing => {}
        });
        world.exact = known == Known::All;
        match known {
            Known::All => {}
            Known::Older => seeds::corrections().iter().for_each(|ask| world.check(204, ask)),
            Known::Nothing => seeds::creations().iter().for_each(|ask| world.check(204, ask)),
        }
        world
    }

    /// A world of rows of the caller's own, with these tables in scope beside those of rounds.
    pub fn planted(more: &[&str], plant: &mut dyn FnMut(&Wire)) -> World {
        World::made("demo", TABLES.iter().chain(more).map(|name| (*name).to_owned()).collect(), plant)
    }

    fn made(user: &str, tables: Vec<String>, plant: &mut dyn FnMut(&Wire)) -> World {
        World::on(Server::start(), user, tables, plant)
    }

    /// A world of all seeds whose service gives new rows of these tables their ids.
    pub fn giving_ids(to: &[&str]) -> World {
        let server = Server::start();
        let admin = server.user("admin");
        World::on(server, "demo", TABLES.map(str::to_owned).to_vec(), &mut |online| {
            seeds::plant(online, seeds::Values::Final);
            for table in to {
                let path =
                    format!("EntityDefinitions(LogicalName='{table}')/Attributes(LogicalName='{table}id')");
                let answer = admin.ask(Method::Patch, &path, r#"{"IsValidForCreate":false}"#);
                assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
            }
        })
    }

    fn on(server: Server, user: &str, tables: Vec<String>, plant: &mut dyn FnMut(&Wire)) -> World {
        declare_keys(&server);
        // Whoever signs in waits for the hash of his password: each user does once.
        let demo = server.user("demo");
        seeds::plant_currency(&demo);
        plant(&demo);
        let online = if user == "demo" { demo } else { server.user(user) };
        let who = online.json("WhoAmI");
        let id = |name: &str| who[name].as_str().unwrap().parse::<Uuid>().unwrap();
        let identity = Identity {
            user: id("UserId"),
            business_unit: id("BusinessUnitId"),
            organization: id("OrganizationId"),
        };
        let config = Config {
            root: ROOT.to_owned(),
            database: "doors".to_owned(),
            identity,
            tables,
            page_size: 50,
            batch_size: 100,
            profile: Profile::default(),
        };
        let desk = Desk { store: MemoryStore::new(), wire: online.twin(), chance: chance() };
        let engine = pollster::block_on(Engine::open(desk, config)).unwrap();
        let base = server.root();
        let world = World {
            server,
            online,
            engine,
            base,
            made: RefCell::default(),
            exact: false,
            offline: true,
            case: RefCell::default(),
            filled: RefCell::new(0),
            mismatches: RefCell::default(),
            asked: RefCell::new(0),
        };
        world.control("go-offline");
        world
    }

    /// The same world, in which only what both sides can know is compared.
    pub fn loosely(mut self) -> World {
        self.exact = false;
        self
    }

    /// The same world with the server in reach: what the replica cannot answer is asked there.
    pub fn with_the_line_open(mut self) -> World {
        self.control("go-online");
        self.offline = false;
        self
    }

    fn control(&self, what: &str) {
        let request = Request::new(Method::Post, format!("/flette/{what}"));
        let answer = pollster::block_on(self.engine.handle(request));
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }

    /// What one door answers.
    pub fn ask(&self, side: Side, ask: &Ask) -> Response {
        let mut request = Request::new(ask.method, self.url(&self.fill(side, &ask.path)));
        for (name, value) in &ask.headers {
            request.headers.push(name, self.fill(side, value));
        }
        request.body = self.fill(side, &ask.body).into_bytes();
        match side {
            Side::Server => self.online.forward(request),
            Side::Engine => {
                let response = pollster::block_on(self.engine.handle(request));
                let source = response.headers.get("Flette-Source");
                assert!(source == Some("replica") || !self.offline && source == Some("network"));
                response
            }
        }
    }

    fn url(&self, path: &str) -> String {
        let mut url = match path.starts_with("http") {
            true => String::new(),
            false => self.base.clone(),
        };
        for byte in path.bytes() {
            let plain = byte.is_ascii_alphanumeric() || b"$&=?/(),':;*@!%+-._~".contains(&byte);
            match plain {
                true => url.push(char::from(byte)),
                false => url.push_str(&format!("%{byte:02X}")),
            }
        }
        url
    }

    /// Puts what they stand for in the place of placeholders.
    fn fill(&self, side: Side, text: &str) -> String {
        let mut text = seeds::fill(text);
        for (at, (server, engine)) in self.made.borrow().iter().enumerate() {
            let id = match side {
                Side::Server => server,
                Side::Engine => engine,
            };
            text = text.replace(&format!("{{new{at}}}"), &id.to_string());
        }
        while let Some(start) = text.find("{etag:") {
            let end = start + text[start..].find('}').unwrap();
            let answer = self.ask(side, &Ask::get(&text[start + 6..end], ""));
            let etag = answer.headers.get("ETag").unwrap_or("W/\"none\"").to_owned();
            text.replace_range(start..=end, &etag);
        }
        text.replace("{root}", &self.base)
    }

    /// An answer in the form in which answers are compared.
    fn seen(&self, side: Side, response: &Response) -> Seen {
        let ids = self.made.borrow();
        let name = |text: String| {
            ids.iter().enumerate().fold(text, |text, (at, (server, engine))| {
                let id = if side == Side::Server { server } else { engine };
                text.replace(&id.to_string(), &format!("{{new{at}}}"))
            })
        };
        Seen::of(response, self.exact, &name).renamed(&|text| {
            let own = own_ids(&text);
            own.iter().zip(0..).fold(text, |text, (id, at)| text.replace(id, &format!("{{own{at}}}")))
        })
    }

    /// Puts a request at both doors and notes where the answers differ. Further pages are followed.
    /// The server's first status.
    pub fn same(&self, ask: &Ask) -> u16 {
        self.same_as([ask.clone(), ask.clone()])
    }

    /// As [`World::same`], with words of each door's own: the server's first. The first one names the case.
    pub fn same_as(&self, mut asks: [Ask; 2]) -> u16 {
        let mut status = None;
        let ask = asks[0].clone();
        for _ in 0..100 {
            *self.asked.borrow_mut() += 1;
            let [server, engine] =
                [(Side::Server, &asks[0]), (Side::Engine, &asks[1])].map(|(side, ask)| self.ask(side, ask));
            let status = *status.get_or_insert(server.status);
            let empty = server.status != 200 || server.body.windows(10).any(|part| part == b"\"value\":[]");
            *self.filled.borrow_mut() += usize::from(!empty);
            if let (Some(server), Some(engine)) = (chosen(&server), chosen(&engine)) {
                if server != engine {
                    self.made.borrow_mut().push((server, engine));
                }
            }
            let (a, b) = (self.seen(Side::Server, &server), self.seen(Side::Engine, &engine));
            if let Some(difference) = a.difference(&b) {
                let case = self.case.borrow();
                let path = percent_decoded(&ask.path);
                let title = format!("{case} {} {path} {:?} {}", ask.method.as_str(), ask.headers, ask.body);
                self.mismatches.borrow_mut().push(format!("{title}\n{difference}"));
                return status;
            }
            for link in a.inner.iter().take(INNER_LINKS_MAX) {
                self.same(&Ask { path: link.clone(), ..ask.clone() });
            }
            match (a.next, b.next) {
                (Some(a), Some(b)) => (asks[0].path, asks[1].path) = (a, b),
                _ => return status,
            }
        }
        panic!("{}: pages without end", ask.path);
    }

    /// As [`World::same`]; also the server's status must be this one, so that a case tests what it says.
    pub fn check(&self, status: u16, ask: &Ask) {
        let found = self.same(ask);
        if found != status {
            let title = format!("{} {} {:?} {}", ask.method.as_str(), ask.path, ask.headers, ask.body);
            self.mismatches.borrow_mut().push(format!("{title}\n  the server says {found} and not {status}"));
        }
    }

    /// Every row of every table, as both doors tell it.
    pub fn read_back(&self) {
        // By id: ids that the doors chose are later than those of the seeds, in the order in which they were made.
        for (set, key) in [("accounts", "accountid"), ("contacts", "contactid"), ("tasks", "activityid")] {
            let path = format!("{set}?$orderby={key}&$count=true");
            self.check(200, &Ask::get(&path, "Prefer: odata.include-annotations=\"*\""));
        }
    }

    /// Whether the doors differed somewhere.
    #[cfg(feature = "planted-bugs")]
    pub fn differs(&self) -> bool {
        !self.mismatches.borrow().is_empty()
    }

    /// How many answers of the server had something in them.
    pub fn filled(&self) -> usize {
        *self.filled.borrow()
    }

    /// Names what is tried next.
    pub fn case(&self, name: &str) {
        *self.case.borrow_mut() = name.to_owned();
    }

    /// The cookies by which each door's answer to a FetchXML query is carried on, the server's first: they may name ids that a
    /// door made for itself.
    pub fn cookies(&self, asks: &[Ask; 2]) -> Option<[String; 2]> {
        Some([self.cookie(Side::Server, &asks[0])?, self.cookie(Side::Engine, &asks[1])?])
    }

    fn cookie(&self, side: Side, ask: &Ask) -> Option<String> {
        let answer = self.ask(side, ask);
        let body: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
        let annotation = body["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"].as_str()?;
        Some(annotation.split("pagingcookie=\"").nth(1)?.split('"').next()?.to_owned())
    }

    /// What the engine says it can answer.
    pub fn parity(&self) -> serde_json::Value {
        let request = Request::new(Method::Get, "/flette/parity".to_owned());
        let answer = pollster::block_on(self.engine.handle(request));
        assert_eq!(answer.status, 200);
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Ids of the public views of a table.
    pub fn views_of(&self, table: &str) -> Vec<String> {
        let path = format!(
            "savedqueries?$select=savedqueryid&$filter=returnedtypecode eq '{table}' and querytype eq 0"
        );
        let answer = self.ask(Side::Server, &Ask::get(&path, ""));
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let rows = body["value"].as_array().unwrap().iter();
        let ids: Vec<String> = rows.map(|row| row["savedqueryid"].as_str().unwrap().to_owned()).collect();
        assert!(!ids.is_empty(), "{table} has no views");
        ids
    }

    /// Ends the test.
    pub fn agree(self) {
        let mismatches = self.mismatches.borrow();
        let (count, asked) = (mismatches.len(), *self.asked.borrow());
        println!("{asked} requests at both doors");
        assert!(count == 0, "{count} of {asked} answers differ:\n\n{}", mismatches.join("\n\n"));
    }
}

/// Gives tables alternate keys, on columns that no seed has values in.
fn declare_keys(server: &Server) {
    let admin = server.user("admin");
    for (table, name, columns) in [
        ("account", "doors_Ticker", r#"["tickersymbol"]"#),
        ("account", "doors_Listing", r#"["stockexchange","sic"]"#),
        ("account", "doors_Unit", r#"["yominame","parentaccountid"]"#),
        ("contact", "doors_Employee", r#"["employeeid","numberofchildren"]"#),
    ] {
        let label = r#"{"LocalizedLabels":[{"Label":"Key","LanguageCode":1033}]}"#;
        let body = format!(r#"{{"SchemaName":"{name}","DisplayName":{label},"KeyAttributes":{columns}}}"#);
        let path = format!("EntityDefinitions(LogicalName='{table}')/Keys");
        let answer = admin.ask(Method::Post, &path, &body);
        assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
    }
}

/// Tables, and those that hold views.
fn with_views(tables: Vec<String>) -> Vec<String> {
    let views =
        VIEWS.into_iter().map(str::to_owned).filter(|view| !tables.contains(view)).collect::<Vec<_>>();
    tables.into_iter().chain(views).collect()
}

/// Links to the rest of expanded collections that are followed of one answer.
const INNER_LINKS_MAX: usize = 2;

/// For people to read.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        let escaped = (*first == b'%').then(|| others.get(..2)).flatten();
        let byte = escaped.and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &others[2..] } else { others };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The id that a door gave to a new row.
/// Ids that a door made and did not tell of (of pairs, in cookies), in the order in which they come: no other id has version 7.
fn own_ids(text: &str) -> Vec<String> {
    const LENGTH: usize = 36;
    let at = |start: usize| text.get(start..start + LENGTH);
    let is_own = |id: &&str| {
        id.as_bytes()[14] == b'7' && Uuid::try_parse(id).is_ok_and(|id| id.get_version_num() == 7)
    };
    let mut found = Vec::new();
    for id in (0..text.len().saturating_sub(LENGTH - 1)).filter_map(at).filter(is_own) {
        if !found.iter().any(|known| known == id) {
            found.push(id.to_owned());
        }
    }
    found
}

fn chosen(response: &Response) -> Option<Uuid> {
    let url = response.headers.get("OData-EntityId")?.strip_suffix(')')?;
    url.rsplit('(').next()?.parse().ok()
}
