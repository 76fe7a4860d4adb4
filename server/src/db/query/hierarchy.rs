//! Rows above and under a row, by recursive queries.

use super::level::Scope;
use crate::db::cells::id_value;
use crate::db::query::level::BASE;
use crate::db::rows::Sight;
use crate::db::{name, Reader};
use flette_odata::answer::{too_many_in_hierarchy, HIERARCHY_ROWS_MAX};
use flette_odata::error::Result;
use flette_odata::filter::HierarchyQuestion;
use flette_odata::{ODataError, Uuid};
use sea_query::{CommonTableExpression, Expr, JoinType, Query, UnionType, WithClause};

const FOUND: &str = "found";
const ID: &str = "id";

impl Reader<'_> {
    /// Ids of the rows above or under a row, that row itself never among them. A row out of sight hides what
    /// hangs on it.
    ///
    /// # Errors
    /// 400 when there are more than [`HIERARCHY_ROWS_MAX`], or the schema has no such hierarchy.
    pub fn hierarchy(&self, question: &HierarchyQuestion, sight: &Sight) -> Result<Vec<Uuid>> {
        let unknown = || ODataError::bad_request(format!("'{}' has no hierarchy.", question.table));
        let table = self.schema.table(&question.table).ok_or_else(unknown)?;
        let parent = table.column(&question.parent).ok_or_else(unknown)?;
        let scope = Scope::new(self.schema, sight, self.dialect());
        // What is asked of a row, and what gives the next ones.
        let step = |level: &super::level::Level| match question.above {
            true => (level.id(BASE), level.column(BASE, parent)),
            false => (level.column(BASE, parent), level.id(BASE)),
        };
        let (first, next) = (scope.level(table), scope.level(table));
        let (from, to) = step(&first);
        let mut rows = Query::select();
        rows.expr_as(to, name(ID));
        first.add_to(&mut rows);
        rows.and_where(Expr::expr(from).eq(id_value(question.id)));
        let (from, to) = step(&next);
        let mut further = Query::select();
        further.expr(to);
        next.add_to(&mut further);
        let on = Expr::expr(from).eq(Expr::col((name(FOUND), name(ID))));
        further.join(JoinType::InnerJoin, name(FOUND), on);
        // Without doubles: a circle comes to its end.
        rows.union(UnionType::Distinct, further);
        let found =
            CommonTableExpression::new().query(rows).column(name(ID)).table_name(name(FOUND)).to_owned();
        let limit = u64::try_from(HIERARCHY_ROWS_MAX).unwrap_or(u64::MAX).saturating_add(3);
        let ids = Query::select().column(name(ID)).from(name(FOUND)).limit(limit).to_owned();
        let query = ids.with(WithClause::new().recursive(true).cte(found).to_owned());
        let ids = self.all(&query, |row| row.id(0))?;
        let ids: Vec<Uuid> = ids.into_iter().flatten().filter(|id| *id != question.id).collect();
        match ids.len() > HIERARCHY_ROWS_MAX {
            true => Err(too_many_in_hierarchy(&question.table)),
            false => Ok(ids),
        }
    }
}
