//! The architecture, as far as it can be read off the sources: who may import whom, and what the pure modules must not know.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may import, of ours. `lib` and `main` are the crate's doors.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &[]),
    ("schedule", &[]),
    ("config", &["domain", "schedule"]),
    ("http", &["config"]),
    ("azure", &["config", "clock", "http"]),
    ("sources", &["domain", "config", "clock", "http", "azure"]),
    ("inventory", &["domain"]),
    ("decide", &["domain", "inventory"]),
    ("render", &["domain"]),
    ("outbox", &["domain"]),
    ("store", &["domain", "config", "clock", "azure", "inventory", "outbox"]),
    ("deliver", &["domain", "config", "clock", "http", "azure", "outbox", "store"]),
    ("observe", &["domain", "inventory", "decide"]),
    ("report", &["domain", "inventory", "decide", "observe", "render"]),
    ("web", &["domain", "inventory", "decide", "observe", "render", "report", "clock", "config"]),
    ("cycle", &["domain", "config", "clock", "sources", "inventory", "decide", "render", "outbox", "store", "observe"]),
    (
        "daemon",
        &[
            "clock",
            "config",
            "cycle",
            "decide",
            "deliver",
            "domain",
            "inventory",
            "observe",
            "outbox",
            "render",
            "report",
            "schedule",
            "sources",
            "store",
            "web",
        ],
    ),
    ("demo", &["domain", "clock"]),
];

/// Neither time nor randomness, neither waiting nor logging nor SQL.
const PURE: &[&str] = &["domain", "inventory", "decide", "render", "outbox", "report", "schedule"];

/// The place that this was first built for stands in the configuration, and in the demo that shows it.
const OF_THE_PLACE: &[&str] = &["pexip", "maxconf", "bcgov", "ccaas", "idim", "verify-by-video"];

/// A source file, without its tests.
struct File {
    /// `src/decide/ladder.rs`
    name: String,
    /// `["decide", "ladder"]`
    module: Vec<String>,
    whole: String,
    /// What runs: no tests, no comments, strings left in.
    code: String,
}

/// Every file that is not tests through and through.
fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    walk(&root.join("src"), &mut paths);
    let files: Vec<File> = paths.iter().map(|path| read(root, path)).filter(|file| !is_for_tests(file)).collect();
    assert!(files.len() > 80, "where are the sources?");
    files
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension() {
            _ if path.is_dir() => walk(&path, found),
            Some(extension) if extension == "rs" => found.push(path),
            _ => {}
        }
    }
    found.sort();
}

fn read(root: &Path, path: &Path) -> File {
    let name = path.strip_prefix(root).unwrap().display().to_string();
    let module = name.trim_start_matches("src/").trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    let whole = fs::read_to_string(path).unwrap();
    // By habit here, the tests are the last item of their file, or a file of their own.
    let code = whole.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let code = code.lines().map(without_comment).collect::<Vec<_>>().join("\n");
    File { name, module, whole, code }
}

fn is_for_tests(file: &File) -> bool {
    file.module.iter().any(|part| part == "tests" || part == "testing")
}

fn without_comment(line: &str) -> &str {
    match line.trim_start() {
        trimmed if trimmed.starts_with("//") => "",
        _ => line.split(" // ").next().unwrap_or(line),
    }
}

impl File {
    fn top(&self) -> &str {
        &self.module[0]
    }

    /// The modules of ours that it names, by `crate::` or by climbing up with `super::`.
    fn imports(&self) -> BTreeSet<String> {
        let by_crate = self.code.match_indices("crate::").filter(|(at, _)| !self.code[..*at].ends_with('$'));
        let mut found: BTreeSet<String> =
            by_crate.flat_map(|(at, path)| heads(&self.code[at + path.len()..])).collect();
        let climbed = "super::".repeat(self.module.len());
        found.extend(self.code.match_indices(&climbed).flat_map(|(at, path)| heads(&self.code[at + path.len()..])));
        found.remove(self.top());
        found
    }
}

/// What a path goes on with: `decide::World` gives `decide`, `{clock, config::Mail}` gives both.
fn heads(rest: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    match rest.strip_prefix('{') {
        None => vec![name(rest)],
        Some(group) => {
            let (mut depth, mut from, mut found) = (0, 0, Vec::new());
            for (at, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth > 0 => depth -= 1,
                    ',' | '}' if depth == 0 => {
                        found.push(name(&group[from..at]));
                        from = at + 1;
                        if c == '}' {
                            break;
                        }
                    }
                    _ => {}
                }
            }
            found.retain(|head| !head.is_empty());
            found
        }
    }
}

#[test]
fn the_reader_of_imports_reads_them() {
    assert_eq!(heads("decide::{World, decide};"), ["decide"]);
    assert_eq!(heads("{clock, config::{Mail, Smtp}, store};"), ["clock", "config", "store"]);
}

#[test]
fn modules_import_what_the_table_allows_and_nothing_else() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files() {
        if ["lib", "main", "cli"].contains(&file.top()) {
            continue;
        }
        let Some(allowed) = allowed.get(file.top()) else {
            wrong.push(format!("{}: the module is not in the table", file.name));
            continue;
        };
        for import in file.imports() {
            if !allowed.contains(&&*import) {
                wrong.push(format!("{} imports {import}", file.name));
            }
            used.entry(file.top().to_owned()).or_default().insert(import);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(used["cycle"].contains("store") && used["decide"].contains("inventory"), "the reader is blind: {used:?}");
}

#[test]
fn pure_modules_know_no_time_no_waiting_no_logging_and_no_sql() {
    let foreign = [
        "async ",
        ".await",
        "tokio",
        "SystemTime::",
        "Instant::now",
        "Timestamp::now",
        "tracing",
        "sqlx",
        "fastrand",
        "Uuid::new",
        "std::fs",
        "std::env",
        "crate::clock",
    ];
    for file in files().iter().filter(|file| PURE.contains(&file.top())) {
        for word in foreign {
            assert!(!file.code.contains(word), "{} contains `{word}`", file.name);
        }
    }
}

#[test]
fn every_file_says_first_what_it_is_for_and_none_is_long() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in ["src", "tests", "benches"] {
        walk(&root.join(folder), &mut paths);
    }
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{} does not open with `//!`", path.display());
        let (lines, most) = (text.lines().count(), if path.ends_with("tests.rs") { 600 } else { 500 });
        assert!(lines <= most, "{} has {lines} lines: look for a second noun", path.display());
    }
}

#[test]
fn what_may_panic_says_beside_it_why_it_cannot() {
    for file in files() {
        let lines: Vec<&str> = file.whole.lines().collect();
        let end = file.code.lines().count();
        for (at, line) in lines.iter().enumerate().take(end) {
            let code = without_comment(line);
            if [".unwrap()", ".expect(", "panic!(", "unreachable!(", "todo!("].iter().any(|word| code.contains(word)) {
                let reason = line.contains(" // ") || (at > 0 && lines[at - 1].trim_start().starts_with("//"));
                let announced = file.whole.contains("# Panics") && file.top() == "demo";
                assert!(reason || announced, "{}:{}: {}", file.name, at + 1, line.trim());
            }
        }
    }
}

#[test]
fn nothing_of_the_place_stands_in_the_program() {
    // The configuration's messages quote the documentation's own examples.
    let elsewhere = |file: &&File| !["demo", "config"].contains(&file.top()) && file.name != "src/cli/demo.rs";
    for file in files().iter().filter(elsewhere) {
        let code = file.code.to_lowercase();
        for word in OF_THE_PLACE {
            assert!(!code.contains(word), "{} mentions {word}", file.name);
        }
    }
}
