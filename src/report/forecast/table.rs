//! A forecast as a table for a terminal: day by day, what goes out at which hour.

use super::super::table::{Paint, count_of, cut, fitted, padded};
use super::{by_teams, subject, teams};
use crate::decide::{Forecast, Foreseen};
use crate::domain::NoticeKind;
use crate::observe::View;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use unicode_width::UnicodeWidthStr;

/// Below this a table cannot be read anyway.
const NARROWEST: usize = 60;
const GAP: &str = "  ";
const NOTICE: usize = 1;
const HOLDER: usize = 3;
const LABEL: usize = 4;
const TEAMS: usize = 5;
const REASON: usize = 6;
/// The columns that may be cut, and what each keeps on one line; where that is too wide, a notice takes two lines.
const FREE: [(usize, usize); 4] = [(HOLDER, 32), (LABEL, 24), (TEAMS, 12), (REASON, 44)];

/// Time, notice, threshold, holder, label, teams, reason.
type Cells = [String; 7];

struct Row {
    kind: NoticeKind,
    cells: Cells,
}

/// A heading, each day with its notices, and a line that counts. No line is wider than `width` columns (but at least 60 are used).
#[must_use]
pub fn table(view: &View, forecast: &Forecast, width: usize, colour: bool) -> String {
    let width = width.max(NARROWEST);
    let paint = Paint { colour };
    let groups: Vec<&[Foreseen]> = by_teams(&forecast.notices).collect();
    let rows: Vec<Row> = groups.iter().map(|group| row(view, group)).collect();
    let widths = fitted(natural_widths(&rows), &FREE, width.saturating_sub(GAP.len()));
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text.trim_end());
        out.push('\n');
    };
    line("What would be sent if nothing is rotated");
    line(&cut(&span(view, forecast), width));
    let mut day = String::new();
    for (group, row) in groups.iter().zip(&rows) {
        let today = local(view, group[0].at, "%a %Y-%m-%d");
        if today != day {
            line("");
            line(&paint.bold(&today));
            day = today;
        }
        match &widths {
            Some(widths) => line(&on_one_line(row, widths, &paint)),
            None => on_two_lines(row, width, &paint).iter().for_each(|text| line(text)),
        }
    }
    line("");
    line(&cut(&counts(view, &forecast.notices), width));
    out
}

fn span(view: &View, forecast: &Forecast) -> String {
    let [from, to] = [forecast.from, forecast.to].map(|at| local(view, at, "%Y-%m-%d %H:%M"));
    let zone = view.policy.zone.iana_name().unwrap_or("local time");
    format!("From {from} to {to} {zone}")
}

fn row(view: &View, group: &[Foreseen]) -> Row {
    let first = &group[0];
    let (holder, label) = subject(view, first);
    let (kind, step) = (first.key.kind.to_string(), first.key.step.to_string());
    let step = if kind == step { String::new() } else { step };
    let time = local(view, first.at, "%H:%M");
    let cells = [time, kind, step, holder.to_owned(), label.to_owned(), teams(group), first.reason.clone()];
    Row { kind: first.key.kind, cells }
}

fn natural_widths(rows: &[Row]) -> [usize; 7] {
    let widest = |column: usize| rows.iter().map(|row| row.cells[column].width()).max().unwrap_or(0);
    std::array::from_fn(widest)
}

fn on_one_line(row: &Row, widths: &[usize; 7], paint: &Paint) -> String {
    let cells = row.cells.iter().zip(widths).enumerate().filter(|(_, (_, width))| **width > 0);
    let cells = cells.map(|(column, (cell, width))| {
        let cell = padded(cell, *width, false);
        if column == NOTICE { painted(paint, row.kind, &cell) } else { cell }
    });
    GAP.to_owned() + &cells.collect::<Vec<_>>().join(GAP)
}

