//! Whose a credential is, and how it is watched: the first rule that matches decides.

use crate::domain::{Credential, Owners, Policy, TeamId, Treatment};
use std::collections::HashMap;
use std::sync::Arc;

/// Where a credential's teams come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TeamsFrom {
    Rule,
    /// A `team:<name>` tag on the application.
    Tag,
    Defaults,
}

/// Why the owners who should be told are not, and the default teams are told in their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerGap {
    /// Its source does not read owners, or could not.
    NotRead,
    Nobody,
    WithoutAddress,
    Hidden,
}

impl OwnerGap {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotRead => "its owners are not read",
            Self::Nobody => "it has no owner",
            Self::WithoutAddress => "no owner of it has a mail address",
            Self::Hidden => "its owners' addresses may not be read",
        }
    }

    fn of(credential: &Credential) -> Option<Self> {
        match credential.holder.owners.as_deref() {
            Some(Owners::Reachable(_)) => None,
            Some(Owners::Nobody) => Some(Self::Nobody),
            Some(Owners::WithoutAddress) => Some(Self::WithoutAddress),
            Some(Owners::Hidden) => Some(Self::Hidden),
            None => Some(Self::NotRead),
        }
    }
}

/// What was decided for one credential.
#[derive(Clone, Debug)]
pub struct Route<'a> {
    /// The index of the deciding rule in the policy; `None` = the defaults.
    pub rule: Option<usize>,
    pub treatment: &'a Treatment,
    /// May be empty: unowned.
    pub teams: Arc<[TeamId]>,
    pub teams_from: TeamsFrom,
    pub owner_gap: Option<OwnerGap>,
}

/// A policy, prepared for routing many credentials.
pub struct Router<'a> {
    policy: &'a Policy,
    rules: Vec<Teams>,
    defaults: Teams,
    /// Each team alone, by the tag that names it, in lower case.
    by_tag: HashMap<String, Arc<[TeamId]>>,
}

/// The teams that one treatment names.
struct Teams {
    named: Arc<[TeamId]>,
    /// The same with the default teams in the place of the holder's owners; `None` where owners are not among them.
    without_owners: Option<Arc<[TeamId]>>,
}

impl Teams {
    fn new(treatment: &Treatment, defaults: &Treatment) -> Self {
        let stand_in = |team: &TeamId| if team.is_owner() { defaults.teams.clone() } else { vec![team.clone()] };
        let stood_in = || treatment.teams.iter().flat_map(stand_in).filter(|team| !team.is_owner());
        Self {
            named: unique(treatment.teams.iter().cloned()),
            without_owners: treatment.teams.iter().any(TeamId::is_owner).then(|| unique(stood_in())),
        }
    }

    fn of(&self, credential: &Credential) -> (Arc<[TeamId]>, Option<OwnerGap>) {
        match self.without_owners.as_ref().and_then(|without| Some((without, OwnerGap::of(credential)?))) {
            Some((without, gap)) => (without.clone(), Some(gap)),
            None => (self.named.clone(), None),
        }
    }
}

impl<'a> Router<'a> {
    #[must_use]
    pub fn new(policy: &'a Policy) -> Self {
        let of_tag = |tag: &str| Some((tag.to_ascii_lowercase(), [policy.team_of_tag(tag)?.clone()].into()));
        Self {
            policy,
            rules: policy.rules.iter().map(|rule| Teams::new(&rule.treatment, &policy.defaults)).collect(),
            defaults: Teams::new(&policy.defaults, &policy.defaults),
            by_tag: policy.teams.keys().filter_map(|team| of_tag(team.as_str())).collect(),
        }
    }

    #[must_use]
    pub fn route(&self, credential: &Credential) -> Route<'a> {
        let rule = self.policy.rules.iter().position(|rule| rule.matching.matches(credential));
        let deciding = rule.map(|index| &self.policy.rules[index]);
        let treatment = deciding.map_or(&self.policy.defaults, |rule| &rule.treatment);
        let ((teams, owner_gap), teams_from) = match rule {
            Some(index) if self.policy.rules[index].names_teams => (self.rules[index].of(credential), TeamsFrom::Rule),
            _ => match self.tagged(credential) {
                Some(teams) => ((teams, None), TeamsFrom::Tag),
                None => (self.defaults.of(credential), TeamsFrom::Defaults),
            },
        };
        Route { rule, treatment, teams, teams_from, owner_gap }
    }

    /// The teams that the holder's tags name, of those that exist. A tag that names no team is no tag: anybody may write one.
    fn tagged(&self, credential: &Credential) -> Option<Arc<[TeamId]>> {
        let tags = credential.holder.team_tags.iter();
        let named: Vec<_> = tags.filter_map(|tag| self.by_tag.get(&tag.to_ascii_lowercase())).collect();
        match named[..] {
            [] => None,
            [team] => Some(team.clone()),
            _ => Some(unique(named.into_iter().flat_map(|team| team.iter().cloned()))),
        }
    }
}

