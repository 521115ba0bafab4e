//! The next twelve weeks as a line of characters: plain ASCII, so that it reads the same in a terminal, in a mail and aloud.
//!
//! ```text
//!  today     6 weeks 12 weeks
//! .|==X.....................|          ends in about a week
//! X|........................|          has ended
//! .|========================>          ends later, or never
//! .|????????????????????????|          nobody knows
//! ```

/// A cell is half a week.
const CELLS: usize = 24;

/// Days that the line covers.
const DAYS: i64 = 84;

/// What stands above the lines.
pub(super) const SCALE: &str = " today     6 weeks 12 weeks";

/// The line for what could never be read.
pub(super) fn unknown() -> String {
    format!(".|{}|", "?".repeat(CELLS))
}

/// The line for what ends in so many days; `None` = never.
pub(super) fn bar(days_left: Option<i64>, has_ended: bool) -> String {
    let days = days_left.unwrap_or(i64::MAX);
    if has_ended || days < 0 {
        return format!("X|{}|", ".".repeat(CELLS));
    }
    if days >= DAYS {
        return format!(".|{}>", "=".repeat(CELLS));
    }
    // From 0 to CELLS - 1, since the days are fewer than DAYS.
    let end = usize::try_from(days).unwrap_or_default() * CELLS / 84;
    format!(".|{}X{}|", "=".repeat(end), ".".repeat(CELLS - 1 - end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stands_where_the_end_is() {
        for (days, ended, said) in [
            (Some(-3), true, "X|........................|"),
            (Some(0), true, "X|........................|"),
            (Some(0), false, ".|X.......................|"),
            (Some(7), false, ".|==X.....................|"),
            (Some(42), false, ".|============X...........|"),
            (Some(83), false, ".|=======================X|"),
            (Some(84), false, ".|========================>"),
            (Some(i64::MAX), false, ".|========================>"),
            (None, false, ".|========================>"),
        ] {
            assert_eq!(bar(days, ended), said, "{days:?}");
        }
    }
}
