//! Identity of a database and facts about it.

use super::layout::{COUNTER, META};
use super::{name, Dialect, Reader, Writer};
use flette_odata::error::Result;
use flette_odata::Uuid;
use sea_query::{Expr, OnConflict, Query};

/// Facts that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// Id of the organisation: what users of one database have in common.
    OrganizationId,
    /// Name of the organisation.
    OrganizationName,
    /// Identity of the database; another one means that it was restored from a copy.
    Lineage,
    /// How many contacts the demo data was made with; absent before.
    DemoRows,
    /// Changes up to this version may have lost their tombstones.
    TombstoneFloor,
    /// Version of the schema; absent before there is one.
    SchemaVersion,
    /// Changes of definitions up to this version of the schema may not have been noted, or are forgotten.
    DefinitionFloor,
    /// Layout of the server's own tables.
    Layout,
    /// Which PostgreSQL server, database and table this one was last seen in.
    Cluster,
    /// Another one after every change of what rights are made of.
    RightsVersion,
    /// What the tokens of feeds are signed with; secret.
    FeedKey,
    /// Which folds the indexes of PostgreSQL are made of.
    Fold,
}

impl Fact {
    pub(super) fn key(self) -> &'static str {
        match self {
            Fact::OrganizationId => "organization_id",
            Fact::OrganizationName => "organization_name",
            Fact::Lineage => "lineage",
            Fact::DemoRows => "demo_rows",
            Fact::TombstoneFloor => "tombstone_floor",
            Fact::SchemaVersion => "schema_version",
            Fact::DefinitionFloor => "definition_floor",
            Fact::Layout => "layout",
            Fact::Cluster => "cluster",
            Fact::Fold => "fold",
            Fact::RightsVersion => "rights_version",
            Fact::FeedKey => "feed_key",
        }
    }
}

impl Reader<'_> {
    /// A fact, when it is known.
    pub fn fact(&self, fact: Fact) -> Result<Option<String>> {
        let mut query = Query::select();
        query.column(name("value")).from(name(META)).and_where(Expr::col(name("key")).eq(fact.key()));
        self.first(&query, |row| row.string(0))
    }

    /// A fact that is an id; the nil id when it is not known.
    pub fn fact_id(&self, fact: Fact) -> Result<Uuid> {
        Ok(self.fact(fact)?.and_then(|text| text.parse().ok()).unwrap_or_default())
    }
}

impl Writer<'_> {
    /// Sets a fact.
    pub fn set_fact(&self, fact: Fact, value: &str) -> Result<()> {
        let mut insert = Query::insert();
        insert
            .into_table(name(META))
            .columns([name("key"), name("value")])
            .values_panic([fact.key().into(), value.into()])
            .on_conflict(OnConflict::column(name("key")).update_column(name("value")).to_owned());
        self.execute(&insert).map(drop)
    }
}

impl Writer<'_> {
    /// Gives the database a new identity: whatever clients know of it is worth nothing.
    pub fn renew_lineage(&self) -> Result<()> {
        self.set_fact(Fact::Lineage, &Uuid::new_v4().to_string())
    }
}

/// Gives a new database its identity and counter; leaves one that has them alone.
pub(super) fn found(writer: &Writer, organization: &str) -> Result<()> {
    if writer.fact(Fact::FeedKey)?.is_none() {
        // Two of them: 244 bits by chance.
        writer.set_fact(Fact::FeedKey, &format!("{}{}", Uuid::new_v4(), Uuid::new_v4()))?;
    }
    if writer.fact(Fact::Lineage)?.is_some() {
        return Ok(());
    }
    writer.set_fact(Fact::OrganizationId, &Uuid::new_v4().to_string())?;
    writer.set_fact(Fact::OrganizationName, organization)?;
    writer.renew_lineage()?;
    if writer.dialect() == Dialect::Postgres {
        return Ok(());
    }
    let mut insert = Query::insert();
    insert
        .into_table(name(COUNTER))
        .columns([name("id"), name("value")])
        .values_panic([1i64.into(), 0i64.into()]);
    writer.execute(&insert).map(drop)
}
