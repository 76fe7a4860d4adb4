//! How the server stands towards the network: what the command line may set.

use super::cors::Origin;
use super::hosts::Hosts;
use super::throttle::Limits;
use std::path::PathBuf;

/// Settings of the HTTP side. The default serves the API alone, to every host name, without throttling.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Folder of the web CRM; without it only the API answers.
    pub site: Option<PathBuf>,
    /// Origins whose pages may call the API with a bearer token.
    pub origins: Vec<Origin>,
    /// Names this server answers to.
    pub hosts: Hosts,
    /// Dataverse's service protection limits; `None`: no throttling.
    pub throttle: Option<Limits>,
    /// Who may read `/metrics`.
    pub metrics: MetricsAccess,
}

/// Who may read `/metrics`; for everybody else the path is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetricsAccess {
    /// Programs of this machine that ask directly, not through a proxy.
    #[default]
    Loopback,
    /// Everybody.
    Everybody,
}
