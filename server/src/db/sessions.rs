//! Who may sign in, and who is signed in. Passwords and tokens are kept as hashes only.

use super::cells::id_value;
use super::layout::{CREDENTIAL, SESSION};
use super::rows::{lookup_id, Sight};
use super::{name, Reader, Writer};
use flette_odata::collate::fold;
use flette_odata::error::Result;
use flette_odata::{ODataError, Uuid, Value};
use sea_query::{Expr, OnConflict, Query};

/// Somebody who asks for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// `systemuserid`: in whose name it is asked.
    pub user: Uuid,
    /// Who really asks, when somebody acts for the user.
    pub actor: Option<Uuid>,
    /// `businessunitid` of the user.
    pub unit: Uuid,
    /// What people read.
    pub full_name: String,
    /// What the caller sees and may do.
    pub sight: Sight,
}

impl Caller {
    /// Teams the caller is in.
    pub fn teams(&self) -> Vec<Uuid> {
        match &self.sight {
            Sight::Of(rights) => rights.teams.clone(),
            Sight::Everything | Sight::Past(_) => Vec::new(),
        }
    }

    /// Which rows and cells the caller sees.
    pub fn sight(&self) -> Sight {
        self.sight.clone()
    }
}

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// `Authorization: Bearer …`
    Bearer,
    /// Gets a new bearer token.
    Refresh,
    /// The page's cookie.
    Cookie,
}

impl SessionKind {
    fn as_str(self) -> &'static str {
        match self {
            SessionKind::Bearer => "bearer",
            SessionKind::Refresh => "refresh",
            SessionKind::Cookie => "cookie",
        }
    }
}

/// What is known of somebody who wants to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// `systemuserid`
    pub user: Uuid,
    /// Hash in PHC form.
    pub password: String,
}

impl Reader<'_> {
    /// The credential of a user name; case does not count.
    pub fn credential(&self, user_name: &str) -> Result<Option<Credential>> {
        let mut query = Query::select();
        query
            .columns([name("user_id"), name("password")])
            .from(name(CREDENTIAL))
            .and_where(self.dialect().is_text(name("name"), user_name));
        self.first(&query, |row| Credential { user: row.id(0).unwrap_or_default(), password: row.string(1) })
    }

    /// The user behind the hash of a token that has not expired. `now` in milliseconds.
    pub fn session(&self, hash: &[u8], kind: SessionKind, now: i64) -> Result<Option<Uuid>> {
        let mut query = Query::select();
        query
            .column(name("user_id"))
            .from(name(SESSION))
            .and_where(Expr::col(name("hash")).eq(hash.to_vec()))
            .and_where(Expr::col(name("kind")).eq(kind.as_str()))
            .and_where(Expr::col(name("expires")).gt(now));
        Ok(self.first(&query, |row| row.id(0))?.flatten())
    }

    /// A user by user name; case does not count.
    pub fn user_by_domain_name(&self, user_name: &str) -> Result<Option<Uuid>> {
        let mut query = Query::select();
        query
            .column(name("systemuserid"))
            .from(name("systemuser"))
            .and_where(self.dialect().is_text(name("domainname"), user_name))
            .limit(1);
        Ok(self.first(&query, |row| row.id(0))?.flatten())
    }

    /// The user with an id in the directory of the organisation.
    pub fn user_by_object_id(&self, object: Uuid) -> Result<Option<Uuid>> {
        let mut query = Query::select();
        query
            .column(name("systemuserid"))
            .from(name("systemuser"))
            .and_where(Expr::col(name("azureactivedirectoryobjectid")).eq(id_value(object)))
            .limit(1);
        Ok(self.first(&query, |row| row.id(0))?.flatten())
    }

    /// A user who sees everything, whether it may sign in or not: for the server's own work.
    pub fn user(&self, user: Uuid) -> Result<Option<Caller>> {
        let table = self.schema.table("systemuser");
        let table = table.ok_or_else(|| ODataError::new(500, "", "The schema has no table of users."))?;
        let Some(stored) = self.row(table, user, &Sight::Everything)? else { return Ok(None) };
        let full_name = stored.row.get("fullname").and_then(Value::as_text).unwrap_or_default();
        Ok(Some(Caller {
            user,
            actor: None,
            unit: lookup_id(&stored.row, "businessunitid").unwrap_or_default(),
            full_name: full_name.to_owned(),
            sight: Sight::Everything,
        }))
    }
}

impl Writer<'_> {
    /// Lets a user sign in with a password, given as hash in PHC form.
    pub fn set_credential(&self, user_name: &str, user: Uuid, password: &str) -> Result<()> {
        let mut insert = Query::insert();
        insert
            .into_table(name(CREDENTIAL))
            .columns(["name", "user_id", "password"].map(name))
            .values_panic([fold(user_name).into_owned().into(), id_value(user).into(), password.into()])
            .on_conflict(
                OnConflict::column(name("name")).update_columns(["user_id", "password"].map(name)).to_owned(),
            );
        self.execute(&insert).map(drop)
    }

    /// Starts a session. `expires` in milliseconds.
    pub fn add_session(&self, hash: &[u8], kind: SessionKind, user: Uuid, expires: i64) -> Result<()> {
        let mut insert = Query::insert();
        insert
            .into_table(name(SESSION))
            .columns(["hash", "kind", "user_id", "expires"].map(name))
            .values_panic([
                hash.to_vec().into(),
                kind.as_str().into(),
                id_value(user).into(),
                expires.into(),
            ]);
        self.execute(&insert).map(drop)
    }

    /// Ends a session.
    pub fn end_session(&self, hash: &[u8]) -> Result<()> {
        let mut delete = Query::delete();
        delete.from_table(name(SESSION)).and_where(Expr::col(name("hash")).eq(hash.to_vec()));
        self.execute(&delete).map(drop)
    }

    /// Ends all sessions of a user, of every kind.
    pub fn end_sessions_of(&self, user: Uuid) -> Result<()> {
        let mut delete = Query::delete();
        delete.from_table(name(SESSION)).and_where(Expr::col(name("user_id")).eq(id_value(user)));
        self.execute(&delete).map(drop)
    }

    /// Forgets sessions that have expired. `now` in milliseconds.
    pub fn purge_sessions(&self, now: i64) -> Result<()> {
        let mut delete = Query::delete();
        delete.from_table(name(SESSION)).and_where(Expr::col(name("expires")).lte(now));
        self.execute(&delete).map(drop)
    }
}
