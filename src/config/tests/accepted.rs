//! What good configurations come to mean.

use super::*;
use crate::domain::{CalendarChoice, Period, Successor};

fn ladder(written: &[&str]) -> Vec<Threshold> {
    written.iter().map(|threshold| threshold.parse().unwrap()).collect()
}

fn teams(names: &[&str]) -> Vec<TeamId> {
    names.iter().map(|name| TeamId::new(name)).collect()
}

#[test]
fn an_empty_file_means_the_documented_defaults_and_warns_that_nothing_is_watched() {
    let config = accepted("");
    assert_eq!(config.schedule.poll.to_string(), "0 */30 * * * *");
    assert_eq!(config.schedule.notify.to_string(), "0 0 8 * * *");
    assert!(config.schedule.summary.is_none());
    assert_eq!(config.policy.urgent_within.to_string(), "24h");
    assert_eq!(config.state, State::Sqlite(PathBuf::from("state/expiry-watch.db")));
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.policy.defaults.remind, ladder(&["60d", "30d", "14d", "7d", "3d", "1d", "0d"]));
    assert!(config.mail.is_none() && config.azure.credential.is_none());
    assert!(config.warnings.iter().any(|warning| warning.starts_with("sources: ")), "{:?}", config.warnings);
    assert!(config.warnings.iter().any(|warning| warning.starts_with("defaults.teams: ")), "{:?}", config.warnings);
}

#[test]
fn a_good_file_has_no_warnings() {
    assert_eq!(accepted(BASE).warnings, Vec::<String>::new());
}

#[test]
fn graph_is_the_clouds_own_where_no_url_is_given() {
    for (cloud, graph) in [
        ("public", "https://graph.microsoft.com/"),
        ("us_gov", "https://graph.microsoft.us/"),
        ("us_dod", "https://dod-graph.microsoft.us/"),
        ("china", "https://microsoftgraph.chinacloudapi.cn/"),
    ] {
        let config = accepted(&with(&format!("[azure]\ncredential = \"azure_cli\"\ncloud = \"{cloud}\"")));
        let System::Entra(entra) = &config.sources[0].system else { panic!("{:?}", config.sources) };
        assert_eq!(entra.graph_url.as_str(), graph);
        assert!(entra.applications && entra.service_principals);
    }
}

#[test]
fn a_vault_is_where_its_url_says_and_its_tokens_are_for_the_clouds_vaults() {
    for (cloud, audience) in [
        ("public", "https://vault.azure.net"),
        ("us_gov", "https://vault.usgovcloudapi.net"),
        ("us_dod", "https://vault.usgovcloudapi.net"),
        ("china", "https://vault.azure.cn"),
    ] {
        let azure = format!("[azure]\ncredential = \"azure_cli\"\ncloud = \"{cloud}\"");
        let config = accepted(&with(&format!(
            "{azure}\n[sources.v]\ntype = \"key_vault\"\nvault_url = \"https://Kv-1.vault.example/\"\nstale_after = \"2h\""
        )));
        let System::KeyVault(vault) = &config.sources[1].system else { panic!("{:?}", config.sources) };
        assert_eq!(vault.vault_url.as_str(), "https://kv-1.vault.example/");
        assert_eq!(config.sources[1].system.name(), "key_vault");
        assert_eq!(config.azure.cloud.vault_audience(), audience);
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    }
}

#[test]
fn certcentral_is_the_one_outside_the_european_union_where_no_url_is_given() {
    for (url, read) in [
        ("", "https://www.digicert.com/services/v2"),
        ("url = \"https://certcentral.digicert.eu/services/v2/\"", "https://certcentral.digicert.eu/services/v2"),
    ] {
        let section = format!("[sources.certcentral]\ntype = \"digicert\"\napi_key = {{ env = \"K\" }}\n{url}");
        let config = accepted(&with(&section));
        let found = config.sources.iter().find_map(|source| match &source.system {
            System::Digicert(digicert) => Some(digicert.url.as_str()),
            _ => None,
        });
        assert_eq!(found, Some(read));
        assert!(config.secrets.iter().any(|(path, _)| path == "sources.certcentral.api_key"));
    }
}

#[test]
fn every_way_to_sign_in_takes_the_keys_that_it_needs() {
    let of = |keys: &str| accepted(&with(&format!("[azure]\n{keys}"))).azure.credential.unwrap();
    assert!(matches!(of("credential = \"managed_identity\""), AzureCredential::ManagedIdentity { client_id: None }));
    assert!(matches!(
        of("credential = \"workload_identity\"\nclient_id = \"a\""),
        AzureCredential::WorkloadIdentity { client_id: Some(_), tenant_id: None }
    ));
    assert!(matches!(of("credential = \"azure_cli\""), AzureCredential::AzureCli { tenant_id: None }));
    let application = "tenant_id = \"t\"\nclient_id = \"c\"";
    assert!(matches!(
        of(&format!("credential = \"client_secret\"\n{application}\nclient_secret = {{ env = \"S\" }}")),
        AzureCredential::ClientSecret { secret: SecretRef::Env(_), .. }
    ));
    assert!(matches!(
        of(&format!(
            "credential = \"client_certificate\"\n{application}\nclient_certificate = {{ file = \"/a.pem\" }}"
        )),
        AzureCredential::ClientCertificate { pem: SecretRef::File(_), .. }
    ));
}

