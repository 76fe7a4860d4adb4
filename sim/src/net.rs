//! The real server logic behind a network that loses, doubles, delays and garbles.

use crate::clock::Clock;
use crate::faults::{Fault, Faults};
use crate::step::yield_now;
use crate::tale::tell;
use crate::template::Premises;
use crate::traffic::Traffic;
use flette::platform::{Transport, TransportError};
use flette_odata::batch::{parse_batch_response, write_batch_response, BatchAnswer};
use flette_odata::same_user;
use flette_odata::time::format_http_date;
use flette_odata::{Method, ODataError, Request, Response, Uuid};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Root of the API for the server.
pub const SERVER_ROOT: &str = "http://crm.example/api/data/v9.2/";
/// Root of the API for the engines.
pub const ROOT: &str = "/api/data/v9.2/";
const ORIGIN: &str = "http://crm.example";

/// The server, and requests that still wander about.
pub struct Crm {
    /// The server's rows.
    pub premises: Premises,
    /// What was said on the wires.
    pub traffic: RefCell<Traffic>,
    /// The first thing that no device may say.
    broken: RefCell<Option<String>>,
    clock: Rc<Clock>,
    late: RefCell<Vec<(Uuid, Request)>>,
    /// Writes that the server carried out since it was looked at.
    writes: RefCell<u64>,
    answered: RefCell<u64>,
}

impl Crm {
    /// A server whose time is the simulation's.
    pub fn new(premises: Premises, clock: Rc<Clock>) -> Crm {
        let (late, writes, answered) = (RefCell::default(), RefCell::default(), RefCell::default());
        let (traffic, broken) = (RefCell::default(), RefCell::default());
        Crm { premises, traffic, broken, clock, late, writes, answered }
    }

    /// What was wrong in the traffic so far.
    ///
    /// # Errors
    /// The first thing that was.
    pub fn is_in_order(&self) -> Result<(), String> {
        self.broken.borrow().clone().map_or(Ok(()), Err)
    }

    /// Another database takes the place of the server's.
    ///
    /// # Errors
    /// When there is none.
    pub fn restore(&self) -> Result<(), String> {
        self.traffic.borrow_mut().restored();
        *self.writes.borrow_mut() += 1;
        self.premises.restore()
    }

    /// What the server answers to a user's request.
    pub fn answer(&self, user: Uuid, request: &Request) -> Response {
        let mut request = request.clone();
        if let Some(path) = request.url.strip_prefix(ORIGIN) {
            request.url = path.to_owned();
        }
        let now = self.clock.now();
        *self.answered.borrow_mut() += 1;
        if request.method != Method::Get {
            *self.writes.borrow_mut() += 1;
        }
        let answer = self.premises.service().answer(user, SERVER_ROOT, &request, now);
        tell(|| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("\r\n", "\n   | ");
            let (method, url) = (request.method.as_str(), &request.url);
            match request.method {
                Method::Get => format!("{method} {url}: {}", answer.status),
                _ => format!(
                    "{method} {url}\n   {}\n   => {} {}",
                    text(&request.body),
                    answer.status,
                    text(&answer.body)
                ),
            }
        });
        answer.header("Date", format_http_date(now))
    }

    /// Requests answered so far.
    pub fn answered(&self) -> u64 {
        *self.answered.borrow()
    }

    /// Whether anything may have been written since this was asked last.
    pub fn take_changed(&self) -> bool {
        self.writes.replace(0) > 0
    }

    /// Lets a request that was thought lost arrive, if there is one.
    pub fn deliver_late(&self) -> bool {
        let arrived = {
            let mut late = self.late.borrow_mut();
            (!late.is_empty()).then(|| late.remove(0))
        };
        match arrived {
            Some((user, request)) => {
                self.answer(user, &request);
                true
            }
            None => false,
        }
    }
}

/// One user's way to the server.
pub struct Wire {
    /// The server.
    pub crm: Rc<Crm>,
    /// Which device it is.
    pub device: usize,
    /// Whose device it is.
    pub owner: Uuid,
    /// Who is signed in.
    pub session: Rc<Cell<Uuid>>,
    /// What may go wrong.
    pub faults: Rc<Faults>,
}

impl Wire {
    fn answer(&self, request: &Request) -> Response {
        self.crm.answer(self.session.get(), request)
    }

    fn fail(&self, fault: Fault, request: Request) -> Result<Response, TransportError> {
        let lost = |what: &str| TransportError::Cut(what.to_owned());
        match fault {
            Fault::RequestLost => Err(TransportError::Unreachable("connection refused".to_owned())),
            Fault::AnswerLost => {
                self.answer(&request);
                Err(lost("connection reset"))
            }
            Fault::RequestTwice => {
                self.answer(&request);
                Ok(self.answer(&request))
            }
            Fault::RequestLate => {
                self.crm.late.borrow_mut().push((self.session.get(), request));
                Err(TransportError::Timeout)
            }
            Fault::AnswerCut => {
                let mut response = self.answer(&request);
                response.body.truncate(response.body.len() / 2);
                Ok(response)
            }
            Fault::LoginPage => {
                let mut page = Response::empty(200).header("Content-Type", "text/html");
                page.body = b"<!doctype html><title>Sign in</title>".to_vec();
                Ok(page)
            }
            Fault::FeedExpired => {
                let words = "Version stamp associated with the client has expired.";
                Ok(ODataError::new(410, "0x80044352", words).to_response())
            }
            Fault::BatchAnswersMissing => Ok(self.garbled(&request, |answers, at| drop(answers.remove(at)))),
            Fault::BatchAnswersReordered => Ok(self.garbled(&request, |answers, at| answers.swap(0, at))),
            Fault::Status(status @ (429 | 503)) => Ok(Response::empty(status).header("Retry-After", "1")),
            // Of a gateway: a status, and nothing of the server's.
            Fault::Status(status) => Ok(Response::empty(status)),
            _ => Err(lost("unknown")),
        }
    }
}

impl Wire {
    /// The answer to a batch with its parts disturbed.
    fn garbled(&self, request: &Request, disturb: impl FnOnce(&mut Vec<BatchAnswer>, usize)) -> Response {
        let response = self.answer(request);
        let kind = response.headers.get("Content-Type").unwrap_or_default();
        match parse_batch_response(kind, &response.body) {
            Ok(mut answers) if !answers.is_empty() => {
                let chosen = self.faults.choose(answers.len());
                disturb(&mut answers, chosen);
                write_batch_response(&answers, Uuid::from_u128(1), response.status)
            }
            _ => response,
        }
    }
}

impl Transport for Wire {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        // On the way there: killed here, the server never hears of it.
        yield_now().await;
        let is_feed = request.url.contains("$deltatoken") || request.url.contains("$skiptoken");
        let names_user = request.headers.get(same_user::HEADER) == Some(self.owner.to_string().as_str());
        let guarded = names_user || self.session.get() == self.owner;
        if let Err(why) = self.crm.traffic.borrow_mut().asks(self.device, guarded, &request) {
            self.crm.broken.borrow_mut().get_or_insert(why);
        }
        let answer = match self.faults.on_request(is_feed, request.url.ends_with("$batch")) {
            Some(fault) => self.fail(fault, request.clone()),
            None => Ok(self.answer(&request)),
        };
        if let Ok(answer) = &answer {
            self.crm.traffic.borrow_mut().hears(self.device, &request, answer);
        }
        // On the way back: killed here, the server has done it and nobody knows.
        yield_now().await;
        answer
    }
}
