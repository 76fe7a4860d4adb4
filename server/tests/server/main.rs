//! The server as a whole, mostly without a socket: requests in, answers out.

mod batching;
mod filtering;
mod importing;
mod process;
mod reading;
mod signing_in;
mod site;
mod support;
mod tracking;
mod writing;