#[test]
fn sources_keep_the_order_of_the_file_and_have_their_own_patience() {
    let config = accepted(&with(
        "[sources.zebra]\ntype = \"declared\"\nstale_after = \"2d\"\ncredentials = [ { holder = \"a\", expires_at = 2027-01-01 } ]\n\
         [sources.ant]\ntype = \"entra\"",
    ));
    let names: Vec<&str> = config.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["entra", "zebra", "ant"]);
    let stale = |name: &str| config.policy.stale_after[&SourceName::new(name)].to_string();
    assert_eq!((stale("entra"), stale("zebra")), ("90m".to_owned(), "2d".to_owned()));
}

#[test]
fn declared_dates_are_days_where_the_people_are() {
    let config = accepted(&with(
        "timezone = \"America/Vancouver\"\n[sources.d]\ntype = \"declared\"\ncredentials = [\n\
         { holder = \"a\", not_before = \"2026-12-01\", expires_at = 2027-03-31 },\n\
         { holder = \"b\", label = \"x\", expires_at = \"2027-03-31T17:00:00Z\" },\n\
         { holder = \"b\", label = \"y\", expires_at = 9999-12-31T23:59:59Z },\n\
         { holder = \"c\" },\n]",
    ));
    let System::Declared(declared) = &config.sources[1].system else { panic!("{:?}", config.sources) };
    let ends: Vec<_> = declared.iter().map(|one| one.expires_at.map(|at| at.to_string())).collect();
    let some = |at: &str| Some(at.to_owned());
    assert_eq!(ends, [some("2027-04-01T06:59:59Z"), some("2027-03-31T17:00:00Z"), None, None]);
    assert_eq!(declared[0].not_before.map(|at| at.to_string()), some("2026-12-01T07:00:00Z"));
    assert_eq!(config.warnings, ["sources.d.credentials[3].expires_at: is not given, so this never expires"]);
}

#[test]
fn mail_leaves_by_the_port_that_its_security_implies() {
    for (keys, port, tls) in [
        ("host = \"smtp.example.ca\"", 587, SmtpTls::StartTls),
        ("host = \"smtp.example.ca\", tls = \"implicit\"", 465, SmtpTls::Implicit),
        ("host = \"127.0.0.1\", tls = \"none\"", 25, SmtpTls::None),
        ("host = \"::1\", tls = \"none\", port = 9025", 9025, SmtpTls::None),
        ("host = \"smtp.example.ca\", tls = \"none\", allow_plaintext = true", 25, SmtpTls::None),
    ] {
        let config = accepted(&with(&format!(
            "[mail]\nfrom = \"Expiry Watch <ew@example.ca>\"\ntransport = {{ type = \"smtp\", {keys} }}"
        )));
        let mail = config.mail.unwrap();
        assert_eq!((mail.from_name.as_str(), mail.from.as_str()), ("Expiry Watch", "ew@example.ca"));
        let Transport::Smtp(smtp) = mail.transport else { panic!("{keys}") };
        assert_eq!((smtp.port, smtp.tls), (port, tls), "{keys}");
    }
}

#[test]
fn a_mailbox_of_exchange_is_reached_by_a_token_and_is_the_senders_own_where_nothing_is_said() {
    let mail = |keys: &str| {
        let config = accepted(&with(&format!("[mail]\nfrom = \"ew@example.ca\"\ntransport = {{ {keys} }}")));
        (config.mail.unwrap().transport, config.warnings)
    };
    let another = "is another address than mail.from: the mailbox must be allowed to send as that one";
    for (keys, mailbox, warning) in [
        ("", "ew@example.ca", None),
        (", username = \"ew@example.ca\"", "ew@example.ca", None),
        (", username = \"bot@example.ca\"", "bot@example.ca", Some(format!("mail.transport.username: {another}"))),
    ] {
        let (transport, warnings) =
            mail(&format!("type = \"smtp\", host = \"smtp.office365.com\", auth = \"xoauth2\"{keys}"));
        assert!(transport.signs_in_to_azure());
        let Transport::Smtp(Smtp { login: Some(SmtpLogin::Xoauth2 { mailbox: found }), .. }) = transport else {
            panic!("{keys}")
        };
        assert_eq!((found.as_str(), warnings), (mailbox, warning.into_iter().collect()));
    }
    let (transport, warnings) = mail("type = \"graph\", mailbox = \"bot@example.ca\"");
    assert_eq!(warnings, [format!("mail.transport.mailbox: {another}")]);
    let Transport::Graph(graph) = transport else { panic!("{transport:?}") };
    assert_eq!((graph.mailbox.as_str(), graph.graph_url.as_str()), ("bot@example.ca", "https://graph.microsoft.com/"));
    // To this machine, in the clear: a relay that passes the token on.
    let (transport, _) = mail("type = \"smtp\", host = \"127.0.0.1\", tls = \"none\", auth = \"xoauth2\"");
    assert!(transport.signs_in_to_azure());
}

