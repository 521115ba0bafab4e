//! Bad configurations, each with the words that its author will read.

use super::*;
use proptest::prelude::*;

/// (what is changed in the base, the path of the one problem, a part of what is said)
const REFUSED: &[(&str, &str, &str)] = &[
    // General.
    ("timezone = \"America/Vancuover\"", "timezone", "did you mean \"America/Vancouver\"?"),
    ("timezone = 7", "timezone", "found the number 7: text in quotes is wanted"),
    ("[schedule]\npoll = \"*/30 * * * *\"", "schedule.poll", "5 fields instead of 6"),
    ("[schedule]\nnotify = \"0 0 0 30 2 *\"", "schedule.notify", "it would never run"),
    ("[schedule]\nsummary = \"\"", "schedule.summary", "it must not be empty"),
    ("[schedule]\nurgent_within = \"1 day\"", "schedule.urgent_within", "found \"1 day\": a whole number and a unit"),
    ("[schedule]\nurgent_within = 24", "schedule.urgent_within", "found the number 24"),
    ("[state]\nurl = \"state.db\"", "state.url", "`sqlite:` and a path are wanted"),
    ("[state]\nurl = \"sqlite::memory:\"", "state.url", "would forget who was told already"),
    ("[http]\nlisten = \"8080\"", "http.listen", "an IP address and a port are wanted"),
    ("[http]\nfeed_listen = \"127.0.0.1:8080\"", "http.feed_listen", "an address of their own"),
    (
        "[http]\npublic_url = \"http://expiry.example.ca\"",
        "http.public_url",
        "plain http is accepted for loopback hosts only",
    ),
    ("[http]\naccess_token = \"hunter2\"", "http.access_token", "a secret is never written in the file"),
    ("[http]\naccess_token = { }", "http.access_token", "one place, `env` or `file`"),
    ("[http]\naccess_token = { env = \"A\", file = \"/b\" }", "http.access_token", "one place, `env` or `file`"),
    (
        "[http]\naccess_token = { env = \"hunter2!\" }",
        "http.access_token.env",
        "not the name of an environment variable",
    ),
    ("[http]\naccess_token = { file = \"-----BEGIN hunter2\" }", "http.access_token.file", "not the path of a file"),
    ("[http]\nlsiten = \"127.0.0.1:8080\"", "http.lsiten", "unknown key; did you mean `listen`?"),
    ("[http]\nacess_token = \"hunter2\"", "http.acess_token", "unknown key; did you mean `access_token`?"),
    ("[http]\ncolour = \"red\"", "http.colour", "unknown key; known here: listen,"),
    ("[scheduel]\npoll = \"\"", "scheduel", "unknown key; did you mean `schedule`?"),
    ("http = 3", "http", "found the number 3: a table is wanted"),
    // Azure.
    ("[azure]\ncredential = \"managed\"", "azure.credential", "it is one of managed_identity, workload_identity,"),
    ("[azure]\ncloud = \"public\"", "azure.credential", "is missing"),
    ("[azure]\ncredential = \"azure_cli\"\ncloud = \"usgov\"", "azure.cloud", "one of public, us_gov, us_dod, china"),
    (
        "[azure]\ncredential = \"client_secret\"\nclient_id = \"a\"\nclient_secret = { env = \"S\" }",
        "azure.tenant_id",
        "is missing: this `credential` needs it",
    ),
    (
        "[azure]\ncredential = \"client_secret\"\nclient_id = \"a\"\ntenant_id = \"b\"\nclient_secret = \"hunter2\"",
        "azure.client_secret",
        "a secret is never written in the file",
    ),
    (
        "[azure]\ncredential = \"client_certificate\"\nclient_id = \"a\"\ntenant_id = \"b\"",
        "azure.client_certificate",
        "is missing: this `credential` needs it",
    ),
    (
        "[azure]\ncredential = \"managed_identity\"\nclient_id = \"hunter2~x\"",
        "azure.client_id",
        "what was found is not shown",
    ),
    (
        "[azure]\ncredential = \"workload_identity\"\ntenant_id = \"a/../b\"",
        "azure.tenant_id",
        "what was found is not shown",
    ),
    // Sources.
    ("[sources.entra]\n", "sources.entra.type", "is missing"),
    (
        "[sources.entra]\ntype = \"entre\"",
        "sources.entra.type",
        "one of entra, key_vault, digicert, tls, files, declared",
    ),
    ("[sources.\"my source\"]\ntype = \"entra\"", "sources.\"my source\"", "1 to 64 letters"),
    (
        "[sources.entra]\ntype = \"entra\"\ngraph_url = \"http://graph.example.ca\"",
        "sources.entra.graph_url",
        "plain http",
    ),
    (
        "[sources.entra]\ntype = \"entra\"\ngraph_url = \"https://u:hunter2@x\"",
        "sources.entra.graph_url",
        "no user name",
    ),
    (
        "[sources.entra]\ntype = \"entra\"\ngraph_url = \"https://x/?hunter2\"",
        "sources.entra.graph_url",
        "ends with its path",
    ),
    (
        "[sources.entra]\ntype = \"entra\"\napplications = \"yes\"",
        "sources.entra.applications",
        "true or false is wanted",
    ),
    (
        "[sources.entra]\ntype = \"entra\"\napplications = false\nservice_principals = false",
        "sources.entra",
        "it watches nothing",
    ),
    ("[sources.entra]\ntype = \"entra\"\nstale_after = \"0h\"", "sources.entra.stale_after", "longer than nothing"),
    ("[sources.entra]\ntype = \"entra\"\nvault_url = \"https://x\"", "sources.entra.vault_url", "unknown key"),
    ("[sources.v]\ntype = \"key_vault\"", "sources.v.vault_url", "is missing"),
    ("[sources.v]\ntype = \"key_vault\"\nvault_url = \"kvlt-example\"", "sources.v.vault_url", "not a URL"),
    (
        "[sources.v]\ntype = \"key_vault\"\nvault_url = \"http://v.vault.azure.net\"",
        "sources.v.vault_url",
        "plain http",
    ),
    (
        "[sources.v]\ntype = \"key_vault\"\nvault_url = \"https://v.vault.azure.net/?api-version=7.4\"",
        "sources.v.vault_url",
        "ends with its path",
    ),
    ("[sources.d]\ntype = \"digicert\"", "sources.d.api_key", "is missing"),
    (
        "[sources.d]\ntype = \"digicert\"\napi_key = \"hunter2\"",
        "sources.d.api_key",
        "a secret is never written in the file",
    ),
    (
        "[sources.d]\ntype = \"digicert\"\napi_key = { env = \"K\" }\nurl = \"http://www.digicert.com/services/v2\"",
        "sources.d.url",
        "plain http",
    ),
    (
        "[sources.n]\ntype = \"tls\"\ntargets = [ { host = \"a.example.ca\", port = 25, starttls = \"nntp\" } ]",
        "sources.n.targets[0].starttls",
        "nntp",
    ),
    // Declared dates.
    ("[sources.d]\ntype = \"declared\"", "sources.d.credentials", "is missing"),
    ("[sources.d]\ntype = \"declared\"\ncredentials = []", "sources.d.credentials", "it declares nothing"),
    ("[sources.d]\ntype = \"declared\"\ncredentials = [ \"x\" ]", "sources.d.credentials[0]", "a table is wanted"),
    (
        "[sources.d]\ntype = \"declared\"\ncredentials = [ { expires_at = 2027-01-01 } ]",
        "sources.d.credentials[0].holder",
        "is missing",
    ),
    (
        "[sources.d]\ntype = \"declared\"\ncredentials = [ { holder = \"a\", expires_at = \"2027-02-30\" } ]",
        "sources.d.credentials[0].expires_at",
        "found \"2027-02-30\"",
    ),
    (
        "[sources.d]\ntype = \"declared\"\ncredentials = [ { holder = \"a\", expires_at = \"2027-02-28T17:00:00\" } ]",
        "sources.d.credentials[0].expires_at",
        "a time of day needs its offset",
    ),
    (
        "[sources.d]\ntype = \"declared\"\ncredentials = [ { holder = \"a\", not_before = 2027-03-01, expires_at = 2027-02-28 } ]",
        "sources.d.credentials[0].expires_at",
        "ends before it begins",
    ),
    (
        "[sources.d]\ntype = \"declared\"\ncredentials = [ { holder = \"a\", not_before = 2299-01-01, expires_at = 2027-02-28 } ]",
        "sources.d.credentials[0].not_before",
        "it would never begin",
    ),
    (
        "[sources.d]\ntype = \"declared\"\ncredentials = [ { holder = \"a/b\", label = \"c\", expires_at = 2027-01-01 }, { holder = \"a\", label = \"b/c\", expires_at = 2027-01-01 } ]",
        "sources.d.credentials[1]",
        "tell them apart by `label`",
    ),
    // Mail.
    ("[mail]\ntransport = { type = \"directory\", path = \"o\" }", "mail.from", "is missing"),
    ("[mail]\nfrom = \"ops\"\ntransport = { type = \"directory\", path = \"o\" }", "mail.from", "an address is wanted"),
    ("[mail]\nfrom = \"a@example.ca\"", "mail.transport", "how do messages leave?"),
    (
        "[mail]\nfrom = \"a@example.ca\"\nreply_to = \"x\"\ntransport = { type = \"directory\", path = \"o\" }",
        "mail.reply_to",
        "a plain mail address",
    ),
    (
        "[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"sendmail\" }",
        "mail.transport.type",
        "one of smtp, graph, directory",
    ),
    ("[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"directory\" }", "mail.transport.path", "is missing"),
    ("[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"smtp\" }", "mail.transport.host", "is missing"),
    (
        "[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"smtp\", host = \"a b\" }",
        "mail.transport.host",
        "a host name or an IP address",
    ),
    (
        "[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"smtp\", host = \"h\", port = \"587\" }",
        "mail.transport.port",
        "found \"587\"",
    ),
    (
        "[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"smtp\", host = \"h\", port = 65536 }",
        "mail.transport.port",
        "1 to 65535",
    ),
    (
        "[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"smtp\", host = \"h\", tls = \"none\" }",
        "mail.transport.tls",
        "allow_plaintext = true",
    ),
    (
        "[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"smtp\", host = \"h\", username = \"u\" }",
        "mail.transport.password",
        "is missing",
    ),
    (
        "[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"smtp\", host = \"h\", password = { env = \"P\" } }",
        "mail.transport.username",
        "is missing",
    ),
    (
        "[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"smtp\", host = \"h\", username = \"u\", password = \"hunter2\" }",
        "mail.transport.password",
        "a secret is never written in the file",
    ),
    (
        "[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"smtp\", host = \"h\", auth = \"xoauth2\", username = \"u\" }",
        "mail.transport.username",
        "found \"u\": a plain mail address is wanted",
    ),
    (
        "[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"smtp\", host = \"h\", auth = \"xoauth2\", password = { env = \"P\" } }",
        "mail.transport.password",
        "which takes a token from [azure]: remove it",
    ),
    (
        "[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"smtp\", host = \"h\", auth = \"xoauth2\", password = \"hunter2\" }",
        "mail.transport.password",
        "remove it",
    ),
    (
        "[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"smtp\", host = \"h\", auth = \"oauth2\" }",
        "mail.transport.auth",
        "one of password, xoauth2",
    ),
    (
        "[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"smtp\", host = \"h\", auth = \"xoauth2\", tls = \"none\" }",
        "mail.transport.tls",
        "the token of `auth = \"xoauth2\"` would cross the network",
    ),
    (
        "[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"smtp\", host = \"h\", auth = \"xoauth2\", tls = \"none\", allow_plaintext = true }",
        "mail.transport.tls",
        "the token of `auth = \"xoauth2\"` would cross the network",
    ),
    ("[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"graph\" }", "mail.transport.mailbox", "is missing"),
    (
        "[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"graph\", mailbox = \"somebody\" }",
        "mail.transport.mailbox",
        "found \"somebody\": a plain mail address is wanted",
    ),
    (
        "[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"graph\", mailbox = \"a@example.ca\", graph_url = \"http://graph.example.ca\" }",
        "mail.transport.graph_url",
        "plain http is accepted for loopback hosts only",
    ),
    (
        "[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"graph\", mailbox = \"a@example.ca\", host = \"h\" }",
        "mail.transport.host",
        "unknown key",
    ),
    (
        "[mail]\nfrom = \"a@example.ca\"\ntransport = { type = \"smtp\", host = \"u:hunter2@smtp.example.ca\" }",
        "mail.transport.host",
        "a host name or an IP address",
    ),
    // Teams.
    ("[teams.owner]\nemail = \"a@example.ca\"", "teams.owner", "`owner` is reserved"),
    (
        "[teams.ccaas]\nemail = [ \"a@example.ca\", \"b@\" ]",
        "teams.ccaas.email[1]",
        "found \"b@\": a plain mail address",
    ),
    ("[teams.ccaas]\nemail = 3", "teams.ccaas.email", "found the number 3"),
    (
        "[teams.ccaas]\nemail = \"a@example.ca\"\ncalendar = \"outlook\"",
        "teams.ccaas.calendar",
        "one of feed, invite, none",
    ),
    ("[teams.ccaas]\nemail = \"a@example.ca\"\nname = \" \"", "teams.ccaas.name", "it must not be empty"),
    (
        "[teams.ccaas]\nemail = \"a@example.ca\"\nfeed_token = \"hunter2\"",
        "teams.ccaas.feed_token",
        "a secret is never written",
    ),
    // Defaults and rules.
    ("[defaults]\nteams = [ \"ccass\" ]", "defaults.teams[0]", "found \"ccass\": there is no such team"),
    ("[defaults]\nteams = \"ccaas\"\nremind = [ \"30d\", 7 ]", "defaults.remind[1]", "found the number 7"),
    ("[defaults]\nteams = \"ccaas\"\nremind = [ \"100%\" ]", "defaults.remind[0]", "\"1%\" to \"99%\""),
    ("[defaults]\nteams = \"ccaas\"\nremind = [ \"40000d\" ]", "defaults.remind[0]", "it is too long"),
    ("[defaults]\nteams = \"ccaas\"\nafter_expiry = \"0d\"", "defaults.after_expiry", "longer than nothing"),
    ("[defaults]\nteams = \"ccaas\"\nafter_expiry = \"ever\"", "defaults.after_expiry", "a whole number and a unit"),
    ("[defaults]\nteams = \"ccaas\"\nsuccessor = \"kind\"", "defaults.successor", "one of label, holder, none"),
    ("[defaults]\nteams = \"ccaas\"\nignore = \"all\"", "defaults.ignore", "it would silence everything"),
    ("[defaults]\nteams = \"ccaas\"\nescalate = { teams = [ \"ccaas\" ] }", "defaults.escalate.at", "is missing"),
    ("[rules]\nteams = []", "rules", "rules are a list"),
    (
        "[[rules]]\nmatch = { kind = \"secret\" }",
        "rules[0].match.kind",
        "found \"secret\": it matches no kind of credential",
    ),
    ("[[rules]]\nmatch = { kind = \"client_secert\" }", "rules[0].match.kind", "it matches no kind of credential"),
    (
        "[[rules]]\nmatch = { kind = [ \"*_secret\", \"x*\" ] }",
        "rules[0].match.kind[1]",
        "it matches no kind of credential",
    ),
    ("[[rules]]\nmatch = { source = \"entry\" }", "rules[0].match.source", "it matches no source of this file"),
    ("[[rules]]\nmatch = { app_id = [] }", "rules[0].match.app_id", "an empty list matches nothing"),
    ("[[rules]]\nmatch = { holder = 3 }", "rules[0].match.holder", "a pattern in quotes is wanted"),
    ("[[rules]]\nmatch = { holdr = \"x\" }", "rules[0].match.holdr", "did you mean `holder`?"),
    (
        "[[rules]]\nmatch = { label = \"x\" }\nteams = \"idim\"",
        "rules[0].teams",
        "there is no such team; there is ccaas",
    ),
    ("[[rules]]\nmatch = { label = \"x\" }\nignore = \"\"", "rules[0].ignore", "it must not be empty"),
    ("[[rules]]\nmatch = { label = \"x\" }\nignore = true", "rules[0].ignore", "text in quotes is wanted"),
    ("[[rules]]\nmatch = { label = \"x\" }\nrotate_every = \"0d\"", "rules[0].rotate_every", "longer than nothing"),
];

