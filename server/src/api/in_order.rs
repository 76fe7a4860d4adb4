//! A user's batches that write, one after the other where the database has one writer: two that took turns would both end when the later one
//! can, and a client that sends the next one ahead would have nothing to do meanwhile, and then two answers at once.

use flette_odata::Uuid;
use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a batch waits for those before it. It is carried out beside them after that: the order is no promise.
const WAIT_SECONDS_MAX: u64 = 10;

/// Batches that are carried out, or wait for it.
#[derive(Default)]
pub(super) struct InOrder {
    lines: Mutex<Lines>,
    left: Condvar,
}

#[derive(Default)]
struct Lines {
    /// By user, in the order in which they came; no line is empty.
    by_user: HashMap<Uuid, VecDeque<u64>>,
    next: u64,
}

impl InOrder {
    /// Waits until no earlier batch of the user is carried out. Blocks the thread.
    pub(super) fn turn(&self, user: Uuid) -> Turn<'_> {
        let limit = Instant::now() + Duration::from_secs(WAIT_SECONDS_MAX);
        let mut lines = self.lock();
        let number = lines.next;
        lines.next += 1;
        lines.by_user.entry(user).or_default().push_back(number);
        while lines.by_user.get(&user).and_then(VecDeque::front) != Some(&number) {
            let left = limit.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            lines = self.left.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Turn { order: self, user, number }
    }

    /// A panic elsewhere left nothing half done behind this lock.
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A batch's turn: over when this is dropped, also when whoever has it panics.
pub(super) struct Turn<'o> {
    order: &'o InOrder,
    user: Uuid,
    number: u64,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut lines = self.order.lock();
        if let Some(line) = lines.by_user.get_mut(&self.user) {
            line.retain(|number| *number != self.number);
            if line.is_empty() {
                lines.by_user.remove(&self.user);
            }
        }
        drop(lines);
        self.order.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_users_batches_go_as_they_came_and_nobody_elses_wait() {
        let (order, user) = (InOrder::default(), Uuid::from_u128(1));
        let waiting = |line: &InOrder| line.lock().by_user.get(&user).map_or(0, VecDeque::len);
        let (tell, told) = channel();
        std::thread::scope(|threads| {
            let first = order.turn(user);
            for number in 0..3 {
                let (order, tell) = (&order, tell.clone());
                threads.spawn(move || {
                    let turn = order.turn(user);
                    tell.send(number).unwrap();
                    drop(turn);
                });
                while waiting(order) < number + 2 {
                    std::thread::yield_now();
                }
            }
            drop(order.turn(Uuid::from_u128(2)));
            assert!(told.try_recv().is_err(), "one has overtaken the first");
            drop(first);
        });
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
        assert!(order.lock().by_user.is_empty(), "a line was left");
    }
}
