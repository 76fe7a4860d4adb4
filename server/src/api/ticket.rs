//! Tokens of the feed: how far it was read, and what its reader saw.
//!
//! They are signed: a token that claimed another sight could ask which rows there are. A token holds for
//! its user, table and filter only.

use super::changes::{expired, Tracked};
use crate::db::meta::Fact;
use crate::db::position::{Place, Position};
use crate::db::Reader;
use crate::rights::View;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use flette_odata::error::Result;
use flette_odata::planted::{planted, Bug};
use flette_odata::{ODataError, Uuid};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Longest token that is looked at, bytes.
const TOKEN_LENGTH_MAX: usize = 16_384;
/// Bytes of a signature; half a SHA-256 is far beyond guessing.
const SIGNATURE_BYTES: usize = 16;

/// Where a feed goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ticket {
    /// For whom, of what.
    pub(super) scope: Scope,
    /// Where the read ends; fixed by its first page.
    pub(super) until: Position,
    /// What the reader saw at the first page.
    pub(super) read: Seen,
    /// Last change told: between two pages. None in a delta token.
    pub(super) after: Option<Place>,
    /// What a delta goes out from: between two pages.
    pub(super) before: Option<(Position, Seen)>,
}

/// What a token holds for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Scope {
    lineage: Uuid,
    pub(super) user: Uuid,
    table: String,
    /// Digest of the filter, when there is one.
    filter: Option<String>,
}

impl Scope {
    pub(super) fn of(list: &Tracked) -> Result<Scope> {
        Ok(Scope {
            lineage: list.reader.fact_id(Fact::Lineage)?,
            user: list.call.caller.user,
            table: list.table.logical_name.clone(),
            filter: list.query.filter.as_ref().map(|filter| digest(format!("{filter:?}").as_bytes())),
        })
    }
}

/// A view as a token carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Seen {
    Whole(String),
    /// The same, but a page was read under other rights: what was told is less than this, or other than this.
    Torn(String),
    /// Too long to be carried.
    Digest(String),
}

impl Seen {
    pub(super) fn of(view: &View) -> Seen {
        let bytes = view.write();
        match view.is_long() {
            true => Seen::Digest(digest(&bytes)),
            false => Seen::Whole(URL_SAFE_NO_PAD.encode(bytes)),
        }
    }

    /// Of a read of which not every page was told as the view says.
    pub(super) fn torn(self) -> Seen {
        match self {
            Seen::Whole(text) => Seen::Torn(text),
            Seen::Torn(_) | Seen::Digest(_) => self,
        }
    }

    pub(super) fn is_torn(&self) -> bool {
        matches!(self, Seen::Torn(_))
    }

    /// The view.
    ///
    /// # Errors
    /// 410 when it was too long to be carried and is another one than `now`: what changed cannot be told.
    pub(super) fn view(&self, now: &View) -> Result<View> {
        match self {
            Seen::Whole(text) | Seen::Torn(text) => {
                let bytes = URL_SAFE_NO_PAD.decode(text).ok();
                bytes.and_then(|bytes| View::read(&bytes)).ok_or_else(ODataError::bad_skip_token)
            }
            Seen::Digest(_) if *self == Seen::of(now) => Ok(now.clone()),
            Seen::Digest(_) => Err(expired()),
        }
    }
}

fn digest(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(bytes)[..SIGNATURE_BYTES])
}

type Signature = Hmac<Sha256>;

fn signature(reader: &Reader) -> Result<Signature> {
    let key = reader.fact(Fact::FeedKey)?.unwrap_or_default();
    Signature::new_from_slice(key.as_bytes())
        .map_err(|_| ODataError::new(500, "0x80040216", "Tokens cannot be signed."))
}

impl Ticket {
    /// The token's text: letters, digits, `-`, `_` and a point.
    pub(super) fn write(&self, reader: &Reader) -> Result<String> {
        let body = serde_json::to_vec(self).unwrap_or_default();
        let mut signature = signature(reader)?;
        signature.update(&body);
        let signed = signature.finalize().into_bytes();
        Ok(format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(&body),
            URL_SAFE_NO_PAD.encode(&signed[..SIGNATURE_BYTES])
        ))
    }

    /// Reads a token that this list was given.
    ///
    /// # Errors
    /// 400 when it is no token of this server, or of another table or filter; 410 when it is of another
    /// database or user, or older than the tombstones.
    pub(super) fn read(list: &Tracked, text: &str) -> Result<Ticket> {
        let (body, signed) = text.split_once('.').ok_or_else(ODataError::bad_skip_token)?;
        if text.len() > TOKEN_LENGTH_MAX {
            return Err(ODataError::bad_skip_token());
        }
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| ODataError::bad_skip_token());
        let (body, signed) = (decode(body)?, decode(signed)?);
        let mut ticket: Ticket = serde_json::from_slice(&body).map_err(|_| ODataError::bad_skip_token())?;
        let scope = Scope::of(list)?;
        if planted(Bug::LineageIgnored) {
            ticket.scope.lineage = scope.lineage;
        }
        // Another database has another key: this one cannot tell whether the token was right there.
        if ticket.scope.lineage != scope.lineage {
            return Err(expired());
        }
        let mut signature = signature(list.reader)?;
        signature.update(&body);
        if signed.len() != SIGNATURE_BYTES || signature.verify_truncated_left(&signed).is_err() {
            return Err(ODataError::bad_skip_token());
        }
        if ticket.scope.user != scope.user {
            return Err(expired());
        }
        if ticket.scope != scope {
            return Err(ODataError::bad_request(
                "The token holds for the table and the filter that it was given with.",
            ));
        }
        check_position(list.reader, &ticket.until)?;
        if let Some((until, _)) = &ticket.before {
            check_position(list.reader, until)?;
        }
        Ok(ticket)
    }
}
/// Whether a position that came from outside can be used.
///
/// # Errors
/// 410 when it is older than the tombstones, or newer than anything.
fn check_position(reader: &Reader, position: &Position) -> Result<()> {
    let whole = |floor| position.is_beyond(floor) || planted(Bug::TombstonePrunedEarly);
    let known = reader.tombstone_floor()?.is_none_or(whole) && position.is_within(&reader.position()?);
    known.then_some(()).ok_or_else(expired)
}
