//! The command line.

use crate::api::{Profile, Service};
use crate::db::changes::TOMBSTONE_DAYS;
use crate::db::{Database, Location};
use crate::import::{self, Mapping};
use crate::progress::Progress;
use crate::web::{Hosts, Limits, MetricsAccess, Options, Origin};
use crate::{demo, people, schema, web};
use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long requests under way may take once the server was told to stop.
const SHUTDOWN_SECONDS_MAX: u64 = 10;
/// How long the server waits between two times of forgetting what is old.
const CLEAN_UP_SECONDS: u64 = 3600;

/// Reference CRM server: a subset of the Dataverse Web API on SQLite.
#[derive(Debug, Parser)]
#[command(name = "flette-server", version, about, long_about = None)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// How the log on standard error is written; FLETTE_LOG says how much of it
    #[arg(long, global = true, value_enum, default_value_t)]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object in a line, for programs
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the Web API and, with --site, the web CRM
    Serve(Serve),
    /// Load CSV or vCard files into a database; each file as a whole or not at all
    Import(Import),
    /// Give a database that was restored from a copy a new identity: clients read everything anew
    Restored(Store),
    /// Set a user's password, read from the first line of standard input
    SetPassword(SetPassword),
}

#[derive(Debug, Args)]
struct Store {
    /// Where the data is: sqlite:PATH (created when missing), sqlite::memory: (gone at the end) or
    /// postgres://USER@HOST/DATABASE
    #[arg(long, value_name = "URL", default_value = "sqlite:flette.sqlite")]
    database: Location,
    /// Name of the organisation, used when the database is created
    #[arg(long, value_name = "NAME", default_value = "Flette")]
    name: String,
}

impl Store {
    fn open(&self) -> Result<Database> {
        let opened = Database::open(&self.database, Arc::new(schema::schema()), &self.name);
        let database = opened.context("cannot open the database")?;
        people::found(&database, web::now()).context("cannot prepare the database")?;
        Ok(database)
    }
}

#[derive(Debug, Args)]
struct Serve {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    #[command(flatten)]
    store: Store,
    /// Folder of the web CRM (index.html, worker.js …)
    #[arg(long, value_name = "DIR")]
    site: Option<PathBuf>,
    /// Add the users demo, anna, ola and admin (password "flette") and, once, ROWS made-up contacts
    #[arg(long, value_name = "ROWS", num_args = 0..=1, default_missing_value = "1000")]
    demo: Option<u64>,
    /// Whose rules to follow: with "dataverse", change tracking needs organisation-level read
    #[arg(long, value_enum, default_value_t)]
    profile: Profile,
    /// Leave out what goes beyond Dataverse: receipts, field stamps, lineage …, to see how clients fare without
    #[arg(long)]
    no_extensions: bool,
    /// An origin whose pages may call the API with a bearer token, such as https://app.example; once for each
    #[arg(long, value_name = "ORIGIN")]
    cors_origin: Vec<Origin>,
    /// A further host name this server answers to. On a loopback address others than its own are refused.
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Throttle every user as Dataverse does; the parts may be changed:
    /// requests=6000,seconds=1200,concurrent=52,window=300
    #[arg(long, value_name = "LIMITS", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    throttle: Option<Limits>,
    /// How many days a deletion is told to clients that were away; who was away for longer reads all anew
    #[arg(long, value_name = "DAYS", default_value_t = TOMBSTONE_DAYS, value_parser = clap::value_parser!(i64).range(1..=36_500))]
    tombstone_days: i64,
    /// Show /metrics to everybody and not only to programs of this machine
    #[arg(long)]
    metrics_public: bool,
}

impl Serve {
    fn options(&self) -> Options {
        Options {
            site: self.site.clone(),
            origins: self.cors_origin.clone(),
            hosts: Hosts::of(self.listen, &self.host),
            throttle: self.throttle,
            metrics: if self.metrics_public { MetricsAccess::Everybody } else { MetricsAccess::Loopback },
        }
    }
}

