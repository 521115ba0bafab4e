//! Parses the arguments, runs the command, exits with its code.

use clap::Parser;
use expiry_watch::cli::{self, Arguments};
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(Arguments::parse()).into()
}
