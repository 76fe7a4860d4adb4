//! Who calls, with the rights of this moment.
//!
//! Rights are asked for inside the transaction that uses them, so that no write goes through by a right
//! that was taken away before it, and no read shows what the caller may no longer see. What they are made
//! of is read once per change of rights.

use crate::db::rights::Sight;
use crate::db::sessions::Caller;
use crate::db::Reader;
use crate::rights::Rights;
use flette_odata::error::Result;
use flette_odata::Uuid;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Callers whose rights are kept.
const CALLERS_MAX: usize = 10_000;

/// Rights of callers since the last change of rights.
#[derive(Debug, Default)]
pub(super) struct Callers {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    version: Option<String>,
    callers: HashMap<Uuid, Arc<Caller>>,
}

impl Callers {
    /// A user with the rights it has in this snapshot.
    ///
    /// # Errors
    /// 401 when there is no such user any more, or it is disabled.
    pub(super) fn get(&self, reader: &Reader, user: Uuid) -> Result<Arc<Caller>> {
        let version = reader.rights_version()?;
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(caller) = known.callers.get(&user).filter(|_| known.version == version) {
                return Ok(caller.clone());
            }
        }
        let held = reader.holdings(user)?;
        let (holdings, full_name) = held.ok_or_else(crate::auth::unauthenticated)?;
        let sight = Sight::Of(Arc::new(Rights::new(&holdings)));
        let caller = Arc::new(Caller { user, unit: holdings.unit, full_name, sight });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // A version never comes again, so what a transaction saw that was rolled back is never taken for
        // the truth.
        if known.version != version || known.callers.len() >= CALLERS_MAX {
            *known = Known { version, callers: HashMap::new() };
        }
        known.callers.insert(user, caller.clone());
        Ok(caller)
    }
}
