//! What somebody sees of one table, as a value: a feed's token carries it, so that the next delta can tell
//! what came into sight and what left it.

use super::{Reach, Rights, Verb};
use flette_odata::{Table, Uuid};
use std::collections::BTreeSet;

/// Business units, owners and masked columns that are written out one by one. A view with more is carried
/// by its digest: it can be told that it changed, not how, and the feed begins anew then.
pub const PARTS_MAX: usize = 64;

/// What somebody sees of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Rows.
    pub reach: Reach,
    /// Columns whose values are hidden.
    pub masked: BTreeSet<String>,
}

impl View {
    /// Everything there is.
    pub fn everything() -> View {
        View { reach: Reach::All, masked: BTreeSet::new() }
    }

    /// What rights make of a table.
    pub fn of(rights: &Rights, table: &Table) -> View {
        let masked = table.columns.iter().filter(|column| rights.masks(table, column));
        View {
            reach: rights.reach(Verb::Read, table),
            masked: masked.map(|column| column.logical_name.clone()).collect(),
        }
    }

    /// As bytes that [`View::read`] understands.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_reach(&mut out, &self.reach);
        count(&mut out, self.masked.len());
        for column in &self.masked {
            count(&mut out, column.len());
            out.extend_from_slice(column.as_bytes());
        }
        out
    }

    /// Whether it has too many parts to be carried as a whole.
    pub fn is_long(&self) -> bool {
        ids(&self.reach) + self.masked.len() > PARTS_MAX
    }

    /// Reads what [`View::write`] wrote; `None` for anything else.
    pub fn read(bytes: &[u8]) -> Option<View> {
        let mut rest = Rest(bytes);
        let reach = match rest.take(1)? {
            [BOTH] => Reach::Both(Box::new([rest.simple_reach()?, rest.simple_reach()?])),
            [kind] => rest.reach_of(*kind)?,
            _ => return None,
        };
        let masked = (0..rest.count()?)
            .map(|_| {
                let length = rest.count()?;
                std::str::from_utf8(rest.take(length)?).ok().map(str::to_owned)
            })
            .collect::<Option<_>>()?;
        rest.0.is_empty().then_some(View { reach, masked })
    }
}

/// What a reach begins with: which kind it is.
const ALL: u8 = 0;
const SOME: u8 = 1;
const BOTH: u8 = 2;

fn write_reach(out: &mut Vec<u8>, reach: &Reach) {
    match reach {
        Reach::All => out.push(ALL),
        Reach::Some { units, owners } => {
            out.push(SOME);
            for ids in [units, owners] {
                count(out, ids.len());
                ids.iter().for_each(|id| out.extend_from_slice(id.as_bytes()));
            }
        }
        Reach::Both(parts) => {
            out.push(BOTH);
            parts.iter().for_each(|part| write_reach(out, part));
        }
    }
}

/// How many ids a reach names.
fn ids(reach: &Reach) -> usize {
    match reach {
        Reach::All => 0,
        Reach::Some { units, owners } => units.len() + owners.len(),
        Reach::Both(parts) => parts.iter().map(ids).sum(),
    }
}

/// Counts are two bytes; a longer view is never written out as a whole.
fn count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
}

struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    /// A reach that is not made of two.
    fn simple_reach(&mut self) -> Option<Reach> {
        match self.take(1)? {
            [kind] => self.reach_of(*kind),
            _ => None,
        }
    }

    fn reach_of(&mut self, kind: u8) -> Option<Reach> {
        match kind {
            ALL => Some(Reach::All),
            SOME => Some(Reach::Some { units: self.ids()?, owners: self.ids()? }),
            _ => None,
        }
    }

    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn count(&mut self) -> Option<usize> {
        let bytes: [u8; 2] = self.take(2)?.try_into().ok()?;
        Some(usize::from(u16::from_be_bytes(bytes)))
    }

    fn ids(&mut self) -> Option<BTreeSet<Uuid>> {
        (0..self.count()?).map(|_| Uuid::from_slice(self.take(16)?).ok()).collect()
    }
}
