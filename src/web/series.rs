//! One series for each credential and each holder: a view in, text out, in pieces.
//!
//! Nothing of it is kept as text: a piece of a thousand lines is written in a fraction of a millisecond, straight from the view
//! to the connection, while the whole of a large directory would be a hundred megabytes.

use super::exposition::{Line, family, labels};
use crate::decide::{HolderState, Status, Verdict};
use crate::domain::{Credential, Holder, Kind, SourceName, TeamId, Text};
use crate::observe::View;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// How many lines a piece has at most: about 250 KB.
const PIECE: usize = 1_000;

const EXPIRES: &str = "expiry_watch_credential_expires_timestamp_seconds";
const INFO: &str = "expiry_watch_credential_info";
const COVERED: &str = "expiry_watch_holder_covered_until_timestamp_seconds";
const STATE: &str = "expiry_watch_rotation_state";
const CONDITION: &str = "expiry_watch_condition_since_timestamp_seconds";
const COUNT: &str = "expiry_watch_credentials";

const STATUSES: [Status; 8] = [
    Status::Valid,
    Status::Expiring,
    Status::Expired,
    Status::Superseded,
    Status::NotYetValid,
    Status::NoExpiry,
    Status::Ignored,
    Status::Unreachable,
];

/// A family of series, one line for each row of the view.
#[derive(Clone, Copy)]
enum Family {
    Expires,
    Info,
    Condition,
    CoveredUntil,
    RotationState,
}

/// All families of `view`, in order.
pub fn pieces(view: Arc<View>) -> impl Iterator<Item = Vec<u8>> + Send + Unpin + 'static {
    let last = view.clone();
    let families = [Family::Expires, Family::Info, Family::Condition, Family::CoveredUntil, Family::RotationState];
    let plan: Vec<(Family, Range<usize>)> = families.into_iter().flat_map(|family| family.plan(&view)).collect();
    plan.into_iter()
        .map(move |(family, rows)| family.piece(&view, rows))
        .chain(std::iter::once_with(move || counts(&last)))
}

impl Family {
    fn rows(self, view: &View) -> usize {
        match self {
            Self::Expires | Self::Info | Self::Condition => view.verdicts.len(),
            Self::CoveredUntil | Self::RotationState => view.holders.len(),
        }
    }

    fn plan(self, view: &View) -> impl Iterator<Item = (Self, Range<usize>)> + use<> {
        let rows = self.rows(view);
        (0..rows).step_by(PIECE).map(move |start| (self, start..rows.min(start + PIECE)))
    }

    fn piece(self, view: &View, rows: Range<usize>) -> Vec<u8> {
        let mut out = Vec::with_capacity(rows.len() * 320 + 256);
        if rows.start == 0 {
            self.heading(&mut out);
        }
        let (verdicts, holders) = (&view.verdicts, &view.holders);
        match self {
            Self::Expires | Self::Info => bring_near(view, verdicts[rows.clone()].iter()),
            // Few have one, and only theirs is looked at.
            Self::Condition => (),
            Self::CoveredUntil | Self::RotationState => {
                bring_near(view, holders[rows.clone()].iter().map(|one| &verdicts[one.verdicts.start]));
            }
        }
        let common = &mut Common::default();
        match self {
            Self::Expires => verdicts[rows].iter().for_each(|one| expires(&mut out, view, one, common)),
            Self::Info => verdicts[rows].iter().for_each(|one| info(&mut out, view, one, common)),
            Self::Condition => verdicts[rows].iter().for_each(|one| conditions(&mut out, view, one, common)),
            Self::CoveredUntil => holders[rows].iter().for_each(|one| covered_until(&mut out, view, one, common)),
            Self::RotationState => holders[rows].iter().for_each(|one| state(&mut out, view, one, common)),
        }
        out
    }

    fn heading(self, out: &mut Vec<u8>) {
        match self {
            Self::Expires => family(out, EXPIRES, "The instant after which the credential no longer works."),
            Self::Info => family(out, INFO, "What else is known of a credential, as labels."),
            Self::Condition => family(
                out,
                CONDITION,
                "Since when something beside its dates is wrong with a credential; absent where nothing is.",
            ),
            Self::CoveredUntil => {
                family(out, COVERED, "The latest end among a holder's valid credentials of one kind.")
            }
            Self::RotationState => family(out, STATE, "1 for the state in which a holder's rotation is."),
        }
    }
}

/// Touches what the lines of a piece will need. It lies all over the memory, and each line would wait for it four times in a row;
/// in loops that do nothing else the processor fetches many at once, which halves the time of the whole.
fn bring_near<'a>(view: &'a View, verdicts: impl Iterator<Item = &'a Verdict>) {
    let credentials: Vec<&Credential> = verdicts.map(|verdict| verdict.credential(&view.inventory)).collect();
    let holders: Vec<&Holder> = credentials.iter().map(|credential| &*credential.holder).collect();
    let names: Vec<&str> = holders.iter().map(|holder| holder.name.as_str()).collect();
    let labels: Vec<&str> = credentials.iter().map(|credential| credential.label.as_str()).collect();
    let first = |texts: &[&str]| {
        texts.iter().filter_map(|text| text.as_bytes().first()).map(|byte| u64::from(*byte)).sum::<u64>()
    };
    std::hint::black_box(first(&names) + first(&labels));
}

