//! Two futures at once, on one thread.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

/// Polls both until both are done. The first is polled first.
pub(super) async fn join<A: Future, B: Future>(first: A, second: B) -> (A::Output, B::Output) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut one, mut two) = (None, None);
    std::future::poll_fn(move |context| {
        if one.is_none() {
            if let Poll::Ready(output) = first.as_mut().poll(context) {
                one = Some(output);
            }
        }
        if two.is_none() {
            if let Poll::Ready(output) = second.as_mut().poll(context) {
                two = Some(output);
            }
        }
        match (one.take(), two.take()) {
            (Some(one), Some(two)) => Poll::Ready((one, two)),
            (kept_one, kept_two) => {
                (one, two) = (kept_one, kept_two);
                Poll::Pending
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_finish_though_one_waits_for_the_other() {
        let (send, receive) = std::sync::mpsc::channel();
        let early = async move {
            std::future::poll_fn(|context| match receive.try_recv() {
                Ok(value) => Poll::Ready(value),
                Err(_) => {
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
            })
            .await
        };
        let late = async move { send.send(7).is_ok() };
        assert_eq!(pollster::block_on(join(early, late)), (7, true));
    }
}
