//! Mail through Exchange Online: by Graph, and by SMTP with a token. What comes in between, is waited out or put right, and arrives.

use crate::desk::{Desk, assert_json_lines};
use crate::support::{Mail, ONE_TEAM, OPS, Place, Process, TestWatcher, at_eight, mails};
use expiry_watch::deliver::{Step, Transport};
use expiry_watch::demo::{Directory, Fault, MailFault, MailOptions, Place as Spot, Secret, Tenant};
use expiry_watch::domain::Text;
use jiff::SignedDuration;
use std::collections::BTreeSet;
use std::time::Duration;

const SMTP: &str = "type = \"smtp\"\n    host = \"127.0.0.1\"\n    tls = \"none\"\n";
const TOLD: &str = "2026-11-21 ccaas-ops: expiring 7d";

/// The two ways to a mailbox of Exchange Online.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Graph,
    Smtp,
}

const BOTH: [Way; 2] = [Way::Graph, Way::Smtp];
const MAILBOX: &str = "expiry-watch@example.ca";

fn directory() -> Directory {
    let directory = Directory::new();
    let secret = Secret::labelled("key").from("2026-06-01T19:00:00Z").until("2026-11-28T19:00:00Z");
    directory.application("billing").secret(secret);
    directory
}

impl Way {
    async fn place(self, more: &str) -> Place {
        self.place_with(more, SignedDuration::from_hours(1)).await
    }

    async fn place_with(self, more: &str, token_lifetime: SignedDuration) -> Place {
        let mut place = Place::with(directory(), "2026-11-21", more, |options| {
            options.mail = MailOptions { mailbox: Some(MAILBOX.to_owned()), ..MailOptions::default() };
            options.token_lifetime = token_lifetime;
        })
        .await;
        let keys = match self {
            Self::Graph => format!("type = \"graph\"\n    mailbox = \"{MAILBOX}\"\n"),
            Self::Smtp => format!("{SMTP}    auth = \"xoauth2\"\n"),
        };
        place.reconfigure(|config| config.replace(SMTP, &keys));
        place
    }

    async fn watcher(self) -> TestWatcher {
        TestWatcher::at(self.place(ONE_TEAM).await).await
    }

    /// The digest of the day is written, and nobody has carried it yet.
    async fn with_a_message_waiting(self) -> TestWatcher {
        let mut watcher = self.watcher().await;
        watcher.place.clock.set(at_eight("2026-11-21"));
        watcher.process.poll().await;
        watcher.process.notify().await;
        watcher
    }

    /// How often somebody came with mail.
    fn visits(self, place: &Place) -> usize {
        match self {
            Self::Graph => place.tenant.requests_to(&format!("/v1.0/users/{MAILBOX}/sendMail")),
            Self::Smtp => place.tenant.mail_faults().connections(),
        }
    }

    /// A permission is taken away, or granted.
    fn permit(self, tenant: &Tenant, permitted: bool) {
        match self {
            Self::Smtp => tenant.mail_faults().refuse_tokens(!permitted),
            Self::Graph if permitted => tenant.faults().heal(Spot::SendMail),
            Self::Graph => {
                let fault = Fault::Refusal { status: 403, code: "ErrorAccessDenied" };
                tenant.faults().always(Spot::SendMail, fault);
            }
        }
    }
}

fn lines(place: &Place) -> Vec<String> {
    mails(&place.tenant).iter().map(Mail::line).collect()
}

#[tokio::test]
async fn a_digest_arrives_from_the_mailbox_as_it_was_stored() {
    for way in BOTH {
        let mut watcher = way.watcher().await;
        assert_eq!(watcher.day("2026-11-21").await, [TOLD], "{way:?}");
        let messages = watcher.tenant().mailbox().messages();
        assert_eq!((messages[0].user.as_deref(), &messages[0].from[..]), (Some(MAILBOX), MAILBOX));
        assert_eq!(messages[0].to, [OPS]);
        let stored = watcher.place.messages().await;
        assert_eq!((&stored[0].1[..], &*stored[0].2), (&messages[0].raw[..], "delivered"));
        watcher.assert_nothing_leaked(&BTreeSet::new()).await;
        assert!(watcher.tenant().wrong_tokens().is_empty());
    }
}

#[tokio::test]
async fn a_revoked_token_is_renewed_once_and_nobody_notices() {
    for way in BOTH {
        let mut watcher = way.watcher().await;
        watcher.day("2026-11-21").await;
        watcher.tenant().revoke_tokens();
        assert_eq!(watcher.day("2026-11-25").await, ["2026-11-25 ccaas-ops: expiring 3d"], "{way:?}");
        assert!(watcher.process.store.outbox().await.unwrap().recent.iter().all(|row| row.attempts == 1), "{way:?}");
    }
}

