//! The server, behind a network that loses, doubles, delays and garbles.

use crate::clock::Clock;
use crate::faults::{Behind, Fault, Faults};
use crate::process::line::path_of;
use crate::step::{yield_now, Task};
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

/// Who answers: the real server logic in this process, or a server process at the other end of a line.
pub trait Server {
    /// What a user is answered whose line never fails.
    fn answer(&self, user: Uuid, request: &Request, now: i64) -> Response;

    /// What a device is answered. Who drops it is not answered; the request goes on.
    fn send(&self, user: Uuid, request: Request, now: i64) -> Task<Result<Response, TransportError>>;

    /// What was asked and answered since this was called last, where devices do not hear of all that reached the server.
    fn overheard(&self) -> Vec<(Request, Response)> {
        Vec::new()
    }

    /// From now on its line fails now and then, or does not any more.
    ///
    /// # Errors
    /// When what is still under way does not end.
    fn disturb(&self, _on: bool) -> Result<(), String> {
        Ok(())
    }

    /// Its database, for who stands beside it.
    fn premises(&self) -> Option<&Premises> {
        None
    }
}

impl Server for Premises {
    fn answer(&self, user: Uuid, request: &Request, now: i64) -> Response {
        let service = self.service();
        let answer = service.answer(user, SERVER_ROOT, request, now);
        service.dated(answer, now).header("Date", format_http_date(now))
    }

    fn send(&self, user: Uuid, request: Request, now: i64) -> Task<Result<Response, TransportError>> {
        Box::pin(std::future::ready(Ok(self.answer(user, &request, now))))
    }

    fn premises(&self) -> Option<&Premises> {
        Some(self)
    }
}

/// The server, and requests that still wander about.
pub struct Crm {
    server: Box<dyn Server>,
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
    pub fn new(server: impl Server + 'static, clock: Rc<Clock>) -> Crm {
        let (late, writes, answered) = (RefCell::default(), RefCell::default(), RefCell::default());
        let (traffic, broken) = (RefCell::default(), RefCell::default());
        Crm { server: Box::new(server), traffic, broken, clock, late, writes, answered }
    }

    /// What was wrong in the traffic so far.
    ///
    /// # Errors
    /// The first thing that was.
    pub fn is_in_order(&self) -> Result<(), String> {
        self.broken.borrow().clone().map_or(Ok(()), Err)
    }

    /// The server's database.
    ///
    /// # Errors
    /// When it stands elsewhere.
    pub fn premises(&self) -> Result<&Premises, String> {
        self.server.premises().ok_or_else(|| "the server stands elsewhere".to_owned())
    }

    /// From now on the server's line fails now and then, or does not any more.
    ///
    /// # Errors
    /// As [`Server::disturb`].
    pub fn disturb(&self, on: bool) -> Result<(), String> {
        self.server.disturb(on)
    }

    /// As [`Server::overheard`].
    pub fn overheard(&self) -> Vec<(Request, Response)> {
        let heard = self.server.overheard();
        *self.writes.borrow_mut() += heard.len() as u64;
        heard
    }

    /// Another database takes the place of the server's.
    ///
    /// # Errors
    /// When there is none.
    pub fn restore(&self) -> Result<(), String> {
        self.traffic.borrow_mut().restored();
        *self.writes.borrow_mut() += 1;
        self.premises()?.restore()
    }

    /// What the server answers to a user's request.
    pub fn answer(&self, user: Uuid, request: &Request) -> Response {
        let request = self.counted(request);
        let answer = self.server.answer(user, &request, self.clock.now());
        self.told(&request, &answer);
        answer
    }

    /// What a device is answered.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn carry(&self, user: Uuid, request: &Request) -> Result<Response, TransportError> {
        let request = self.counted(request);
        let answer = self.server.send(user, request.clone(), self.clock.now()).await?;
        self.told(&request, &answer);
        Ok(answer)
    }

    /// A request as the server gets it: links in its answers name its host.
    fn counted(&self, request: &Request) -> Request {
        let request = Request { url: path_of(&request.url).to_owned(), ..request.clone() };
        *self.answered.borrow_mut() += 1;
        if request.method != Method::Get {
            *self.writes.borrow_mut() += 1;
        }
        request
    }

    fn told(&self, request: &Request, answer: &Response) {
        match request.url.ends_with("$batch") {
            true => self.traffic.borrow_mut().answers(request, answer),
            false => self.traffic.borrow_mut().answers_one(request, answer),
        }
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
    /// Whether nothing gets through.
    pub cut: Rc<Cell<bool>>,
    /// How often a push gives way, at most, before it arrives, and before its answer does.
    pub lag: usize,
}

