//! The report as JSON: one object, as a whole for a command and in pieces for the web.
//!
//! Both ways give the same bytes. The whole is `Serialize`, so that a command may indent it; the pieces exist because a hundred
//! thousand credentials are ninety megabytes of JSON that nobody should have to hold.

use super::order_of_expiry;
use crate::decide::{Calendar, Condition, Context, HolderState, Verdict};
use crate::domain::{CredentialId, Ident, TeamId, Text};
use crate::inventory::SourceState;
use crate::observe::View;
use jiff::Timestamp;
use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};
use std::fmt::Display;
use std::sync::Arc;

/// How many credentials or holders a piece holds at most: about 500 KB.
pub const PIECE: usize = 500;

/// Everything `check` says about a view.
pub struct Report<'a> {
    view: &'a View,
    order: Vec<u32>,
}

impl<'a> Report<'a> {
    #[must_use]
    pub fn new(view: &'a View) -> Self {
        Self { view, order: order_of_expiry(view) }
    }
}

impl Serialize for Report<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let view = self.view;
        let calendar = Calendar::new(&view.policy.zone, view.at);
        let mut report = serializer.serialize_struct("Report", 4)?;
        report.serialize_field("generated_at", &view.at)?;
        report.serialize_field("sources", &source_rows(view))?;
        let credentials = Each(|| self.order.iter().map(|index| CredentialRow::new(view, *index, &calendar)));
        report.serialize_field("credentials", &credentials)?;
        let holders = Each(|| view.holders.iter().map(|holder| HolderRow::new(view, holder, &calendar)));
        report.serialize_field("holders", &holders)?;
        report.end()
    }
}

/// The same bytes as `serde_json::to_vec` makes of a [`Report`], in order, a bounded piece at a time.
pub fn pieces(view: Arc<View>) -> impl Iterator<Item = Vec<u8>> + Send + 'static {
    let order = order_of_expiry(&view);
    let (credentials, holders) = (order.len(), view.holders.len());
    let opening = |view: &View| {
        format!(
            "{{\"generated_at\":{},\"sources\":{},\"credentials\":[",
            json_text(&view.at),
            json_text(&source_rows(view))
        )
    };
    let head = std::iter::once(opening(&view).into_bytes());
    let (first, second) = (view.clone(), view);
    let credential_pieces = (0..credentials).step_by(PIECE).map(move |start| {
        let calendar = Calendar::new(&first.policy.zone, first.at);
        let rows = order[start..credentials.min(start + PIECE)].iter();
        joined(start, rows.map(|index| CredentialRow::new(&first, *index, &calendar)))
    });
    let between = std::iter::once(b"],\"holders\":[".to_vec());
    let holder_pieces = (0..holders).step_by(PIECE).map(move |start| {
        let calendar = Calendar::new(&second.policy.zone, second.at);
        let rows = second.holders[start..holders.min(start + PIECE)].iter();
        joined(start, rows.map(|holder| HolderRow::new(&second, holder, &calendar)))
    });
    let tail = std::iter::once(b"]}".to_vec());
    head.chain(credential_pieces).chain(between).chain(holder_pieces).chain(tail)
}

/// The rows with commas between them, and one before them unless they are the first.
fn joined<T: Serialize>(start: usize, rows: impl Iterator<Item = T>) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.size_hint().0 * 1024);
    for (index, row) in rows.enumerate() {
        if start + index > 0 {
            out.push(b',');
        }
        write_json(&mut out, &row);
    }
    out
}

fn json_text<T: Serialize>(value: &T) -> String {
    let mut out = Vec::new();
    write_json(&mut out, value);
    String::from_utf8(out).unwrap_or_default()
}

/// Writing to memory cannot fail, and rows have no keys that are not text.
fn write_json<T: Serialize>(out: &mut Vec<u8>, value: &T) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok(), "{written:?}");
}

/// A sequence whose items are made one at a time.
pub(super) struct Each<F>(pub F);

impl<F, I> Serialize for Each<F>
where
    F: Fn() -> I,
    I: ExactSizeIterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let items = self.0();
        let mut sequence = serializer.serialize_seq(Some(items.len()))?;
        for item in items {
            sequence.serialize_element(&item)?;
        }
        sequence.end()
    }
}

/// Written as it is shown, without a string of its own.
pub(super) struct Shown<T>(pub T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[derive(Serialize)]
struct SourceRow<'a> {
    name: &'a str,
    r#type: &'a str,
    ok: bool,
    fetched_at: Option<Timestamp>,
    credentials: usize,
    error: Option<&'a str>,
}

fn source_rows(view: &View) -> Vec<SourceRow<'_>> {
    view.inventory.sources().iter().map(|source| SourceRow::new(view, source)).collect()
}

impl<'a> SourceRow<'a> {
    fn new(view: &View, source: &'a SourceState) -> Self {
        let listed = view.verdicts.iter().filter(|one| one.credential(&view.inventory).source == source.name);
        Self {
            name: source.name.as_str(),
            r#type: source.system,
            ok: source.is_up(),
            fetched_at: source.last_success,
            credentials: listed.count(),
            error: source.last_error.as_ref().map(Text::as_str),
        }
    }
}

