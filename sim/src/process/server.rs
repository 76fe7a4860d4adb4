//! A `flette-server` process: started, killed and started again.

use super::held;
use crate::template::Offer;
use flette_server::api::Profile;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::Mutex;

/// What the program says when it listens.
const LISTENING: &str = "listening on http://127.0.0.1:";

/// Which program runs on which database.
#[derive(Debug, Clone)]
pub struct Place {
    /// The `flette-server` program.
    pub program: PathBuf,
    /// The database, as the program's `--database` takes it.
    pub database: String,
    /// A file for what it logs.
    pub log: PathBuf,
    /// What it offers.
    pub offer: Offer,
}

/// See the module; killed when dropped.
pub(super) struct ServerProcess {
    place: Place,
    child: Mutex<Child>,
    port: AtomicU16,
}

impl ServerProcess {
    /// Starts it on a free port.
    pub(super) fn start(place: &Place) -> Result<ServerProcess, String> {
        let (child, port) = spawn(place)?;
        Ok(ServerProcess { place: place.clone(), child: Mutex::new(child), port: AtomicU16::new(port) })
    }

    /// Where it listens; elsewhere after a fall.
    pub(super) fn port(&self) -> u16 {
        self.port.load(Ordering::SeqCst)
    }

    /// Kills it without a warning, and starts it again on its database.
    pub(super) fn fall(&self) -> Result<(), String> {
        let mut child = held(&self.child);
        end(&mut child);
        let (next, port) = spawn(&self.place)?;
        *child = next;
        self.port.store(port, Ordering::SeqCst);
        Ok(())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        end(&mut held(&self.child));
    }
}

/// SIGKILL, of this process alone.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn spawn(Place { program, database, log, offer }: &Place) -> Result<(Child, u16), String> {
    let told = |error: std::io::Error| format!("{}: {error}", program.display());
    let log = File::options().create(true).append(true).open(log).map_err(told)?;
    let mut child = Command::new(program)
        .args(["serve", "--listen", "127.0.0.1:0", "--demo", "0", "--database", database.as_str()])
        .args(["--profile", if offer.kind == Profile::Open { "open" } else { "dataverse" }])
        .args((!offer.extensions).then_some("--no-extensions"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(told)?;
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        let _ = BufReader::new(output).read_line(&mut line);
    }
    match line.trim_end().strip_prefix(LISTENING).and_then(|port| port.parse().ok()) {
        Some(port) => Ok((child, port)),
        None => {
            end(&mut child);
            Err(format!("{} does not listen on {database}: {line:?}", program.display()))
        }
    }
}
