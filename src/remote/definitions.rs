//! The server's metadata, read in batches.

use super::batch::multipart;
use super::{About, Asked, Exchange, Outcome, Remote, Resolve};
use crate::model::Reason;
use crate::platform::Transport;
use flette_odata::batch::{self, write_batch_request, BatchAnswer, BatchItem};
use flette_odata::edm::{ManyToMany, Table};
use flette_odata::metadata::{definition_requests, parse_definition, parse_pairs};
use flette_odata::{Method, Request};
use serde::de::IgnoredAny;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Boundary of these batches: nothing in a definition can be mistaken for it, since its requests have no bodies.
const BOUNDARY: Uuid = Uuid::from_u128(0x0f1e_77e0_0000_4000_8000_0000_0000_0001);

/// Most reads in one batch: an answer about many tables is long, and one part that fails has all of the batch asked for again.
pub(super) const READS_AT_ONCE_MAX: usize = 50;

/// So often is a definition asked for that cannot be read.
const READS_MAX: u32 = 3;

/// Definitions may come from a cache that lags behind, unless they are asked for so: they would count as those of the version that
/// pages tell of (Microsoft Learn, "Query schema definitions": "Consistency").
pub(super) const CONSISTENCY: (&str, &str) = ("Consistency", "Strong");

/// What the server says of one table.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// Columns and keys.
    pub table: Table,
    /// The relationships of many to many that it takes part in.
    pub pairs: Vec<ManyToMany>,
    /// Whether a column takes its options from a set that other tables may share.
    pub shares_options: bool,
}

/// What became of one of several reads.
pub(super) enum Part {
    /// It was answered.
    Body(Vec<u8>),
    /// It was refused for good.
    Refused(Reason),
}

/// What a server says when it is asked for the definition of a table.
enum Told {
    Table(Box<Described>),
    /// It refuses to say.
    Refused,
    /// What it says is not the definition of that table.
    Unreadable,
}

/// A table from all that was said of it.
fn read(name: &str, answers: &[Vec<u8>]) -> Told {
    match parse_definition(answers) {
        Ok(table) if table.logical_name == name && are_of_one(answers) => {
            let shares_options = answers.iter().any(|answer| share_options(answer));
            Told::Table(Box::new(Described { table, pairs: parse_pairs(answers), shares_options }))
        }
        Ok(_) | Err(_) => Told::Unreadable,
    }
}

/// Whether one of the attributes in a list has the options of a global set.
fn share_options(answer: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        value: Vec<Attribute>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Attribute {
        global_option_set: Option<IgnoredAny>,
        option_set: Option<OptionSet>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct OptionSet {
        is_global: Option<bool>,
    }
    let shares = |attribute: &Attribute| {
        let is_global = |set: &OptionSet| set.is_global == Some(true);
        attribute.global_option_set.is_some() || attribute.option_set.as_ref().is_some_and(is_global)
    };
    // What cannot be read is no list of attributes.
    serde_json::from_slice::<List>(answer).is_ok_and(|list| list.value.iter().any(shares))
}

/// Whether lists of attributes are those of one table, as far as their contexts tell:
/// `…$metadata#EntityDefinitions(<key>)/Attributes…`.
fn are_of_one(answers: &[Vec<u8>]) -> bool {
    #[derive(Deserialize)]
    struct Head<'h> {
        #[serde(borrow, rename = "@odata.context")]
        context: Option<Cow<'h, str>>,
    }
    let key = |answer: &Vec<u8>| {
        let Head { context } = serde_json::from_slice(answer).ok()?;
        let (_, after) = context.as_deref()?.split_once("#EntityDefinitions(")?;
        after.split_once(')').map(|(key, _)| key.to_owned())
    };
    let keys: BTreeSet<String> = answers.iter().filter_map(key).collect();
    keys.len() < 2
}

