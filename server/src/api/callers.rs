//! Who calls, with the rights of this moment.
//!
//! Rights are asked for inside the transaction that uses them, so that no write goes through by a right
//! that was taken away before it, and no read shows what the caller may no longer see. What they are made
//! of is read once per change of rights.

use crate::db::rights::Sight;
use crate::db::sessions::Caller;
use crate::db::Reader;
use crate::rights::{Holdings, Rights};
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
    /// By user, and by who acts for it.
    callers: HashMap<(Uuid, Option<Uuid>), Arc<Caller>>,
}

impl Callers {
    /// A user with the rights it has in this snapshot.
    ///
    /// # Errors
    /// 401 when there is no such user any more, or it is disabled.
    pub(super) fn get(&self, reader: &Reader, user: Uuid) -> Result<Arc<Caller>> {
        let held = self.remember(reader, (user, None), Rights::new)?;
        held.ok_or_else(crate::auth::unauthenticated)
    }

    /// A user in whose name `actor` asks, who has these rights; `None` when there is no such user, or it is disabled.
    pub(super) fn acting(
        &self,
        reader: &Reader,
        actor: Uuid,
        rights: &Arc<Rights>,
        user: Uuid,
    ) -> Result<Option<Arc<Caller>>> {
        let exercised = |held: &Holdings| Rights::new(held).exercised_by(rights.clone());
        self.remember(reader, (user, Some(actor)), exercised)
    }

    fn remember(
        &self,
        reader: &Reader,
        (user, actor): (Uuid, Option<Uuid>),
        rights: impl FnOnce(&Holdings) -> Rights,
    ) -> Result<Option<Arc<Caller>>> {
        let version = reader.rights_version()?;
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(caller) = known.callers.get(&(user, actor)).filter(|_| known.version == version) {
                return Ok(Some(caller.clone()));
            }
        }
        let Some((holdings, full_name)) = reader.holdings(user)? else { return Ok(None) };
        let sight = Sight::Of(Arc::new(rights(&holdings)));
        let caller = Arc::new(Caller { user, actor, unit: holdings.unit, full_name, sight });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // A version never comes again, so what a transaction saw that was rolled back is never taken for
        // the truth.
        if known.version != version || known.callers.len() >= CALLERS_MAX {
            *known = Known { version, callers: HashMap::new() };
        }
        known.callers.insert((user, actor), caller.clone());
        Ok(Some(caller))
    }
}
