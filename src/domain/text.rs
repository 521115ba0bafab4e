//! Text from outside, made harmless once, where it enters.
//!
//! Anybody who may create an application in the tenant chooses its display name, and that name travels into mail headers, HTML,
//! terminals and logs. Markup is escaped where HTML is written; what no output can escape is removed here: control characters
//! (line breaks forge headers, ESC drives terminals) and the invisible marks that reorder or hide what is read.

use std::fmt;

/// The longest text kept, in characters; Entra's own limit for a display name.
const LONGEST: usize = 256;

/// One line of displayable text: no control characters, no bidirectional or invisible marks, no outer blanks, at most 256
/// characters (a longer one ends in `…`). May be empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text(Box<str>);

impl Text {
    /// Keeps what can be read and drops what could mislead. Runs of blanks and control characters become one blank.
    #[must_use]
    pub fn clean(raw: &str) -> Self {
        if is_clean(raw) {
            return Self(raw.into());
        }
        let mut kept = String::with_capacity(raw.len().min(4 * LONGEST));
        let mut length = 0;
        for c in raw.chars().filter(|c| !is_invisible(*c)) {
            let blank = c.is_control() || c.is_whitespace();
            if blank && (kept.is_empty() || kept.ends_with(' ')) {
                continue;
            }
            if length == LONGEST {
                kept.pop();
                kept.push('…');
                break;
            }
            kept.push(if blank { ' ' } else { c });
            length += 1;
        }
        kept.truncate(kept.trim_end().len());
        Self(kept.into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The common case, recognised without building anything: short printable ASCII without double or outer blanks.
fn is_clean(raw: &str) -> bool {
    raw.len() <= LONGEST
        && raw.bytes().all(|b| (b' '..=b'~').contains(&b))
        && !raw.starts_with(' ')
        && !raw.ends_with(' ')
        && !raw.contains("  ")
}

/// Marks that change how neighbours are read and have no look of their own: bidirectional controls (UAX #9), zero-width
/// characters, the soft hyphen, the byte order mark, and the tag characters that hide whole sentences.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_text_is_made_harmless_and_plain_text_is_kept() {
        for (raw, kept) in [
            ("Pexip Administration OICD", "Pexip Administration OICD"),
            ("Zertifikat für Müller", "Zertifikat für Müller"),
            ("a\r\nBcc: everyone@example.ca", "a Bcc: everyone@example.ca"),
            ("\u{1b}[2Jgone\u{7}", "[2Jgone"),
            ("safe\u{202E}gpj.exe", "safegpj.exe"),
            ("zero\u{200B}width\u{FEFF}", "zerowidth"),
            ("  two  blanks\tand\u{00A0}more ", "two blanks and more"),
            ("\u{2028}line\u{2029}paragraph", "line paragraph"),
            ("\n\r\t", ""),
        ] {
            assert_eq!(Text::clean(raw).as_str(), kept, "{raw:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let cut = Text::clean(&"é".repeat(300));
        assert_eq!(cut.as_str().chars().count(), 256);
        assert!(cut.as_str().ends_with('…'));
        assert_eq!(Text::clean(&"x".repeat(256)).as_str().len(), 256);
    }

    proptest! {
        #[test]
        fn cleaning_is_final_and_leaves_one_bounded_line(raw in any::<String>()) {
            let once = Text::clean(&raw);
            prop_assert!(once.as_str().chars().count() <= LONGEST);
            prop_assert!(once.as_str().chars().all(|c| !c.is_control() && !is_invisible(c)));
            prop_assert_eq!(Text::clean(once.as_str()), once);
        }
    }
}
