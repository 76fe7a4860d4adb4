//! What is unpacked when first read, and may be forgotten again: packed bytes stay, so nothing is lost.

use std::cell::{Cell, OnceCell};

/// Remembers when it was read, so that what nobody reads goes first.
#[derive(Debug)]
pub(super) struct Unpacked<T> {
    value: OnceCell<T>,
    /// Whether it was read in this request.
    read: Cell<bool>,
    /// The last request that read it and has ended, by number.
    last: u32,
}

impl<T> Default for Unpacked<T> {
    fn default() -> Unpacked<T> {
        Unpacked { value: OnceCell::new(), read: Cell::new(false), last: 0 }
    }
}

impl<T> Unpacked<T> {
    /// The value, unpacked now if it is not there.
    pub(super) fn get_or_init(&self, unpack: impl FnOnce() -> T) -> &T {
        self.read.set(true);
        self.value.get_or_init(unpack)
    }

    /// The value if it is there. Does not count as reading.
    pub(super) fn peek(&self) -> Option<&T> {
        self.value.get()
    }

    /// A request of this number has ended.
    pub(super) fn grow_older(&mut self, request: u32) {
        if self.read.take() {
            self.last = request;
        }
    }

    /// How many requests have ended since the last one that read it.
    pub(super) fn idle(&self, request: u32) -> u32 {
        request.wrapping_sub(self.last)
    }

    pub(super) fn forget(&mut self) {
        self.value.take();
    }
}
