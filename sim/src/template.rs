//! The server's database as runs begin with it: made once, and copied.

use crate::device::TABLES;
use flette_odata::edm::{ColumnKind, Required};
use flette_odata::{Column, Schema};
use flette_server::api::{Profile, Service};
use flette_server::db::{Database, Location};
use flette_server::{people, schema};
use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// A moment before every run, milliseconds since 1970.
const FOUNDED_MILLIS: i64 = 1_773_000_000_000;
/// A folder whose files are in memory, where there is one: commits of the server then need not wait for a disk.
const IN_MEMORY: &str = "/dev/shm";
/// Columns that the tables of devices have, beside those that every row needs.
const KEPT: [&str; 12] = [
    "accountnumber",
    "domainname",
    "emailaddress1",
    "exchangerate",
    "firstname",
    "fullname",
    "internalemailaddress",
    "isdisabled",
    "jobtitle",
    "lastname",
    "telephone1",
    "telephone2",
];
/// Of addresses, that of people is kept.
const ADDRESS: (&str, &str) = ("contact", "address1_");

/// A folder for databases, and the schema that they begin with. It goes with this.
pub struct Folder {
    path: PathBuf,
    schema: Arc<Schema>,
    files: AtomicU64,
}

impl Folder {
    /// An empty one.
    ///
    /// # Errors
    /// When it cannot be made.
    fn new() -> Result<Folder, String> {
        static FOLDERS: AtomicU64 = AtomicU64::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("flette-sim-{}-{number}", std::process::id());
        let memory = Path::new(IN_MEMORY).join(&name);
        let path = match std::fs::create_dir_all(&memory) {
            Ok(()) => memory,
            Err(_) => std::env::temp_dir().join(&name),
        };
        std::fs::create_dir_all(&path).map_err(|error| error.to_string())?;
        Ok(Folder { path, schema: Arc::new(slim(schema::schema())), files: AtomicU64::new(0) })
    }

    fn file(&self) -> PathBuf {
        self.path.join(format!("{}.sqlite", self.files.fetch_add(1, Ordering::Relaxed)))
    }

    /// A database that others are copied from.
    ///
    /// # Errors
    /// When files cannot be written or opened.
    fn original(&self, bytes: Vec<u8>) -> Result<Original, String> {
        let file = self.file();
        std::fs::write(&file, &bytes).map_err(|error| error.to_string())?;
        Ok(Original { bytes, open: open(&file, &self.schema)? })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// A database that others are copied from: its bytes, and what whoever opened it knows of it.
pub struct Original {
    bytes: Vec<u8>,
    open: Database,
}

/// See the module.
pub struct Template {
    founded: Original,
    folder: Folder,
}

impl Template {
    /// Makes the database.
    ///
    /// # Errors
    /// When it cannot be made, in the words of whoever could not.
    pub fn new() -> Result<Template, String> {
        let folder = Folder::new()?;
        let file = folder.file();
        let database = open(&file, &folder.schema)?;
        people::found(&database, FOUNDED_MILLIS).map_err(|error| error.message)?;
        people::add_demo_people(&database, FOUNDED_MILLIS).map_err(|error| error.message)?;
        // Whoever closes it last puts the log into it.
        drop(database);
        let founded = folder.original(std::fs::read(&file).map_err(|error| error.to_string())?)?;
        Ok(Template { founded, folder })
    }

    /// A server with nobody but the people of the demo.
    ///
    /// # Errors
    /// As [`Template::new`].
    pub fn founded(&self) -> Result<Premises, String> {
        self.premises(&self.founded, Offer::default())
    }

    /// What a server has come to, for others to begin with.
    ///
    /// # Errors
    /// As [`Template::new`].
    pub fn original(&self, premises: &Premises) -> Result<Original, String> {
        self.folder.original(premises.image()?)
    }

    /// A server on a copy of its own, with what it offers.
    ///
    /// # Errors
    /// As [`Template::new`].
    pub fn premises(&self, original: &Original, offer: Offer) -> Result<Premises, String> {
        let (file, schema) = (self.folder.file(), self.folder.schema.clone());
        std::fs::write(&file, &original.bytes).map_err(|error| error.to_string())?;
        let database = original.open.open_copy(&Location::File(file.clone()));
        let service = offer.service(database.map_err(|error| error.message)?);
        let (file, backup, copies) = (RefCell::new(file), RefCell::new(None), Cell::new(0));
        Ok(Premises { schema, offer, service: RefCell::new(Rc::new(service)), file, backup, copies })
    }
}

/// A schema in which the tables of devices have few columns. What becomes of a row does not depend on how many it has,
/// and most of the time would go into columns that nobody uses.
fn slim(mut schema: Schema) -> Schema {
    for table in schema.tables.iter_mut().filter(|table| TABLES.contains(&table.logical_name.as_str())) {
        let (table_name, name) = (table.logical_name.clone(), table.primary_name.clone());
        table.columns.retain(|column| column.logical_name == name || is_kept(&table_name, column));
    }
    schema
}

fn is_kept(table: &str, column: &Column) -> bool {
    let name = column.logical_name.as_str();
    let needed = match column.kind {
        ColumnKind::Id | ColumnKind::Guid | ColumnKind::BigInt | ColumnKind::Lookup { .. } => true,
        ColumnKind::State { .. } | ColumnKind::Status { .. } => true,
        ColumnKind::DateTime => matches!(name, "createdon" | "modifiedon" | "overriddencreatedon"),
        _ => false,
    };
    let is_choice = matches!(column.kind, ColumnKind::Picklist { .. });
    let of_address = table == ADDRESS.0 && name.starts_with(ADDRESS.1) && !is_choice;
    let required = matches!(column.required, Required::Application | Required::System);
    needed || of_address || required || KEPT.contains(&name)
}

/// What a server offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Whose rules it follows.
    pub kind: Profile,
    /// Whether it has what goes beyond Dataverse.
    pub extensions: bool,
}

impl Default for Offer {
    fn default() -> Offer {
        Offer { kind: Profile::Open, extensions: true }
    }
}

impl Offer {
    fn service(self, database: Database) -> Service {
        let service = Service::new(database, self.kind);
        if self.extensions {
            service
        } else {
            service.without_extensions()
        }
    }
}

/// A server and the files it stands on.
pub struct Premises {
    schema: Arc<Schema>,
    /// What it offers.
    offer: Offer,
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

    /// The database as it is now, in one piece.
    fn image(&self) -> Result<Vec<u8>, String> {
        let copy = self.next();
        copy_files(&self.file.borrow(), &copy)?;
        // Whoever closes it last puts the log into it.
        drop(open(&copy, &self.schema)?);
        let image = std::fs::read(&copy).map_err(|error| error.to_string());
        remove(&copy);
        image
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
        let service = self.offer.service(open(&backup, &self.schema)?);
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

fn open(path: &Path, schema: &Arc<Schema>) -> Result<Database, String> {
    let location = Location::File(path.to_owned());
    Database::open(&location, schema.clone(), "Simulation").map_err(|error| error.message)
}
