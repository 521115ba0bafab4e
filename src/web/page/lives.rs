//! The lives of a holder's credentials, beside each other: who was there first, who takes over, and where today lies.

use super::attention::status;
use super::scene::{One, Scene};
use super::timeline::per_cent;
use crate::domain::{Credential, CredentialId};
use crate::render::page_of;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use maud::{Markup, html};

/// How many are drawn; the latest to end.
const MOST: usize = 24;

/// How far the drawing reaches at most, back and ahead of today.
const BACK: SignedDuration = SignedDuration::from_hours(24 * 400);
const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 800);

/// So many dates are written below.
const DATES: i64 = 3;

/// What the drawing shows, on a line that is the same for all its days.
struct Window {
    from: Timestamp,
    to: Timestamp,
}

impl Window {
    fn around(siblings: &[One<'_>], now: Timestamp) -> Self {
        let clamp = |at: Timestamp| {
            let from = now.saturating_sub(BACK).unwrap_or(Timestamp::MIN);
            at.clamp(from, now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX))
        };
        let starts = siblings.iter().filter_map(|one| one.credential().not_before);
        let ends = siblings.iter().filter_map(|one| one.credential().expires_at);
        let from = clamp(starts.chain([now]).min().unwrap_or(now));
        let to = clamp(ends.chain([now]).max().unwrap_or(now));
        let margin = SignedDuration::from_secs(to.duration_since(from).as_secs() / 25 + 86_400);
        Self { from: from.saturating_sub(margin).unwrap_or(from), to: to.saturating_add(margin).unwrap_or(to) }
    }

    fn place(&self, at: Timestamp) -> f64 {
        let whole = self.to.duration_since(self.from).as_secs_f64().max(1.0);
        (at.duration_since(self.from).as_secs_f64() / whole * 100.0).clamp(0.0, 100.0)
    }

    /// Where a life begins and ends; what has no end goes on to the edge.
    fn span(&self, credential: &Credential) -> (f64, f64) {
        let start = credential.not_before.map_or(0.0, |start| self.place(start));
        let end = credential.expires_at.map_or(100.0, |end| self.place(end));
        (start, end.max(start))
    }

    /// The first days of months, evenly spread.
    fn dates(&self, scene: &Scene<'_>) -> Vec<(f64, String)> {
        let zone = &scene.view.policy.zone;
        let (first, last) = (scene.calendar.date(self.from), scene.calendar.date(self.to));
        let months = i64::from(last.year() - first.year()) * 12 + i64::from(last.month() - first.month());
        let step = (months / DATES + 1).max(1);
        let month = |n: i64| -> Option<Date> { first.first_of_month().checked_add((n * step).months()).ok() };
        let of = |date: Date| {
            let at = date.to_zoned(zone.clone()).ok()?.timestamp();
            // Not over the edges, where the words would be cut.
            let place = self.place(at);
            (9.0..91.0).contains(&place).then(|| (place, date.strftime("%b %Y").to_string()))
        };
        (1..=DATES + 1).filter_map(month).filter_map(of).collect()
    }
}

pub fn lives(scene: &Scene<'_>, siblings: &[One<'_>], own: &CredentialId) -> Markup {
    let mut shown: Vec<One<'_>> = siblings.to_vec();
    shown.sort_by_key(|one| (one.credential().expires_at.is_none(), one.credential().expires_at));
    let left_out = shown.len().saturating_sub(MOST);
    let shown = &shown[left_out..];
    let window = Window::around(shown, scene.view.at);
    html! {
        @if left_out > 0 { p class="quiet" { (left_out) " that ended earlier are left out." } }
        div class="time" {
            ol class="ends lives" { @for one in shown { (life(scene, one, &window, own)) } }
            svg class="axis" width="100%" height="20" aria-hidden="true" {
                @for (x, words) in window.dates(scene) { text x=(per_cent(x)) y="14" text-anchor="middle" { (words) } }
            }
        }
    }
}

fn life(scene: &Scene<'_>, one: &One<'_>, window: &Window, own: &CredentialId) -> Markup {
    let credential = one.credential();
    let (start, end) = window.span(credential);
    let name = if credential.label.is_empty() { "(no label)" } else { credential.label.as_str() };
    let date = |at: Timestamp| scene.calendar.date(at).to_string();
    html! {
        li class=(one.look()) {
            div class="who" {
                @if credential.id == *own { b { bdi { (name) } } " (this one)" }
                @else { a class="holder" href=(page_of(&credential.id)) { bdi { (name) } } }
                " "
                @match one.verdict() {
                    Some(verdict) => small { (status(one, verdict)) },
                    None => small { "gone" },
                }
            }
            svg class="track" width="100%" height="24" aria-hidden="true" {
                @let today = per_cent(window.place(scene.view.at));
                svg y="50%" { rect x=(per_cent(start)) y="-5" width=(per_cent((end - start).max(0.5))) height="10" rx="3" {} }
                line class="today" x1=(today) y1="0" x2=(today) y2="100%" {}
            }
            div class="when" {
                small { (credential.not_before.map_or("?".to_owned(), date)) " to " }
                small { (credential.expires_at.map_or("no end".to_owned(), date)) }
            }
        }
    }
}
