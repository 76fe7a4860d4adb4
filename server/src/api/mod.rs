//! The Web API: one request in, one answer out. Knows nothing of sockets; blocks the thread while it works.

mod acting;
mod batch;
mod callers;
mod changes;
mod circumstances;
mod find;
mod functions;
mod in_order;
mod repeat;
mod rights;
mod source;
mod ticket;
mod write;

pub use write::{create_row, create_row_unlinked, update_row, Effect};

use crate::db::meta::Fact;
use crate::db::sessions::Caller;
use crate::db::{Database, Reader, Writer};
use acting::ActFor;
use callers::Callers;
use find::KnownNames;
pub use flette_odata::alike::Duplicates;
use flette_odata::answer;
pub use flette_odata::answer::{COUNT_MAX, PAGE_ROWS_MAX};
use flette_odata::error::Result;
use flette_odata::exact_time;
use flette_odata::names::NoNames;
use flette_odata::operation::{self, Operation};
use flette_odata::same_user;
use flette_odata::stamps::EXTENSIONS_HEADER;
use flette_odata::{metadata, EntityRef, Method, ODataError, Request, Response, Schema, Table, Uuid};
use in_order::InOrder;
use source::Rows;
use std::sync::Arc;

/// Header of `WhoAmI` that names the database's lineage.
pub const LINEAGE_HEADER: &str = "Flette-Lineage";
/// What this server can beyond Dataverse.
const EXTENSIONS: &str =
    "changes-only, exact-time, field-stamps, known-versions, repeatable-requests, same-user";

/// Whose rules the server follows where the two differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Profile {
    /// Change tracking needs the right to read the whole organisation.
    Dataverse,
    /// Change tracking for everyone: the feed obeys the caller's rights.
    #[default]
    Open,
}

/// The Web API over one database.
pub struct Service {
    database: Arc<Database>,
    profile: Profile,
    extensions: bool,
    callers: Callers,
    batches: InOrder,
}

/// Who asks, before it is known what they may do.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    /// Who signed in.
    user: Uuid,
    act_for: ActFor,
    root: &'a str,
    now: i64,
}

impl Asked<'_> {
    fn call<'c>(&'c self, caller: &'c Caller, service: &Service) -> Call<'c> {
        let (profile, extensions) = (service.profile, service.extensions);
        Call { caller, root: self.root, now: self.now, profile, extensions, duplicates: Duplicates::Allowed }
    }
}

/// Who calls, where the API's root is for them (absolute, ending in `/`), and when (milliseconds).
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The caller.
    pub caller: &'a Caller,
    /// Such as `http://host/api/data/v9.2/`.
    pub root: &'a str,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub now: i64,
    /// Rules to follow.
    pub profile: Profile,
    /// Whether what goes beyond Dataverse is offered.
    pub extensions: bool,
    /// Whether a write may make a duplicate.
    pub duplicates: Duplicates,
}

impl Service {
    /// A service over an open database.
    pub fn new(database: impl Into<Arc<Database>>, profile: Profile) -> Service {
        let (callers, batches) = (Callers::default(), InOrder::default());
        Service { database: database.into(), profile, extensions: true, callers, batches }
    }

