//! Passwords: Argon2id with the parameters OWASP gives as minimum (19 MiB, two passes, one lane).

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::Argon2;
use flette_odata::error::Result;
use flette_odata::ODataError;
use std::sync::OnceLock;

/// Longest password that is looked at, bytes: hashing must not be a way to keep the server busy.
const PASSWORD_LENGTH_MAX: usize = 1024;

/// Hashes a password with a new salt, in PHC form. Takes tens of milliseconds on purpose.
///
/// # Errors
/// 500 when the system gives no random bytes.
pub fn hash_password(password: &str) -> Result<String> {
    let failed = || ODataError::new(500, "0x80040216", "The password could not be hashed.");
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| failed())?;
    let salt = SaltString::encode_b64(&salt).map_err(|_| failed())?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt).map_err(|_| failed())?;
    Ok(hash.to_string())
}

/// Whether a password fits a hash. Without a hash the work is done all the same, so that time does not tell
/// which user names exist.
pub(super) fn verify(hash: Option<&str>, password: &str) -> bool {
    static NOBODY: OnceLock<Option<String>> = OnceLock::new();
    let nobody = NOBODY.get_or_init(|| hash_password("").ok());
    if password.len() > PASSWORD_LENGTH_MAX {
        return false;
    }
    let Some(stored) = hash.or(nobody.as_deref()) else { return false };
    let parsed = PasswordHash::new(stored);
    let fits = parsed.is_ok_and(|h| Argon2::default().verify_password(password.as_bytes(), &h).is_ok());
    fits && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_fits() {
        let hash = hash_password("flette").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify(Some(&hash), "flette"));
        assert!(!verify(Some(&hash), "Flette"));
        assert!(!verify(Some(&hash), ""));
        assert!(!verify(Some("nonsense"), "flette"));
        assert!(!verify(None, ""));
    }
}