#[tokio::test]
async fn a_token_that_ends_between_two_messages_is_followed_by_another() {
    for way in BOTH {
        // Shorter than what a token must still have to be used again.
        let place = way.place_with(ONE_TEAM, SignedDuration::from_mins(4)).await;
        let mut watcher = TestWatcher::at(place).await;
        let told = [watcher.day("2026-11-21").await, watcher.day("2026-11-25").await].concat();
        assert_eq!(told.len(), 2);
        // One a message; reading asks for its own.
        let issued = watcher.tenant().tokens_issued().len();
        assert!(issued >= 4, "{way:?}: {issued}");
    }
}

#[tokio::test]
async fn a_missing_permission_pauses_all_mail_says_what_to_grant_and_heals_by_itself() {
    for (way, said) in [(Way::Graph, "grant Mail.Send"), (Way::Smtp, "grant SMTP.SendAsApp")] {
        let teams = "[defaults]\nteams = [ \"ccaas\", \"idim\" ]\n";
        let place = way.place(teams).await;
        place.set("2026-11-20T15:30:00Z");
        let mut loops = Process::start(&place).await.into_loops();
        loops.tick().await;
        way.permit(&place.tenant, false);
        place.clock.set(at_eight("2026-11-21"));
        loops.tick().await;
        // With the token of the first try, and, where it is the token that is refused, with a new one.
        let tried = if way == Way::Smtp { 2 } else { 1 };
        assert_eq!(way.visits(&place), tried, "{way:?}: the second message was tried as well");
        let why = loops.observed.outbox().paused.clone().unwrap_or_default();
        assert!(why.as_str().contains(said), "{why}");
        for _ in 0..10 {
            place.clock.advance(SignedDuration::from_secs(1));
            loops.tick().await;
        }
        assert_eq!(way.visits(&place), tried, "paused is paused");
        way.permit(&place.tenant, true);
        place.clock.advance(SignedDuration::from_mins(3));
        loops.tick().await;
        let told = |who: &str| format!("2026-11-21 {who}: expiring 7d");
        assert_eq!(BTreeSet::from_iter(lines(&place)), BTreeSet::from([told("ccaas-ops"), told("idim-techops")]));
        assert_eq!(loops.observed.outbox().paused, None::<Text>);
        let state = place.state.everything().await;
        assert!(place.tenant.tokens_issued().iter().all(|token| !state.contains(token)));
    }
}

#[tokio::test]
async fn an_outage_is_waited_out_for_days_and_the_message_stays_the_same() {
    for way in BOTH {
        let mut watcher = way.with_a_message_waiting().await;
        watcher.tenant().graph_down(true);
        watcher.tenant().mail_faults().down(true);
        for _ in 0..72 {
            watcher.process.deliver().await;
            watcher.place.clock.advance(SignedDuration::from_hours(1));
        }
        assert!(watcher.mails().is_empty());
        watcher.tenant().graph_down(false);
        watcher.tenant().mail_faults().down(false);
        watcher.place.clock.advance(SignedDuration::from_mins(91));
        watcher.restart().await;
        watcher.process.deliver().await;
        let [mail] = &watcher.mails()[..] else { panic!("{way:?}: one mail") };
        assert_eq!(mail.letter.header("Date"), Some("Sat, 21 Nov 2026 15:00:00 +0000"), "it says when it was written");
    }
}

#[tokio::test]
async fn without_the_sign_in_service_mail_waits_and_then_goes_out() {
    for way in BOTH {
        let mut watcher = way.with_a_message_waiting().await;
        watcher.tenant().faults().sign_in_down(true);
        let steps = watcher.process.deliver().await;
        assert!(matches!(steps[..], [Step::Deferred { .. }]), "{way:?}: {steps:?}");
        assert_eq!(way.visits(&watcher.place), 0);
        watcher.tenant().faults().sign_in_down(false);
        watcher.place.clock.advance(SignedDuration::from_mins(2));
        watcher.process.deliver().await;
        assert_eq!(watcher.news().iter().map(Mail::line).collect::<Vec<_>>(), [TOLD]);
    }
}

