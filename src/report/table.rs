//! The report as a table for a terminal.
//!
//! Names that anybody may choose cannot drive the terminal: they were cleaned where they came in. A name that does not fit is cut and
//! ends in `…`, a sentence goes on below; where a line would have to cut too much, each credential gets two.

use super::order_of_expiry;
use crate::decide::{Calendar, Code, Context, HolderState, State, Status, Verdict};
use crate::domain::TeamId;
use crate::inventory::SourceState;
use crate::observe::View;
use jiff::Timestamp;
use std::borrow::Cow;
use std::fmt::Write;
use textwrap::{Options, WordSplitter};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Below this a table cannot be read anyway.
const NARROWEST: usize = 60;
/// On two lines, more than this for one long name would only push the dates away from the others.
const WIDEST_HOLDER: usize = 72;
const GAP: &str = "  ";
const HEADINGS: [&str; 8] = ["HOLDER", "LABEL", "KIND", "ENDS", "DAYS", "STATUS", "TEAMS", "WHY"];
const HOLDER: usize = 0;
const LABEL: usize = 1;
const KIND: usize = 2;
const ENDS: usize = 3;
const DAYS: usize = 4;
const STATUS: usize = 5;
const TEAMS: usize = 6;
const WHY: usize = 7;
/// The columns that may be cut, and what each keeps on one line; where that is too wide, a credential takes two lines.
const FREE: [(usize, usize); 4] = [(HOLDER, 32), (LABEL, 24), (TEAMS, 12), (WHY, 72)];

struct Row {
    cells: [String; 8],
    status: Status,
}

/// Sources, credentials in order of expiry, counts. No line is wider than `width` columns (but at least 60 are used).
#[must_use]
pub fn table(view: &View, width: usize, colour: bool) -> String {
    let width = width.max(NARROWEST);
    let paint = Paint { colour };
    let calendar = Calendar::new(&view.policy.zone, view.at);
    let order = order_of_expiry(view);
    let rows: Vec<Row> = order.iter().map(|index| row(view, &view.verdicts[*index as usize], &calendar)).collect();
    let mut out = String::with_capacity((rows.len() + 8) * width);
    let mut line = |text: &str| {
        out.push_str(text.trim_end());
        out.push('\n');
    };
    line(&cut(&format!("As of {}", local(view, view.at)), width));
    for source in view.inventory.sources() {
        line(&source_line(view, source, width, &paint));
    }
    line("");
    if !rows.is_empty() {
        let widths = natural_widths(&rows);
        match fitted(widths, &FREE, width) {
            Some(widths) => one_line_each(&rows, &widths, &paint, &mut line),
            None => two_lines_each(&rows, width, &paint, &mut line),
        }
        line("");
    }
    rotations(view, &calendar, width, &paint, &mut line);
    for forecast in super::lifetimes::lines(view) {
        line(&cut(&forecast, width));
    }
    line(&cut(&counts(view), width));
    out
}

fn row(view: &View, verdict: &Verdict, calendar: &Calendar<'_>) -> Row {
    let credential = verdict.credential(&view.inventory);
    let teams: Vec<&str> = verdict.teams.iter().map(TeamId::as_str).collect();
    let cells = [
        credential.holder.name.to_string(),
        credential.label.to_string(),
        credential.kind.to_string(),
        match credential.expires_at {
            Some(end) => local_minute(view, end),
            None if verdict.was_never_read() => "not known".to_owned(),
            None => "never".to_owned(),
        },
        verdict.days_left.map_or_else(String::new, |days| days.to_string()),
        verdict.status.to_string(),
        if teams.is_empty() { "nobody".to_owned() } else { teams.join(", ") },
        verdict.explain_all(&view.inventory, &view.policy, calendar),
    ];
    Row { cells, status: verdict.status }
}

fn natural_widths(rows: &[Row]) -> [usize; 8] {
    let mut widths = HEADINGS.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(cell.width());
        }
    }
    widths
}

/// The widths of the columns on one line; `None` where that would cut too much.
pub(super) fn fitted<const N: usize>(
    mut widths: [usize; N],
    free: &[(usize, usize)],
    width: usize,
) -> Option<[usize; N]> {
    let gaps = GAP.len() * (widths.len() - 1);
    while widths.iter().sum::<usize>() + gaps > width {
        // Whoever has most to spare gives way first.
        let spare = |(column, least): &(usize, usize)| widths[*column].saturating_sub(*least);
        let (widest, _) = free.iter().copied().filter(|free| spare(free) > 0).max_by_key(spare)?;
        widths[widest] -= 1;
    }
    Some(widths)
}

