//! Who asks, and when: query functions as plain conditions.

use super::seen::At;
use super::View;
use crate::model::Key;
use flette_odata::answer::{too_many_in_hierarchy, HIERARCHY_ROWS_MAX};
use flette_odata::error::Result;
use flette_odata::filter::{self, CallerColumn, Circumstances, Filter, HierarchyQuestion, QueryFunction};
use flette_odata::render::Cell;
use flette_odata::{ODataError, Table, Uuid};
use std::collections::{HashMap, HashSet};

impl View<'_> {
    /// The filter without query functions, with the ids under which the replica keeps rows.
    ///
    /// # Errors
    /// 400 when a function does not fit its column or goes over too many rows; 501 when what it asks for is not here.
    pub(super) fn resolve(&self, filter: &Filter, table: &Table) -> Result<Filter> {
        let schema = &self.state.schema;
        let record = &self.state.record;
        let user = self.state.id_map.resolve(&Key::new("systemuser", record.user));
        let teams = if asks_for_teams(filter) { self.teams(user)? } else { Vec::new() };
        let at = Circumstances {
            now: record.clock.corrected(self.now).0,
            user,
            business_unit: record.business_unit,
            teams: &teams,
            utc_offset_minutes: 0,
            hierarchy: &|question| self.hierarchy(question),
        };
        Ok(self.state.id_map.resolve_filter(&filter::resolve(filter, table, schema, &at)?))
    }

    /// Ids of the rows above or under a row, that row itself never among them.
    fn hierarchy(&self, question: &HierarchyQuestion) -> Result<Vec<Uuid>> {
        let unknown = || ODataError::bad_request(format!("'{}' has no hierarchy.", question.table));
        let table = self.state.schema.table(&question.table).ok_or_else(unknown)?;
        let seen = self.seen(table)?;
        let parents = seen.columns([question.parent.as_str()]);
        let parent = |at: At| match parents.cell(at, 0) {
            Cell::Lookup { id, .. } => Some(id),
            _ => None,
        };
        let start = self.kept(table, question.id);
        let mut children: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        if !question.above {
            for at in seen.select(None) {
                if let Some(parent) = parent(at) {
                    children.entry(parent).or_default().push(seen.id(at));
                }
            }
        }
        let (mut known, mut found, mut open) = (HashSet::from([start]), Vec::new(), vec![start]);
        while let Some(id) = open.pop() {
            let next: Vec<Uuid> = match question.above {
                true => seen.find(id).and_then(parent).into_iter().collect(),
                false => children.remove(&id).unwrap_or_default(),
            };
            // A circle comes to its end.
            for id in next.into_iter().filter(|id| known.insert(*id)) {
                found.push(id);
                open.push(id);
            }
        }
        match found.len() > HIERARCHY_ROWS_MAX {
            true => Err(too_many_in_hierarchy(&question.table)),
            false => Ok(found),
        }
    }

    /// The teams of the user, as far as the pairs of users and teams are here.
    fn teams(&self, user: Uuid) -> Result<Vec<Uuid>> {
        let found = self.state.schema.many_to_many.iter().find_map(|pairs| {
            let ends = [(&pairs.first, &pairs.second), (&pairs.second, &pairs.first)];
            let of_users =
                |(user, team): &(&flette_odata::edm::ManyToManyEnd, &flette_odata::edm::ManyToManyEnd)| {
                    user.table == "systemuser" && team.table == "team"
                };
            ends.into_iter().find(of_users).map(|(user, team)| (&pairs.intersect, user, team))
        });
        let missing = || super::not_here("teammembership");
        let (intersect, user_end, team_end) = found.ok_or_else(missing)?;
        let intersect = self.state.schema.table(intersect).ok_or_else(missing)?;
        let pairs = self.pairs(intersect, &user_end.column, &team_end.column)?.into_iter();
        Ok(pairs.filter(|(near, _)| *near == user).map(|(_, team)| team).collect())
    }
}

fn asks_for_teams(filter: &Filter) -> bool {
    match filter {
        Filter::And(items) | Filter::Or(items) => items.iter().any(asks_for_teams),
        Filter::Not(inner) => asks_for_teams(inner),
        Filter::Through { filter, .. } | Filter::Any { filter, .. } => asks_for_teams(filter),
        Filter::Function { function: QueryFunction::Caller(column), .. } => match column {
            CallerColumn::Teams | CallerColumn::UserOrTeams | CallerColumn::UserOrHierarchyAndTeams => true,
            CallerColumn::User
            | CallerColumn::UserOrHierarchy
            | CallerColumn::BusinessUnit
            | CallerColumn::Language => false,
        },
        Filter::Function { .. }
        | Filter::Compare { .. }
        | Filter::CompareColumns { .. }
        | Filter::Text { .. }
        | Filter::HasValues { .. }
        | Filter::Always(_) => false,
    }
}
