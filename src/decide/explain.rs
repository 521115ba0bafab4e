//! A verdict as a sentence that somebody can act on: why it is or is not due, what to do, who is told by which rule, what comes
//! next and when.

use super::calendar::Calendar;
use super::escalation;
use super::judge::Case;
use super::ladder::Rung;
use super::routing::TeamsFrom;
use super::usage::{Known, OldUse, RECENT, Usage};
use super::verdict::{Code, Reason, Status, Verdict};
use crate::domain::{Credential, NoticeKind, Policy, TeamId, Text, Trouble};
use crate::inventory::Inventory;
use jiff::Timestamp;

/// Where sentences take their words from.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub inventory: &'a Inventory,
    pub policy: &'a Policy,
    pub calendar: &'a Calendar<'a>,
}

impl Verdict {
    /// The sentence.
    #[must_use]
    pub fn explain(&self, inventory: &Inventory, policy: &Policy, calendar: &Calendar<'_>) -> String {
        let context = Context { inventory, policy, calendar };
        let parts = [
            Some(self.why(context)),
            self.from_elsewhere.then(|| "served, but not from this account".to_owned()),
            self.to_do(context),
            self.next_in_words(context),
            self.whom(context),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    /// What is wrong beside the dates, then the sentence.
    #[must_use]
    pub fn explain_all(&self, inventory: &Inventory, policy: &Policy, calendar: &Calendar<'_>) -> String {
        let wrong = self.conditions.iter().map(|condition| format!("{}: {}; ", condition.kind, condition.reason));
        wrong.collect::<String>() + &self.explain(inventory, policy, calendar)
    }

    /// What comes next if nothing changes; `None` where nothing does.
    #[must_use]
    pub fn next(&self, inventory: &Inventory, policy: &Policy, calendar: &Calendar<'_>) -> Option<Rung> {
        let (entry, treatment) = (self.entry(inventory), self.treatment(policy));
        Case { entry, treatment, place: self.place, calendar }.judge().next
    }

    /// When that comes; `None` also where something is due already, which comes before it.
    #[must_use]
    pub fn next_at(&self, inventory: &Inventory, policy: &Policy, calendar: &Calendar<'_>) -> Option<Timestamp> {
        let next = (self.code != Code::Due).then(|| self.next(inventory, policy, calendar))?;
        next.map(|next| next.crossed_at)
    }

    fn why(&self, context: Context<'_>) -> String {
        let Context { inventory, policy, calendar } = context;
        let credential = self.credential(inventory);
        match self.reason {
            Reason::IgnoredByRule => {
                let rule = &policy.rules[self.rule.unwrap_or_default() as usize];
                let why = rule.treatment.ignore.as_ref().map_or("", Text::as_str);
                format!("ignored by the rule \"{}\": {why}", rule.name)
            }
            Reason::NeverRead => match credential.trouble.as_deref().and_then(Trouble::why_unreachable) {
                Some(why) => format!("it could not be read yet: {why}"),
                None => "it could not be read yet".to_owned(),
            },
            Reason::NeverExpires if credential.kind.is_in_vault() => "the vault holds no date for it".to_owned(),
            Reason::NeverExpires => "it never expires".to_owned(),
            Reason::NotYetValid => match credential.not_before {
                Some(start) => format!("not valid before {}", calendar.date(start)),
                None => "not valid yet".to_owned(),
            },
            Reason::EndedLongAgo => format!(
                "it had ended more than {} before it was first seen on {}",
                self.treatment(policy).forget_expired_after,
                calendar.date(self.entry(inventory).first_seen)
            ),
            Reason::ToldBy(index) => {
                format!("it keeps {}, whose notices tell its end", inventory.entries()[index as usize].credential.id)
            }
            Reason::Superseded => self.superseded(context),
            Reason::Crossed(rung) => self.crossed(rung, context) + &order_in_words(rung.kind, credential, calendar),
            Reason::NothingCrossed => {
                "no threshold crossed yet".to_owned() + &order_in_words(NoticeKind::Expiring, credential, calendar)
            }
        }
    }

    fn crossed(&self, rung: Rung, context: Context<'_>) -> String {
        let calendar = context.calendar;
        let on = calendar.date(rung.crossed_at);
        let told = if self.code == Code::Noticed { "already noticed" } else { "not yet noticed" };
        match rung.kind {
            NoticeKind::Expired => format!("it ended on {}; {told}", self.end(context)),
            NoticeKind::Retiring | NoticeKind::StillInUse => {
                format!("{}; {} threshold crossed on {on}; {told}", self.superseded(context), rung.step)
            }
            NoticeKind::RotationDue => {
                let plan =
                    rotation_in_words(self.credential(context.inventory), self.treatment(context.policy), calendar);
                format!("{plan}; {} threshold crossed on {on}; {told}", rung.step)
            }
            _ => format!("{} threshold crossed on {on}; {told}", rung.step),
        }
    }

    fn superseded(&self, context: Context<'_>) -> String {
        let Some(successor) = self.successor(context.inventory) else {
            return "superseded".to_owned();
        };
        let by = match successor.expires_at {
            Some(end) => format!("superseded by one that ends on {}", context.calendar.date(end)),
            None => "superseded by one that never expires".to_owned(),
        };
        match self.use_in_words(context) {
            Some(used) => format!("{by}; {used}"),
            None => by,
        }
    }

    /// Whether a superseded one that still runs is still used.
    fn use_in_words(&self, context: Context<'_>) -> Option<String> {
        let credential = self.credential(context.inventory);
        if credential.has_ended_at(context.calendar.now) {
            return None;
        }
        let usage = Usage { inventory: context.inventory, now: context.calendar.now, foreseen_from: None };
        use_in_words(self.place.old_use, credential, &usage, context.calendar)
    }

    fn end(&self, context: Context<'_>) -> String {
        let end = self.credential(context.inventory).expires_at;
        end.map_or_else(|| "an unknown day".to_owned(), |end| context.calendar.date(end).to_string())
    }

    /// What somebody can do about it, where there is something.
    fn to_do(&self, context: Context<'_>) -> Option<String> {
        let by = || self.end(context);
        Some(match self.rung()?.kind {
            NoticeKind::Expired => "make a new one now, or delete it if nothing needs it".to_owned(),
            NoticeKind::Expiring => format!("make a new one before {}", by()),
            NoticeKind::RotationDue => "make a new one beside it".to_owned(),
            NoticeKind::StillInUse => format!("move its consumer to the new one before {}", by()),
            NoticeKind::Retiring => match self.place.old_use {
                OldUse::Idle => "let it end".to_owned(),
                OldUse::Settling | OldUse::InUse => "see that its consumer has moved, then let it end".to_owned(),
                OldUse::Unasked | OldUse::Unknown => "make sure that nothing uses it, then let it end".to_owned(),
            },
            _ => return None,
        })
    }

    /// Who is told, and who said so. Nothing for what is never told.
    fn whom(&self, context: Context<'_>) -> Option<String> {
        if matches!(
            self.reason,
            Reason::IgnoredByRule | Reason::EndedLongAgo | Reason::NeverExpires | Reason::ToldBy(_)
        ) {
            return None;
        }
        let told = escalated_teams(self, context);
        if self.teams.is_empty() && told.is_empty() {
            return Some("no team owns it, so only the summaries tell".to_owned());
        }
        let deciding = match (self.teams_from, self.rule_name(context.policy)) {
            (TeamsFrom::Rule, Some(rule)) => format!("the rule \"{rule}\" tells"),
            (TeamsFrom::Tag, Some(rule)) => format!("the rule \"{rule}\" names no team, a tag of its holder tells"),
            (TeamsFrom::Tag, None) => "no rule matches, a tag of its holder tells".to_owned(),
            (_, Some(rule)) => format!("the rule \"{rule}\" names no team, [defaults] tell"),
            (_, None) => "no rule matches, [defaults] tell".to_owned(),
        };
        let gap =
            self.owner_gap.map(|gap| format!(" (in the place of its owners: {})", gap.as_str())).unwrap_or_default();
        let escalated = if told.is_empty() { String::new() } else { format!(", and {} by escalation", listed(&told)) };
        Some(format!("{deciding} {}{gap}{escalated}", listed(&self.teams)))
    }

    fn next_in_words(&self, context: Context<'_>) -> Option<String> {
        let next = self.next(context.inventory, context.policy, context.calendar)?;
        let unheard = self.teams.is_empty() || self.status == Status::Ignored;
        (!unheard).then(|| format!("next: {} on {}", rung_in_words(next), context.calendar.date(next.crossed_at)))
    }
}

fn escalated_teams(verdict: &Verdict, context: Context<'_>) -> Vec<TeamId> {
    let (credential, treatment) = (verdict.credential(context.inventory), verdict.treatment(context.policy));
    let in_force = verdict.rung().and_then(|rung| escalation::in_force(rung, credential, treatment, context.calendar));
    let teams = in_force.map(|escalation| escalation::teams(escalation, credential, &context.policy.defaults));
    teams.into_iter().flatten().filter(|team| !verdict.teams.contains(team)).collect()
}

fn listed(teams: &[TeamId]) -> String {
    teams.iter().map(TeamId::as_str).collect::<Vec<_>>().join(", ")
}

/// `expiring 7d`; `expired`, where the threshold says no more than the kind.
fn rung_in_words(rung: Rung) -> String {
    let (kind, step) = (rung.kind.to_string(), rung.step.to_string());
    if step.starts_with(&kind) { step } else { format!("{kind} {step}") }
}

/// By when it is to be replaced, and why then.
#[must_use]
pub fn rotation_in_words(
    credential: &Credential,
    treatment: &crate::domain::Treatment,
    calendar: &Calendar<'_>,
) -> String {
    let plan = super::rotation::plan(credential, treatment, calendar);
    let (Some(plan), Some(every)) = (plan, treatment.rotate_every) else { return "to be replaced".to_owned() };
    let verb = if calendar.days_until(plan.end) >= 0 { "is" } else { "was" };
    let began = plan.start.map(|start| format!(" since it began on {}", calendar.date(start))).unwrap_or_default();
    format!("it {verb} to be replaced by {}, {every}{began}", calendar.date(plan.end))
}

/// Whether an old credential is still used; `None` where nobody asks for that.
#[must_use]
pub fn use_in_words(
    old_use: OldUse,
    credential: &Credential,
    usage: &Usage<'_>,
    calendar: &Calendar<'_>,
) -> Option<String> {
    let known = usage.last(credential);
    let last = |instant: Timestamp| format!("last used on {}", calendar.date(instant));
    Some(match (old_use, known) {
        (OldUse::Unasked, _) => return None,
        (OldUse::InUse, Some(Known { last: at, .. })) => format!("still in use: {}", last(at)),
        (OldUse::Settling, Some(Known { last: at, .. })) => format!("{}, before its successor began", last(at)),
        (OldUse::Idle, Some(Known { last: at, as_of })) => {
            let days = calendar.date(at).until(calendar.date(as_of)).map_or(0, |span| span.get_days());
            format!("not used for {days} days ({}), safe to let go", last(at))
        }
        _ => format!("whether it is still used is unknown: {}", why_unknown(credential, usage, calendar)),
    })
}

fn why_unknown(credential: &Credential, usage: &Usage<'_>, calendar: &Calendar<'_>) -> String {
    let report = usage.report(credential);
    match report.map(|report| (&report.error, report.read_at)) {
        Some((Some(error), _)) => error.to_string(),
        Some((None, Some(read_at))) if calendar.now.duration_since(read_at) > RECENT => {
            format!("the report of sign-ins was last read on {}", calendar.date(read_at))
        }
        _ => "the report of sign-ins does not list it".to_owned(),
    }
}

/// How an issued certificate that somebody has to renew is renewed: within its order, or by a new one. Empty where nothing is known.
#[must_use]
pub fn order_in_words(kind: NoticeKind, credential: &Credential, calendar: &Calendar<'_>) -> String {
    let known = credential.x509.as_deref().and_then(|x509| x509.paid_until).zip(credential.expires_at);
    match (kind, known) {
        (NoticeKind::Expiring | NoticeKind::Expired, Some((paid, end))) if paid > end && paid > calendar.now => {
            format!("; its order is paid for until {}, so a reissue will do", calendar.date(paid))
        }
        (NoticeKind::Expiring | NoticeKind::Expired, Some((paid, end))) if paid <= end => {
            "; its order ends with it, so it takes a purchase".to_owned()
        }
        _ => String::new(),
    }
}