fn one_line_each(rows: &[Row], widths: &[usize; 8], paint: &Paint, line: &mut impl FnMut(&str)) {
    let heading: Vec<String> = HEADINGS.iter().zip(widths).map(|(name, width)| padded(name, *width, false)).collect();
    line(&paint.bold(&heading.join(GAP)));
    for row in rows {
        let cells: Vec<String> = (0..WHY)
            .map(|column| {
                let cell = padded(&row.cells[column], widths[column], column == DAYS);
                if column == STATUS || column == DAYS { paint.status(row.status, &cell) } else { cell }
            })
            .collect();
        // Nobody should have to guess how the sentence goes on.
        let mut sentence = wrapped(&row.cells[WHY], widths[WHY]).into_iter();
        let indent = widths[..WHY].iter().map(|width| width + GAP.len()).sum();
        line(&format!("{}{GAP}{}", cells.join(GAP), sentence.next().unwrap_or_default()));
        sentence.for_each(|more| line(&format!("{:indent$}{more}", "")));
    }
}

/// Whose rotation calls for attention: every holder that is neither steady nor unknown, the most pressing first.
fn rotations(view: &View, calendar: &Calendar<'_>, width: usize, paint: &Paint, line: &mut impl FnMut(&str)) {
    let context = Context { inventory: &view.inventory, policy: &view.policy, calendar };
    let mut pressing: Vec<&HolderState> = view.holders.iter().filter(|holder| holder.state > State::Steady).collect();
    if pressing.is_empty() {
        return;
    }
    pressing.sort_by_key(|holder| std::cmp::Reverse(holder.state));
    line(&paint.bold("ROTATION"));
    for holder in pressing {
        let credential = view.verdicts[holder.verdicts.start].credential(&view.inventory);
        let since = holder.since.map(|since| format!(" since {}", calendar.date(since))).unwrap_or_default();
        let reason = holder.explain(&view.verdicts, context);
        let state = holder.state.as_str();
        let text = format!("{state}{since}: {} ({}): {reason}", credential.holder.name, credential.kind);
        for (index, text) in wrapped(&text, width - GAP.len()).into_iter().enumerate() {
            line(&if index == 0 { text } else { format!("{GAP}{text}") });
        }
    }
    line("");
}

/// `text` on as many lines as it takes, none wider than `width`.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    // A date is one word.
    let options = Options::new(width).word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).into_iter().map(Cow::into_owned).collect()
}

/// `holder  ends  days  status`, and below it what else there is.
fn two_lines_each(rows: &[Row], width: usize, paint: &Paint, line: &mut impl FnMut(&str)) {
    let natural = natural_widths(rows);
    let fixed = natural[ENDS] + natural[DAYS] + natural[STATUS] + 3 * GAP.len();
    let holder = natural[HOLDER].min(width.saturating_sub(fixed)).min(WIDEST_HOLDER);
    let first_line = |cells: [&str; 4], paint_status: &dyn Fn(&str) -> String| {
        let days = paint_status(&padded(cells[2], natural[DAYS], true));
        let status = paint_status(&padded(cells[3], natural[STATUS], false));
        [padded(cells[0], holder, false), padded(cells[1], natural[ENDS], false), days, status].join(GAP)
    };
    let headings = [HEADINGS[HOLDER], HEADINGS[ENDS], HEADINGS[DAYS], HEADINGS[STATUS]];
    line(&paint.bold(&first_line(headings, &str::to_owned)));
    for row in rows {
        let cells = [HOLDER, ENDS, DAYS, STATUS].map(|column| row.cells[column].as_str());
        line(&first_line(cells, &|cell| paint.status(row.status, cell)));
        let rest = [LABEL, WHY, TEAMS, KIND].map(|column| row.cells[column].as_str());
        let rest: Vec<&str> = rest.into_iter().filter(|cell| !cell.is_empty()).collect();
        for text in wrapped(&rest.join(" · "), width - GAP.len()) {
            line(&paint.dim(&format!("{GAP}{text}")));
        }
    }
}

