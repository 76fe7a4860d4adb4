//! A server on a socket, and devices that work offline and synchronise with it.

use flette::journal::Entry;
use flette::model::{Conflict, EntityRef, FieldEdit, Key, Millis, Profile as Offline, Row, Value};
use flette::platform::{Platform, Transport, TransportError};
use flette::replica::{Draft, Identity, Replica};
use flette::store::memory::MemoryStore;
use flette::store::{Batch, Durability, KeyRange, Store, Table, Write as Put};
use flette::sync::{round, Outside, Progress, Report, SyncConfig};
use flette_odata::{rules, Method, Request, Response, Uuid};
use flette_server::api::{Profile, Service};
use flette_server::db::{Database, Location};
use flette_server::{people, schema, web};
use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tables in scope, in pull order.
pub const TABLES: [&str; 6] =
    ["transactioncurrency", "businessunit", "systemuser", "account", "contact", "task"];
/// More tables, for those who ask for them.
pub const MORE_TABLES: [&str; 7] =
    ["lead", "email", "appointment", "annotation", "activityparty", "accountleads", "contactleads"];

/// All of both.
pub fn all_tables() -> Vec<String> {
    TABLES.iter().chain(&MORE_TABLES).map(|name| (*name).to_owned()).collect()
}

/// A server on a free port; stopped when dropped.
pub struct Server {
    pub address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Server {
    pub fn start() -> Server {
        Server::with_profile(Profile::Open)
    }

    pub fn with_profile(profile: Profile) -> Server {
        Server::with(|database| Service::new(database, profile))
    }

    /// One that has nothing beyond Dataverse.
    pub fn bare() -> Server {
        Server::with(|database| Service::new(database, Profile::Open).without_extensions())
    }

    fn with(service: impl FnOnce(Database) -> Service) -> Server {
        let database = Database::open(&Location::Memory, Arc::new(schema::schema()), "Test").unwrap();
        people::found(&database, web::now()).unwrap();
        people::add_demo_people(&database, web::now()).unwrap();
        let (tell, address) = std::sync::mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let service = service(database);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.unwrap().block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let app = web::app(service, web::Options::default());
                let stopped = async { drop(stopped.await) };
                axum::serve(listener, app).with_graceful_shutdown(stopped).await.unwrap();
            });
        });
        Server { address: address.recv().unwrap(), stop: Some(stop) }
    }

    pub fn root(&self) -> String {
        format!("http://{}/api/data/v9.2/", self.address)
    }

    /// Somebody who works online.
    pub fn user(&self, name: &str) -> Wire {
        let form = format!("grant_type=password&username={name}&password=flette");
        let mut request = Request::new(Method::Post, format!("http://{}/oauth2/v2.0/token", self.address))
            .header("Content-Type", "application/x-www-form-urlencoded");
        request.body = form.into_bytes();
        let answer = exchange(self.address, &request).unwrap();
        assert_eq!(answer.status, 200);
        let token: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let authorization = format!("Bearer {}", token["access_token"].as_str().unwrap());
        Wire {
            address: self.address,
            root: self.root(),
            authorization,
            faults: RefCell::default(),
            log: RefCell::default(),
            answers: RefCell::default(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

/// What happens to a request.
pub enum Fault {
    /// The server carries it out; the answer is lost.
    LoseAnswer,
    /// It never arrives.
    LoseRequest,
    /// Somebody else answers.
    Answer(Response),
    /// The server carries it out, and somebody else answers.
    AnswerInstead(Response),
    /// It goes out in the session of another user: this `Authorization`.
    As(String),
    /// The server carries it out, and tells it in other words.
    Told(fn(&str) -> String),
}

type Chooser = Box<dyn Fn(&Request) -> Option<Fault>>;

/// The way of one signed-in user to the server, with faults on demand.
pub struct Wire {
    address: SocketAddr,
    root: String,
    authorization: String,
    faults: RefCell<Option<Chooser>>,
    /// Verb, path and body of every request.
    pub log: RefCell<Vec<String>>,
    /// Bodies of the server's answers.
    pub answers: RefCell<Vec<String>>,
}

impl Wire {
    pub fn fail(&self, choose: impl Fn(&Request) -> Option<Fault> + 'static) {
        *self.faults.borrow_mut() = Some(Box::new(choose));
    }

    /// Another way of the same user, who has signed in once.
    #[allow(dead_code, reason = "the tests of both doors use it")]
    pub fn twin(&self) -> Wire {
        Wire {
            address: self.address,
            root: self.root.clone(),
            authorization: self.authorization.clone(),
            faults: RefCell::default(),
            log: RefCell::default(),
            answers: RefCell::default(),
        }
    }

    pub fn heal(&self) {
        *self.faults.borrow_mut() = None;
    }

    /// API root of the server.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// What proves whose requests these are.
    pub fn authorization(&self) -> String {
        self.authorization.clone()
    }

    fn sign(&self, request: Request) -> Request {
        request.header("Authorization", self.authorization.clone())
    }

    /// Sends a request of an online user.
    pub fn ask(&self, method: Method, path: &str, body: &str) -> Response {
        let mut request = Request::new(method, format!("{}{path}", self.root));
        if !body.is_empty() {
            request = request.json(body.as_bytes().to_vec());
        }
        self.forward(request)
    }

    /// Sends a request as it is, signed.
    pub fn forward(&self, request: Request) -> Response {
        exchange(self.address, &self.sign(request)).unwrap()
    }

    pub fn json(&self, path: &str) -> serde_json::Value {
        let answer = self.ask(Method::Get, path, "");
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap()
    }

    pub fn create(&self, set: &str, body: &str) -> Uuid {
        let answer = self.ask(Method::Post, set, body);
        assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
        let url = answer.headers.get("OData-EntityId").unwrap().to_owned();
        url[url.len() - 37..url.len() - 1].parse().unwrap()
    }

    pub fn patch(&self, set: &str, id: Uuid, body: &str) {
        let answer = self.ask(Method::Patch, &format!("{set}({id})"), body);
        assert!(answer.is_success(), "{}", String::from_utf8_lossy(&answer.body));
    }

    pub fn delete(&self, set: &str, id: Uuid) {
        assert_eq!(self.ask(Method::Delete, &format!("{set}({id})"), "").status, 204);
    }
}

impl Transport for Wire {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let path = request.url.strip_prefix(&self.root).unwrap_or(&request.url);
        let line = format!("{} {path}\n{}", request.method.as_str(), String::from_utf8_lossy(&request.body));
        self.log.borrow_mut().push(line);
        let fault = self.faults.borrow().as_ref().and_then(|choose| choose(&request));
        if let Some(Fault::As(authorization)) = fault {
            return exchange(self.address, &request.header("Authorization", authorization));
        }
        let request = self.sign(request);
        match fault {
            None | Some(Fault::As(_)) => {
                let answer = exchange(self.address, &request)?;
                self.answers.borrow_mut().push(String::from_utf8_lossy(&answer.body).into_owned());
                Ok(answer)
            }
            Some(Fault::LoseAnswer) => {
                exchange(self.address, &request)?;
                Err(TransportError::Timeout)
            }
            Some(Fault::AnswerInstead(response)) => {
                exchange(self.address, &request)?;
                Ok(response)
            }
            Some(Fault::Told(told)) => {
                let answer = exchange(self.address, &request)?;
                let body = told(&String::from_utf8_lossy(&answer.body)).into_bytes();
                Ok(Response { body, ..answer })
            }
            Some(Fault::LoseRequest) => Err(TransportError::Unreachable("the cable is out".to_owned())),
            Some(Fault::Answer(response)) => Ok(response),
        }
    }
}

/// One HTTP/1.1 exchange on a connection of its own.
fn exchange(address: SocketAddr, request: &Request) -> Result<Response, TransportError> {
    let unreachable = |error: std::io::Error| TransportError::Unreachable(error.to_string());
    let mut stream = TcpStream::connect(address).map_err(unreachable)?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).map_err(unreachable)?;
    let path = request.url.split_once(&address.to_string()).map_or(request.url.as_str(), |(_, path)| path);
    let mut head =
        format!("{} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n", request.method.as_str());
    for (name, value) in request.headers.iter() {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", request.body.len()));
    stream.write_all(head.as_bytes()).map_err(unreachable)?;
    stream.write_all(&request.body).map_err(unreachable)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(|error| TransportError::Cut(error.to_string()))?;
    read_answer(&bytes).ok_or_else(|| TransportError::Cut("no HTTP".to_owned()))
}

fn read_answer(bytes: &[u8]) -> Option<Response> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(": ")).collect();
    Some(Response { status, headers, body: bytes[end + 4..].to_vec() })
}

