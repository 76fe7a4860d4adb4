//! What lies between devices and a server process: a proxy that loses, delays, cuts, doubles and resets, and under which
//! the server falls now and then.

use super::held;
use super::line::read_request_bytes;
use crate::dice::Dice;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What happens to a request on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trick {
    /// It never arrives, and the connection is closed.
    Lost,
    /// It never arrives, and the connection is reset.
    Reset,
    /// Half of it arrives.
    RequestCut,
    /// It arrives later than others.
    Delayed,
    /// It arrives long after it was given up.
    Late,
    /// It arrives twice, at the same time.
    Twice,
    /// It is carried out; the connection is reset.
    AnswerLost,
    /// It is carried out; half of the answer comes back.
    AnswerCut,
    /// The server is killed while it is under way, and comes back.
    ServerKilled,
}

impl Trick {
    /// All of them.
    pub const ALL: [Trick; 9] = [
        Trick::Lost,
        Trick::Reset,
        Trick::RequestCut,
        Trick::Delayed,
        Trick::Late,
        Trick::Twice,
        Trick::AnswerLost,
        Trick::AnswerCut,
        Trick::ServerKilled,
    ];
}

/// Longest delay of a request that is still waited for.
const DELAY_MILLIS_MAX: usize = 40;
/// Longest way of one that was given up.
const LATE_MILLIS_MAX: usize = 400;
/// Longest time that a request is under way before the server is killed.
const KILL_MICROS_MAX: usize = 6_000;
/// Kills in one run, at most: each costs a start.
const KILLS_MAX: usize = 4;
/// Requests on average between two that something happens to, as a run may choose.
const RATES: [usize; 4] = [3, 6, 12, 25];
/// Pause before it is looked again whether all is quiet.
const QUIET_MILLIS: u64 = 2;

/// Which tricks a run has in store, and how often.
pub struct Luck {
    on: AtomicBool,
    dice: Mutex<Dice>,
    tricks: Vec<Trick>,
    rate: usize,
    counts: Mutex<BTreeMap<Trick, u64>>,
}

impl Luck {
    /// That of a seed, off at first. Every second run is one whose server falls.
    pub fn new(seed: u64) -> Luck {
        let dice = Dice::new(seed ^ 0x7C15_9E37_79B9_A5A5);
        let tricks = Trick::ALL.into_iter().filter(|_| dice.once_in(2)).collect();
        let rate = dice.pick(&RATES).copied().unwrap_or(0);
        let (on, counts) = (AtomicBool::new(false), Mutex::default());
        Luck { on, dice: Mutex::new(dice), tricks, rate, counts }
    }

    /// One that plays a trick on every request.
    pub fn of_one(trick: Trick) -> Luck {
        let (on, counts) = (AtomicBool::new(true), Mutex::default());
        Luck { on, dice: Mutex::new(Dice::new(1)), tricks: vec![trick], rate: 1, counts }
    }

    /// From now on, or not any more.
    pub fn switch(&self, on: bool) {
        self.on.store(on, Ordering::SeqCst);
    }

    /// How often each trick was played.
    pub fn counts(&self) -> BTreeMap<Trick, u64> {
        held(&self.counts).clone()
    }

    fn next(&self) -> Option<Trick> {
        let dice = held(&self.dice);
        if !self.on.load(Ordering::SeqCst) || !dice.once_in(self.rate) {
            return None;
        }
        let trick = *dice.pick(&self.tricks)?;
        let mut counts = held(&self.counts);
        let count = counts.entry(trick).or_default();
        if trick == Trick::ServerKilled && *count >= KILLS_MAX as u64 {
            return None;
        }
        *count += 1;
        Some(trick)
    }

    fn roll(&self, sides: usize) -> usize {
        held(&self.dice).roll(sides)
    }

    fn wait(&self, millis_max: usize) {
        let millis = u64::try_from(self.roll(millis_max)).unwrap_or(0);
        std::thread::sleep(Duration::from_millis(millis));
    }
}

