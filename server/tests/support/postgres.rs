//! A PostgreSQL server of the tests' own, one per test program, with a database per test. Standard library
//! only, so that other packages' tests may take this file in by its path.
//!
//! It listens on a Unix socket in a temporary folder. A shell watches over it: when the test program ends,
//! however it ends, its end of a pipe closes, and the shell stops the server and deletes the folder.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Tests are gone by then, or the machine is too slow for them.
const START_SECONDS_MAX: u64 = 60;
/// Test programs hold many connections.
const CONNECTIONS_MAX: u32 = 400;

/// Runs the server in the folder `$1` with the programs in `$2`, the command prefix `$3…`; ends with its
/// standard input.
const WATCH: &str = r#"
trap '' INT TERM HUP
folder=$1; programs=$2; shift 2
"$@" "$programs/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c fsync=off \
    -c full_page_writes=off -c max_connections=__CONNECTIONS__ -c shared_buffers=64MB \
    -c log_min_messages=fatal >"$folder/log" 2>&1 &
server=$!
cat >/dev/null
kill -INT $server
wait $server
rm -rf "$folder"
"#;

/// A running server.
pub struct Postgres {
    folder: PathBuf,
    programs: PathBuf,
    databases: AtomicU32,
    /// Its standard input is the pipe that the watch waits on.
    watch: Child,
}

impl Postgres {
    /// The one of this test program; started when it is first asked for.
    pub fn shared() -> &'static Postgres {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Postgres::start)
    }

    /// Starts a server of one's own.
    pub fn start() -> Postgres {
        let programs = programs().expect(
            "PostgreSQL is not installed here; `node scripts/setup.mjs --tests` does it, or name the folder of \
             its programs in FLETTE_POSTGRES",
        );
        let folder = new_folder();
        let prefix = prefix(&folder);
        let data = folder.join("data");
        let made = command(&prefix, &programs.join("initdb"))
            .args(["-U", "flette", "-A", "trust", "--locale=C", "-E", "UTF8", "--no-sync", "-D"])
            .arg(&data)
            .current_dir(&folder)
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let watch = Command::new("sh")
            .arg("-c")
            .arg(WATCH.replace("__CONNECTIONS__", &CONNECTIONS_MAX.to_string()))
            .arg("watch")
            .args([&folder, &programs])
            .args(&prefix)
            .args(prefix.is_empty().then_some("env"))
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell runs");
        let server = Postgres { folder, programs, databases: AtomicU32::new(0), watch };
        let started = Instant::now();
        while !server.psql("postgres", "SELECT 1") {
            assert!(started.elapsed() < Duration::from_secs(START_SECONDS_MAX), "PostgreSQL does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// URL of a new, empty database.
    pub fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        assert!(self.psql("postgres", &format!("CREATE DATABASE {name}")), "no new database");
        self.url(&name)
    }

    /// URL of a new database that holds what another one does. Nobody may be connected to that one.
    pub fn copy_of(&self, url: &str) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let template = Postgres::name_of(url);
        // A connection that was just closed may take its time to go.
        let started = Instant::now();
        while !self.psql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}")) {
            assert!(started.elapsed() < Duration::from_secs(START_SECONDS_MAX), "no copy of {template}");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.url(&name)
    }

    fn url(&self, name: &str) -> String {
        format!("postgres://flette@/{name}?host={}", self.folder.display())
    }

    fn name_of(url: &str) -> &str {
        url.split('?').next().and_then(|path| path.rsplit('/').next()).unwrap_or_default()
    }

    /// Carries out SQL in a database given by its URL; its answer as text.
    pub fn ask(&self, url: &str, sql: &str) -> String {
        let output = self.run(Postgres::name_of(url), sql);
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn psql(&self, database: &str, sql: &str) -> bool {
        self.run(database, sql).status.success()
    }

    fn run(&self, database: &str, sql: &str) -> std::process::Output {
        let beside = self.programs.join("psql");
        let program = if beside.is_file() { beside } else { PathBuf::from("psql") };
        Command::new(program)
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "flette", "-d", database, "-h"])
            .arg(&self.folder)
            .args(["-c", sql])
            .output()
            .expect("psql runs")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.watch.stdin.take());
        let _ = self.watch.wait();
    }
}

/// The folder that holds `postgres` and `initdb`: the newest.
pub fn programs() -> Option<PathBuf> {
    let whole = |folder: &Path| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    if let Some(folder) = std::env::var_os("FLETTE_POSTGRES").map(PathBuf::from) {
        return whole(&folder).then_some(folder);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(folder) = std::env::split_paths(&path).find(|folder| whole(folder)) {
        return Some(folder);
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut versions: Vec<(u32, PathBuf)> = versions
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| whole(folder))
        .collect();
    versions.sort();
    versions.pop().map(|(_, folder)| folder)
}

/// A short path: that of a socket may have about a hundred bytes.
fn new_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("flette-pg-{}-{count}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).expect("a temporary folder");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).expect("a private folder");
    folder
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// PostgreSQL refuses to run as root: what to write before a command then. The folder is given away.
fn prefix(folder: &Path) -> Vec<String> {
    if !is_root() {
        return Vec::new();
    }
    let exists = |user: &&&str| {
        Command::new("id").arg("-u").arg(user).output().is_ok_and(|output| output.status.success())
    };
    let user = *["postgres", "nobody"].iter().find(exists).expect("a user who is not root");
    let given = Command::new("chown").arg(user).arg(folder).status();
    assert!(given.is_ok_and(|status| status.success()), "the folder cannot be given to {user}");
    let words = ["setpriv", "--reuid", user, "--regid", "65534", "--clear-groups", "--"];
    words.map(str::to_owned).to_vec()
}

fn command(prefix: &[String], program: &Path) -> Command {
    match prefix {
        [] => Command::new(program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    }
}
