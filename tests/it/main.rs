//! The watch as a whole, told as stories: over a real state file, real HTTP and real SMTP, against the simulated tenant and under a
//! clock that the story turns.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by falling over")]

mod calendar;
mod certificates;
mod cli;
mod desk;
mod facts;
mod forecast;
mod life;
mod outage;
mod pages;
mod replicas;
mod restart;
mod routing;
mod schedule;
mod state;
mod summary;
mod support;
mod tidy;
mod transports;
mod vault;
mod year;