/// A device of a user: replica, clock, and the way to the server.
pub struct Device {
    pub replica: Replica<MemoryStore>,
    pub wire: Wire,
    pub config: SyncConfig,
    /// How wrong its clock is.
    pub clock_error_millis: Cell<i64>,
    store: MemoryStore,
    user: Uuid,
    business_unit: Uuid,
}

pub fn chance() -> flette::replica::Random {
    let state = Cell::new(Uuid::new_v4().as_u128() | 1);
    Box::new(move |bytes: &mut [u8]| {
        for byte in bytes {
            let mut next = state.get();
            next ^= next << 13;
            next ^= next >> 7;
            next ^= next << 17;
            state.set(next);
            *byte = (next >> 64) as u8;
        }
    })
}

impl Device {
    pub fn new(server: &Server, user: &str) -> Device {
        let wire = server.user(user);
        let who = wire.json("WhoAmI");
        let id = |name: &str| who[name].as_str().unwrap().parse::<Uuid>().unwrap();
        let (user, business_unit) = (id("UserId"), id("BusinessUnitId"));
        let config = SyncConfig {
            root: server.root(),
            tables: TABLES.map(str::to_owned).to_vec(),
            page_size: 50,
            batch_size: 100,
            profile: Offline::default(),
        };
        let store = MemoryStore::new();
        let replica = open(&store, user, business_unit);
        Device { replica, wire, config, clock_error_millis: Cell::new(0), store, user, business_unit }
    }