fn refused() -> impl Iterator<Item = &'static (&'static str, &'static str, &'static str)> {
    REFUSED.iter().chain(state::REFUSED)
}

#[test]
fn each_mistake_is_named_with_its_place_and_a_line() {
    for (changed, path, said) in refused() {
        let problems = problems(&with(changed));
        assert_eq!(problems.len(), 1, "{changed}\n{problems:#?}");
        assert_eq!(problems[0].path, *path, "{changed}");
        assert!(problems[0].message.contains(said), "{changed}\n{}", problems[0].message);
        assert!(problems[0].line.is_some(), "{changed}");
    }
}

#[test]
fn what_could_be_a_secret_is_never_shown() {
    for (changed, ..) in refused().filter(|(changed, ..)| changed.contains("hunter2")) {
        let report = parse(&with(changed), "test.toml").unwrap_err();
        assert!(!format!("{report} {report:?}").contains("hunter2"), "{changed}\n{report}");
    }
    let not_toml = parse("[http]\naccess_token = \"hunter2\n", "test.toml").unwrap_err();
    assert!(!format!("{not_toml} {not_toml:?}").contains("hunter2"), "{not_toml}");
}

#[test]
fn every_example_is_toml_that_can_be_copied() {
    for (changed, path, _) in refused() {
        let found = &problems(&with(changed))[0];
        if found.example.is_empty() {
            continue;
        }
        let text = if found.path.ends_with(']') && !found.example.starts_with("[sources") {
            format!("x = {}", found.example)
        } else {
            found.example.clone()
        };
        assert!(text.parse::<toml::Table>().is_ok(), "{path}: {text}");
    }
}