#[test]
fn each_cloud_has_its_own_exchange() {
    for (cloud, audience) in [
        (Cloud::Public, "https://outlook.office365.com"),
        (Cloud::UsGov, "https://outlook.office365.us"),
        (Cloud::UsDod, "https://outlook-dod.office365.us"),
        (Cloud::China, "https://partner.outlook.cn"),
    ] {
        assert_eq!(cloud.exchange_audience(), audience);
    }
}

#[test]
fn a_rule_is_completed_from_the_defaults() {
    let config = accepted(&with(
        r#"[defaults]
teams = [ "ccaas" ]
remind = [ "9d" ]
remind_certificates = [ "10%" ]
after_expiry = "never"
[teams.idim]
email = "idim@example.ca"
[[rules]]
match = { holder = "a" }
remind = [ "5d", "1d", "5d" ]
teams = [ "idim", "ccaas", "idim" ]
successor = "holder"
after_expiry = "2d"
[[rules]]
name = "second"
match = { kind = [ "*CERTIFICATE", "declared" ] }
remind = []
remind_certificates = [ "20%" ]
teams = []
[[rules]]
match = { label = "" }
"#,
    ));
    assert_eq!(config.policy.defaults.after_expiry, None);
    let [first, second, third] = &config.policy.rules[..] else { panic!("{:?}", config.policy.rules) };
    assert_eq!(first.name.as_str(), "rule 1");
    assert_eq!(first.treatment.remind, ladder(&["5d", "1d"]));
    assert_eq!(first.treatment.remind_certificates, ladder(&["5d", "1d"]));
    assert_eq!((first.names_teams, &first.treatment.teams), (true, &teams(&["idim", "ccaas"])));
    assert_eq!(first.treatment.successor, Successor::Holder);
    assert_eq!(first.treatment.after_expiry, Some(Period::days(2)));
    assert_eq!(second.name.as_str(), "second");
    assert_eq!((&second.treatment.remind, second.treatment.remind_certificates.clone()), (&vec![], ladder(&["20%"])));
    assert_eq!((second.names_teams, &second.treatment.teams), (true, &vec![]));
    assert_eq!(third.treatment.remind, ladder(&["9d"]));
    assert_eq!(third.treatment.remind_certificates, ladder(&["10%"]));
    assert_eq!((third.names_teams, &third.treatment.teams), (false, &teams(&["ccaas"])));
}

#[test]
fn last_uses_and_owners_are_read_where_the_file_says_so_and_warned_of_where_they_cannot_be() {
    let asked = |changed: &str| {
        let config = accepted(&with(changed));
        let System::Entra(entra) = &config.sources[0].system else { panic!("{:?}", config.sources) };
        (entra.last_use, entra.owners, config.warnings.iter().filter(|warning| warning.starts_with("sources.")).count())
    };
    assert_eq!(asked("[sources.entra]\ntype = \"entra\""), (false, false, 0));
    let both = "[sources.entra]\ntype = \"entra\"\nlast_use = true\nowners = true";
    assert_eq!(asked(both), (true, true, 0));
    assert_eq!(
        asked(&format!("[azure]\ncredential = \"managed_identity\"\ncloud = \"china\"\n{both}")),
        (true, true, 1)
    );
}