#[derive(Debug, Args)]
struct Import {
    #[command(flatten)]
    store: Store,
    /// Table to fill, by entity set or logical name (accounts, contacts, tasks)
    #[arg(long, value_name = "TABLE")]
    table: String,
    /// Put a column of the file into an attribute. "contact.ATTRIBUTE" (or "account.ATTRIBUTE") makes a row
    /// of its own that is linked to the imported one. Columns named like an attribute need no mapping.
    #[arg(long, value_name = "COLUMN=ATTRIBUTE")]
    map: Vec<Mapping>,
    /// User who will own the rows
    #[arg(long, value_name = "USER", default_value = people::ADMIN)]
    owner: String,
    /// Files to load: .csv with a header line, or .vcf
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct SetPassword {
    #[command(flatten)]
    store: Store,
    /// User name
    user: String,
}

/// Carries out a command line.
///
/// # Errors
/// What went wrong, for people.
pub fn run(arguments: Arguments) -> Result<()> {
    start_log(arguments.log_format);
    match arguments.command {
        Command::Serve(serve) => run_serve(serve),
        Command::Import(import) => run_import(&import),
        Command::Restored(store) => {
            store.open()?.write(|writer| writer.renew_lineage()).context("cannot write to the database")
        }
        Command::SetPassword(set) => run_set_password(&set),
    }
}

/// The log goes to standard error; `FLETTE_LOG` says how much.
fn start_log(format: LogFormat) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("FLETTE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

fn run_serve(serve: Serve) -> Result<()> {
    let database = serve.store.open()?;
    let now = web::now();
    clean_up(&database, serve.tombstone_days).context("cannot clean up the database")?;
    if let Some(rows) = serve.demo {
        people::add_demo_people(&database, now).context("cannot add the demo users")?;
        let (mut told, started) = (Progress::new("demo data"), Instant::now());
        let mut progress = |done, total| tell(&mut told, (done, total), started);
        demo::fill(&database, rows, now, &mut progress).context("cannot add the demo data")?;
    }
    if let Some(site) = &serve.site {
        anyhow::ensure!(site.is_dir(), "the site folder {} does not exist", site.display());
    }
    let options = serve.options();
    let database = Arc::new(database);
    let mut service = Service::new(database.clone(), serve.profile);
    if serve.no_extensions {
        service = service.without_extensions();
    }
    let app = web::app(service, options);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(serve.listen)
            .await
            .with_context(|| format!("cannot listen on {}", serve.listen))?;
        let address = listener.local_addr()?;
        // Before anybody knows of the address: a signal must not end the process half way.
        let stopped = stop_signal().context("cannot catch signals")?;
        tokio::spawn(clean_up_for_ever(database, serve.tombstone_days));
        println!("listening on http://{address}");
        std::io::stdout().flush()?;
        let (told, mut stop) = tokio::sync::watch::channel(false);
        let server = axum::serve(listener, app).with_graceful_shutdown(async move {
            stopped.await;
            tracing::info!("stopping");
            let _ = told.send(true);
        });
        let late = async {
            // Ends only when the server was told to stop; a client that keeps its request open must not
            // hold it up.
            if stop.wait_for(|told| *told).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(SHUTDOWN_SECONDS_MAX)).await;
            }
        };
        tokio::select! {
            served = std::future::IntoFuture::into_future(server) => served.context("the server failed"),
            () = late => Ok(()),
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(SHUTDOWN_SECONDS_MAX));
    served
}

/// Forgets sessions, receipts and deletions that are old enough.
fn clean_up(database: &Database, tombstone_days: i64) -> flette_odata::error::Result<()> {
    let now = web::now();
    database.write(|writer| {
        writer.purge_sessions(now)?;
        writer.purge_receipts(now)?;
        writer.purge_tombstones(now, tombstone_days)
    })
}

/// The same again and again while the server runs. A failure is logged where it happens.
async fn clean_up_for_ever(database: Arc<Database>, tombstone_days: i64) {
    loop {
        tokio::time::sleep(Duration::from_secs(CLEAN_UP_SECONDS)).await;
        let database = database.clone();
        let _ = tokio::task::spawn_blocking(move || clean_up(&database, tombstone_days)).await;
    }
}

/// Waits for SIGTERM or SIGINT, which are caught from this call on.
#[cfg(unix)]
fn stop_signal() -> Result<impl std::future::Future<Output = ()>> {
    use tokio::signal::unix::{signal, SignalKind};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Waits for an interrupt.
#[cfg(not(unix))]
fn stop_signal() -> Result<impl std::future::Future<Output = ()>> {
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}

fn run_import(import: &Import) -> Result<()> {
    let database = import.store.open()?;
    for file in &import.files {
        let (mut told, started) = (Progress::new(file.display().to_string()), Instant::now());
        let mut progress = |done, total| tell(&mut told, (done, total), started);
        let job = import::Job {
            database: &database,
            table: &import.table,
            mappings: &import.map,
            owner: &import.owner,
            now: web::now(),
        };
        let summary = job
            .load(file, &mut progress)
            .with_context(|| format!("nothing imported from {}", file.display()))?;
        println!("{}: {summary}", file.display());
    }
    Ok(())
}

fn tell(progress: &mut Progress, (done, total): (u64, u64), started: Instant) {
    if let Some(line) = progress.line(done, total, started.elapsed()) {
        eprintln!("{line}");
    }
}

fn run_set_password(set: &SetPassword) -> Result<()> {
    let database = set.store.open()?;
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("cannot read the password")?;
    let password = text.lines().next().unwrap_or_default();
    anyhow::ensure!(!password.is_empty(), "the password on standard input is empty");
    people::set_password(&database, &set.user, password)
        .with_context(|| format!("cannot set the password of {}", set.user))
}
