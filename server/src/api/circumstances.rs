//! Who asks, and when: what query functions need to become plain conditions.

use super::Call;
use crate::db::Reader;
use flette_odata::error::Result;
use flette_odata::filter::{self, Filter};
use flette_odata::{Table, Uuid};

/// Puts the caller and the moment into filters.
pub(super) struct Circumstances<'a> {
    reader: &'a Reader<'a>,
    call: &'a Call<'a>,
    teams: Vec<Uuid>,
}

impl<'a> Circumstances<'a> {
    /// Those of a call.
    pub(super) fn new(reader: &'a Reader<'a>, call: &'a Call<'a>) -> Circumstances<'a> {
        Circumstances { reader, call, teams: call.caller.teams() }
    }

    /// The same filter without query functions.
    ///
    /// # Errors
    /// 400 when a function does not fit its column, or goes over too many rows.
    pub(super) fn resolve(&self, filter: &Filter, table: &Table) -> Result<Filter> {
        let sight = self.call.caller.sight();
        let at = filter::Circumstances {
            now: self.call.now,
            user: self.call.caller.user,
            business_unit: self.call.caller.unit,
            teams: &self.teams,
            utc_offset_minutes: 0,
            hierarchy: &|question| self.reader.hierarchy(question, &sight),
        };
        filter::resolve(filter, table, self.reader.schema, &at)
    }
}