impl Wire {
    /// Gives way so often at most.
    async fn dawdle(&self, most: usize) {
        // Without any lag no chance is taken: the seed is the one that it was.
        let times = if most == 0 { 0 } else { self.faults.choose(most + 1) };
        for _ in 0..times {
            yield_now().await;
        }
    }

    async fn answer(&self, request: &Request) -> Result<Response, TransportError> {
        self.crm.carry(self.session.get(), request).await
    }

    async fn fail(&self, fault: Fault, request: Request) -> Result<Response, TransportError> {
        let lost = |what: &str| TransportError::Cut(what.to_owned());
        match fault {
            Fault::RequestLost => Err(TransportError::Unreachable("connection refused".to_owned())),
            Fault::AnswerLost => {
                self.answer(&request).await?;
                Err(lost("connection reset"))
            }
            Fault::RequestTwice => {
                self.answer(&request).await?;
                self.answer(&request).await
            }
            Fault::RequestLate => {
                self.crm.late.borrow_mut().push((self.session.get(), request));
                Err(TransportError::Timeout)
            }
            Fault::AnswerCut => {
                let mut response = self.answer(&request).await?;
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
            Fault::BatchAnswersMissing => {
                let answer = self.answer(&request).await?;
                Ok(self.garbled(answer, |answers, at| drop(answers.remove(at))))
            }
            Fault::BatchAnswersReordered => {
                let answer = self.answer(&request).await?;
                self.crm.traffic.borrow_mut().disorders(&request, &answer);
                Ok(self.garbled(answer, |answers, at| self.disorder(answers, at)))
            }
            Fault::Status(status @ (429 | 503)) => Ok(Response::empty(status).header("Retry-After", "1")),
            // Of a gateway: a status, and nothing of the server's.
            Fault::Status(status) => {
                let behind = match request.method {
                    Method::Get => Behind::Nothing,
                    _ => self.faults.behind(status),
                };
                match behind {
                    Behind::Nothing => {}
                    Behind::Done => drop(self.answer(&request).await?),
                    Behind::Late => self.crm.late.borrow_mut().push((self.session.get(), request)),
                }
                Ok(Response::empty(status))
            }
            _ => Err(lost("unknown")),
        }
    }
}

impl Wire {
    /// Puts answers in another order: those of a change set, if there is one, now and then.
    fn disorder(&self, answers: &mut [BatchAnswer], at: usize) {
        let set = answers.iter_mut().find_map(|answer| match answer {
            BatchAnswer::ChangeSet(parts) => Some(parts),
            BatchAnswer::Single(_) => None,
        });
        match set {
            Some(parts) if self.faults.choose(2) == 0 => parts.reverse(),
            _ => answers.swap(0, at),
        }
    }

    /// The answer to a batch with its parts disturbed.
    fn garbled(&self, response: Response, disturb: impl FnOnce(&mut Vec<BatchAnswer>, usize)) -> Response {
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

/// A device's push from when it sets out until it is answered, or its device killed.
struct UnderWay<'w> {
    crm: &'w Crm,
    device: usize,
}

impl<'w> UnderWay<'w> {
    /// None where nothing is to be written.
    fn of(crm: &'w Crm, device: usize, request: &Request) -> Option<UnderWay<'w>> {
        let pushes = crm.traffic.borrow_mut().sets_out(device, request);
        pushes.then(|| UnderWay { crm, device })
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.crm.traffic.borrow_mut().arrived(self.device);
    }
}

impl Transport for Wire {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        if self.cut.get() {
            return Err(TransportError::Unreachable("no line".to_owned()));
        }
        let under_way = UnderWay::of(&self.crm, self.device, &request);
        let lag = if under_way.is_some() { self.lag } else { 0 };
        // On the way there: killed here, the server never hears of it.
        yield_now().await;
        self.dawdle(lag).await;
        let is_feed = request.url.contains("$deltatoken") || request.url.contains("$skiptoken");
        let names_user = request.headers.get(same_user::HEADER) == Some(self.owner.to_string().as_str());
        let guarded = names_user || self.session.get() == self.owner;
        if let Err(why) = self.crm.traffic.borrow_mut().asks(self.device, guarded, &request) {
            self.crm.broken.borrow_mut().get_or_insert(why);
        }
        let fault = self.faults.on_request(is_feed, request.url.ends_with("$batch"));
        let on_write = || if request.method == Method::Get { None } else { self.faults.on_write() };
        let answer = match fault.or_else(on_write) {
            Some(fault) => self.fail(fault, request.clone()).await,
            None => self.answer(&request).await,
        };
        if let Ok(answer) = &answer {
            self.crm.traffic.borrow_mut().hears(self.device, &request, answer);
        }
        // On the way back: killed here, the server has done it and nobody knows.
        self.dawdle(lag).await;
        yield_now().await;
        answer
    }
}
