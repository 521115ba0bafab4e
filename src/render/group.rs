//! Less urgent notices of a long digest: told with all their facts still, but what several of them share is said once.

use super::facts::Fact;
use super::item::Item;

/// Notices of one headline that stand beside each other.
pub(super) struct Group<'a> {
    pub(super) items: &'a [Item],
    /// What is true of each of them.
    pub(super) shared: Vec<&'a Fact>,
}

/// In the same order; what stands beside its like becomes one group.
pub(super) fn groups(items: &[Item]) -> Vec<Group<'_>> {
    items.chunk_by(is_alike).map(Group::new).collect()
}

fn is_alike(a: &Item, b: &Item) -> bool {
    let same = |name: &str| fact(a, name) == fact(b, name);
    a.headline == b.headline
        && a.escalated == b.escalated
        && a.which() == b.which()
        && ["Rule", "What to do", "Runbook", "Also told", "Sent to"].into_iter().all(same)
}

fn fact<'a>(item: &'a Item, name: &str) -> Option<&'a Fact> {
    item.facts.iter().find(|fact| fact.name == name)
}

impl<'a> Group<'a> {
    fn new(items: &'a [Item]) -> Self {
        let (first, others) = (&items[0], &items[1..]); // `chunk_by` makes no empty ones.
        let is_shared = |of_first: &&Fact| others.iter().all(|item| fact(item, of_first.name) == Some(*of_first));
        // A lone one is told in its own order.
        let shared = if others.is_empty() { Vec::new() } else { first.facts.iter().filter(is_shared).collect() };
        Self { items, shared }
    }

    pub(super) fn heading(&self) -> String {
        let count = if self.items.len() > 1 { format!(", {} times", self.items.len()) } else { String::new() };
        format!("{}{}{count}", self.items[0].headline, self.items[0].aside())
    }

    pub(super) fn own<'i>(&self, item: &'i Item) -> impl Iterator<Item = &'i Fact> {
        item.facts.iter().filter(|fact| !self.shared.iter().any(|shared| shared.name == fact.name))
    }
}