fn unique(teams: impl Iterator<Item = TeamId>) -> Arc<[TeamId]> {
    let mut seen: Vec<TeamId> = Vec::new();
    for team in teams {
        if !seen.contains(&team) {
            seen.push(team);
        }
    }
    seen.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::{policy, rule, secret};
    use crate::domain::{Glob, Holder, Ident, Match, Text};

    fn held_by(name: &str, app_id: &str, tags: &[&str]) -> Credential {
        Credential {
            holder: Arc::new(Holder {
                name: Text::clean(name),
                id: Ident::new(name),
                app_id: Some(Ident::new(app_id)),
                team_tags: tags.iter().map(|tag| Box::from(*tag)).collect(),
                enabled: true,
                owners: None,
            }),
            ..secret("a", "2026-06-01T00:00:00Z", "2026-12-01T00:00:00Z")
        }
    }

    fn teams(credential: &Credential, rules: &[(Match, &[&str])]) -> (Vec<String>, TeamsFrom, Option<usize>) {
        let mut policy = policy(&["ccaas"]);
        policy.rules = rules.iter().map(|(matching, teams)| rule(matching.clone(), teams)).collect();
        let route = Router::new(&policy).route(credential);
        (route.teams.iter().map(ToString::to_string).collect(), route.teams_from, route.rule)
    }

    fn holder(pattern: &str) -> Match {
        Match { holder: Some(vec![Glob::new(pattern)]), ..Match::default() }
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let rules: [(Match, &[&str]); 3] = [
            (holder("other*"), &["oversight"]),
            (holder("SEC_*"), &["idim", "ccaas", "idim"]),
            (holder("*"), &["oversight"]),
        ];
        assert_eq!(
            teams(&held_by("sec_bcgov_v1", "x", &[]), &rules),
            (vec!["idim".to_owned(), "ccaas".to_owned()], TeamsFrom::Rule, Some(1))
        );
    }

    #[test]
    fn all_keys_of_a_match_must_match_and_any_of_its_patterns_may() {
        let matching = Match {
            app_id: Some(vec![Glob::new("1"), Glob::new("2?")]),
            kind: Some(vec![Glob::new("client_*")]),
            ..holder("api")
        };
        for (name, app_id, matches) in
            [("api", "1", true), ("API", "23", true), ("api", "3", false), ("app", "1", false)]
        {
            assert_eq!(matching.matches(&held_by(name, app_id, &[])), matches, "{name} {app_id}");
        }
        let without_app_id = secret("a", "2026-06-01T00:00:00Z", "2026-12-01T00:00:00Z");
        assert!(!Match { app_id: Some(vec![Glob::new("*")]), ..Match::default() }.matches(&without_app_id));
    }

    #[test]
    fn a_tag_names_the_team_where_no_rule_does_and_an_unknown_tag_names_nobody() {
        let idim = (vec!["idim".to_owned()], TeamsFrom::Tag, None);
        assert_eq!(teams(&held_by("a", "x", &["idim"]), &[]), idim);
        assert_eq!(teams(&held_by("a", "x", &["IDIM"]), &[]), idim);
        assert_eq!(teams(&held_by("a", "x", &["nobody"]), &[]).1, TeamsFrom::Defaults);
        assert_eq!(teams(&held_by("a", "x", &["idim"]), &[(holder("a"), &["ccaas"])]).1, TeamsFrom::Rule);
    }

    #[test]
    fn owners_are_told_where_an_address_is_known_and_the_default_teams_in_their_place_where_none_is() {
        let owned_by = |owners: Option<Owners>| {
            let api = held_by("api", "x", &[]);
            let holder = Holder { owners: owners.map(Arc::new), ..(*api.holder).clone() };
            Credential { holder: Arc::new(holder), ..api }
        };
        let reachable = Owners::Reachable(["a@example.ca".parse().unwrap()].into());
        let rules: [(Match, &[&str]); 1] = [(holder("*"), &["idim", "owner"])];
        for (owners, named, gap) in [
            (Some(reachable), ["idim", "owner"], None),
            (Some(Owners::Nobody), ["idim", "ccaas"], Some(OwnerGap::Nobody)),
            (Some(Owners::Hidden), ["idim", "ccaas"], Some(OwnerGap::Hidden)),
            (Some(Owners::WithoutAddress), ["idim", "ccaas"], Some(OwnerGap::WithoutAddress)),
            (None, ["idim", "ccaas"], Some(OwnerGap::NotRead)),
        ] {
            let credential = owned_by(owners);
            assert_eq!(teams(&credential, &rules).0, named);
            let mut policy = policy(&["ccaas"]);
            policy.rules = vec![rule(holder("*"), &["owner"])];
            assert_eq!(Router::new(&policy).route(&credential).owner_gap, gap);
        }
    }

    #[test]
    fn a_rule_may_say_that_a_credential_is_nobodys() {
        assert_eq!(teams(&held_by("a", "x", &["idim"]), &[(holder("a"), &[])]), (vec![], TeamsFrom::Rule, Some(0)));
    }
}
