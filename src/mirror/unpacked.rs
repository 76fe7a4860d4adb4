//! What is unpacked when first read, and may be forgotten again: packed bytes stay, so nothing is lost.

use std::cell::{Cell, OnceCell};

/// Remembers whether it was read, so that what nobody reads goes first.
#[derive(Debug)]
pub(super) struct Unpacked<T> {
    value: OnceCell<T>,
    /// Whether it was read since the last [`Unpacked::grow_older`].
    read: Cell<bool>,
    /// How many times in a row it had not been read.
    idle: u32,
}

impl<T> Default for Unpacked<T> {
    fn default() -> Unpacked<T> {
        Unpacked { value: OnceCell::new(), read: Cell::new(false), idle: 0 }
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

    /// Another request has ended: gives how many have since this was read; `None` when it is not there.
    pub(super) fn grow_older(&mut self) -> Option<u32> {
        self.value.get()?;
        self.idle = if self.read.take() { 0 } else { self.idle.saturating_add(1) };
        Some(self.idle)
    }

    pub(super) fn forget(&mut self) {
        self.value.take();
    }
}
