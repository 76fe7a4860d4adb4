//! Reads plain data from JSON.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a value. By way of a tree and not straight from the text: that takes half the code for each type, which every
/// worker loads, and what is read so is small. Of a member that stands twice the last counts.
///
/// # Errors
/// When the text is no JSON, or not of that type. The error's own words may quote it.
pub fn read<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    let tree: Value = serde_json::from_slice(text)?;
    T::deserialize(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_keep_all_their_digits() {
        assert_eq!(read::<i64>(b"-9223372036854775808").unwrap(), i64::MIN);
        assert_eq!(read::<u64>(b"18446744073709551615").unwrap(), u64::MAX);
        assert_eq!(read::<f64>(b"0.1").unwrap(), 0.1);
        assert!(
            read::<i64>(b"1.0").is_err() && read::<i64>(b"1 2").is_err() && read::<i64>(b"\"1\"").is_err()
        );
    }
}
