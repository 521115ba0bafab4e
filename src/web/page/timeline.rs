//! What runs out next, as a line through time: one row for each of the next ends, and above them how many end when.
//!
//! Every fact of the drawing stands beside it in words, so the drawing itself is hidden from who has it read aloud. It is SVG in per
//! cent of its own width: the page's policy allows no styles in the page, and nothing has to be scaled on a telephone.

use super::filter::Filter;
use super::horizon::{Horizon, TICKS, has_ended, place};
use super::scene::{One, Scene, count_of, days, grouped};
use crate::decide::{Status, Verdict};
use maud::{Markup, html};

/// How many ends are drawn by themselves.
const ROWS: usize = 12;

/// How many stretches the heights are counted in, and how high the highest is.
const BINS: usize = 66;
const HIGHEST: f64 = 30.0;

pub fn section(scene: &Scene<'_>, filter: &Filter, found: &[u32]) -> Markup {
    let on_line = |at: &&u32| Horizon::of(&scene.view.verdicts[**at as usize]).is_some();
    let line: Vec<u32> = found.iter().filter(on_line).copied().collect();
    html! {
        section id="next" aria-labelledby="next-title" {
            h2 id="next-title" { "What runs out next" }
            @if line.is_empty() { p class="quiet" { "Nothing that is watched here has an end to wait for." } }
            @else {
                div class="time" {
                    div class="head" {
                        p { "How many end when" @if line.len() > ROWS { ", and the next " (ROWS) " by name" } @else { ", and each by name" } }
                        (horizons(scene, filter, &line))
                        (axis())
                        (strip(scene, &line))
                    }
                    ol class="ends" { @for at in line.iter().take(ROWS) { (row(&scene.judged(*at))) } }
                }
                @if line.len() > ROWS {
                    p { a href="#all" { "and " (count_of(line.len() - ROWS, "later end")) ", below" } }
                }
            }
            (beside(scene, filter, found))
        }
    }
}

/// How many end in each stretch, above that stretch.
fn horizons(scene: &Scene<'_>, filter: &Filter, line: &[u32]) -> Markup {
    let of = |at: &u32| Horizon::of(&scene.view.verdicts[*at as usize]);
    let count = |horizon: Horizon| line.iter().filter(|at| of(at) == Some(horizon)).count();
    html! {
        nav class="horizons" aria-label="By time left" {
            ul {
                @for horizon in Horizon::ALL {
                    @let (count, key) = (count(horizon), horizon.as_str());
                    li class=(if count == 0 { "calm" } else { horizon.look() }) {
                        a href=(filter.link("all", |next| next.ends = key.to_owned())) aria-current=[(filter.ends == key).then_some("true")] {
                            b { (grouped(count)) } " " span { (horizon.spoken()) }
                        }
                    }
                }
            }
        }
    }
}

pub fn axis() -> Markup {
    html! {
        svg class="axis" width="100%" height="20" aria-hidden="true" {
            @for (x, words) in TICKS { text x=(per_cent(x)) y="14" text-anchor="middle" { (words) } }
        }
    }
}

/// How many end when, as heights: the square root, so that one is still seen beside a thousand.
fn strip(scene: &Scene<'_>, line: &[u32]) -> Markup {
    let width = 100.0 / BINS as f64;
    let mut bins = vec![(0_u32, "calm"); BINS];
    for at in line {
        let verdict = &scene.view.verdicts[*at as usize];
        // Within the bins: a place is less than a hundred per cent.
        let bin = ((place(verdict) / width) as usize).min(BINS - 1);
        bins[bin].0 += 1;
        bins[bin].1 = Horizon::of(verdict).map_or("calm", Horizon::look);
    }
    let most = bins.iter().map(|(count, _)| *count).max().unwrap_or(1).max(1);
    let height = |count: u32| 3.0 + (HIGHEST - 3.0) * (f64::from(count) / f64::from(most.max(4))).sqrt();
    html! {
        svg class="strip" width="100%" height="32" aria-hidden="true" {
            (ticks())
            @for (index, (count, look)) in bins.into_iter().enumerate().filter(|(_, (count, _))| *count > 0) {
                rect class=(look) x=(per_cent(index as f64 * width + width * 0.1)) y=(format!("{:.1}", 31.0 - height(count)))
                    width=(per_cent(width * 0.8)) height=(format!("{:.1}", height(count))) rx="1" {}
            }
        }
    }
}

fn row(one: &One<'_>) -> Markup {
    let Some(verdict) = one.verdict() else { return html! {} };
    let left = verdict.days_left.map(i64::from).unwrap_or_default();
    html! {
        li class=(one.look()) {
            div class="who" { (one.link()) " " small { (one.what()) } }
            (track(verdict))
            div class="when" {
                b { @if has_ended(verdict) { "ended " } (days(left)) } " "
                small { @if let Some(end) = one.credential().expires_at { (one.scene.time(end)) } }
            }
        }
    }
}

pub fn track(verdict: &Verdict) -> Markup {
    let (x, ended) = (place(verdict), has_ended(verdict));
    html! {
        svg class="track" width="100%" height="24" aria-hidden="true" {
            (ticks())
            @if !ended { line class="run" x1="10%" y1="50%" x2=(per_cent(x)) y2="50%" {} }
            circle cx=(per_cent(x)) cy="50%" r="5.5" {}
        }
    }
}

fn ticks() -> Markup {
    html! {
        @for (index, (x, _)) in TICKS.into_iter().enumerate() {
            line class=(if index == 0 { "today" } else { "tick" }) x1=(per_cent(x)) y1="0" x2=(per_cent(x)) y2="100%" {}
        }
    }
}

pub fn per_cent(x: f64) -> String {
    format!("{x:.1}%")
}

/// What has no place on the line, and where to find it.
fn beside(scene: &Scene<'_>, filter: &Filter, found: &[u32]) -> Markup {
    const WORDS: [(Status, &str); 4] = [
        (Status::Superseded, "replaced, ending as planned"),
        (Status::NoExpiry, "without an end"),
        (Status::Ignored, "ignored by a rule"),
        (Status::Unreachable, "out of reach"),
    ];
    let count = |status| found.iter().filter(|at| scene.view.verdicts[**at as usize].status == status).count();
    let others: Vec<_> =
        WORDS.iter().map(|(status, words)| (*status, *words, count(*status))).filter(|(.., n)| *n > 0).collect();
    html! {
        @if !others.is_empty() {
            p class="quiet" {
                "Beside the line: "
                @for (index, (status, words, count)) in others.into_iter().enumerate() {
                    @if index > 0 { ", " }
                    a href=(filter.link("all", |next| next.status = status.as_str().to_owned())) { (grouped(count)) " " (words) }
                }
                "."
            }
        }
    }
}
