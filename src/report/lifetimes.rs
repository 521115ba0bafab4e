//! What the falling limits on the life of public TLS certificates mean for each name: how often it will have to be renewed.
//!
//! The limits are those of the CA/Browser Forum's ballot SC-081v3 (Baseline Requirements 6.3.2), by the day of issue.

use crate::domain::{Kind, Text};
use crate::observe::View;
use jiff::civil::{Date, date};
use std::collections::BTreeMap;

/// From which day on certificates are issued for at most so many days.
const LIMITS: [(Date, u32); 3] = [(date(2026, 3, 15), 200), (date(2027, 3, 15), 100), (date(2029, 3, 15), 47)];

/// The most names that get a line.
const LISTED: usize = 20;

/// Renewals a year where each is made when a third of the life is left: the widest of the default thresholds.
fn renewals_a_year(days: u32) -> u32 {
    365_u32.div_ceil((days * 2 / 3).max(1))
}

/// A line for each name that an authority has issued a certificate for, as long as there are limits to come.
#[must_use]
pub fn lines(view: &View) -> Vec<String> {
    let today = view.policy.zone.to_datetime(view.at).date();
    let coming: Vec<String> = LIMITS
        .iter()
        .filter(|(from, _)| *from > today)
        .map(|(from, days)| format!("{} renewals a year at {days} days (from {from})", renewals_a_year(*days)))
        .collect();
    let mut names: BTreeMap<&Text, ()> = BTreeMap::new();
    for verdict in &view.verdicts {
        let credential = verdict.credential(&view.inventory);
        if credential.kind == Kind::IssuedCertificate && !credential.has_ended_at(view.at) {
            names.insert(&credential.holder.name, ());
        }
    }
    if coming.is_empty() || names.is_empty() {
        return Vec::new();
    }
    let more = names.len().saturating_sub(LISTED);
    let line = |name: &Text| format!("{name}: at the coming limits this name needs {}", coming.join(", "));
    let mut lines: Vec<String> = names.into_keys().take(LISTED).map(line).collect();
    if more > 0 {
        lines.push(format!("and {more} more names likewise"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{Case, view};

    #[test]
    fn a_third_is_kept_in_reserve() {
        for (days, renewals) in [(398, 2), (199, 3), (200, 3), (100, 6), (47, 12), (1, 365), (0, 365)] {
            assert_eq!(renewals_a_year(days), renewals, "{days} days");
        }
    }

    #[test]
    fn each_issued_name_gets_one_line_with_the_limits_to_come() {
        let issued = |id: &str, end| {
            let mut case = Case::new("conference.example.ca", id, Some(end));
            case.kind = Kind::IssuedCertificate;
            case.holder = "conference.example.ca".to_owned();
            case
        };
        let cases = [
            issued("a", "2027-01-01T00:00:00Z"),
            issued("b", "2027-06-01T00:00:00Z"),
            issued("gone", "2026-01-01T00:00:00Z"),
            Case::new("app", "c", Some("2027-01-01T00:00:00Z")),
        ];
        assert_eq!(
            lines(&view(&cases)),
            [
                "conference.example.ca: at the coming limits this name needs 6 renewals a year at 100 days (from 2027-03-15), \
              12 renewals a year at 47 days (from 2029-03-15)"
            ]
        );
        assert!(lines(&view(&cases[3..])).is_empty());
    }
}
