//! When keys were last used, as a directory's report of sign-ins says. Advisory: what it does not say is unknown, not "never".

use super::{Ident, Text};
use jiff::Timestamp;
use std::collections::HashMap;

/// What one source's report has said so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastUse {
    /// When the report was last read to its end.
    pub read_at: Option<Timestamp>,
    /// Why the latest attempt gave nothing; `None` after a success.
    pub error: Option<Text>,
    by_key: HashMap<Ident, Timestamp>,
}

impl LastUse {
    /// A report that was read to its end. Of several rows for one key the latest use counts.
    #[must_use]
    pub fn read(read_at: Timestamp, rows: impl IntoIterator<Item = (Ident, Timestamp)>) -> Self {
        let mut by_key: HashMap<Ident, Timestamp> = HashMap::new();
        for (key, at) in rows {
            by_key.entry(key).and_modify(|known| *known = at.max(*known)).or_insert(at);
        }
        Self { read_at: Some(read_at), error: None, by_key }
    }

    /// The same knowledge after an attempt that gave nothing.
    #[must_use]
    pub fn refused(&self, why: Text) -> Self {
        Self { error: Some(why), ..self.clone() }
    }

    /// The last use of a key; `None` where the report does not list it.
    #[must_use]
    pub fn of(&self, key: &Ident) -> Option<Timestamp> {
        self.by_key.get(key).copied()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_rows_for_one_key_the_latest_use_counts_and_a_refusal_takes_nothing_away() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (early, late) = (at("2026-11-01T00:00:00Z"), at("2026-11-20T00:00:00Z"));
        let key = Ident::new("k");
        let read = LastUse::read(late, [(key.clone(), late), (key.clone(), early)]);
        assert_eq!(read.of(&key), Some(late));
        assert_eq!(read.of(&Ident::new("other")), None);
        let refused = read.refused(Text::clean("403"));
        assert_eq!((refused.of(&key), refused.read_at, refused.error.is_some()), (Some(late), Some(late), true));
    }
}