    /// A device that has pulled everything.
    pub fn synced(server: &Server, user: &str) -> Device {
        let device = Device::new(server, user);
        device.sync();
        device
    }

    /// The same under an offline profile, in JSON.
    pub fn with_profile(server: &Server, user: &str, profile: &str) -> Device {
        let mut device = Device::new(server, user);
        device.set_profile(profile);
        device.sync();
        device
    }

    /// What an engine that is opened with another profile goes by.
    pub fn set_profile(&mut self, profile: &str) {
        self.config.profile = Offline::read(profile, &self.config.tables).unwrap();
    }

    /// The same with [`MORE_TABLES`] in scope.
    pub fn with_all_tables(server: &Server, user: &str) -> Device {
        let mut device = Device::new(server, user);
        device.config.tables = all_tables();
        device.sync();
        device
    }

    /// Everything in memory is lost; what was committed is read again.
    pub fn restart(&mut self) {
        self.replica = open(&self.store, self.user, self.business_unit);
    }

    /// Another device program on the same store, with a way to the server of its own.
    pub fn another(&self, server: &Server, user: &str) -> Device {
        let (wire, config, store) = (server.user(user), self.config.clone(), self.store.clone());
        let clock_error_millis = self.clock_error_millis.clone();
        let (user, business_unit) = (self.user, self.business_unit);
        Device { replica: self.twin(), wire, config, clock_error_millis, store, user, business_unit }
    }

    /// Another context on the same store, as it reads it now.
    pub fn twin(&self) -> Replica<MemoryStore> {
        open(&self.store, self.user, self.business_unit)
    }

    /// Overwrites the first stored segment of a table.
    pub fn damage(&self, table: &str) {
        let keys = KeyRange::prefix(table.as_bytes());
        let first = pollster::block_on(self.store.scan(Table::Segment, keys, 1)).unwrap();
        let write = Put::Put { table: Table::Segment, key: first[0].0.clone(), value: vec![0; 9] };
        let expected = pollster::block_on(self.store.revision()).unwrap();
        let batch = Batch { expected, durability: Durability::Strict, writes: vec![write] };
        pollster::block_on(self.store.commit(batch)).unwrap();
    }

    pub fn now(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Millis(i64::try_from(since.as_millis()).unwrap() + self.clock_error_millis.get())
    }

    pub fn round(&self) -> Report {
        let (now, random) = (|| self.now(), chance());
        let outside = Outside { transport: &self.wire, now: &now, random: &random };
        let report = pollster::block_on(round(&self.replica, &outside, &self.config, &Progress::default()));
        // As the engine does.
        while pollster::block_on(self.replica.compact(self.now(), &TABLES)).unwrap() {}
        self.replica.rest();
        report
    }

