//! Futures, one step at a time: every door to the outside world gives way once or twice, and whatever is not polled
//! again was killed there.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A future that the simulation drives.
pub type Task<T> = Pin<Box<dyn Future<Output = T>>>;

/// Gives way once.
pub fn yield_now() -> impl Future<Output = ()> {
    let mut given = false;
    std::future::poll_fn(move |_| match std::mem::replace(&mut given, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
}

/// Drives a future up to where it gives way next.
pub fn step<T>(task: &mut Task<T>) -> Option<T> {
    match task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Steps that anything may take before it counts as hanging.
const STEPS_MAX: u32 = 20_000;

/// Drives a future to its end; `None` when it hangs.
pub fn run<T>(mut task: Task<T>) -> Option<T> {
    (0..STEPS_MAX).find_map(|_| step(&mut task))
}
