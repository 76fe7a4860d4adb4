//! A server process at the other end of a line that fails: the world of the simulation against the real thing. What is
//! done and what goes wrong comes from a seed; when it arrives does not, since time, threads and sockets are real.

pub mod line;
pub mod proxy;
mod server;

use crate::account::{COLUMNS, WATCHED};
use crate::net::{Server, ROOT};
use crate::step::Task;
use flette::platform::TransportError;
use flette_odata::{Method, Request, Response, Uuid};
use flette_server::people::{user_id, DEMO_PASSWORD};
use proxy::{Back, Luck, Proxy};
use serde_json::Value as Json;
pub use server::Place;
use server::ServerProcess;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

/// How long a device that waits for an answer holds up the world each time it is looked at.
const LOOK_MICROS: u64 = 300;
/// How often a request on a line that never fails is tried while the server is killed now and then.
const TRIES_MAX: u32 = 400;
/// Pause between two of them.
const TRY_MILLIS: u64 = 50;
/// How long everything may take that is under way when the line fails no more.
const QUIET_SECONDS_MAX: u64 = 60;

/// Bearer tokens by user.
pub type Tokens = BTreeMap<Uuid, String>;

/// A request with the answer that the server gave.
pub type Heard = (Request, Response);

/// See the module. The process ends with it.
pub struct Remote {
    house: Arc<House>,
    proxy: Proxy,
}

impl Remote {
    /// Starts a server on a database for which these tokens are good, and a proxy before it.
    ///
    /// # Errors
    /// When either does not start.
    pub fn start(place: &Place, tokens: Tokens, luck: Arc<Luck>) -> Result<Remote, String> {
        let process = ServerProcess::start(place)?;
        let (heard, down, falling) = (Mutex::default(), AtomicBool::new(false), Mutex::default());
        let house = Arc::new(House { process, tokens, heard, down, falling });
        let proxy = Proxy::start(house.clone(), luck).map_err(|error| error.to_string())?;
        Ok(Remote { house, proxy })
    }
}

/// The tokens of users who sign in at a server on this database, which has the people of the demo from then on.
///
/// # Errors
/// When the server does not start, or refuses somebody.
pub fn sign_in(place: &Place, users: &[&str]) -> Result<Tokens, String> {
    let process = ServerProcess::start(place)?;
    let token = |name: &&str| {
        let mut request = Request::new(Method::Post, "/oauth2/v2.0/token")
            .header("Content-Type", "application/x-www-form-urlencoded");
        request.body = format!("grant_type=password&username={name}&password={DEMO_PASSWORD}").into_bytes();
        let bytes = line::request_bytes(&request, line::HOST, None);
        let answer = line::ask(process.port(), &bytes).map_err(|error| format!("{error:?}"))?;
        let body: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
        let token = body["access_token"].as_str().ok_or_else(|| format!("{name}: {}", answer.status))?;
        Ok((user_id(name), token.to_owned()))
    };
    users.iter().map(token).collect()
}

/// The server, and what was heard of it.
struct House {
    process: ServerProcess,
    tokens: Tokens,
    /// Writes that were answered, and all rows as they were after each fall.
    heard: Mutex<Vec<Heard>>,
    down: AtomicBool,
    falling: Mutex<()>,
}

impl House {
    fn token(&self, user: Uuid) -> Option<&str> {
        self.tokens.get(&user).map(String::as_str)
    }

    fn hear(&self, request: Request, answer: Response) {
        held(&self.heard).push((request, answer));
    }

    /// An answer to a request that no proxy sees. One that a fall cuts off goes again if it only reads.
    fn ask(&self, user: Uuid, request: &Request) -> Response {
        let bytes = line::request_bytes(request, line::HOST, self.token(user));
        for _ in 0..TRIES_MAX {
            if !self.down.load(Ordering::SeqCst) {
                match line::ask(self.process.port(), &bytes) {
                    Ok(answer) => return answer,
                    // Nobody knows whether it was carried out.
                    Err(_) if request.method != Method::Get => return Response::empty(408),
                    Err(_) => {}
                }
            }
            std::thread::sleep(Duration::from_millis(TRY_MILLIS));
        }
        Response::empty(503)
    }

    /// Hears of all rows: what was under way when the server fell was carried out or was not.
    fn look(&self) {
        let admin = self.token(user_id("admin"));
        for (set, key, name) in WATCHED {
            let columns = if set == "accounts" { name.to_owned() } else { COLUMNS.join(",") };
            let request = Request::get(format!("{ROOT}{set}?$select={key},{columns}"));
            let bytes = line::request_bytes(&request, line::HOST, admin);
            if let Ok(answer) = line::ask(self.process.port(), &bytes) {
                self.hear(request, answer);
            }
        }
    }
}

impl Back for House {
    fn carry(&self, message: &[u8]) -> Option<Vec<u8>> {
        if self.down.load(Ordering::SeqCst) {
            return None;
        }
        let answer = line::exchange(self.process.port(), message).ok()?;
        let (request, response) = (line::read_request(message)?, line::read_answer(&answer)?);
        if request.method != Method::Get {
            self.hear(request, response);
        }
        Some(answer)
    }

    fn begin(&self, part: &[u8]) {
        line::begin(self.process.port(), part);
    }

    fn fall(&self) {
        let _one = held(&self.falling);
        self.down.store(true, Ordering::SeqCst);
        match self.process.fall() {
            Ok(()) => {
                self.look();
                self.down.store(false, Ordering::SeqCst);
            }
            // It stays down: nobody is answered any more, and the run fails.
            Err(why) => eprintln!("the server did not come back: {why}"),
        }
    }
}

impl Server for Remote {
    fn answer(&self, user: Uuid, request: &Request, _: i64) -> Response {
        let answer = self.house.ask(user, request);
        if request.method != Method::Get {
            self.house.hear(request.clone(), answer.clone());
        }
        answer
    }

    fn send(&self, user: Uuid, request: Request, _: i64) -> Task<Result<Response, TransportError>> {
        let bytes = line::request_bytes(&request, line::HOST, self.house.token(user));
        let (port, (tell, told)) = (self.proxy.port(), channel());
        // The request goes on when nobody waits for it any more.
        std::thread::spawn(move || tell.send(line::ask(port, &bytes)));
        let look = Duration::from_micros(LOOK_MICROS);
        Box::pin(std::future::poll_fn(move |_| match told.recv_timeout(look) {
            Ok(answer) => Poll::Ready(answer),
            Err(RecvTimeoutError::Timeout) => Poll::Pending,
            Err(RecvTimeoutError::Disconnected) => Poll::Ready(Err(TransportError::Timeout)),
        }))
    }

    fn overheard(&self) -> Vec<Heard> {
        std::mem::take(&mut *held(&self.house.heard))
    }

    fn disturb(&self, on: bool) -> Result<(), String> {
        self.proxy.luck().switch(on);
        match on || self.proxy.is_quiet_within(Duration::from_secs(QUIET_SECONDS_MAX)) {
            true => Ok(()),
            false => Err("what was under way does not end".to_owned()),
        }
    }
}

/// What a lock guards; who failed while holding it has failed already.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
