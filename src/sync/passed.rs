//! Rows that were written past the replica: read, so that who wrote them sees here what he wrote.

use super::outside::until_told;
use super::round::hello;
use super::step::{mirror, Run, Stop, Told};
use super::unclear::{boundary, representation};
use super::{Outside, Progress, SyncConfig};
use crate::model::Key;
use crate::platform::Transport;
use crate::remote::{Outcome, Resolve, RowCall};
use crate::replica::Replica;
use crate::store::{Durability, Store};
use flette_odata::edm::Table;
use std::collections::BTreeSet;

/// A row that was written, and the names of what was written of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Written {
    pub key: Key,
    pub columns: BTreeSet<String>,
}

/// Reads these rows, each of which the replica shows, if the server knows the user. What is not read now comes in with the
/// next round. Rows of which changes wait are left to it.
pub async fn learn<S: Store, T: Transport>(
    replica: &Replica<S>,
    outside: &Outside<'_, T>,
    config: &SyncConfig,
    progress: &Progress,
    rows: Vec<Written>,
) {
    let run = Run::new(replica, outside, config, progress);
    // Whatever went wrong, the next round meets it again and tells of it.
    let _ = read(&run, &rows).await;
}

async fn read<S: Store, T: Transport>(run: &Run<'_, S, T>, rows: &[Written]) -> Result<(), Stop> {
    hello(run).await?;
    let schema = run.schema();
    let calls: Vec<RowCall> = rows.iter().map(|row| RowCall::Read { key: row.key.clone() }).collect();
    let asked: Vec<(&Written, &RowCall, &Table)> = rows
        .iter()
        .zip(&calls)
        .filter_map(|(row, call)| Some((row, call, schema.table(&row.key.table)?)))
        .collect();
    let groups: Vec<Vec<(&RowCall, &Table)>> =
        asked.iter().map(|(_, call, table)| vec![(*call, *table)]).collect();
    let answers = run.remote.batch(&groups, boundary(run)).await.map_err(Stop::Outcome)?;
    let tables: BTreeSet<&str> = rows.iter().map(|row| row.key.table.as_str()).collect();
    let tables: Vec<&str> = tables.into_iter().collect();
    run.replica
        .transact(run.at(), Durability::Relaxed, &tables, |draft| {
            let mut told: Vec<Told> = Vec::new();
            for ((row, _, _), answer) in asked.iter().zip(answers.iter().flatten()) {
                let key = &row.key;
                if !draft.entries_of(key).is_empty() {
                    continue;
                }
                match &answer.outcome {
                    Outcome::Done => {
                        let Some((_, mut told_row, etag)) = representation(&schema, key, &answer.body) else {
                            continue;
                        };
                        let known = draft.state().mirror_row(key).map(|(row, _)| row);
                        let own = |name: &str, _: &_| row.columns.contains(name);
                        run.policy.carry(&key.table, (&mut told_row, known.as_ref()), &own);
                        told.push((key.clone(), Some((told_row, etag))));
                    }
                    Outcome::Resolve(Resolve::Gone(_)) => told.push((key.clone(), None)),
                    Outcome::Resolve(_) | Outcome::Retry(_) | Outcome::Hold(_) | Outcome::Park(_) => {}
                }
            }
            mirror(draft, &told)?;
            told.iter().for_each(|(key, _)| until_told(draft, key));
            Ok(())
        })
        .await?;
    Ok(())
}