#[test]
fn sections_that_others_need_are_asked_for() {
    let no_azure = problems("[sources.entra]\ntype = \"entra\"\n[defaults]\n");
    assert_eq!(no_azure.len(), 1);
    assert!(no_azure[0].to_string().starts_with("azure: is missing: the source `entra` needs to know how to sign in"));
    for transport in [
        "type = \"graph\", mailbox = \"a@example.ca\"",
        "type = \"smtp\", host = \"smtp.office365.com\", auth = \"xoauth2\"",
    ] {
        let no_azure = problems(&format!("[mail]\nfrom = \"a@example.ca\"\ntransport = {{ {transport} }}"));
        let said: Vec<String> = no_azure.iter().map(ToString::to_string).collect();
        let wanted = "azure: is missing: mail.transport needs to know how to sign in";
        assert!(said.len() == 1 && said[0].starts_with(wanted), "{said:?}");
    }
    let vault = "[sources.v]\ntype = \"key_vault\"\nvault_url = \"https://v.vault.azure.net\"\n[defaults]\n";
    assert!(
        problems(vault)[0].to_string().starts_with("azure: is missing: the source `v` needs to know how to sign in")
    );
    let no_mail = problems("[teams.a]\nemail = \"a@example.ca\"");
    assert_eq!(no_mail.len(), 1);
    assert!(no_mail[0].to_string().starts_with("mail: is missing: a team has addresses"));
}