#[test]
fn what_looks_like_an_oversight_is_accepted_with_a_warning() {
    for (changed, path) in [
        ("[defaults]\nteams = []", "defaults.teams: no team"),
        (
            "[sources.entra]\ntype = \"entra\"\nowners = true\n[defaults]\nteams = [ \"owner\" ]",
            "defaults.teams: owners alone",
        ),
        (
            "[[rules]]\nteams = []\n[[rules]]\nmatch = { label = \"x\" }",
            "rules[1]: never decides anything, since rules[0]",
        ),
        (
            "[teams.ccaas]\nemail = \"a@example.ca\"\ncalendar = \"none\"\nfeed_token = { env = \"T\" }",
            "teams.ccaas.feed_token: it opens nothing",
        ),
        ("[teams.ccaas]\nemail = \"a@example.ca\"\ncalendar = \"feed\"", "teams.ccaas.calendar: there is no feed"),
        ("[teams.quiet]\nname = \"Quiet\"", "teams.quiet.email: no address"),
        (
            "[azure]\ncredential = \"managed_identity\"\nclient_secret = { env = \"S\" }",
            "azure.client_secret: this `credential`",
        ),
        ("[http]\nlisten = \"0.0.0.0:8080\"", "http.listen: others can reach this address"),
        ("[[rules]]\nmatch = { label = \"x\" }\nteams = [ \"owner\" ]", "rules[0].teams[0]: no source reads owners"),
        (
            "[[rules]]\nremind = [ \"7d\" ]\nescalate = { at = \"3d\", teams = \"ccaas\" }",
            "rules[0].escalate: no reminder comes as late as 3d",
        ),
    ] {
        let config = accepted(&with(changed));
        assert_eq!(config.warnings.len(), 1, "{changed} {:?}", config.warnings);
        assert!(config.warnings[0].starts_with(path), "{:?}", config.warnings);
    }
}

#[test]
fn rotation_escalation_and_owners_are_read_as_they_are_written() {
    let config = accepted(&with(
        "[[rules]]\nteams = [ \"owner\" ]\nrotate_every = \"90d\"\nremind_rotation = [ \"7d\" ]\n\
         escalate = { at = \"3d\", teams = \"ccaas\" }",
    ));
    let treatment = &config.policy.rules[0].treatment;
    assert_eq!(treatment.teams, teams(&["owner"]));
    assert_eq!((treatment.rotate_every, &treatment.remind_rotation), (Some(Period::days(90)), &ladder(&["7d"])));
    assert_eq!(treatment.escalate.as_ref().map(|escalation| &escalation.teams), Some(&teams(&["ccaas"])));
}

#[test]
fn a_secret_that_cannot_be_read_yet_is_a_warning_of_loading_alone() {
    let text = with("[http]\naccess_token = { env = \"EXPIRY_WATCH_TEST_NOT_SET\" }");
    let parsed = accepted(&text);
    assert_eq!(
        parsed.secrets,
        [("http.access_token".to_owned(), SecretRef::Env("EXPIRY_WATCH_TEST_NOT_SET".to_owned()))]
    );
    assert!(parsed.warnings.is_empty());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let wanted = "http.access_token: the environment variable EXPIRY_WATCH_TEST_NOT_SET is not set";
    assert_eq!(load(file.path()).unwrap().warnings, [wanted]);
}

#[test]
fn a_team_may_be_invited_have_a_feed_or_both() {
    let team = |keys: &str| accepted(&with(&format!("[teams.ccaas]\nemail = \"a@example.ca\"\n{keys}")));
    for (keys, calendar, has_feed) in [
        ("", CalendarChoice::Feed, false),
        ("feed_token = { env = \"T\" }", CalendarChoice::Feed, true),
        ("calendar = \"invite\"", CalendarChoice::Invite, false),
        ("calendar = \"invite\"\nfeed_token = { env = \"T\" }", CalendarChoice::Invite, true),
        ("calendar = \"none\"", CalendarChoice::None, false),
    ] {
        let config = team(keys);
        let id = TeamId::new("ccaas");
        assert_eq!((config.policy.teams[&id].calendar, config.warnings.len()), (calendar, 0), "{keys}");
        assert_eq!(config.feed_tokens.get(&id), has_feed.then(|| SecretRef::Env("T".to_owned())).as_ref(), "{keys}");
    }
}

#[test]
fn a_feed_token_that_somebody_could_guess_is_a_warning_that_does_not_show_it() {
    let folder = tempfile::tempdir().unwrap();
    let (token, file) = (folder.path().join("token"), folder.path().join("config.toml"));
    let keys = format!("email = \"a@example.ca\"\nfeed_token = {{ file = \"{}\" }}", token.display());
    std::fs::write(&file, with(&format!("[teams.ccaas]\n{keys}"))).unwrap();
    for (written, bits) in [
        ("0123456789abcdef0123456789abcdef", None),
        ("Zm9vYmFyYmF6cXV4MTIzNA", Some(129)),
        ("0123456789abcdef0123456789abcde", Some(124)),
        ("12345678901234567890123456789012345678", Some(125)),
        ("hunter2", Some(41)),
    ] {
        std::fs::write(&token, written).unwrap();
        let warnings = load(&file).unwrap().warnings;
        let Some(bits) = bits.filter(|bits| *bits < 128) else {
            assert!(warnings.is_empty(), "{warnings:?}");
            continue;
        };
        let begins = format!("teams.ccaas.feed_token: it has {bits} bits at most");
        assert!(warnings.len() == 1 && warnings[0].starts_with(&begins), "{warnings:?}");
        assert!(!warnings[0].contains(written));
    }
}