fn source_line(view: &View, source: &SourceState, width: usize, paint: &Paint) -> String {
    let of_source = |verdict: &&Verdict| verdict.credential(&view.inventory).source == source.name;
    let read =
        source.last_success.map_or_else(|| "never read".to_owned(), |at| format!("read {}", local_minute(view, at)));
    let name = if source.name.as_str() == source.system {
        source.system.to_owned()
    } else {
        format!("{} ({})", source.name, source.system)
    };
    let listed = count_of(view.verdicts.iter().filter(of_source).count(), "credential");
    match &source.last_error {
        None => cut(&format!("Source {name}: {read}, {listed}"), width),
        Some(error) => paint.alarm(&cut(&format!("Source {name}: FAILED, {read}, {listed}: {error}"), width)),
    }
}

fn counts(view: &View) -> String {
    const STATUSES: [Status; 8] = [
        Status::Expired,
        Status::Expiring,
        Status::Superseded,
        Status::Valid,
        Status::NotYetValid,
        Status::NoExpiry,
        Status::Ignored,
        Status::Unreachable,
    ];
    let mut text = count_of(view.verdicts.len(), "credential");
    for (index, (status, count)) in STATUSES
        .iter()
        .map(|status| (status, view.verdicts.iter().filter(|verdict| verdict.status == *status).count()))
        .filter(|(_, count)| *count > 0)
        .enumerate()
    {
        let _ = write!(text, "{} {count} {}", if index == 0 { ":" } else { "," }, status.as_str().replace('_', " "));
    }
    let due = view.verdicts.iter().filter(|verdict| verdict.code == Code::Due).count();
    let _ = write!(text, "; {due} due");
    text
}

/// `1 credential`, `2 credentials`.
pub fn count_of(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn local(view: &View, instant: Timestamp) -> String {
    let zone = view.policy.zone.iana_name().unwrap_or("local time");
    format!("{} {zone}", local_minute(view, instant))
}

fn local_minute(view: &View, instant: Timestamp) -> String {
    view.policy.zone.to_datetime(instant).strftime("%Y-%m-%d %H:%M").to_string()
}

/// `text` in exactly `width` columns.
pub(super) fn padded(text: &str, width: usize, right: bool) -> String {
    let text = cut(text, width);
    let blanks = " ".repeat(width.saturating_sub(text.width()));
    if right { blanks + &text } else { text + &blanks }
}

/// `text` in at most `width` columns; a cut one ends in `…`.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1; // the `…`
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        kept.push(c);
    }
    kept.truncate(kept.trim_end().len());
    kept + "…"
}

pub(super) struct Paint {
    pub(super) colour: bool,
}

impl Paint {
    pub(super) fn with(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn status(&self, status: Status, text: &str) -> String {
        match status {
            Status::Expired | Status::Unreachable => self.with("1;31", text),
            Status::Expiring => self.with("33", text),
            Status::Valid => self.with("32", text),
            _ => self.dim(text),
        }
    }

    fn alarm(&self, text: &str) -> String {
        self.with("1;31", text)
    }

    pub(super) fn bold(&self, text: &str) -> String {
        self.with("1", text)
    }

    pub(super) fn dim(&self, text: &str) -> String {
        self.with("2", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{Case, small_place, view, view_of};

    #[test]
    fn a_wide_terminal_gets_one_line_each() {
        insta::assert_snapshot!(table(&small_place(), 200, false));
    }

    #[test]
    fn a_narrow_terminal_gets_two() {
        insta::assert_snapshot!(table(&small_place(), 80, false));
    }

    #[test]
    fn an_empty_inventory_says_so() {
        insta::assert_snapshot!(table(&view_of(&[], vec![], |_| ()), 80, false));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_whatever_the_names() {
        let mut wide = Case::new("wide", "k", Some("2026-12-01T00:00:00Z"));
        wide.holder = "証明書の所有者 👩‍💻 ".repeat(20);
        wide.label = "e\u{301}".repeat(100);
        let views = [small_place(), view(&[wide])];
        for view in &views {
            for width in (NARROWEST..260).step_by(7) {
                for line in table(view, width, false).lines() {
                    assert!(line.width() <= width, "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn colour_changes_nothing_but_colour_and_names_bring_none_of_their_own() {
        let place = small_place();
        let mut plain = String::new();
        for (index, part) in table(&place, 200, true).split('\x1b').enumerate() {
            plain.push_str(if index == 0 { part } else { part.split_once('m').unwrap().1 });
        }
        let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        assert_eq!(trimmed(&plain), trimmed(&table(&place, 200, false)));
        assert!(!table(&place, 200, false).contains('\x1b'));
    }
}
