//! Receipts: what became of requests that may be repeated, kept in the transaction of their effect.

use super::cells::id_value;
use super::layout::RECEIPT;
use super::{name, Dialect, Reader, Writer};
use flette_odata::error::Result;
use flette_odata::{EntityRef, Headers, ODataError, Response, Uuid};
use sea_query::{Expr, Order, Query};
use sha2::{Digest, Sha256};

/// How long a receipt is kept.
pub const RECEIPT_DAYS: i64 = 90;
const DAY_MILLIS: i64 = 86_400_000;

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Fingerprint of the request: another one under the same id is no repeat.
    pub fingerprint: Vec<u8>,
    /// The row it made or changed.
    pub row: Option<EntityRef>,
    /// The answer as it was.
    pub response: Response,
}

/// A receipt belongs to a user: nobody learns of another's requests by their ids.
fn key(user: Uuid, request: Uuid) -> Vec<u8> {
    Sha256::new().chain_update(user.as_bytes()).chain_update(request.as_bytes()).finalize().to_vec()
}

impl Reader<'_> {
    /// The receipt of a user's request.
    pub fn receipt(&self, user: Uuid, request: Uuid) -> Result<Option<Receipt>> {
        let mut query = Query::select();
        query
            .columns(["fingerprint", "status", "headers", "body", "table_name", "row_id"].map(name))
            .from(name(RECEIPT))
            .and_where(Expr::col(name("id")).eq(key(user, request)));
        self.first(&query, |row| {
            let headers: Vec<(String, String)> = serde_json::from_str(&row.string(2)).unwrap_or_default();
            let bytes = |at: usize| row.bytes(at).unwrap_or_default().to_vec();
            let target = row.text(4).zip(row.id(5));
            Receipt {
                fingerprint: bytes(0),
                row: target.map(|(table, id)| EntityRef { table: table.to_owned(), id }),
                response: Response {
                    status: row.int(1).and_then(|status| u16::try_from(status).ok()).unwrap_or(204),
                    headers: headers.into_iter().collect::<Headers>(),
                    body: bytes(3),
                },
            }
        })
    }
}

impl Writer<'_> {
    /// Keeps a receipt. `now` in milliseconds. Two transactions with the same id cannot both end well.
    pub fn add_receipt(&self, user: Uuid, request: Uuid, receipt: &Receipt, now: i64) -> Result<()> {
        let headers: Vec<(&str, &str)> = receipt.response.headers.iter().collect();
        let headers = serde_json::to_string(&headers)
            .map_err(|_| ODataError::new(500, "0x80040216", "A receipt could not be written."))?;
        let row = receipt.row.as_ref();
        let mut insert = Query::insert();
        insert
            .into_table(name(RECEIPT))
            .columns(
                ["id", "fingerprint", "status", "headers", "body", "table_name", "row_id", "at"].map(name),
            )
            .values_panic([
                key(user, request).into(),
                receipt.fingerprint.clone().into(),
                i64::from(receipt.response.status).into(),
                headers.into(),
                receipt.response.body.clone().into(),
                row.map_or_else(super::cells::null, |row| row.table.clone().into()).into(),
                row.map_or_else(super::cells::null, |row| id_value(row.id)).into(),
                now.into(),
            ]);
        self.execute(&insert).map(drop)
    }

    /// Forgets receipts older than [`RECEIPT_DAYS`]; on SQLite those before the first one that is not. `now` in milliseconds.
    pub fn purge_receipts(&self, now: i64) -> Result<()> {
        let limit = now - RECEIPT_DAYS * DAY_MILLIS;
        let mut old = Query::delete();
        old.from_table(name(RECEIPT)).and_where(Expr::col(name("at")).lt(limit));
        if self.dialect() == Dialect::Sqlite {
            // In the order of row ids, which is that in which they came: no more is read than what goes.
            let mut young = Query::select();
            young.expr(Expr::col(name("rowid"))).from(name(RECEIPT));
            // A clock that was ahead once does not keep the others.
            young
                .and_where(Expr::col(name("at")).between(limit, now))
                .order_by(name("rowid"), Order::Asc)
                .limit(1);
            if let Some(young) = self.first(&young, |row| row.int(0))?.flatten() {
                old.and_where(Expr::col(name("rowid")).lt(young));
            }
        }
        self.execute(&old).map(drop)
    }
}
