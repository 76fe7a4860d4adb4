//! A whole engine of one user on a store that outlives it, with the way to the server, the space on the disk and the
//! moment of its death in the test's hand.

use crate::support::{chance, Fault, Server, Wire};
use flette::engine::{Config, Engine, Identity, Profile};
use flette::model::Millis;
use flette::platform::{Platform, Space, Transport, TransportError};
use flette::store::memory::MemoryStore;
use flette_odata::{Method, Request, Response, Uuid};
use serde_json::Value;
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

/// The surroundings of the engine.
pub struct Desk {
    store: MemoryStore,
    line: Line,
    space: Rc<Cell<Option<Space>>>,
    chance: flette::replica::Random,
}

/// The way to the server; after so many requests none is answered any more.
pub struct Line {
    wire: Rc<Wire>,
    left: Rc<Cell<Option<u32>>>,
}

impl Transport for Line {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        match self.left.get() {
            Some(0) => std::future::pending().await,
            left => self.left.set(left.map(|left| left - 1)),
        }
        self.wire.send(request).await
    }
}

impl Platform for Desk {
    type Store = MemoryStore;
    type Transport = Line;
    type Lock = ();

    fn store(&self) -> &MemoryStore {
        &self.store
    }

    fn transport(&self) -> &Line {
        &self.line
    }

    fn now(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Millis(i64::try_from(since.as_millis()).unwrap())
    }

    fn random(&self, bytes: &mut [u8]) {
        (self.chance)(bytes);
    }

    async fn sleep(&self, _millis: u32) {}

    async fn space(&self) -> Option<Space> {
        self.space.get()
    }

    async fn try_lock(&self, _name: &str) -> Option<()> {
        Some(())
    }
}

/// See the module.
pub struct Station {
    pub engine: Rc<Engine<Desk>>,
    pub wire: Rc<Wire>,
    pub space: Rc<Cell<Option<Space>>>,
    left: Rc<Cell<Option<u32>>>,
    store: MemoryStore,
    config: Config,
}

impl Station {
    pub fn new(server: &Server, user: &str, tables: &[&str]) -> Station {
        Station::with_profile(server, user, tables, "{}")
    }

    /// The same under an offline profile, in JSON.
    pub fn with_profile(server: &Server, user: &str, tables: &[&str], profile: &str) -> Station {
        let wire = Rc::new(server.user(user));
        let who = wire.json("WhoAmI");
        let id = |name: &str| who[name].as_str().unwrap().parse::<Uuid>().unwrap();
        let identity = Identity {
            user: id("UserId"),
            business_unit: id("BusinessUnitId"),
            organization: id("OrganizationId"),
        };
        let tables: Vec<String> = tables.iter().map(|name| (*name).to_owned()).collect();
        let profile = Profile::read(profile, &tables).unwrap();
        let database = "station".to_owned();
        let config = Config {
            root: server.root(),
            database,
            identity,
            tables,
            page_size: 10,
            batch_size: 100,
            profile,
        };
        let (store, left, space) = (MemoryStore::new(), Rc::default(), Rc::default());
        let engine = open(&store, (&wire, &left), &space, &config);
        Station { engine, wire, space, left, store, config }
    }

    /// Everything in memory is lost; what was committed is read again.
    pub fn restart(&mut self) {
        self.engine = open(&self.store, (&self.wire, &self.left), &self.space, &self.config);
    }

    /// Another context on the same store, as it reads it now.
    pub fn twin(&self) -> Station {
        let (store, config, wire) = (self.store.clone(), self.config.clone(), self.wire.clone());
        let (left, space) = (Rc::default(), self.space.clone());
        let engine = open(&store, (&wire, &left), &space, &config);
        Station { engine, wire, space, left, store, config }
    }

    /// What the engine answers: below the API's root, or, with a leading slash, on its own origin.
    pub fn ask(&self, method: Method, path: &str, body: &str) -> Response {
        let url = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("{}{path}", self.config.root),
        };
        let mut request = Request::new(method, url);
        if !body.is_empty() {
            request = request.json(body.as_bytes().to_vec());
        }
        pollster::block_on(self.engine.handle(request))
    }

    /// What the engine answers to a read while the server is out of reach.
    pub fn alone(&self, path: &str) -> Response {
        self.wire.fail(|_| Some(Fault::LoseRequest));
        let answer = self.ask(Method::Get, path, "");
        self.wire.heal();
        answer
    }

    pub fn get(&self, path: &str) -> Value {
        let answer = self.ask(Method::Get, path, "");
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Asks for something and is killed when it has sent `requests` requests and wants to send one more; tells whether it
    /// came so far.
    pub fn killed_at(&mut self, requests: u32, path: &str) -> bool {
        self.left.set(Some(requests));
        let killed = {
            let mut answer = pin!(self.engine.handle(Request::new(Method::Post, path)));
            let mut context = Context::from_waker(Waker::noop());
            matches!(answer.as_mut().poll(&mut context), Poll::Pending)
        };
        self.left.set(None);
        self.restart();
        killed
    }

    /// A request that changes something, and must go well.
    pub fn post(&self, path: &str, body: &str) -> Response {
        let answer = self.ask(Method::Post, path, body);
        assert!(answer.is_success(), "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer
    }

    /// Makes a row at the front door; gives its id.
    pub fn create(&self, set: &str, body: &str) -> Uuid {
        let answer = self.post(set, body);
        let url = answer.headers.get("OData-EntityId").unwrap().to_owned();
        url[url.len() - 37..url.len() - 1].parse().unwrap()
    }

    pub fn patch(&self, path: &str, body: &str) {
        let answer = self.ask(Method::Patch, path, body);
        assert!(answer.is_success(), "{path}: {}", String::from_utf8_lossy(&answer.body));
    }

    /// A round that must go well.
    pub fn sync(&self) -> Value {
        let report: Value = serde_json::from_slice(&self.post("/flette/sync", "").body).unwrap();
        assert_eq!(report["ok"], true, "{report}");
        report
    }

    /// Waiting changes.
    pub fn journal(&self) -> Vec<Value> {
        self.get("/flette/journal")["entries"].as_array().unwrap().clone()
    }
}

fn open(
    store: &MemoryStore,
    (wire, left): (&Rc<Wire>, &Rc<Cell<Option<u32>>>),
    space: &Rc<Cell<Option<Space>>>,
    config: &Config,
) -> Rc<Engine<Desk>> {
    let line = Line { wire: wire.clone(), left: left.clone() };
    let desk = Desk { store: store.clone(), line, space: space.clone(), chance: chance() };
    Rc::new(pollster::block_on(Engine::open(desk, config.clone())).unwrap())
}
