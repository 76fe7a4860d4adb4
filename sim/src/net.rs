//! The real server logic behind a network that loses, doubles, delays and garbles.

use crate::clock::Clock;
use crate::faults::{Fault, Faults};
use crate::step::yield_now;
use crate::tale::tell;
use flette::platform::{Transport, TransportError};
use flette_odata::time::format_http_date;
use flette_odata::{Method, ODataError, Request, Response, Uuid};
use flette_server::api::Service;
use std::cell::RefCell;
use std::rc::Rc;

/// Root of the API for the server.
pub const SERVER_ROOT: &str = "http://crm.example/api/data/v9.2/";
/// Root of the API for the engines.
pub const ROOT: &str = "/api/data/v9.2/";
const ORIGIN: &str = "http://crm.example";

/// The server, and requests that still wander about.
pub struct Crm {
    service: Service,
    clock: Rc<Clock>,
    late: RefCell<Vec<(Uuid, Request)>>,
    /// Writes that the server carried out since it was looked at.
    writes: RefCell<u64>,
    answered: RefCell<u64>,
}

impl Crm {
    /// A server whose time is the simulation's.
    pub fn new(service: Service, clock: Rc<Clock>) -> Crm {
        let (late, writes, answered) = (RefCell::default(), RefCell::default(), RefCell::default());
        Crm { service, clock, late, writes, answered }
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
        let answer = self.service.answer(user, SERVER_ROOT, &request, now);
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
    /// Who asks.
    pub user: Uuid,
    /// What may go wrong.
    pub faults: Rc<Faults>,
}

impl Wire {
    fn fail(&self, fault: Fault, request: Request) -> Result<Response, TransportError> {
        let lost = |what: &str| TransportError::Cut(what.to_owned());
        match fault {
            Fault::RequestLost => Err(TransportError::Unreachable("connection refused".to_owned())),
            Fault::AnswerLost => {
                self.crm.answer(self.user, &request);
                Err(lost("connection reset"))
            }
            Fault::RequestTwice => {
                self.crm.answer(self.user, &request);
                Ok(self.crm.answer(self.user, &request))
            }
            Fault::RequestLate => {
                self.crm.late.borrow_mut().push((self.user, request));
                Err(TransportError::Timeout)
            }
            Fault::AnswerCut => {
                let mut response = self.crm.answer(self.user, &request);
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
            Fault::Status(status @ (429 | 503)) => Ok(Response::empty(status).header("Retry-After", "1")),
            // Of a gateway: a status, and nothing of the server's.
            Fault::Status(status) => Ok(Response::empty(status)),
            _ => Err(lost("unknown")),
        }
    }
}

impl Transport for Wire {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        // On the way there: killed here, the server never hears of it.
        yield_now().await;
        let is_feed = request.url.contains("$deltatoken") || request.url.contains("$skiptoken");
        let answer = match self.faults.on_request(is_feed) {
            Some(fault) => self.fail(fault, request),
            None => Ok(self.crm.answer(self.user, &request)),
        };
        // On the way back: killed here, the server has done it and nobody knows.
        yield_now().await;
        answer
    }
}