#[derive(Serialize)]
struct CredentialRow<'a> {
    id: Shown<&'a CredentialId>,
    source: &'a str,
    kind: &'a str,
    holder: &'a str,
    holder_id: Shown<&'a Ident>,
    app_id: Option<Shown<&'a Ident>>,
    label: Option<&'a str>,
    not_before: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    days_left: Option<i32>,
    status: &'a str,
    verdict: VerdictRow,
    conditions: Vec<ConditionRow<'a>>,
    superseded_by: Option<Shown<&'a CredentialId>>,
    teams: Vec<&'a str>,
    rule: Option<&'a str>,
    environment: Option<&'a str>,
    runbook: Option<&'a str>,
}

#[derive(Serialize)]
struct VerdictRow {
    code: &'static str,
    notice: Option<&'static str>,
    threshold: Option<String>,
    next_at: Option<Timestamp>,
    reason: String,
}

impl VerdictRow {
    fn new(verdict: &Verdict, view: &View, calendar: &Calendar<'_>) -> Self {
        let rung = verdict.rung();
        Self {
            code: verdict.code.as_str(),
            notice: rung.map(|rung| rung.kind.as_str()),
            threshold: rung.map(|rung| rung.step.to_string()),
            next_at: verdict.next_at(&view.inventory, &view.policy, calendar),
            reason: verdict.explain(&view.inventory, &view.policy, calendar),
        }
    }
}

impl<'a> CredentialRow<'a> {
    fn new(view: &'a View, index: u32, calendar: &Calendar<'_>) -> Self {
        let verdict = &view.verdicts[index as usize];
        let credential = verdict.credential(&view.inventory);
        let treatment = verdict.treatment(&view.policy);
        let text = |text: &'a Option<Text>| text.as_ref().map(Text::as_str);
        Self {
            id: Shown(&credential.id),
            source: credential.source.as_str(),
            kind: credential.kind.as_str(),
            holder: credential.holder.name.as_str(),
            holder_id: Shown(&credential.holder.id),
            app_id: credential.holder.app_id.as_ref().map(Shown),
            label: Some(credential.label.as_str()).filter(|label| !label.is_empty()),
            not_before: credential.not_before,
            expires_at: credential.expires_at,
            days_left: verdict.days_left,
            status: verdict.status.as_str(),
            verdict: VerdictRow::new(verdict, view, calendar),
            conditions: verdict.conditions.iter().map(ConditionRow::new).collect(),
            superseded_by: verdict.successor(&view.inventory).map(|successor| Shown(&successor.id)),
            teams: verdict.teams.iter().map(TeamId::as_str).collect(),
            rule: verdict.rule_name(&view.policy).map(Text::as_str),
            environment: text(&treatment.environment),
            runbook: text(&treatment.runbook),
        }
    }
}

#[derive(Serialize)]
struct ConditionRow<'a> {
    notice: &'static str,
    reason: &'a str,
    since: Timestamp,
}

impl<'a> ConditionRow<'a> {
    fn new(condition: &'a Condition) -> Self {
        Self { notice: condition.kind.as_str(), reason: &condition.reason, since: condition.since }
    }
}

#[derive(Serialize)]
struct HolderRow<'a> {
    source: &'a str,
    kind: &'a str,
    holder: &'a str,
    holder_id: Shown<&'a Ident>,
    app_id: Option<Shown<&'a Ident>>,
    state: &'a str,
    since: Option<Timestamp>,
    reason: String,
    covered_until: Option<Timestamp>,
    credentials: Vec<Shown<&'a CredentialId>>,
}

impl<'a> HolderRow<'a> {
    fn new(view: &'a View, holder: &HolderState, calendar: &Calendar<'_>) -> Self {
        let context = Context { inventory: &view.inventory, policy: &view.policy, calendar };
        let group = &view.verdicts[holder.verdicts.clone()];
        let first = group[0].credential(&view.inventory);
        Self {
            source: first.source.as_str(),
            kind: first.kind.as_str(),
            holder: first.holder.name.as_str(),
            holder_id: Shown(&first.holder.id),
            app_id: first.holder.app_id.as_ref().map(Shown),
            state: holder.state.as_str(),
            since: holder.since,
            reason: holder.explain(&view.verdicts, context),
            covered_until: holder.covered_until(&view.verdicts, &view.inventory, view.at),
            credentials: group.iter().map(|verdict| Shown(&verdict.credential(&view.inventory).id)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{Case, small_place, view, view_of};

    #[test]
    fn the_report_is_the_object_of_the_contract() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&Report::new(&small_place())).unwrap());
    }

    #[test]
    fn the_pieces_together_are_the_whole_and_each_is_bounded() {
        let many = |count: usize| {
            let cases: Vec<Case> = (0..count)
                .map(|n| Case::new(&format!("h{n:05}"), "k", (n % 7 > 0).then_some("2027-01-01T00:00:00Z")))
                .collect();
            view(&cases)
        };
        let views = [view_of(&[], vec![], |_| ()), small_place(), many(PIECE), many(2 * PIECE + 1)];
        for view in views.map(Arc::new) {
            let whole = serde_json::to_vec(&Report::new(&view)).unwrap();
            let pieces: Vec<Vec<u8>> = pieces(view).collect();
            assert!(pieces.iter().all(|piece| piece.len() < PIECE * 2048));
            assert_eq!(pieces.concat(), whole);
        }
    }
}
