//! Which definitions changed on the server (`RetrieveMetadataChanges`).
//!
//! Source: developer guide, "Cache schema data". A server need not know the function, and may refuse a stamp: then nothing is
//! known of changes, and nothing else is wrong.

use super::batch::multipart;
use super::definitions::CONSISTENCY;
use super::query::encoded;
use super::{About, Asked, Exchange, Hold, Outcome, Remote};
use crate::platform::Transport;
use flette_odata::batch::BatchAnswer;
use flette_odata::{json, Request};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Most tables that changes are asked about at once: each is a condition, and a URL in a batch has 64 KB.
pub const CHANGES_TABLES_MAX: usize = 150;

/// Kinds of definitions that are asked for when they are gone. Options go with their column, and for keys there is no such filter.
const GONE: &str = "Microsoft.Dynamics.CRM.DeletedMetadataFilters'Entity,Attribute,Relationship'";
/// What tells of a change within a table: without its labels another text might not be told.
const OF_TABLE: &str = r#"["LogicalName","DisplayName","DisplayCollectionName","Description","Attributes","ManyToOneRelationships","ManyToManyRelationships","Keys"]"#;
const OF_COLUMN: &str = r#"["LogicalName","DisplayName","Description","OptionSet"]"#;
const OF_RELATIONSHIP: &str = r#"["SchemaName"]"#;
const OF_KEY: &str = r#"["LogicalName","DisplayName"]"#;
/// Members of a table's definition that hold definitions.
const PARTS: [&str; 4] = ["Attributes", "ManyToOneRelationships", "ManyToManyRelationships", "Keys"];

