//! The files under `config/`: each is valid, and the reference leaves nothing out.

use super::*;

fn shipped() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap())).collect()
}

fn file(name: &str) -> String {
    shipped().into_iter().find(|(path, _)| path.ends_with(name)).unwrap().1
}

#[test]
fn every_shipped_file_is_valid() {
    assert!(shipped().len() >= 3);
    for (path, text) in shipped() {
        parse(&text, &path).unwrap_or_else(|problems| panic!("{problems}"));
    }
}

/// The reference's sections with every `#key` brought in, each as a file of its own: some exclude one another.
fn sections() -> Vec<String> {
    let mut sections = vec![String::new()];
    for line in file("reference.toml").lines() {
        let line = match line.strip_prefix('#') {
            Some(prose) if prose.is_empty() || prose.starts_with([' ', '-']) => continue,
            Some(key) => key,
            None => line,
        };
        if line.starts_with('[') {
            sections.push(String::new());
        }
        let last = sections.last_mut().unwrap();
        last.push_str(line);
        last.push('\n');
    }
    sections
}

/// Every key of a table, in the shape in which the reader notes what it asked for.
fn shapes(table: &toml::Table, under: &str, found: &mut BTreeSet<String>) {
    for (key, value) in table {
        let key = if matches!(under, "sources" | "teams") { "*" } else { key };
        let shape = if under.is_empty() { key.to_owned() } else { format!("{under}.{key}") };
        shapes_of_value(value, &shape, found);
        found.insert(shape);
    }
}

fn shapes_of_value(value: &toml::Value, shape: &str, found: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => shapes(table, shape, found),
        toml::Value::Array(array) => {
            array.iter().for_each(|element| shapes_of_value(element, &format!("{shape}[]"), found));
        }
        _ => {}
    }
}

#[test]
fn the_reference_shows_every_key_that_is_read_and_no_other() {
    let (mut shown, mut asked) = (BTreeSet::new(), BTreeSet::new());
    for section in sections() {
        shapes(&section.parse().unwrap_or_else(|error| panic!("{error}\n{section}")), "", &mut shown);
        let (_, findings) = examine(&section).unwrap();
        asked.extend(findings.asked);
        let unknown: Vec<_> = findings.problems.iter().filter(|p| p.message.contains("unknown key")).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
    // A secret is shown by either of its two places; `ignore` is read among the defaults only to be refused.
    let left_out = |shape: &&String| shape.ends_with(".env") || shape.ends_with(".file") || *shape == "defaults.ignore";
    let missing: Vec<&String> = asked.difference(&shown).filter(|shape| !left_out(shape)).collect();
    assert!(missing.is_empty(), "not in reference.toml: {missing:?}");
}

#[test]
fn the_references_defaults_are_the_defaults() {
    let shown = accepted(&file("reference.toml"));
    let silent = accepted("");
    assert_eq!(shown.schedule.poll.to_string(), silent.schedule.poll.to_string());
    assert_eq!(shown.schedule.notify.to_string(), silent.schedule.notify.to_string());
    assert_eq!(shown.policy.urgent_within, silent.policy.urgent_within);
    assert_eq!((shown.state, shown.http.listen), (silent.state, silent.http.listen));
    let of = |config: &Config| {
        let mut defaults = config.policy.defaults.clone();
        defaults.teams.clear();
        format!("{defaults:?}")
    };
    assert_eq!(of(&accepted(&file("reference.toml"))), of(&accepted("")));
}

#[test]
fn production_waits_for_nothing_but_its_secrets() {
    let config = accepted(&file("production.toml"));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let names: Vec<&str> = config.policy.teams.keys().map(TeamId::as_str).collect();
    assert_eq!(names, ["ccaas", "idim", "oversight"]);
    assert!(matches!(config.azure.credential, Some(AzureCredential::ManagedIdentity { .. })));
    let vault = |source: &SourceConfig| match &source.system {
        System::KeyVault(vault) => Some(vault.vault_url.to_string()),
        _ => None,
    };
    let vaults: Vec<String> = config.sources.iter().filter_map(vault).collect();
    assert_eq!(vaults, ["https://kvlt-maxconf-test.vault.azure.net/", "https://kvlt-maxconf-prod.vault.azure.net/"]);
}

#[test]
fn production_and_the_demo_have_a_rule_for_each_application_of_the_place() {
    for name in ["production.toml", "demo.toml"] {
        let text = file(name);
        accepted(&text);
        for app_id in [
            "33758b54-a9cb-48ef-a363-5aaf10888f80",
            "849cca37-34d6-42d9-bb7d-4d8592b385c5",
            "d802c929-6984-48f9-81d1-ff8770c65bde",
            "9f0c40e1-6c03-40c1-8035-78bfcd8fed1b",
            "a154a158-92d0-4d3c-a756-95d811001574",
        ] {
            assert_eq!(text.matches(app_id).count(), 1, "{name} {app_id}");
        }
    }
}

#[test]
fn the_demo_reaches_nothing_but_this_machine() {
    let config = accepted(&file("demo.toml"));
    let System::Entra(entra) = &config.sources.iter().find(|source| source.name.as_str() == "entra").unwrap().system
    else {
        panic!("{:?}", config.sources)
    };
    assert_eq!(entra.graph_url.host_str(), Some("127.0.0.1"));
    let System::KeyVault(vault) = &config.sources.iter().find(|source| source.name.as_str() == "vault").unwrap().system
    else {
        panic!("{:?}", config.sources)
    };
    assert_eq!(vault.vault_url.host_str(), Some("127.0.0.1"));
    let System::Digicert(account) =
        &config.sources.iter().find(|source| source.name.as_str() == "certcentral").unwrap().system
    else {
        panic!("{:?}", config.sources)
    };
    assert_eq!(account.url.host_str(), Some("127.0.0.1"));
    let Some(Mail { transport: Transport::Smtp(smtp), .. }) = &config.mail else { panic!("{:?}", config.mail) };
    assert_eq!((smtp.host.as_str(), smtp.port), ("127.0.0.1", 9025));
    let orphans = config.policy.rules.last().unwrap();
    assert!(orphans.names_teams && orphans.treatment.teams.is_empty());
}
