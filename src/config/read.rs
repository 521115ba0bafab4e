//! Reading TOML without stopping at the first mistake.
//!
//! A [`Table`] is asked for its keys one by one; what is missing or of the wrong type is noted and reading goes on. When a table
//! has been read, the keys that nobody asked for are noted as unknown, so "unknown keys are errors" needs no list beside the code
//! that reads them. Knows nothing of what any key means. (serde's `deny_unknown_fields` was the alternative: it stops at the first.)

use super::SecretRef;
use super::problem::{Problem, found, key_text, nearest};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt::Display;
use toml::de::{DeTable, DeValue};

/// After this many problems no more suggestions are made.
const MOST_SUGGESTIONS: usize = 100;

/// What was noted while reading one file.
pub(super) struct Report {
    /// Where each line begins, in bytes.
    lines: Vec<usize>,
    findings: RefCell<Findings>,
}

#[derive(Default)]
pub(super) struct Findings {
    pub problems: Vec<Problem>,
    /// With the offset at which each belongs.
    warnings: Vec<(usize, String)>,
    /// Every secret that is referred to, with its key path.
    pub secrets: Vec<(String, SecretRef)>,
    /// Every key that was asked for, whether there or not; `*` for a name, `[]` for a list.
    pub asked: BTreeSet<String>,
}

impl Findings {
    /// In the order of the file.
    pub(super) fn warnings(&mut self) -> Vec<String> {
        self.warnings.sort_by_key(|(at, _)| *at);
        std::mem::take(&mut self.warnings).into_iter().map(|(_, warning)| warning).collect()
    }
}

impl Report {
    pub(super) fn new(text: &str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { lines, findings: RefCell::default() }
    }

    /// The line that an offset lies in, counted from 1.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }

    pub(super) fn into_findings(self) -> Findings {
        self.findings.into_inner()
    }

    /// The file's top table.
    pub(super) fn root<'a, T>(&'a self, table: &'a DeTable<'a>, read: impl FnOnce(&Table<'a>) -> T) -> T {
        let place = Place { report: self, path: String::new(), shape: String::new(), key: String::new(), at: None };
        Table::over(place, Some(table)).read(read)
    }
}

/// Where something stands, or would stand.
#[derive(Clone)]
pub(super) struct Place<'a> {
    report: &'a Report,
    path: String,
    /// The path with `*` for free names and `[]` for indices.
    shape: String,
    /// The last key, for the example; empty within a list.
    key: String,
    at: Option<usize>,
}

impl<'a> Place<'a> {
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Notes a problem; `example` is a value that would be right, or a whole section, or empty.
    pub(super) fn problem(&self, message: impl Display, example: &str) {
        let example = match (self.key.as_str(), example) {
            ("", example) => example.to_owned(),
            (_, "") => String::new(),
            // A whole section, unlike a list, which we write with a blank: `[ "a" ]`.
            (_, section) if section.starts_with('[') && !section.starts_with("[ ") => section.to_owned(),
            (key, value) => format!("{key} = {value}"),
        };
        let line = self.at.map(|at| self.report.line_of(at));
        let problem = Problem::new(&self.path, line, message, &example);
        self.report.findings.borrow_mut().problems.push(problem);
    }

    pub(super) fn warn(&self, message: impl Display) {
        let warning = format!("{}: {message}", self.path);
        self.report.findings.borrow_mut().warnings.push((self.at.unwrap_or(usize::MAX), warning));
    }

    /// The candidate that was probably meant. Not looked for in a file that is wrong all over: that takes long and helps nobody.
    pub(super) fn nearest<'c>(&self, word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
        let so_far = self.report.findings.borrow().problems.len();
        (so_far < MOST_SUGGESTIONS).then(|| nearest(word, candidates)).flatten()
    }

    pub(super) fn refers_to(&self, secret: &SecretRef) {
        self.report.findings.borrow_mut().secrets.push((self.path.clone(), secret.clone()));
    }

    fn child(&self, key: &str, shape: &str, at: Option<usize>) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self {
            report: self.report,
            path: format!("{}{dot}{}", self.path, key_text(key)),
            shape: format!("{}{dot}{shape}", self.shape),
            key: key_text(key),
            at: at.or(self.at),
        }
    }

    fn element(&self, index: usize, at: usize) -> Self {
        Self {
            report: self.report,
            path: format!("{}[{index}]", self.path),
            shape: format!("{}[]", self.shape),
            key: String::new(),
            at: Some(at),
        }
    }
}

/// A value and its place.
#[derive(Clone)]
pub(super) struct Item<'a> {
    pub place: Place<'a>,
    pub value: &'a DeValue<'a>,
}