/// The labels that neighbours have in common, written once for all of them: most of the bytes, and most of the time.
#[derive(Default)]
struct Common<'a> {
    of: Option<(&'a SourceName, Kind)>,
    source_and_kind: Vec<u8>,
    owned_by: Option<(Option<u32>, &'a [TeamId])>,
    owner: Vec<u8>,
}

impl<'a> Common<'a> {
    fn source_and_kind(&mut self, credential: &'a Credential) -> &[u8] {
        let of = Some((&credential.source, credential.kind));
        if self.of != of {
            self.of = of;
            self.source_and_kind =
                labels(&[("source", credential.source.as_str()), ("kind", credential.kind.as_str())]);
        }
        &self.source_and_kind
    }

    /// Environment and first team.
    fn owner(&mut self, view: &View, verdict: &'a Verdict) -> &[u8] {
        let same =
            self.owned_by.is_some_and(|(rule, teams)| rule == verdict.rule && std::ptr::eq(teams, &*verdict.teams));
        if !same {
            self.owned_by = Some((verdict.rule, &verdict.teams));
            let environment = verdict.treatment(&view.policy).environment.as_ref().map_or("", Text::as_str);
            let team = verdict.teams.first().map_or("", TeamId::as_str);
            self.owner = labels(&[("environment", environment), ("team", team)]);
        }
        &self.owner
    }
}

fn expires<'a>(out: &mut Vec<u8>, view: &'a View, verdict: &'a Verdict, common: &mut Common<'a>) {
    let credential = verdict.credential(&view.inventory);
    let Some(end) = credential.expires_at else { return };
    credential_labels(Line::new(out, EXPIRES), view, verdict, common).instant(end);
}

fn credential_labels<'l, 'a>(
    line: Line<'l>,
    view: &'a View,
    verdict: &'a Verdict,
    common: &mut Common<'a>,
) -> Line<'l> {
    let credential = verdict.credential(&view.inventory);
    line.labels(common.source_and_kind(credential))
        .label("holder", credential.holder.name.as_str())
        .credential(&credential.id)
        .labels(common.owner(view, verdict))
}

fn info<'a>(out: &mut Vec<u8>, view: &'a View, verdict: &'a Verdict, common: &mut Common<'a>) {
    let credential = verdict.credential(&view.inventory);
    let line = Line::new(out, INFO).labels(common.source_and_kind(credential)).credential(&credential.id);
    let line = match &credential.holder.app_id {
        Some(app_id) => line.ident("app_id", app_id),
        None => line,
    };
    line.label("label", credential.label.as_str())
        .label("status", verdict.status.as_str())
        .label("rule", verdict.rule_name(&view.policy).map_or("", Text::as_str))
        .one();
}

/// What a rule ignores is nobody's work, so nothing is wrong with it.
fn conditions<'a>(out: &mut Vec<u8>, view: &'a View, verdict: &'a Verdict, common: &mut Common<'a>) {
    if verdict.status == Status::Ignored {
        return;
    }
    for condition in &verdict.conditions {
        credential_labels(Line::new(out, CONDITION), view, verdict, common)
            .label("condition", condition.kind.as_str())
            .instant(condition.since);
    }
}

/// No line where nothing is valid, or something valid never ends.
fn covered_until<'a>(out: &mut Vec<u8>, view: &'a View, holder: &HolderState, common: &mut Common<'a>) {
    let Some(until) = holder.covered_until(&view.verdicts, &view.inventory, view.at) else { return };
    let verdict = &view.verdicts[holder.verdicts.start];
    holder_labels(Line::new(out, COVERED), view, verdict, common).labels(common.owner(view, verdict)).instant(until);
}

fn state<'a>(out: &mut Vec<u8>, view: &'a View, holder: &HolderState, common: &mut Common<'a>) {
    let verdict = &view.verdicts[holder.verdicts.start];
    holder_labels(Line::new(out, STATE), view, verdict, common).label("state", holder.state.as_str()).one();
}