impl<T: Transport> Remote<'_, T> {
    /// Definitions of tables, in order; `Err` holds the name of a table that the server does not describe. What cannot be read, since
    /// answers of several tables changed places on the way, for one, is asked for again first.
    ///
    /// # Errors
    /// When the answer as a whole says something else, or one of its parts asks to wait.
    pub async fn definitions(&self, names: &[String]) -> Result<Vec<Result<Described, String>>, Outcome> {
        let mut all = self.describe(names).await?;
        for _ in 1..READS_MAX {
            let unreadable = |(_, told): &(&String, &Told)| matches!(told, Told::Unreadable);
            let again: Vec<String> =
                names.iter().zip(&all).filter(unreadable).map(|(name, _)| name.clone()).collect();
            if again.is_empty() {
                break;
            }
            let places = all.iter_mut().filter(|told| matches!(told, Told::Unreadable));
            places.zip(self.describe(&again).await?).for_each(|(place, told)| *place = told);
        }
        let told = names.iter().zip(all).map(|(name, told)| match told {
            Told::Table(described) => Ok(*described),
            Told::Refused | Told::Unreadable => Err(name.clone()),
        });
        Ok(told.collect())
    }

    async fn describe(&self, names: &[String]) -> Result<Vec<Told>, Outcome> {
        let requests: Vec<Vec<String>> = names.iter().map(|name| definition_requests(name)).collect();
        let urls: Vec<&String> = requests.iter().flatten().collect();
        let mut bodies = Vec::with_capacity(urls.len());
        for chunk in urls.chunks(READS_AT_ONCE_MAX) {
            let read = |url: &&String| {
                Request::get(format!("{}{url}", self.root())).header(CONSISTENCY.0, CONSISTENCY.1)
            };
            let requests = chunk.iter().map(read).collect();
            let parts = self.read_requests(requests, About::Batch("EntityDefinitions", chunk.len())).await?;
            bodies.extend(parts.into_iter().map(|part| match part {
                Part::Body(body) => Some(body),
                Part::Refused(_) => None,
            }));
        }
        let mut bodies = bodies.into_iter();
        let told = names.iter().zip(&requests).map(|(name, requests)| {
            // All of them are taken, also where one was refused: those of the next table stand behind them.
            let answers: Vec<Option<Vec<u8>>> = bodies.by_ref().take(requests.len()).collect();
            let answers: Option<Vec<Vec<u8>>> = answers.into_iter().collect();
            answers.map_or(Told::Refused, |answers| read(name, &answers))
        });
        Ok(told.collect())
    }

    /// What became of several reads, in order.
    ///
    /// # Errors
    /// When the answer as a whole says something else, or one of its parts asks to wait.
    pub(super) async fn read_parts(&self, urls: &[&String], about: About<'_>) -> Result<Vec<Part>, Outcome> {
        let read = |url: &&String| Request::get(format!("{}{url}", self.root()));
        self.read_requests(urls.iter().map(read).collect(), about).await
    }

    /// The same of requests with headers of their own.
    ///
    /// # Errors
    /// As for [`Remote::read_parts`].
    pub(super) async fn read_requests(
        &self,
        requests: Vec<Request>,
        about: About<'_>,
    ) -> Result<Vec<Part>, Outcome> {
        let count = requests.len();
        let exchange = self.send_reads(requests, about).await;
        let answers = match exchange.answer.as_ref().ok().and_then(multipart) {
            Some(answers) => answers.map_err(Outcome::Retry)?,
            None => {
                return Err(match self.judge(Asked::Batch, &exchange) {
                    Outcome::Done => Outcome::Retry("the answer to a batch is no batch".to_owned()),
                    other => other,
                })
            }
        };
        self.heard.set(exchange.heard());
        if answers.len() != count {
            return Err(Outcome::Retry("answers are missing in the batch".to_owned()));
        }
        answers.into_iter().map(|answer| self.part(&exchange, answer)).collect()
    }

    /// The exchange in which several reads go as one batch.
    pub(super) async fn send_reads(&self, requests: Vec<Request>, about: About<'_>) -> Exchange {
        let part = |request: Request| {
            let request = request.header("Accept", "application/json");
            BatchItem::Single(batch::Part { content_id: None, request })
        };
        let items: Vec<BatchItem> = requests.into_iter().map(part).collect();
        let (content_type, body) = write_batch_request(&items, BOUNDARY);
        let mut request = Request::new(Method::Post, format!("{}$batch", self.root()))
            .header("Content-Type", content_type)
            .header("Prefer", "odata.continue-on-error");
        request.body = body;
        self.exchange(request, about).await
    }

    fn part(&self, exchange: &Exchange, answer: BatchAnswer) -> Result<Part, Outcome> {
        let BatchAnswer::Single(response) = answer else {
            return Err(Outcome::Retry("an answer in the batch is none to a read".to_owned()));
        };
        let status = response.status;
        let own = Exchange { answer: Ok(response), sent: exchange.sent, received: exchange.received };
        match (self.judge(Asked::Read, &own), own.answer) {
            (Outcome::Done, Ok(response)) => Ok(Part::Body(response.body)),
            (wait @ (Outcome::Hold(_) | Outcome::Retry(_)), _) => Err(wait),
            (Outcome::Park(reason) | Outcome::Resolve(Resolve::Gone(reason)), _) => Ok(Part::Refused(reason)),
            (Outcome::Done | Outcome::Resolve(_), _) => {
                Ok(Part::Refused(Reason { status, code: String::new(), message: String::new() }))
            }
        }
    }
}
