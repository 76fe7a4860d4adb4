use super::super::line::{ask, request_bytes, HOST};
use super::*;
use flette::platform::TransportError;
use flette_odata::{Request, Response};

/// A server that remembers what arrived.
#[derive(Default)]
struct Remembering {
    whole: AtomicUsize,
    begun: AtomicUsize,
    falls: AtomicUsize,
}

impl Back for Remembering {
    fn carry(&self, _: &[u8]) -> Option<Vec<u8>> {
        self.whole.fetch_add(1, Ordering::SeqCst);
        Some(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer".to_vec())
    }

    fn begin(&self, _: &[u8]) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    fn fall(&self) {
        self.falls.fetch_add(1, Ordering::SeqCst);
    }
}

/// What a device hears through a proxy, and how often its request arrived whole, in part, and under a falling server.
fn sent(luck: Luck) -> (Result<Response, TransportError>, [usize; 3]) {
    let back = Arc::new(Remembering::default());
    let proxy = Proxy::start(back.clone(), Arc::new(luck)).unwrap();
    let request = Request::get("/api/data/v9.2/WhoAmI").json(b"{}".to_vec());
    let heard = ask(proxy.port(), &request_bytes(&request, HOST, Some("token")));
    assert!(proxy.is_quiet_within(Duration::from_secs(10)));
    let count = |count: &AtomicUsize| count.load(Ordering::SeqCst);
    (heard, [count(&back.whole), count(&back.begun), count(&back.falls)])
}

#[test]
fn every_trick_does_what_its_name_says() {
    let cases = [
        (Trick::Lost, false, [0, 0, 0]),
        (Trick::Reset, false, [0, 0, 0]),
        (Trick::RequestCut, false, [0, 1, 0]),
        (Trick::Delayed, true, [1, 0, 0]),
        (Trick::Late, false, [1, 0, 0]),
        (Trick::Twice, true, [2, 0, 0]),
        (Trick::AnswerLost, false, [1, 0, 0]),
        (Trick::AnswerCut, false, [1, 0, 0]),
        (Trick::ServerKilled, true, [1, 0, 1]),
    ];
    assert_eq!(cases.map(|(trick, ..)| trick), Trick::ALL);
    for (trick, is_answered, arrived) in cases {
        let (heard, counts) = sent(Luck::of_one(trick));
        match heard {
            Ok(answer) => assert!(is_answered && answer.body == b"answer", "{trick:?}: {answer:?}"),
            Err(error) => assert!(!is_answered, "{trick:?}: {error:?}"),
        }
        assert_eq!(counts, arrived, "{trick:?}");
    }
}

#[test]
fn without_luck_everything_arrives_once() {
    let luck = Luck::of_one(Trick::Lost);
    luck.switch(false);
    let (heard, counts) = sent(luck);
    assert_eq!((heard.unwrap().status, counts), (200, [1, 0, 0]));
}

#[test]
fn the_server_is_killed_four_times_at_most() {
    let luck = Luck::of_one(Trick::ServerKilled);
    let played = (0..20).filter(|_| luck.next().is_some()).count();
    assert_eq!((played, luck.counts()[&Trick::ServerKilled]), (KILLS_MAX, KILLS_MAX as u64));
}
