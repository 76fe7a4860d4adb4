//! A database that every run begins with, made once.

use flette_server::api::{Profile, Service};
use flette_server::db::{Database, Location};
use flette_server::{people, schema};
use std::path::PathBuf;
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
    pub fn service(&self, seed: u64) -> Result<Service, String> {
        let copy = self.file(&format!("run-{seed}"));
        std::fs::copy(self.file("template"), &copy).map_err(|error| error.to_string())?;
        let service = Service::new(open(copy.clone())?, Profile::Open);
        // The open file lives on without its name.
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", copy.display()));
        }
        Ok(service)
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
