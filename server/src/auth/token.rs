//! Tokens: 256 random bits. Only their hash is stored, so a stolen database opens no session.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use flette_odata::error::Result;
use flette_odata::ODataError;
use sha2::{Digest, Sha256};

/// A new token: 43 letters, digits, `-` and `_`.
///
/// # Errors
/// 500 when the system gives no random bytes.
pub fn random_token() -> Result<String> {
    let mut bytes = [0; 32];
    let failed = |_| ODataError::new(500, "0x80040216", "No random bytes could be had.");
    getrandom::fill(&mut bytes).map_err(failed)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What is stored of a token. A fast hash will do: nobody guesses 256 bits.
pub fn token_hash(token: &str) -> Vec<u8> {
    digest(token.as_bytes()).to_vec()
}

/// SHA-256.
pub(super) fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