impl<'a> Item<'a> {
    /// Notes that the value will not do.
    pub(super) fn wrong(&self, why: impl Display, example: &str) {
        self.place.problem(format_args!("found {}: {why}", found(self.value)), example);
    }

    /// Reads it as a table; unknown keys are noted at the end.
    pub(super) fn table<T>(&self, example: &str, read: impl FnOnce(&Table<'a>) -> T) -> Option<T> {
        let Some(table) = self.value.as_table() else {
            self.wrong("a table is wanted", example);
            return None;
        };
        Some(Table::over(self.place.clone(), Some(table)).read(read))
    }

    /// Its elements; a single value counts as a list of one.
    pub(super) fn elements(&self) -> Vec<Item<'a>> {
        let Some(array) = self.value.as_array() else { return vec![self.clone()] };
        let element = |(index, value): (usize, &'a toml::Spanned<DeValue<'a>>)| Item {
            place: self.place.element(index, value.span().start),
            value: value.get_ref(),
        };
        array.iter().enumerate().map(element).collect()
    }
}

/// A table that is being read. An absent one reads as empty, so that defaults need no second path.
pub(super) struct Table<'a> {
    pub place: Place<'a>,
    keys: Option<&'a DeTable<'a>>,
    asked: RefCell<Vec<&'static str>>,
    any_key_goes: Cell<bool>,
}

impl<'a> Table<'a> {
    fn over(place: Place<'a>, keys: Option<&'a DeTable<'a>>) -> Self {
        Self { place, keys, asked: RefCell::default(), any_key_goes: Cell::new(false) }
    }

    fn read<T>(self, read: impl FnOnce(&Self) -> T) -> T {
        let value = read(&self);
        self.note_unknown_keys();
        value
    }

    pub(super) fn is_given(&self) -> bool {
        self.keys.is_some()
    }

    /// The value of a key, if it is there.
    pub(super) fn get(&self, key: &'static str) -> Option<Item<'a>> {
        let place = self.at(key);
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        place.report.findings.borrow_mut().asked.insert(place.shape.clone());
        self.keys?.get(key).map(|value| Item { place, value: value.get_ref() })
    }

    /// The value of a key that must be there. An absent table does not need its keys.
    pub(super) fn need(&self, key: &'static str, example: &str) -> Option<Item<'a>> {
        let item = self.get(key);
        if item.is_none() && self.is_given() {
            self.at(key).problem("is missing", example);
        }
        item
    }

    /// Reads the table under a key; an absent one as an empty one, one that is no table not at all.
    pub(super) fn table<T>(&self, key: &'static str, example: &str, read: impl FnOnce(&Table<'a>) -> T) -> Option<T> {
        match self.get(key) {
            Some(item) => item.table(example, read),
            None => Some(Table::over(self.at(key), None).read(read)),
        }
    }

    /// The entries of a table whose keys are names of the user's choice, in the order of the file.
    pub(super) fn named(&self, key: &'static str, example: &str) -> Vec<(&'a str, Item<'a>)> {
        let Some(item) = self.get(key) else { return Vec::new() };
        let Some(table) = item.value.as_table() else {
            item.wrong("a table is wanted", example);
            return Vec::new();
        };
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        let entry = |(name, value): (&'a toml::Spanned<_>, &'a toml::Spanned<DeValue<'a>>)| {
            let name: &'a std::borrow::Cow<'a, str> = name.as_ref();
            (name.as_ref(), value)
        };
        let place = |(name, value): (&'a str, &'a toml::Spanned<DeValue<'a>>)| {
            let at = table.get_key_value(name).map(|(key, _)| key.span().start);
            (name, Item { place: item.place.child(name, "*", at), value: value.get_ref() })
        };
        entries.into_iter().map(entry).map(place).collect()
    }

    /// Where a key stands; where it would stand, if it is not there.
    pub(super) fn at(&self, key: &str) -> Place<'a> {
        let at = self.keys.and_then(|keys| keys.get_key_value(key)).map(|(key, _)| key.span().start);
        self.place.child(key, key, at)
    }

    /// For a table of which too little is known to say which keys belong there.
    pub(super) fn let_any_key_go(&self) {
        self.any_key_goes.set(true);
    }

    fn note_unknown_keys(&self) {
        let asked = self.asked.borrow();
        let given = self.keys.into_iter().flat_map(|keys| keys.keys());
        for key in given.filter(|_| !self.any_key_goes.get()) {
            let written = key.get_ref().as_ref();
            if asked.contains(&written) {
                continue;
            }
            let message = match self.place.nearest(written, asked.iter().copied()) {
                Some(meant) => format!("unknown key; did you mean `{meant}`?"),
                None => format!("unknown key; known here: {}", asked.join(", ")),
            };
            self.at(written).problem(message, "");
        }
    }
}
