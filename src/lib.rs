//! Flette.