#[test]
fn what_is_not_toml_is_shown_with_line_and_column() {
    let report = parse("timezone = \"UTC\"\n[http\n", "test.toml").unwrap_err().to_string();
    assert!(report.starts_with("test.toml: 1 problem\n\nline 2, column 6: this is not TOML: "), "{report}");
    let twice = parse("[http]\nlisten = \"a\"\nlisten = \"b\"\n", "test.toml").unwrap_err().to_string();
    assert!(twice.contains("line 3, column 1: this is not TOML: duplicate key"), "{twice}");
}

#[test]
fn all_problems_come_together_in_the_order_of_the_file() {
    let report = parse(
        r#"timezone = "Vancouver"

[http]
lsiten = "0.0.0.0:8080"
access_token = "hunter2"

[sources.entra]
type = "entra"
graph_url = "http://graph.example.ca"
stale_after = "6 hours"

[sources.vault_test]
type = "key_vault"
vault_url = "http://kvlt-example.vault.azure.net"

[mail]
from = "expiry-watch@example.ca"
transport = { type = "smtp", host = "smtp.example.ca", tls = "none" }

[teams.ccaas]
email = [ "ccaas-ops@example.ca", "ccaas-ops@" ]

[[rules]]
match = { kind = "client_secert" }
teams = [ "ccaass" ]
remind = [ "30d", "7" ]
"#,
        "config/expiry-watch.toml",
    );
    insta::assert_snapshot!(report.unwrap_err());
}