/// `time  notice  holder`, and below it what else there is.
fn on_two_lines(row: &Row, width: usize, paint: &Paint) -> [String; 2] {
    let [time, kind, step, holder, label, teams, reason] = &row.cells;
    let notice = match step.as_str() {
        "" => kind.clone(),
        step if step.starts_with(kind) => step.to_owned(),
        step => format!("{kind} {step}"),
    };
    let before = 3 * GAP.len() + time.width() + notice.width();
    let first = [GAP, time, GAP, &painted(paint, row.kind, &notice), GAP, &cut(holder, width.saturating_sub(before))];
    let rest: Vec<&str> =
        [label, teams, reason].into_iter().map(String::as_str).filter(|cell| !cell.is_empty()).collect();
    let indent = GAP.repeat(2) + &" ".repeat(time.width());
    let second = cut(&rest.join(" · "), width.saturating_sub(indent.len()));
    [first.concat(), indent + &paint.dim(&second)]
}

fn painted(paint: &Paint, kind: NoticeKind, text: &str) -> String {
    match kind {
        NoticeKind::Expired | NoticeKind::Untrusted | NoticeKind::Unreachable => paint.with("1;31", text),
        NoticeKind::Resolved => paint.with("32", text),
        NoticeKind::Retiring => paint.dim(text),
        _ => paint.with("33", text),
    }
}

fn counts(view: &View, notices: &[Foreseen]) -> String {
    if notices.is_empty() {
        return "Nothing would be sent".to_owned();
    }
    let days: BTreeSet<_> = notices.iter().map(|notice| view.policy.zone.to_datetime(notice.at).date()).collect();
    let teams: BTreeSet<_> = notices.iter().map(|notice| &notice.key.team).collect();
    let mut kinds: BTreeMap<NoticeKind, usize> = BTreeMap::new();
    notices.iter().for_each(|notice| *kinds.entry(notice.key.kind).or_default() += 1);
    let kinds: Vec<String> =
        kinds.iter().map(|(kind, count)| format!("{count} {}", kind.as_str().replace('_', " "))).collect();
    format!(
        "{} on {} to {}: {}",
        count_of(notices.len(), "notice"),
        count_of(days.len(), "day"),
        count_of(teams.len(), "team"),
        kinds.join(", ")
    )
}

fn local(view: &View, instant: Timestamp, format: &str) -> String {
    view.policy.zone.to_datetime(instant).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{Case, foreseen, small_forecast, view, view_of};

    #[test]
    fn a_wide_terminal_gets_one_line_each() {
        let (view, forecast) = small_forecast();
        insta::assert_snapshot!(table(&view, &forecast, 200, false));
    }

    #[test]
    fn a_narrow_terminal_gets_two() {
        let (view, forecast) = small_forecast();
        insta::assert_snapshot!(table(&view, &forecast, 80, false));
    }

    #[test]
    fn that_nothing_comes_is_said() {
        let view = view_of(&[], vec![], |_| ());
        insta::assert_snapshot!(table(&view, &foreseen(&view, 30), 80, false));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_colour_changes_nothing_but_colour() {
        let mut wide = Case::new("wide", "k", Some("2026-12-01T00:00:00Z"));
        wide.holder = "証明書の所有者 👩‍💻 ".repeat(20);
        wide.label = "e\u{301}".repeat(100);
        let wide = view(&[wide]);
        let foreseen_wide = foreseen(&wide, 30);
        let (small, foreseen_small) = small_forecast();
        for (view, forecast) in [(&wide, &foreseen_wide), (&small, &foreseen_small)] {
            for width in (NARROWEST..260).step_by(7) {
                let plain = table(view, forecast, width, false);
                assert!(plain.lines().all(|line| line.width() <= width), "{width}: {plain}");
                let coloured = table(view, forecast, width, true);
                let uncoloured = coloured
                    .split('\x1b')
                    .enumerate()
                    .map(|(n, part)| if n == 0 { part } else { part.split_once('m').unwrap().1 });
                let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
                assert_eq!(trimmed(&uncoloured.collect::<String>()), trimmed(&plain));
                assert!(!plain.contains('\x1b'));
            }
        }
    }
}