#[tokio::test]
async fn graph_is_given_the_time_it_asks_for() {
    let mut watcher = Way::Graph.watcher().await;
    watcher.tenant().faults().next(Spot::SendMail, Fault::TooManyRequests { retry_after: Some(600) });
    assert!(watcher.day("2026-11-21").await.is_empty());
    for minutes in [3, 3, 3] {
        watcher.place.clock.advance(SignedDuration::from_mins(minutes));
        assert!(watcher.process.deliver().await.is_empty(), "it asked for ten minutes");
    }
    watcher.place.clock.advance(SignedDuration::from_mins(2));
    watcher.process.deliver().await;
    assert_eq!(watcher.news().len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_lost_repeats_the_message_byte_for_byte() {
    for fault in [Fault::CutOff, Fault::Silence] {
        let mut watcher = Way::Graph.watcher().await;
        let Transport::Graph(graph) = watcher.place.transport() else { panic!("by Graph") };
        let impatient = graph.with_deadline(Duration::from_millis(1_500));
        watcher.process.postman.transport = Transport::Graph(Box::new(impatient));
        watcher.tenant().faults().next(Spot::SendMail, fault);
        watcher.day("2026-11-21").await;
        watcher.place.clock.advance(SignedDuration::from_mins(2));
        watcher.restart().await;
        watcher.process.deliver().await;
        let messages = watcher.tenant().mailbox().messages();
        assert_eq!((messages.len(), &messages[0].raw), (2, &messages[1].raw));
    }
}

#[tokio::test]
async fn a_message_that_is_refused_is_given_up_and_the_next_one_goes_out() {
    for (status, code) in [(413, "RequestEntityTooLarge"), (400, "ErrorInvalidRecipients")] {
        let place = Way::Graph.place("[defaults]\nteams = [ \"ccaas\", \"idim\" ]\n").await;
        let mut watcher = TestWatcher::at(place).await;
        watcher.tenant().faults().next(Spot::SendMail, Fault::Refusal { status, code });
        assert_eq!(watcher.day("2026-11-21").await.len(), 1);
        let outbox = watcher.process.store.outbox().await.unwrap();
        assert_eq!((outbox.rejected, outbox.pending), (1, 0));
        let why = outbox.recent.iter().find_map(|row| row.last_error.clone()).unwrap();
        assert!(why.as_str().contains(code), "{why}");
    }
}

#[tokio::test]
async fn a_refusal_in_exchanges_own_words_is_renewed_once_too() {
    let mut watcher = Way::Smtp.watcher().await;
    let refusal = "535 5.7.3 Authentication unsuccessful [YT1P288CA0001.CANPRD01.PROD.OUTLOOK.COM]";
    watcher.tenant().mail_faults().next(MailFault::SignIn(refusal.to_owned()));
    assert_eq!(watcher.day("2026-11-21").await, [TOLD]);
    assert_eq!(watcher.tenant().mail_faults().connections(), 2);
}

#[tokio::test]
async fn a_hundred_addresses_are_told_without_a_throttle_ever_saying_no() {
    for way in BOTH {
        let addresses: Vec<String> = (0..100).map(|n| format!("\"team-{n}@example.ca\"")).collect();
        let more = format!(
            "{ONE_TEAM}[teams.many]\nemail = [ {} ]\n[[rules]]\nmatch = {{ holder = \"*\" }}\nteams = [ \"many\" ]\n",
            addresses.join(", ")
        );
        let mut watcher = TestWatcher::at(way.place(&more).await).await;
        assert_eq!(watcher.day("2026-11-21").await.len(), 100, "{way:?}");
        let rows = watcher.process.store.outbox().await.unwrap();
        assert!(rows.recent.iter().all(|row| row.attempts == 1), "{way:?}");
        let took = watcher.place.clock.now().duration_since(at_eight("2026-11-21"));
        assert!((200..300).contains(&took.as_secs()), "{way:?}: {took}");
    }
}

#[tokio::test]
async fn the_program_sends_both_ways_and_its_log_of_everything_holds_no_token_and_no_address() {
    for way in BOTH {
        let mailbox = Some(MAILBOX.to_owned());
        let mut desk = Desk::with(directory(), "", |options| options.mail.mailbox = mailbox).await;
        let graph = desk.tenant.graph_url();
        let keys = match way {
            Way::Graph => format!("type = \"graph\"\nmailbox = \"{MAILBOX}\"\ngraph_url = \"{graph}\"\n"),
            Way::Smtp => {
                let port = desk.tenant.smtp_addr().port();
                format!("type = \"smtp\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nauth = \"xoauth2\"\n")
            }
        };
        desk.reconfigure(|config| {
            let (before, rest) = config.split_once("[mail.transport]\n").unwrap();
            format!("{before}[mail.transport]\n{keys}[teams.ccaas]{}", rest.split_once("[teams.ccaas]").unwrap().1)
        });
        let done = desk.run(&["mail", "test", "--team", "ccaas"]).await;
        assert_eq!((done.code, desk.tenant.mailbox().len()), (0, 2), "{way:?}: {}", done.err);
        desk.set("EXPIRY_WATCH_LOG", "trace");
        desk.set("EXPIRY_WATCH_LOG_FORMAT", "json");
        // One refusal on the way, so that errors are seen, too.
        match way {
            Way::Graph => desk.tenant.faults().next(Spot::SendMail, Fault::Unauthorized),
            Way::Smtp => desk.tenant.mail_faults().next(MailFault::SignIn("535 5.7.3 no".to_owned())),
        }
        let done = desk.run(&["mail", "test", "--team", "ccaas"]).await;
        assert_eq!((done.code, desk.tenant.mailbox().len()), (0, 4), "{way:?}: {}", done.err);
        assert!(assert_json_lines(&done.err) > 5, "{}", done.err);
        assert!(!done.err.contains(OPS) && !done.err.contains(MAILBOX), "an address stands in the log: {}", done.err);
        way.permit(&desk.tenant, false);
        let done = desk.run(&["mail", "test", "--team", "ccaas"]).await;
        assert!(
            done.code == 4 && done.err.contains("the mail system refuses us") && done.err.contains("grant"),
            "{done:?}"
        );
    }
}