/// What stands behind the proxy.
pub trait Back: Send + Sync + 'static {
    /// Carries a message there, and the answer back.
    fn carry(&self, message: &[u8]) -> Option<Vec<u8>>;
    /// Carries the beginning of a message there.
    fn begin(&self, part: &[u8]);
    /// The server falls and gets up again.
    fn fall(&self);
}

/// See the module; it ends when dropped.
pub struct Proxy {
    port: u16,
    luck: Arc<Luck>,
    busy: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Listens on a free port.
    ///
    /// # Errors
    /// When there is none.
    pub fn start(back: Arc<impl Back>, luck: Arc<Luck>) -> std::io::Result<Proxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let (busy, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let accepting = {
            let (luck, busy, ended) = (luck.clone(), busy.clone(), ended.clone());
            std::thread::spawn(move || {
                for client in listener.incoming() {
                    if ended.load(Ordering::SeqCst) {
                        return;
                    }
                    let Ok(client) = client else { continue };
                    let (back, luck) = (back.clone(), luck.clone());
                    let work = Busy::begin(&busy);
                    std::thread::spawn(move || {
                        serve(client, &*back, &luck);
                        drop(work);
                    });
                }
            })
        };
        Ok(Proxy { port, luck, busy, ended, accepting: Some(accepting) })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it plays by.
    pub fn luck(&self) -> &Luck {
        &self.luck
    }

    /// Waits until nothing is under way; whether that came in time.
    pub fn is_quiet_within(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        while self.busy.load(Ordering::SeqCst) > 0 {
            if Instant::now() > end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(QUIET_MILLIS));
        }
        true
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Somebody has to knock for the listener to notice.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// One more that works, as long as this lives.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn begin(count: &Arc<AtomicUsize>) -> Busy {
        count.fetch_add(1, Ordering::SeqCst);
        Busy(count.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn serve(mut client: TcpStream, back: &impl Back, luck: &Luck) {
    let Ok(message) = read_request_bytes(&mut client) else { return };
    let half = |bytes: &[u8]| bytes.get(..bytes.len() / 2).unwrap_or_default().to_vec();
    match luck.next() {
        None => reply(client, back.carry(&message)),
        Some(Trick::Lost) => drop(client),
        Some(Trick::Reset) => reset(&client),
        Some(Trick::RequestCut) => {
            back.begin(&half(&message));
            reset(&client);
        }
        Some(Trick::Delayed) => {
            luck.wait(DELAY_MILLIS_MAX);
            reply(client, back.carry(&message));
        }
        Some(Trick::Late) => {
            reset(&client);
            drop(client);
            luck.wait(LATE_MILLIS_MAX);
            back.carry(&message);
        }
        Some(Trick::Twice) => {
            let (first, second) = at_once(|| back.carry(&message), || back.carry(&message));
            reply(client, if luck.roll(2) == 0 { first } else { second });
        }
        Some(Trick::AnswerLost) => {
            back.carry(&message);
            reset(&client);
        }
        Some(Trick::AnswerCut) => reply(client, back.carry(&message).as_deref().map(half)),
        Some(Trick::ServerKilled) => {
            let micros = u64::try_from(luck.roll(KILL_MICROS_MAX)).unwrap_or(0);
            let fall = || {
                std::thread::sleep(Duration::from_micros(micros));
                back.fall();
            };
            let (answer, ()) = at_once(|| back.carry(&message), fall);
            reply(client, answer);
        }
    }
}

fn at_once<A: Send, B>(other: impl FnOnce() -> A + Send, this: impl FnOnce() -> B) -> (A, B) {
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        let this = this();
        match other.join() {
            Ok(other) => (other, this),
            Err(failed) => std::panic::resume_unwind(failed),
        }
    })
}

/// Whoever waits gets the answer, or a line that breaks off.
fn reply(mut client: TcpStream, answer: Option<Vec<u8>>) {
    match answer {
        Some(bytes) => {
            let _ = client.write_all(&bytes).and_then(|()| client.shutdown(Shutdown::Write));
        }
        None => reset(&client),
    }
}

/// When this end is closed, the other one hears that there is no connection.
fn reset(client: &TcpStream) {
    let _ = socket2::SockRef::from(client).set_linger(Some(Duration::ZERO));
}

#[cfg(test)]
mod tests;
