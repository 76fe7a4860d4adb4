//! Figures for operators, in the text form Prometheus reads (OpenMetrics).
//!
//! Labels are of closed sets: nothing a client sends becomes one, and no figure belongs to a user.

use super::throttle::Limit;
use crate::db::figures::FiguresNow;
use flette_odata::prefer::Prefer;
use flette_odata::{Headers, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper ends of the latency classes, seconds.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// What kind of request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Class {
    /// Rows, counts and functions of the Web API.
    Read,
    /// Changes of rows.
    Write,
    /// `$batch`
    Batch,
    /// Change tracking: a page of a first read or of a delta.
    Feed,
    /// `$metadata` and `EntityDefinitions`.
    Metadata,
    /// Signing in and out.
    SignIn,
    /// Files of the web CRM.
    Site,
    /// `/healthz` and `/metrics`.
    Operation,
}

impl Class {
    /// By verb, URL and preferences; the path as it stands in the URL.
    pub(super) fn of(method: &str, url: &str, headers: &Headers) -> Class {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let Some(below) = path.strip_prefix("/api/data/") else {
            return match path {
                "/healthz" | "/metrics" => Class::Operation,
                _ if path.starts_with("/auth/") || path.starts_with("/oauth2/") => Class::SignIn,
                _ => Class::Site,
            };
        };
        let resource = below.split_once('/').map_or("", |(_, resource)| resource);
        if resource.ends_with("$batch") {
            return Class::Batch;
        }
        if method != "GET" {
            return Class::Write;
        }
        let defines =
            ["$metadata", "EntityDefinitions", "RelationshipDefinitions", "GlobalOptionSetDefinitions"];
        if defines.iter().any(|name| resource.starts_with(name)) {
            return Class::Metadata;
        }
        match query.contains("$deltatoken=") || Prefer::parse(headers).track_changes {
            true => Class::Feed,
            false => Class::Read,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    class: Class,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Timed {
    class: Class,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Throttled {
    limit: &'static str,
}

/// The figures of one server process.
pub(super) struct Metrics {
    registry: Registry,
    answered: Family<Answered, Counter>,
    seconds: Family<Timed, Histogram>,
    throttled: Family<Throttled, Counter>,
    under_way: Gauge,
}

impl Metrics {
    pub(super) fn new() -> Metrics {
        let mut registry = Registry::with_prefix("flette");
        let answered = Family::default();
        registry.register("requests", "Requests answered, by class and status", answered.clone());
        let seconds = Family::<Timed, Histogram>::new_with_constructor(|| Histogram::new(SECONDS));
        registry.register("request_seconds", "Time until the answer was made", seconds.clone());
        let throttled = Family::default();
        registry.register("throttled_requests", "Requests refused by throttling", throttled.clone());
        let under_way = Gauge::default();
        registry.register("requests_under_way", "Requests being answered", under_way.clone());
        Metrics { registry, answered, seconds, throttled, under_way }
    }

    /// A request came in.
    pub(super) fn began(&self) {
        self.under_way.inc();
    }

    /// It was answered.
    pub(super) fn ended(&self, class: Class, status: u16, seconds: f64) {
        self.under_way.dec();
        self.answered.get_or_create(&Answered { class, status }).inc();
        self.seconds.get_or_create(&Timed { class }).observe(seconds);
    }

    /// A request was refused by throttling.
    pub(super) fn refused(&self, limit: Limit) {
        self.throttled.get_or_create(&Throttled { limit: limit.as_str() }).inc();
    }

    /// All figures as text, those of the database among them.
    pub(super) fn respond(&self, database: FiguresNow) -> Response {
        let mut text = String::new();
        let mut other = Registry::with_prefix("flette_database");
        other.register_collector(Box::new(OfDatabase(database)));
        let written = encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &other))
            .and_then(|()| encode_eof(&mut text));
        if written.is_err() {
            return Response::empty(500);
        }
        let mut response = Response::empty(200)
            .header("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8");
        response.body = text.into_bytes();
        response
    }
}

/// What the database layer counted, as it stands when it is asked for.
#[derive(Debug)]
struct OfDatabase(FiguresNow);

impl Collector for OfDatabase {
    fn encode(&self, mut encoder: DescriptorEncoder) -> std::fmt::Result {
        let FiguresNow { reads, writes, retries, lent, lent_max } = self.0;
        for (name, help, value) in [
            ("reads", "Transactions that read", reads),
            ("writes", "Transactions that write", writes),
            ("retries", "Transactions run again because others came in between", retries),
        ] {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        for (name, help, value) in [
            ("connections_used", "Connections in use", lent),
            ("connections_used_max", "Most connections in use at once", lent_max),
        ] {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_has_a_class() {
        fn check(method: &str, url: &str, expected: Class) {
            assert_eq!(Class::of(method, url, &Headers::new()), expected, "{method} {url}");
        }
        check("GET", "/api/data/v9.2/accounts", Class::Read);
        check("GET", "/api/data/v9.2/WhoAmI", Class::Read);
        check("GET", "/api/data/v9.2/accounts?$select=name&$deltatoken=x", Class::Feed);
        check("POST", "/api/data/v9.2/accounts", Class::Write);
        check("PATCH", "/api/data/v9.0/accounts(x)?$deltatoken=x", Class::Write);
        check("POST", "/api/data/v9.2/$batch", Class::Batch);
        check("GET", "/api/data/v9.2/$metadata", Class::Metadata);
        check("GET", "/api/data/v9.2/EntityDefinitions(LogicalName='account')", Class::Metadata);
        check("POST", "/auth/sign-in", Class::SignIn);
        check("POST", "/oauth2/v2.0/token", Class::SignIn);
        check("GET", "/healthz", Class::Operation);
        check("GET", "/", Class::Site);
        check("GET", "/api/other", Class::Site);
        let tracking: Headers = [("Prefer", "odata.track-changes")].into_iter().collect();
        assert_eq!(Class::of("GET", "/api/data/v9.2/accounts", &tracking), Class::Feed);
    }
}