/// What changed since a stamp.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DefinitionChanges {
    /// Up to where this tells: the stamp to ask with the next time.
    pub stamp: String,
    /// Tables of which something changed, by logical name and `MetadataId`, as far as they are told.
    pub changed: Vec<(Option<String>, Option<Uuid>)>,
    /// What is gone: its kind and `MetadataId`.
    pub gone: Vec<(String, Uuid)>,
    /// The keys that tables have now, of those that were asked about and answered.
    pub keys: BTreeMap<String, BTreeSet<Uuid>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    server_version_stamp: String,
    #[serde(default)]
    entity_metadata: Vec<Value>,
    #[serde(default)]
    deleted_metadata: Option<Deleted>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Deleted {
    keys: Vec<String>,
    values: Vec<Items>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Items {
    items: Vec<Uuid>,
}

#[derive(Deserialize)]
struct Keys {
    value: Vec<Identity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Identity {
    metadata_id: Uuid,
}

impl<T: Transport> Remote<'_, T> {
    /// The stamp from which on changes will be told; `None` where the server does not say. `table` is any that there is.
    ///
    /// # Errors
    /// When the answer asks to wait or to sign in, or there is none.
    pub async fn definition_stamp(&self, table: &str) -> Result<Option<String>, Outcome> {
        let url = format!("{}RetrieveMetadataChanges(Query=@p1)?@p1={}", self.root(), encoded(&head(table)));
        let bodies = self.asked(vec![url]).await?;
        let first = bodies.into_iter().flatten().next().flatten();
        let stamp = first.and_then(|body| Some(json::read::<Answer>(&body).ok()?.server_version_stamp));
        Ok(stamp.filter(|stamp| !stamp.is_empty()))
    }

    /// What changed in these tables since a stamp, and the keys that `keyed` ones have now; `None` where the server does not
    /// say. At most [`CHANGES_TABLES_MAX`] tables.
    ///
    /// # Errors
    /// When the answer asks to wait or to sign in, or there is none.
    pub async fn definition_changes(
        &self,
        (tables, keyed): (&[String], &[String]),
        stamp: &str,
    ) -> Result<Option<DefinitionChanges>, Outcome> {
        let stamp = format!("'{}'", stamp.replace('\'', "''"));
        let changes = format!(
            "{}RetrieveMetadataChanges(Query=@p1,DeletedMetadataFilters=@p2,ClientVersionStamp=@p3)?@p1={}&@p2={GONE}&@p3={}",
            self.root(),
            encoded(&query(tables)),
            encoded(&stamp)
        );
        let keys = |table: &String| {
            format!(
                "{}EntityDefinitions(LogicalName='{}')/Keys?$select=LogicalName",
                self.root(),
                plain(table)
            )
        };
        let urls = std::iter::once(changes).chain(keyed.iter().map(keys)).collect();
        let Some(bodies) = self.asked(urls).await? else { return Ok(None) };
        let mut bodies = bodies.into_iter();
        let Some(told) = bodies.next().flatten().and_then(|body| read(&body)) else { return Ok(None) };
        let keys = keyed.iter().zip(bodies).filter_map(|(table, body)| {
            let keys: Keys = json::read(&body?).ok()?;
            Some((table.clone(), keys.value.into_iter().map(|key| key.metadata_id).collect()))
        });
        Ok(Some(DefinitionChanges { keys: keys.collect(), ..told }))
    }

    /// The bodies of the answers, in order, `None` for a refusal; none at all where the batch was refused, by whomever.
    async fn asked(&self, urls: Vec<String>) -> Result<Option<Vec<Option<Vec<u8>>>>, Outcome> {
        let count = urls.len();
        let read = |url: String| Request::get(url).header(CONSISTENCY.0, CONSISTENCY.1);
        let requests = urls.into_iter().map(read).collect();
        let exchange = self.send_reads(requests, About::Batch("RetrieveMetadataChanges", count)).await;
        let answers = match exchange.answer.as_ref().map(multipart) {
            Ok(Some(Ok(answers))) if answers.len() == count => answers,
            Ok(Some(_)) => return Ok(None),
            Ok(None) => return waits(self.judge(Asked::Batch, &exchange)).map(|()| None),
            Err(_) => return Err(self.judge(Asked::Batch, &exchange)),
        };
        let body = |answer: BatchAnswer| {
            let BatchAnswer::Single(response) = answer else { return Ok(None) };
            let own = Exchange { answer: Ok(response), sent: exchange.sent, received: exchange.received };
            match (self.judge(Asked::Read, &own), own.answer) {
                (Outcome::Done, Ok(response)) => Ok(Some(response.body)),
                (other, _) => waits(other).map(|()| None),
            }
        };
        answers.into_iter().map(body).collect::<Result<Vec<_>, Outcome>>().map(Some)
    }
}

/// Anything but a wish to wait or to sign in is a refusal: definitions are read without knowing what changed.
///
/// # Errors
/// That wish.
fn waits(outcome: Outcome) -> Result<(), Outcome> {
    match outcome {
        Outcome::Hold(Hold::SignedOut | Hold::Busy { .. }) => Err(outcome),
        Outcome::Hold(Hold::Gateway)
        | Outcome::Done
        | Outcome::Retry(_)
        | Outcome::Resolve(_)
        | Outcome::Park(_) => Ok(()),
    }
}

/// What a logical name may hold.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

fn condition(table: &str) -> String {
    let name = plain(table);
    format!(
        r#"{{"ConditionOperator":"Equals","PropertyName":"LogicalName","Value":{{"Type":"System.String","Value":"{name}"}}}}"#
    )
}

fn properties(names: &str) -> String {
    format!(r#""Properties":{{"AllProperties":false,"PropertyNames":{names}}}"#)
}

/// An `EntityQueryExpression` that asks for next to nothing.
fn head(table: &str) -> String {
    let (condition, properties) = (condition(table), properties(r#"["LogicalName"]"#));
    format!(r#"{{"Criteria":{{"FilterOperator":"And","Conditions":[{condition}]}},{properties}}}"#)
}

/// One that asks for whatever may change in tables.
fn query(tables: &[String]) -> String {
    let conditions: Vec<String> = tables.iter().map(|table| condition(table)).collect();
    let (conditions, of_table) = (conditions.join(","), properties(OF_TABLE));
    let parts = [("Attribute", OF_COLUMN), ("Relationship", OF_RELATIONSHIP), ("Key", OF_KEY)];
    let parts = parts.map(|(part, names)| format!(r#","{part}Query":{{{}}}"#, properties(names))).concat();
    format!(r#"{{"Criteria":{{"FilterOperator":"Or","Conditions":[{conditions}]}},{of_table}{parts}}}"#)
}

/// `None` for what does not tell changes: what is gone is always told, since it was asked for.
fn read(body: &[u8]) -> Option<DefinitionChanges> {
    let answer: Answer = json::read(body).ok()?;
    let deleted = answer.deleted_metadata.filter(|deleted| deleted.keys.len() == deleted.values.len())?;
    let gone = deleted.keys.into_iter().zip(deleted.values);
    let gone = gone.flat_map(|(kind, ids)| ids.items.into_iter().map(move |id| (kind.clone(), id)));
    let changed = answer.entity_metadata.iter().filter(|table| has_changed(table));
    let text = |table: &Value, name: &str| Some(table.get(name)?.as_str()?.to_owned());
    let identity = |table: &Value| {
        let id = text(table, "MetadataId").and_then(|id| Uuid::try_parse(&id).ok());
        (text(table, "LogicalName"), id)
    };
    Some(DefinitionChanges {
        stamp: Some(answer.server_version_stamp).filter(|stamp| !stamp.is_empty())?,
        changed: changed.map(identity).collect(),
        gone: gone.collect(),
        keys: BTreeMap::new(),
    })
}

/// Whether a definition changed, or one in it. One that says that it has not is there for what is in it, or only named.
fn has_changed(definition: &Value) -> bool {
    let parts = PARTS.iter().filter_map(|part| definition.get(part)?.as_array()).flatten();
    definition.get("HasChanged") != Some(&Value::Bool(false))
        || parts.into_iter().any(has_changed)
        || says_so(definition)
}

/// Whether a label or an option somewhere in it says that it changed. Of these, silence means no.
fn says_so(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            members.get("HasChanged") == Some(&Value::Bool(true)) || members.values().any(says_so)
        }
        Value::Array(items) => items.iter().any(says_so),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(tables: &str, deleted: &str) -> Option<DefinitionChanges> {
        let body = format!(
            r#"{{"EntityMetadata":[{tables}],"ServerVersionStamp":"s","DeletedMetadata":{deleted}}}"#
        );
        read(body.as_bytes())
    }

    const NOTHING: &str = r#"{"Count":0,"Keys":[],"Values":[]}"#;

    #[test]
    fn tables_are_told_to_have_changed_by_themselves_or_by_what_is_in_them() {
        for (table, changed) in [
            (r#"{"HasChanged":false}"#, false),
            (r#"{"HasChanged":false,"Attributes":[],"Keys":null}"#, false),
            (r#"{"HasChanged":false,"Attributes":[{"LogicalName":"a","HasChanged":false}]}"#, false),
            (
                r#"{"HasChanged":false,"Attributes":[{"HasChanged":false,"DisplayName":{"HasChanged":null}}]}"#,
                false,
            ),
            (r#"{"HasChanged":true}"#, true),
            (r#"{"HasChanged":null}"#, true),
            ("{}", true),
            (r#"{"HasChanged":false,"Attributes":[{"LogicalName":"a","HasChanged":true}]}"#, true),
            (r#"{"HasChanged":false,"Keys":[{"LogicalName":"a"}]}"#, true),
            (r#"{"HasChanged":false,"ManyToManyRelationships":[{"HasChanged":null}]}"#, true),
            (
                r#"{"HasChanged":false,"Attributes":[{"HasChanged":false,"OptionSet":{"Options":[{"HasChanged":true}]}}]}"#,
                true,
            ),
            (r#"{"HasChanged":false,"DisplayName":{"LocalizedLabels":[{"HasChanged":true}]}}"#, true),
        ] {
            assert_eq!(told(table, NOTHING).unwrap().changed.len(), usize::from(changed), "{table}");
        }
    }

    #[test]
    fn what_is_gone_is_told_with_its_kind() {
        let id = Uuid::from_u128(7);
        let deleted = format!(
            r#"{{"Count":2,"Keys":["Entity","Attribute"],"Values":[{{"Items":[]}},{{"Items":["{id}"]}}]}}"#
        );
        assert_eq!(told("", &deleted).unwrap().gone, [("Attribute".to_owned(), id)]);
        assert_eq!(told("", NOTHING).unwrap().gone, []);
    }

    #[test]
    fn what_does_not_tell_everything_tells_nothing() {
        for deleted in ["null", r#"{"Keys":["Attribute"],"Values":[]}"#, "7"] {
            assert_eq!(told("", deleted), None, "{deleted}");
        }
        let unstamped =
            format!(r#"{{"EntityMetadata":[],"ServerVersionStamp":"","DeletedMetadata":{NOTHING}}}"#);
        for body in ["", "[]", "{}", "<html>", r#"{"ServerVersionStamp":"s"}"#, &unstamped] {
            assert_eq!(read(body.as_bytes()), None, "{body}");
        }
    }
}