    /// A round that must go well.
    pub fn sync(&self) -> Report {
        let report = self.round();
        assert!(report.ok, "{report:?}");
        assert!(self.replica.state().record.last_sync.is_some());
        assert!(!self.replica.state().record.pull_due);
        report
    }

    pub fn change<T>(&self, mut change: impl FnMut(&mut Draft) -> T) -> T {
        let tables: Vec<&str> = self.config.tables.iter().map(String::as_str).collect();
        let done = self.replica.transact(self.now(), Durability::Strict, &tables, |draft| Ok(change(draft)));
        pollster::block_on(done).unwrap()
    }

    /// Makes a row offline.
    pub fn create(&self, table: &str, values: &[(&str, Value)]) -> Uuid {
        self.create_with_id(table, Uuid::now_v7(), values)
    }

    pub fn create_with_id(&self, table: &str, id: Uuid, values: &[(&str, Value)]) -> Uuid {
        self.change(|draft| create(draft, (table, id), values, self.user, self.business_unit));
        id
    }

    pub fn edit(&self, table: &str, id: Uuid, values: &[(&str, Value)]) {
        self.change(|draft| edit(draft, &Key::new(table, id), values));
    }

    pub fn delete(&self, table: &str, id: Uuid) {
        self.change(|draft| draft.delete(&Key::new(table, id)));
    }

    /// The row as the app sees it.
    pub fn row(&self, table: &str, id: Uuid) -> Option<Row> {
        pollster::block_on(self.replica.load(&TABLES)).unwrap();
        let seen = self.replica.state().row(&Key::new(table, id));
        seen.map(|seen| seen.row)
    }

    pub fn text(&self, table: &str, id: Uuid, column: &str) -> String {
        let row = self.row(table, id).unwrap_or_else(|| panic!("no row in {table}"));
        row[column].as_text().unwrap_or("").to_owned()
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.replica.state().journal.iter().cloned().collect()
    }

    pub fn conflicts(&self) -> Vec<Conflict> {
        self.replica.state().conflicts.values().cloned().collect()
    }

    pub fn count(&self, table: &str) -> usize {
        pollster::block_on(self.replica.load(&TABLES)).unwrap();
        self.replica.state().tables[table].mirror.as_ref().unwrap().len()
    }
}

fn open(store: &MemoryStore, user: Uuid, business_unit: Uuid) -> Replica<MemoryStore> {
    pollster::block_on(Replica::open(
        store.clone(),
        chance(),
        Identity { user, business_unit, organization: Uuid::nil() },
    ))
    .unwrap()
}

pub fn create(
    draft: &mut Draft,
    (table, id): (&str, Uuid),
    values: &[(&str, Value)],
    user: Uuid,
    unit: Uuid,
) {
    let schema = draft.schema();
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let now = draft.corrected_now().0;
    let row = rules::complete_create(schema.table(table).unwrap(), &schema, values, id, user, unit, now);
    draft.create(Key::new(table, id), row.unwrap());
}

pub fn edit(draft: &mut Draft, key: &Key, values: &[(&str, Value)]) {
    let seen = draft.row(key).unwrap_or_else(|| panic!("no row in {}", key.table)).row;
    let edits = values.iter().map(|(name, new)| FieldEdit {
        name: (*name).to_owned(),
        old: seen[*name].clone(),
        new: new.clone(),
    });
    draft.update(key, edits.collect());
}

pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub fn link(table: &str, id: Uuid) -> Value {
    Value::Lookup(EntityRef { table: table.to_owned(), id })
}

/// Lets more than a whole second pass, so that stamps of whole seconds tell before from after.
pub fn tick() {
    std::thread::sleep(Duration::from_millis(1100));
}

/// A device without a browser: the surroundings of an engine that is alone.
pub struct Desk {
    pub store: MemoryStore,
    pub wire: Wire,
    pub chance: flette::replica::Random,
}

impl Platform for Desk {
    type Store = MemoryStore;
    type Transport = Wire;
    type Lock = ();

    fn store(&self) -> &MemoryStore {
        &self.store
    }

    fn transport(&self) -> &Wire {
        &self.wire
    }

    fn now(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Millis(i64::try_from(since.as_millis()).unwrap())
    }

    fn random(&self, bytes: &mut [u8]) {
        (self.chance)(bytes);
    }

    async fn sleep(&self, _millis: u32) {}

    async fn try_lock(&self, _name: &str) -> Option<()> {
        Some(())
    }
}