#[test]
fn a_file_that_cannot_be_read_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let report = |path: &Path| load(path).unwrap_err().to_string();
    let missing = report(&path("no.toml"));
    assert!(
        missing.contains("no such file") && missing.contains("--config") && missing.contains("EXPIRY_WATCH_CONFIG")
    );
    assert!(report(directory.path()).contains("cannot be read"));
    std::fs::write(path("latin1.toml"), b"# a\nname = \"caf\xe9\"").unwrap();
    assert!(report(&path("latin1.toml")).contains("line 2 is not UTF-8 text"));
    std::fs::write(path("huge.toml"), vec![b'#'; usize::try_from(LARGEST_FILE).unwrap() + 1]).unwrap();
    assert!(report(&path("huge.toml")).contains("larger than 1 MiB"));
}

#[test]
fn a_thousand_mistakes_make_a_report_of_bounded_length() {
    let text: String = (0..5_000).map(|n| format!("key{n} = \"{}\"\n", "x".repeat(100))).collect();
    let report = parse(&text, "test.toml").unwrap_err();
    assert_eq!(report.list.len(), 5_000);
    let printed = report.to_string();
    assert!(printed.len() < 40_000 && printed.ends_with("… and 4900 more"));
}

const REFERENCE: &str = include_str!("../../../config/reference.toml");

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = parse(&text, "test.toml").map_err(|problems| problems.to_string());
    }

    #[test]
    fn no_change_to_a_good_file_makes_it_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..12, "[-a-z0-9\"\\[\\]{}=.,#\n é\u{202e}]{0,8}"), 1..6)
    ) {
        let mut text: Vec<char> = REFERENCE.lines().filter(|line| !line.starts_with("# ")).flat_map(|line| {
            line.strip_prefix('#').unwrap_or(line).chars().chain(['\n'])
        }).collect();
        for (at, removed, added) in changes {
            let at = at.index(text.len());
            let end = (at + removed).min(text.len());
            text.splice(at..end, added.chars());
        }
        let text: String = text.into_iter().collect();
        let _ = parse(&text, "test.toml").map_err(|problems| problems.to_string());
    }

    #[test]
    fn any_value_in_the_place_of_another_is_judged_and_never_panics(
        line in any::<prop::sample::Index>(),
        value in prop_oneof![
            Just("\"\"".to_owned()), Just("[]".to_owned()), Just("{}".to_owned()), Just("true".to_owned()),
            Just("[[]]".to_owned()), Just("-1".to_owned()), Just("0x7fffffffffffffff".to_owned()), Just("inf".to_owned()),
            Just("9999-12-31".to_owned()), Just("07:32:00".to_owned()), Just("{ a.b = 1 }".to_owned()),
            "[ -~&&[^\"\\\\]]{0,40}".prop_map(|text| format!("\"{text}\"")),
        ]
    ) {
        let lines: Vec<&str> = REFERENCE.lines().filter(|line| !line.starts_with('#')).collect();
        let chosen = line.index(lines.len());
        let changed: String = lines.iter().enumerate().map(|(number, line)| match line.split_once(" = ") {
            Some((key, _)) if number == chosen => format!("{key} = {value}\n"),
            _ => format!("{line}\n"),
        }).collect();
        let _ = parse(&changed, "test.toml").map_err(|problems| problems.to_string());
    }
}
