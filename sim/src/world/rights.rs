//! What happens to rights, and to what the server remembers of requests: users who are disabled for a while, rows that a
//! team owns and who is in it, receipts that are forgotten.

use super::{Done, World};
use crate::account::Sight;
use crate::tale::tell;
use flette_odata::time::DAY_MILLIS;
use flette_odata::{Method, Uuid};
use flette_server::db::receipts::RECEIPT_DAYS;
use flette_server::people::user_id;
use serde_json::{json, Value as Json};
use std::collections::BTreeSet;

/// The team that owns rows now and then.
const TEAM: Uuid = Uuid::from_u128(0x7ea3_0000_0000_4000_8000_0000_0000_0001);
/// Who joins and leaves it. They see only part of the rows otherwise.
const MEMBERS: [&str; 2] = ["anna", "ola"];
/// Who changes everything online, and is never disabled.
const KEEPER: &str = "admin";

/// Rights that are not as they were.
#[derive(Debug, Clone, Default)]
pub(super) struct Rights {
    disabled: BTreeSet<Uuid>,
    team: bool,
    members: BTreeSet<&'static str>,
}

impl World {
    /// The time for which receipts are kept is over.
    pub(super) fn forget_receipts(&mut self) -> Result<bool, String> {
        let (service, now) = (self.crm.premises()?.service(), self.clock.now());
        let later = now + RECEIPT_DAYS * DAY_MILLIS + 1;
        let purged = service.database().write(|writer| writer.purge_receipts(later));
        purged.map_err(|error| error.message)?;
        self.account.forgets_receipts();
        Ok(true)
    }

    /// The user of a device is disabled, or enabled again.
    pub(super) fn disable(&mut self, at: usize) -> Result<bool, String> {
        let user = self.devices[at].user;
        if user == user_id(KEEPER) {
            return Ok(false);
        }
        let disable = !self.rights.disabled.contains(&user);
        self.set_disabled(user, disable)
    }

    fn set_disabled(&mut self, user: Uuid, disable: bool) -> Result<bool, String> {
        tell(|| format!("online: {user} is disabled: {disable}"));
        let set =
            self.online(Method::Patch, &format!("systemusers({user})"), json!({"isdisabled": disable}))?;
        if !set {
            return Err(format!("{user} could not be disabled or enabled"));
        }
        match disable {
            true => self.rights.disabled.insert(user),
            false => self.rights.disabled.remove(&user),
        };
        Ok(true)
    }

    /// Everyone may sign in again.
    pub(super) fn enable_all(&mut self) -> Done {
        for user in std::mem::take(&mut self.rights.disabled) {
            self.set_disabled(user, false)?;
        }
        Ok(())
    }

    /// A row is given to a team, or somebody joins it or leaves it: what is shared with him that way comes into his sight, or
    /// leaves it.
    pub(super) fn change_team(&mut self) -> Result<bool, String> {
        if !self.rights.team {
            self.rights.team = true;
            let unit = self.list(KEEPER, "WhoAmI")?["BusinessUnitId"].as_str().unwrap_or_default().to_owned();
            let made = json!({
                "teamid": TEAM,
                "name": "Partners",
                "teamtype": 0,
                "businessunitid@odata.bind": format!("/businessunits({unit})"),
            });
            if !self.online(Method::Post, "teams", made)? {
                return Err("the team was not made".to_owned());
            }
            let role = flette_server::people::Role::Salesperson.id();
            let body = json!({"@odata.id": format!("{}roles({role})", crate::net::SERVER_ROOT)});
            if !self.online(Method::Post, &format!("teams({TEAM})/teamroles_association/$ref"), body)? {
                return Err("the team has no role".to_owned());
            }
        }
        match self.faults.choose(2) {
            0 => self.give_to_team(),
            _ => self.join_or_leave(),
        }
    }

    fn give_to_team(&mut self) -> Result<bool, String> {
        let Some(row) = self.rows.get(self.faults.choose(self.rows.len())).copied() else { return Ok(false) };
        if self.lasting.contains(&row) {
            return Ok(false);
        }
        tell(|| format!("online: {row} is given to the team"));
        let body = json!({"ownerid@odata.bind": format!("/teams({TEAM})")});
        let given = self.online(Method::Patch, &self.place(&row), body)?;
        if given {
            self.account.regains(Sight::Row(row));
        }
        Ok(given)
    }

    fn join_or_leave(&mut self) -> Result<bool, String> {
        let who = MEMBERS[self.faults.choose(MEMBERS.len())];
        let members = format!("teams({TEAM})/teammembership_association");
        let leaves = self.rights.members.contains(who);
        tell(|| format!("online: {who} joins or leaves the team: {leaves}"));
        let done = match leaves {
            true => self.online(Method::Delete, &format!("{members}({})/$ref", user_id(who)), Json::Null)?,
            false => {
                let user = format!("{}systemusers({})", crate::net::SERVER_ROOT, user_id(who));
                self.online(Method::Post, &format!("{members}/$ref"), json!({"@odata.id": user}))?
            }
        };
        if !done {
            return Err(format!("{who} could not join or leave the team"));
        }
        match leaves {
            true => self.rights.members.remove(who),
            false => self.rights.members.insert(who),
        };
        let of_user = (0..self.devices.len()).filter(|at| self.devices[*at].user == user_id(who));
        of_user.for_each(|at| self.account.regains(Sight::Device(at)));
        Ok(true)
    }
}
