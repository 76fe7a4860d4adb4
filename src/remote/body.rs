//! Writes a change as the JSON body of a request: only what may be written, lookups as `nav@odata.bind`.

use super::content_id;
use crate::model::{EntityRef, FieldEdit, OpId, Reason, Row, Value};
use flette_odata::edm::{Column, ColumnKind, LookupTarget, Schema, Table};
use flette_odata::render::{write_text, write_value};
use flette_odata::rules;
use flette_odata::stamps::{Stamps, ANNOTATION};
use flette_odata::time::format_datetime;
use uuid::Uuid;

/// How a row is meant that a lookup points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// By its id on the server.
    Id(Uuid),
    /// As the row that an earlier request of the same change set makes, whose id nobody knows yet.
    New(OpId),
}

/// Writes bodies for one table.
pub struct BodyWriter<'a> {
    /// Where set names of lookup targets are found.
    pub schema: &'a Schema,
    /// The table written to.
    pub table: &'a Table,
    /// What a lookup means on the server.
    pub refer: &'a dyn Fn(&EntityRef) -> Reference,
    /// When the user edited each column, for servers that keep that; else nothing.
    pub edited: Stamps,
}

impl BodyWriter<'_> {
    /// The body of a create: columns that may be set on create and have a value. What waits for the row
    /// ([`rules::waits_for_row`]) is left to an update.
    ///
    /// # Errors
    /// When a lookup points to a table that this replica knows nothing of.
    pub fn create(&self, row: &Row) -> Result<Vec<u8>, Reason> {
        let mut body = Body::default();
        self.values(&mut body, row, None)?;
        self.row_stamp(&mut body);
        Ok(body.close())
    }

    /// The same, with new rows in a collection of it.
    ///
    /// # Errors
    /// As for [`BodyWriter::create`].
    pub fn create_with(&self, row: &Row, collection: &str, rows: &[Vec<u8>]) -> Result<Vec<u8>, Reason> {
        let mut body = Body::default();
        self.values(&mut body, row, None)?;
        self.row_stamp(&mut body);
        body.name(collection);
        body.list(rows);
        Ok(body.close())
    }

    /// A row that stands inside the one that `lookup` points to, under the id it has here where `id` says so and the
    /// server lets ids be chosen.
    ///
    /// # Errors
    /// As for [`BodyWriter::create`].
    pub fn member_row(&self, row: &Row, lookup: &str, id: Option<Uuid>) -> Result<Vec<u8>, Reason> {
        let mut body = Body::default();
        let chosen = self.table.column(&self.table.primary_id).filter(|column| column.valid_for_create);
        if let (Some(column), Some(id)) = (chosen, id) {
            body.name(&column.logical_name);
            write_text(&mut body.text, &id.to_string());
        }
        self.values(&mut body, row, Some(lookup))?;
        Ok(body.close())
    }

    fn values(&self, body: &mut Body, row: &Row, but: Option<&str>) -> Result<(), Reason> {
        for (name, value) in row.iter().filter(|(name, value)| !value.is_null() && Some(name.as_str()) != but)
        {
            let column = self.table.column(name).filter(|column| column.valid_for_create);
            match column.filter(|_| !rules::waits_for_row(self.table, row, name)) {
                Some(column) if !matches!(column.kind, ColumnKind::Id) => {
                    self.member(body, column, &Value::Null, value)?;
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    /// The body of an update: the edited columns that may be set on update. `None` when there is none.
    ///
    /// # Errors
    /// When a lookup points to a table that this replica knows nothing of.
    pub fn update(&self, edits: &[FieldEdit]) -> Result<Option<Vec<u8>>, Reason> {
        let mut body = Body::default();
        for edit in edits {
            if let Some(column) = self.table.column(&edit.name).filter(|column| column.valid_for_update) {
                self.member(&mut body, column, &edit.old, &edit.new)?;
            }
        }
        Ok((!body.text.is_empty()).then(|| body.close()))
    }

    /// When the row as a whole was made.
    fn row_stamp(&self, body: &mut Body) {
        if let Some(at) = self.edited.row {
            body.stamp("", at);
        }
    }

    fn member(&self, body: &mut Body, column: &Column, old: &Value, new: &Value) -> Result<(), Reason> {
        self.value(body, column, old, new)?;
        if let Some(at) = self.edited.columns.get(&column.logical_name) {
            body.stamp(&column.property(), *at);
        }
        Ok(())
    }

    fn value(&self, body: &mut Body, column: &Column, old: &Value, new: &Value) -> Result<(), Reason> {
        let ColumnKind::Lookup { targets } = &column.kind else {
            body.name(&column.logical_name);
            write_value(&mut body.text, column, new);
            return Ok(());
        };
        match new {
            Value::Lookup(to) => {
                let set = self.schema.table(&to.table).map(|table| &table.set_name);
                let (Some(target), Some(set)) = (navigation(targets, to), set) else {
                    return Err(unknown_target(&column.logical_name, &to.table));
                };
                body.name(&format!("{}@odata.bind", target.navigation));
                let url = match (self.refer)(to) {
                    Reference::Id(id) => format!("/{set}({id})"),
                    Reference::New(op) => format!("${}", content_id(op)),
                };
                write_text(&mut body.text, &url);
            }
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Decimal(_)
            | Value::Double(_)
            | Value::Text(_)
            | Value::Guid(_)
            | Value::DateTime(_)
            | Value::Date(_) => {
                // Clearing any sibling of a polymorphic lookup clears it; the one that was set is the safest.
                let was = match old {
                    Value::Lookup(from) => navigation(targets, from),
                    _ => None,
                };
                if let Some(target) = was.or(targets.first()) {
                    body.name(&format!("{}@odata.bind", target.navigation));
                    body.text.extend_from_slice(b"null");
                }
            }
        }
        Ok(())
    }
}

fn navigation<'t>(targets: &'t [LookupTarget], to: &EntityRef) -> Option<&'t LookupTarget> {
    targets.iter().find(|target| target.table == to.table)
}

fn unknown_target(column: &str, table: &str) -> Reason {
    Reason::out_of_scope(&format!("Column '{column}' points to table '{table}', which"))
}

/// `{"value":[…]}`
pub fn list_body(rows: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Body::default();
    body.name("value");
    body.list(rows);
    body.close()
}

/// `{"@odata.id":"…"}`
pub fn link_body(url: &str) -> Vec<u8> {
    let mut body = Body::default();
    body.name("@odata.id");
    write_text(&mut body.text, url);
    body.close()
}

/// A JSON object in the making.
#[derive(Default)]
struct Body {
    text: Vec<u8>,
}

impl Body {
    fn name(&mut self, name: &str) {
        self.text.push(if self.text.is_empty() { b'{' } else { b',' });
        write_text(&mut self.text, name);
        self.text.push(b':');
    }

    fn stamp(&mut self, property: &str, at: i64) {
        self.name(&format!("{property}@{ANNOTATION}"));
        write_text(&mut self.text, &format_datetime(at));
    }

    fn list(&mut self, rows: &[Vec<u8>]) {
        self.text.push(b'[');
        self.text.extend(rows.join(&b','));
        self.text.push(b']');
    }

    fn close(mut self) -> Vec<u8> {
        if self.text.is_empty() {
            self.text.push(b'{');
        }
        self.text.push(b'}');
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flette_odata::Decimal;

    fn schema() -> Schema {
        flette_server::schema::schema()
    }

    fn link(table: &str, id: u128) -> Value {
        Value::Lookup(EntityRef { table: table.to_owned(), id: Uuid::from_u128(id) })
    }

    fn with<R>(table: &str, write: impl Fn(BodyWriter) -> R) -> R {
        let schema = schema();
        let refer = |to: &EntityRef| match to.id.as_u128() {
            1 => Reference::Id(Uuid::from_u128(0xff)),
            2 => Reference::New(OpId(Uuid::from_u128(0xee))),
            _ => Reference::Id(to.id),
        };
        let (table, edited) = (schema.table(table).unwrap(), Stamps::default());
        write(BodyWriter { schema: &schema, table, refer: &refer, edited })
    }

    fn edit(name: &str, old: Value, new: Value) -> FieldEdit {
        FieldEdit { name: name.to_owned(), old, new }
    }

    #[test]
    fn a_row_whose_id_nobody_knows_is_meant_by_the_request_that_makes_it() {
        let row: Row = [("primarycontactid".to_owned(), link("contact", 2))].into();
        let body = String::from_utf8(with("account", |writer| writer.create(&row)).unwrap()).unwrap();
        let op = Uuid::from_u128(0xee);
        assert_eq!(body, format!(r#"{{"primarycontactid@odata.bind":"${op}"}}"#));
    }

    #[test]
    fn a_create_says_what_has_a_value_and_may_be_set() {
        let row: Row = [
            ("accountid", Value::Guid(Uuid::from_u128(7))),
            ("name", Value::Text("A \"quoted\" name".to_owned())),
            ("telephone1", Value::Null),
            ("revenue", Value::Decimal(Decimal::parse("90071992547409.93").unwrap())),
            ("primarycontactid", link("contact", 1)),
            ("modifiedon", Value::DateTime(0)),
            ("unknown", Value::Int(1)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let body = with("account", |writer| writer.create(&row)).unwrap();
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"name":"A \"quoted\" name","primarycontactid@odata.bind":"/contacts(00000000-0000-0000-0000-0000000000ff)","revenue":90071992547409.9300}"#
        );
        let empty = with("account", |writer| writer.create(&Row::new())).unwrap();
        assert_eq!(empty, b"{}");
    }

    #[test]
    fn a_create_leaves_what_only_updates_take_to_an_update() {
        let mut schema = schema();
        let account = schema.tables.iter_mut().find(|table| table.logical_name == "account").unwrap();
        let state = account.columns.iter_mut().find(|column| column.logical_name == "statecode").unwrap();
        state.valid_for_create = false;
        let said = |state: i64, status: i64| {
            let row: Row = [("statecode", state), ("statuscode", status)]
                .map(|(name, value)| (name.to_owned(), Value::Int(value)))
                .into();
            let refer = |to: &EntityRef| Reference::Id(to.id);
            let (table, edited) = (schema.table("account").unwrap(), Stamps::default());
            let writer = BodyWriter { schema: &schema, table, refer: &refer, edited };
            String::from_utf8(writer.create(&row).unwrap()).unwrap()
        };
        assert_eq!(said(1, 2), "{}");
        assert_eq!(said(0, 1), r#"{"statuscode":1}"#);
    }

    #[test]
    fn an_update_says_the_changed_columns_only_and_clears_by_null() {
        let edits = [
            edit("telephone1", Value::Text("1".to_owned()), Value::Null),
            edit("parentcustomerid", link("contact", 2), Value::Null),
            edit("ownerid", link("systemuser", 2), link("systemuser", 3)),
            edit("fullname", Value::Null, Value::Text("computed".to_owned())),
        ];
        let body = with("contact", |writer| writer.update(&edits)).unwrap().unwrap();
        assert_eq!(
            String::from_utf8(body).unwrap(),
            concat!(
                r#"{"telephone1":null,"parentcustomerid_contact@odata.bind":null,"#,
                r#""ownerid@odata.bind":"/systemusers(00000000-0000-0000-0000-000000000003)"}"#
            )
        );
        assert_eq!(with("contact", |writer| writer.update(&edits[3..])), Ok(None));
    }

    #[test]
    fn what_was_edited_when_stands_beside_it() {
        let edited = Stamps { row: Some(1000), columns: [("name".to_owned(), 2500)].into() };
        let row: Row = [("name".to_owned(), Value::Text("x".to_owned()))].into();
        let body = with("account", |writer| BodyWriter { edited: edited.clone(), ..writer }.create(&row));
        let expected = r#"{"name":"x","name@Flette.ModifiedOn":"1970-01-01T00:00:02.500Z","@Flette.ModifiedOn":"1970-01-01T00:00:01Z"}"#;
        assert_eq!(String::from_utf8(body.unwrap()).unwrap(), expected);
        let edits = [edit("primarycontactid", link("contact", 2), Value::Null)];
        let edited = Stamps { row: None, columns: [("primarycontactid".to_owned(), 1000)].into() };
        let body = with("account", |writer| BodyWriter { edited: edited.clone(), ..writer }.update(&edits));
        let expected = r#"{"primarycontactid@odata.bind":null,"_primarycontactid_value@Flette.ModifiedOn":"1970-01-01T00:00:01Z"}"#;
        assert_eq!(String::from_utf8(body.unwrap().unwrap()).unwrap(), expected);
    }

    #[test]
    fn a_lookup_to_a_table_out_of_scope_cannot_be_written() {
        let edits = [edit("parentcustomerid", Value::Null, link("lead", 2))];
        let reason = with("contact", |writer| writer.update(&edits)).unwrap_err();
        assert_eq!((reason.is_out_of_scope(), reason.message.contains("'lead'")), (true, true));
    }
}