fn holder_labels<'l, 'a>(line: Line<'l>, view: &'a View, verdict: &Verdict, common: &mut Common<'a>) -> Line<'l> {
    let credential = verdict.credential(&view.inventory);
    line.labels(common.source_and_kind(credential))
        .label("holder", credential.holder.name.as_str())
        .ident("holder_id", &credential.holder.id)
}

/// Every status of every source and kind that has anything, so that a count falls to 0 instead of going away.
fn counts(view: &View) -> Vec<u8> {
    let mut counts: BTreeMap<(&SourceName, Kind), [usize; STATUSES.len()]> = BTreeMap::new();
    // A holder's credentials are of one source and kind: one look-up serves them all.
    for holder in &view.holders {
        let group = &view.verdicts[holder.verdicts.clone()];
        let credential = group[0].credential(&view.inventory);
        let of = counts.entry((&credential.source, credential.kind)).or_default();
        for verdict in group {
            if let Some(index) = STATUSES.iter().position(|status| *status == verdict.status) {
                of[index] += 1;
            }
        }
    }
    let mut out = Vec::new();
    family(&mut out, COUNT, "How many credentials there are, by status.");
    for ((source, kind), counts) in counts {
        for (status, count) in STATUSES.iter().zip(counts) {
            Line::new(&mut out, COUNT)
                .label("source", source.as_str())
                .label("kind", kind.as_str())
                .label("status", status.as_str())
                .value(count);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::Condition;
    use crate::report::testing::{Case, small_place, view};
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn text(view: View) -> String {
        String::from_utf8(pieces(Arc::new(view)).flatten().collect()).unwrap()
    }

    #[test]
    fn a_small_place_has_these_series() {
        insta::assert_snapshot!(text(small_place()));
    }

    #[test]
    fn what_is_wrong_beside_the_dates_has_a_series_unless_a_rule_ignores_it() {
        let mut view = view(&[Case::new("a", "k", None), Case::new("b", "k", None), Case::new("c", "k", None)]);
        for verdict in &mut view.verdicts[..2] {
            let since = "2026-11-20T00:00:00Z".parse().unwrap();
            verdict.conditions = [Condition::date_mismatch(since, "they differ".to_owned())].into();
        }
        view.verdicts[1].status = Status::Ignored;
        let text = text(view);
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with(CONDITION)).map(parse).collect();
        let [(_, labels, since)] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(*since, 1_795_132_800.0);
        assert!(labels.contains(&("credential".to_owned(), "entra:application:a:k".to_owned())), "{labels:?}");
        assert!(labels.contains(&("condition".to_owned(), "date_mismatch".to_owned())), "{labels:?}");
    }

    /// Reads `name{label="value",...} value` back, strictly.
    fn parse(line: &str) -> (String, Vec<(String, String)>, f64) {
        let (name, mut rest) = line.split_once('{').unwrap();
        let mut labels = Vec::new();
        loop {
            let (label, after) = rest.split_once("=\"").unwrap();
            assert!(label.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{line}");
            let mut value = String::new();
            let mut chars = after.char_indices();
            let end = loop {
                match chars.next().unwrap() {
                    (_, '\\') => value.push(match chars.next().unwrap().1 {
                        'n' => '\n',
                        c @ ('\\' | '"') => c,
                        c => panic!("\\{c} in {line}"),
                    }),
                    (at, '"') => break at,
                    (_, c) => value.push(c),
                }
            };
            labels.push((label.to_owned(), value));
            rest = &after[end + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => return (name.to_owned(), labels, rest.strip_prefix("} ").unwrap().parse().unwrap()),
            }
        }
    }

    fn cases() -> impl Strategy<Value = Vec<Case>> {
        let name = prop_oneof![any::<String>(), "[\"\\\\\n{},=a]{0,8}", Just("same".to_owned())];
        let case = ("[a-c]", "[a-z]{1,3}", name.clone(), name, any::<bool>(), 0..Kind::ALL.len()).prop_map(
            |(holder_id, key, holder, label, ends, kind)| Case {
                holder,
                label,
                kind: Kind::ALL[kind],
                ..Case::new(&holder_id, &key, ends.then_some("2027-01-01T00:00:00Z"))
            },
        );
        let unique = |cases: Vec<Case>| {
            let mut seen = HashSet::new();
            cases.into_iter().filter(|case| seen.insert((case.holder_id.clone(), case.key_id.clone()))).collect()
        };
        proptest::collection::vec(case, 0..40).prop_map(unique)
    }

    proptest! {
        #[test]
        fn whatever_the_names_every_line_reads_back_and_no_series_stands_twice(cases in cases()) {
            check_lines(&text(view(&cases)));
        }
    }

    #[track_caller]
    fn check_lines(text: &str) {
        let mut seen = HashSet::new();
        let mut families = HashSet::new();
        let mut current = String::new();
        for line in text.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                if let Some(family) = comment.strip_prefix("TYPE ") {
                    current = family.strip_suffix(" gauge").unwrap().to_owned();
                    assert!(families.insert(current.clone()), "{current} stands twice");
                }
                continue;
            }
            let (name, mut labels, _) = parse(line);
            assert_eq!(name, current);
            labels.sort();
            assert!(seen.insert((name, labels)), "twice: {line}");
        }
    }

    #[test]
    fn a_big_directory_has_no_series_twice_across_pieces() {
        let cases: Vec<Case> = (0..3 * PIECE + 1)
            .map(|n| Case {
                holder: format!("app {}", n % 50),
                ..Case::new(&format!("h{}", n / 2), &format!("k{n}"), Some("2027-01-01T00:00:00Z"))
            })
            .collect();
        let text = text(view(&cases));
        check_lines(&text);
        assert_eq!(text.lines().filter(|line| line.starts_with(&format!("{EXPIRES}{{"))).count(), cases.len());
    }
}