    /// The same without what goes beyond Dataverse: no receipts of requests that are repeated, no field stamps, no answers of
    /// changes only, no word on who is meant, and none on the database's lineage.
    #[must_use]
    pub fn without_extensions(self) -> Service {
        Service { extensions: false, ..self }
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Answers a request of a user. Never fails: an error is an answer.
    pub fn answer(&self, user: Uuid, root: &str, request: &Request, now: i64) -> Response {
        let meant = if self.extensions { same_user::check(&request.headers, user) } else { Ok(()) };
        let answer = meant
            .and_then(|()| ActFor::read(&request.headers))
            .and_then(|act_for| self.respond(&Asked { user, act_for, root, now }, request));
        answer.unwrap_or_else(|error| error.to_response())
    }

    /// An answer, with what the server's clock says now that it is ready.
    pub fn dated(&self, answer: Response, now: i64) -> Response {
        match self.extensions {
            true => exact_time::tell(answer, now),
            false => answer,
        }
    }

    /// A user with the rights of this moment.
    ///
    /// # Errors
    /// 401 when there is no such user, or it is disabled.
    pub fn caller(&self, user: Uuid) -> Result<Arc<Caller>> {
        self.database.read(|reader| self.callers.get(reader, user))
    }

    fn caller_of(&self, reader: &Reader, asked: &Asked) -> Result<Arc<Caller>> {
        acting::caller(reader, &self.callers, asked.user, asked.act_for)
    }

    /// Reads in one snapshot, with the rights the caller has in it.
    fn read<T>(&self, asked: &Asked, mut work: impl FnMut(&Reader, &Call) -> Result<T>) -> Result<T> {
        self.database.read(|reader| {
            let caller = self.caller_of(reader, asked)?;
            work(reader, &asked.call(&caller, self))
        })
    }

    /// Writes in one transaction, with the rights the caller has in it.
    fn write<T>(&self, asked: &Asked, mut work: impl FnMut(&Writer, &Call) -> Result<T>) -> Result<T> {
        self.database.write(|writer| {
            let caller = self.caller_of(writer, asked)?;
            work(writer, &asked.call(&caller, self))
        })
    }

    fn respond(&self, asked: &Asked, request: &Request) -> Result<Response> {
        let path = request.url.split('?').next().unwrap_or_default();
        if path.ends_with("$batch") || path.ends_with("%24batch") {
            let operation = operation::parse(request, asked.root, &self.database.schema(), &NoNames)?;
            if let Operation::Batch(items) = operation {
                // A batch in a name that may not be used is refused as a whole.
                self.database.read(|reader| self.caller_of(reader, asked))?;
                let waits = self.database.has_one_writer() && items.iter().any(batch::may_write);
                let _turn = waits.then(|| self.batches.turn(asked.user));
                return Ok(self.batch(asked, request, items));
            }
        }
        self.single(asked, request)
    }

    /// Answers a request that is no batch, in a transaction of its own. What it asks for is read inside, by
    /// the schema and the rows of that transaction.
    fn single(&self, asked: &Asked, request: &Request) -> Result<Response> {
        if request.method == Method::Get {
            return self.read(asked, |reader, call| {
                look_up(reader, call, &request.url, parse(reader, call, request, &|_| None)?)
            });
        }
        self.write(asked, |writer, call| {
            let call = &Call { duplicates: Duplicates::asked(request), ..*call };
            let outcome = repeat::once(writer, call, request, || {
                let operation = parse(writer, call, request, &|_| None)?;
                match operation.is_write() {
                    true => write::carry_out(writer, call, operation),
                    false => Err(ODataError::bad_payload("A batch cannot hold a batch.")),
                }
            });
            outcome.map(repeat::Outcome::into_response)
        })
    }
}

/// Reads a request where its rows are. `content` is what a change set has made so far.
fn parse(
    reader: &Reader,
    call: &Call,
    request: &Request,
    content: &dyn Fn(&str) -> Option<EntityRef>,
) -> Result<Operation> {
    let names = KnownNames { reader, sight: call.caller.sight(), content };
    let operation = operation::parse(request, call.root, reader.schema, &names)?;
    answer::check_supported(&operation)?;
    Ok(operation)
}

/// Carries out what reads. `url` is the request's own, for links to further pages.
fn look_up(reader: &Reader, call: &Call, url: &str, operation: Operation) -> Result<Response> {
    let rows = Rows::new(reader, call);
    if let Some(answer) = changes::respond(reader, call, (&rows, url), &operation)? {
        return Ok(answer);
    }
    if let Some(answer) = answer::respond(&rows, call.root, url, &operation)? {
        return Ok(answer);
    }
    match operation {
        Operation::Service => Ok(Response::json(200, metadata::service_document(reader.schema, call.root))),
        Operation::Metadata => {
            let mut response = Response::empty(200).header("Content-Type", "application/xml; charset=utf-8");
            let query = url.split_once('?').map_or("", |(_, query)| query);
            response.body = match query.split('&').any(|option| option == "annotations=true") {
                true => metadata::metadata_xml_annotated(reader.schema),
                false => metadata::metadata_xml(reader.schema),
            };
            Ok(response)
        }
        Operation::WhoAmI => who_am_i(reader, call),
        Operation::Definitions { path, options } => {
            let make = || metadata::definitions(reader.schema, &path, &options, call.root);
            reader.answers().get(&format!("{} {url}", call.root), make).map(|body| Response::json(200, body))
        }
        Operation::Function { name, parameters } => functions::call(reader, call, &name, &parameters),
        Operation::Batch(_) => Err(ODataError::bad_payload("A batch cannot hold a batch.")),
        Operation::ReadCollection { .. }
        | Operation::Count { .. }
        | Operation::ReadRow { .. }
        | Operation::ReadProperty { .. }
        | Operation::ReadNavigation { .. }
        | Operation::ReadReference { .. }
        | Operation::ReadRelated { .. }
        | Operation::CountRelated { .. } => {
            Err(ODataError::new(500, "0x80040216", "A read found no answer."))
        }
        Operation::Create { .. }
        | Operation::Update { .. }
        | Operation::SetProperty { .. }
        | Operation::Delete { .. }
        | Operation::Define { .. }
        | Operation::Action { .. }
        | Operation::SetReference { .. }
        | Operation::Pair { .. }
        | Operation::ReplaceSet { .. }
        | Operation::Multiple { .. } => {
            Err(ODataError::new(500, "0x80040216", "A write was taken for a read."))
        }
    }
}

fn who_am_i(reader: &Reader, call: &Call) -> Result<Response> {
    let body = serde_json::json!({
        "@odata.context": format!("{}$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse", call.root),
        "BusinessUnitId": call.caller.unit,
        "UserId": call.caller.user,
        "OrganizationId": reader.fact_id(Fact::OrganizationId)?,
    });
    let answer = Response::json(200, body.to_string().into_bytes());
    if !call.extensions {
        return Ok(answer);
    }
    let lineage = reader.fact_id(Fact::Lineage)?.to_string();
    Ok(answer.header(LINEAGE_HEADER, lineage).header(EXTENSIONS_HEADER, EXTENSIONS))
}

/// A table that a parsed URL names.
fn table_of<'s>(schema: &'s Schema, logical_name: &str) -> Result<&'s Table> {
    schema.table(logical_name).ok_or_else(|| ODataError::segment_not_found(logical_name))
}

/// Absolute URL of a row.
fn row_url(root: &str, table: &Table, id: Uuid) -> String {
    format!("{root}{}({id})", table.set_name)
}

/// The writer's schema, by table name.
fn table_for<'w>(writer: &'w Writer, logical_name: &str) -> Result<&'w Table> {
    table_of(writer.schema, logical_name)
}
