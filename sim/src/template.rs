//! A database that every run begins with, made once.

use flette_server::api::{Profile, Service};
use flette_server::db::{Database, Location};
use flette_server::{people, schema};
use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// A moment before every run, milliseconds since 1970.
const FOUNDED_MILLIS: i64 = 1_773_000_000_000;

/// See the module; its folder goes with it.
pub struct Template {
    folder: PathBuf,
}

impl Template {
    /// Makes the database in a folder of its own below `parent`.
    ///
    /// # Errors
    /// When it cannot be made, in the words of whoever could not.
    pub fn new(parent: PathBuf) -> Result<Template, String> {
        let folder = parent.join(format!("flette-sim-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let template = Template { folder };
        let database = open(template.file("template"))?;
        let found = people::found(&database, FOUNDED_MILLIS);
        found.and_then(|()| people::add_demo_people(&database, FOUNDED_MILLIS)).map_err(|e| e.message)?;
        Ok(template)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.sqlite"))
    }

    /// A server on a copy of its own.
    ///
    /// # Errors
    /// As [`Template::new`].
    pub fn service(&self, seed: u64) -> Result<Premises, String> {
        let file = self.file(&format!("run-{seed}"));
        std::fs::copy(self.file("template"), &file).map_err(|error| error.to_string())?;
        let service = RefCell::new(Rc::new(Service::new(open(file.clone())?, Profile::Open)));
        Ok(Premises { service, file: RefCell::new(file), backup: RefCell::new(None), copies: Cell::new(0) })
    }
}

/// A server and the files it stands on.
pub struct Premises {
    service: RefCell<Rc<Service>>,
    file: RefCell<PathBuf>,
    backup: RefCell<Option<PathBuf>>,
    copies: Cell<u32>,
}

/// A database and the log beside it.
const SUFFIXES: [&str; 2] = ["", "-wal"];

impl Premises {
    /// The server as it is now.
    pub fn service(&self) -> Rc<Service> {
        self.service.borrow().clone()
    }

    /// Copies the database, between two requests.
    ///
    /// # Errors
    /// When files cannot be copied.
    pub fn back_up(&self) -> Result<(), String> {
        let copy = self.next();
        copy_files(&self.file.borrow(), &copy)?;
        if let Some(older) = self.backup.replace(Some(copy)) {
            remove(&older);
        }
        Ok(())
    }

    /// Whether there is a copy.
    pub fn is_backed_up(&self) -> bool {
        self.backup.borrow().is_some()
    }

    /// Puts the copy in the place of the database, as `flette-server restored` does.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn restore(&self) -> Result<(), String> {
        let Some(backup) = self.backup.take() else { return Ok(()) };
        let service = Service::new(open(backup.clone())?, Profile::Open);
        service.database().write(|writer| writer.renew_lineage()).map_err(|error| error.message)?;
        drop(self.service.replace(Rc::new(service)));
        remove(&self.file.replace(backup));
        Ok(())
    }

    fn next(&self) -> PathBuf {
        self.copies.set(self.copies.get() + 1);
        let mut name = self.file.borrow().as_os_str().to_owned();
        name.push(format!(".{}", self.copies.get()));
        PathBuf::from(name)
    }
}

impl Drop for Premises {
    fn drop(&mut self) {
        remove(&self.file.borrow());
        if let Some(backup) = self.backup.take() {
            remove(&backup);
        }
    }
}

fn copy_files(from: &Path, to: &Path) -> Result<(), String> {
    for suffix in SUFFIXES {
        let name = |path: &Path| format!("{}{suffix}", path.display());
        if Path::new(&name(from)).exists() {
            std::fs::copy(name(from), name(to)).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
}

impl Drop for Template {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn open(path: PathBuf) -> Result<Database, String> {
    let schema = Arc::new(schema::schema());
    Database::open(&Location::File(path), schema, "Simulation").map_err(|error| error.message)
}
