//! Which definitions changed, and when: what clients that cache the schema ask for.

use super::cells::id_value;
use super::layout::DEFINITION_CHANGE;
use super::meta::Fact;
use super::{name, Reader, Writer};
use flette_odata::error::Result;
use flette_odata::Uuid;
use sea_query::{Expr, OnConflict, Query};
use std::collections::BTreeMap;

/// How long it is known that a definition is gone, milliseconds: 90 days, as Dataverse's default.
pub const GONE_KEPT_MILLIS: i64 = 90 * 24 * 60 * 60 * 1000;

/// What kind of definition changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A table.
    Entity,
    /// A column.
    Attribute,
    /// A lookup or pairs.
    Relationship,
    /// Options.
    OptionSet,
    /// An alternate key.
    Key,
}

impl Kind {
    const ALL: [Kind; 5] = [Kind::Entity, Kind::Attribute, Kind::Relationship, Kind::OptionSet, Kind::Key];

    /// As Dataverse's `DeletedMetadataFilters` call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Entity => "Entity",
            Kind::Attribute => "Attribute",
            Kind::Relationship => "Relationship",
            Kind::OptionSet => "OptionSet",
            Kind::Key => "Key",
        }
    }
}

/// Ids of definitions that changed after some version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Those that are there.
    pub changed: std::collections::BTreeSet<Uuid>,
    /// Those that are gone, by kind.
    pub gone: BTreeMap<Kind, Vec<Uuid>>,
}

impl Reader<'_> {
    /// The version of the schema up to which changes may be forgotten.
    ///
    /// # Errors
    /// 500 when the database fails.
    pub fn definition_floor(&self) -> Result<i64> {
        Ok(self.fact(Fact::DefinitionFloor)?.and_then(|text| text.parse().ok()).unwrap_or_default())
    }

    /// The version of the schema, with what this transaction did to it.
    ///
    /// # Errors
    /// 500 when the database fails.
    pub fn current_schema_version(&self) -> Result<i64> {
        Ok(self.fact(Fact::SchemaVersion)?.and_then(|text| text.parse().ok()).unwrap_or_default())
    }

    /// What changed after a version of the schema.
    ///
    /// # Errors
    /// 500 when the database fails.
    pub fn definitions_changed_since(&self, version: i64) -> Result<Changes> {
        let mut query = Query::select();
        query
            .columns(["id", "kind", "gone"].map(name))
            .from(name(DEFINITION_CHANGE))
            .and_where(Expr::col(name("version")).gt(version));
        let mut all = Changes::default();
        let rows = self.all(&query, |row| (row.id(0).unwrap_or_default(), row.string(1), row.int(2)))?;
        for (id, kind, gone) in rows {
            match Kind::ALL.into_iter().find(|known| known.as_str() == kind) {
                Some(kind) if gone == Some(1) => all.gone.entry(kind).or_default().push(id),
                Some(_) => drop(all.changed.insert(id)),
                None => {}
            }
        }
        all.gone.values_mut().for_each(|ids| ids.sort());
        Ok(all)
    }
}

impl Writer<'_> {
    /// Notes that definitions changed, or are gone, with the schema's present version; forgets what is gone for long.
    ///
    /// # Errors
    /// 500 when the database fails.
    pub fn note_definitions(&self, changes: &[(Uuid, Kind, bool)], now: i64) -> Result<()> {
        let version = self.current_schema_version()?;
        for (id, kind, gone) in changes {
            let updated = ["version", "kind", "gone", "at"].map(name);
            let mut insert = Query::insert();
            insert
                .into_table(name(DEFINITION_CHANGE))
                .columns(["id", "version", "kind", "gone", "at"].map(name))
                .values_panic([
                    id_value(*id).into(),
                    version.into(),
                    kind.as_str().into(),
                    i64::from(*gone).into(),
                    now.into(),
                ])
                .on_conflict(OnConflict::column(name("id")).update_columns(updated).to_owned());
            self.execute(&insert)?;
        }
        self.forget_definitions(now - GONE_KEPT_MILLIS)
    }

    fn forget_definitions(&self, before: i64) -> Result<()> {
        let old = || Expr::col(name("gone")).eq(1i64).and(Expr::col(name("at")).lt(before));
        let mut query = Query::select();
        query.expr(Expr::col(name("version")).max()).from(name(DEFINITION_CHANGE)).and_where(old());
        let Some(version) = self.first(&query, |row| row.int(0))?.flatten() else { return Ok(()) };
        let floor = self.definition_floor()?.max(version);
        self.set_fact(Fact::DefinitionFloor, &floor.to_string())?;
        let mut delete = Query::delete();
        delete.from_table(name(DEFINITION_CHANGE)).and_where(old());
        self.execute(&delete).map(drop)
    }
}
