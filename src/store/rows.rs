//! Between Rust's types and columns.

use super::StoreError;
use jiff::Timestamp;

/// Nanoseconds since the epoch. They span 1677 to 2262: ends beyond 2199 are "never" by definition, and a beginning before 1677
/// is as good as one in it.
pub fn nanos(instant: Timestamp) -> i64 {
    i64::try_from(instant.as_nanosecond()).unwrap_or(if instant.as_second() < 0 { i64::MIN } else { i64::MAX })
}

pub fn instant(nanos: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// 0 for none, where a column must not be null.
pub fn nanos_or_zero(instant: Option<Timestamp>) -> i64 {
    instant.map_or(0, nanos)
}

pub fn instant_or_none(nanos: i64) -> Option<Timestamp> {
    (nanos != 0).then(|| instant(nanos))
}

/// Reads an enum or a threshold back from its text.
pub fn parsed<T: std::str::FromStr>(column: &str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Content(format!("`{text}` in the column {column}")))
}
