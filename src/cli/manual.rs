//! What the command line says about itself: completions and man pages, made from its own definition.

use super::setup::{self, fail};
use super::{Arguments, Exit};
use clap::CommandFactory;
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use std::io::{ErrorKind, Write};
use std::path::Path;

pub fn completions(shell: Shell) -> Result<Exit, Exit> {
    let mut out = Vec::new();
    generate(shell, &mut Arguments::command(), "expiry-watch", &mut out);
    print(&out)
}

/// The page of the whole to stdout, or one page a command into `folder`.
pub fn man(folder: Option<&Path>) -> Result<Exit, Exit> {
    let command = Arguments::command();
    if let Some(folder) = folder {
        let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
        let cannot = |error| fail(Exit::Configuration, format_args!("--dir {}: {error}", folder.display()));
        return written.map(|()| Exit::Done).map_err(cannot);
    }
    let mut out = Vec::new();
    Man::new(command).render(&mut out).map_err(|error| setup::cannot_print(&error))?;
    print(&out)
}

fn print(page: &[u8]) -> Result<Exit, Exit> {
    match std::io::stdout().lock().write_all(page) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(setup::cannot_print(&error)),
        _ => Ok(Exit::Done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_shell_gets_completions_that_name_every_command() {
        for shell in Shell::value_variants() {
            let mut out = Vec::new();
            generate(*shell, &mut Arguments::command(), "expiry-watch", &mut out);
            let script = String::from_utf8(out).unwrap();
            for command in Arguments::command().get_subcommands().filter(|command| !command.is_hide_set()) {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }

    #[test]
    fn there_is_a_page_for_every_command() {
        let folder = tempfile::tempdir().unwrap();
        man(Some(folder.path())).unwrap();
        for page in ["expiry-watch.1", "expiry-watch-check.1", "expiry-watch-forecast.1", "expiry-watch-mail-test.1"] {
            let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
            assert!(text.contains(".SH SYNOPSIS"), "{page}");
        }
    }
}
