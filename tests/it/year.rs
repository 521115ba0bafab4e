//! A year in which everything happens by chance: rotations, deletions, outages, lost mail, kills. The promises hold on every day.
//!
//! What should have been told is worked out here a second time, from the script and the contract alone, and in the plainest way.

use crate::support::{IDIM, ONE_TEAM, OPS, Place, Process, mails, vancouver};
use expiry_watch::demo::{Directory, Entry, Fault, MailFault, Place as At, Secret};
use expiry_watch::domain::{CredentialId, NoticeKey, NoticeKind, Step, Threshold};
use expiry_watch::store::Pick;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashSet};

const LADDER: [i64; 7] = [60, 30, 14, 7, 3, 1, 0];

/// One secret of the script.
#[derive(Clone, Debug)]
struct Key {
    application: usize,
    id: String,
    from: Timestamp,
    until: Timestamp,
}

/// What stood in the directory when it was last read.
#[derive(Clone, Debug, Default)]
struct World {
    keys: Vec<Key>,
    first_seen: BTreeMap<String, Timestamp>,
    missing_since: BTreeMap<String, Timestamp>,
}

/// What has been missing for longer is forgotten, and is seen for the first time should it come back.
const REMEMBERED: i64 = 45;

fn days(n: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * n)
}

/// Calendar days from `now` to `then` in Vancouver.
fn days_between(now: Timestamp, then: Timestamp) -> i64 {
    let date = |at| vancouver().to_datetime(at).date();
    i64::from((date(then) - date(now)).get_days())
}

impl World {
    fn is_read_as(&mut self, keys: &[Key], now: Timestamp) {
        for key in std::mem::replace(&mut self.keys, keys.to_vec()) {
            if !keys.iter().any(|there| there.id == key.id) {
                self.missing_since.insert(key.id, now);
            }
        }
        self.missing_since.retain(|id, since| {
            let is_back = keys.iter().any(|there| there.id == *id);
            let is_forgotten = now.duration_since(*since) > days(REMEMBERED);
            if is_forgotten && !is_back {
                self.first_seen.remove(id);
            }
            !is_back && !is_forgotten
        });
        for key in keys {
            self.first_seen.entry(key.id.clone()).or_insert(now);
        }
    }

    fn is_superseded(&self, old: &Key, now: Timestamp) -> bool {
        let covers = |new: &Key, at: Timestamp| new.from <= at && at < new.until;
        let takes_over = |new: &&Key| {
            new.application == old.application
                && new.id != old.id
                && new.from >= old.from
                && new.until > old.until
                && (covers(new, now) || (old.until < now && covers(new, old.until)))
        };
        self.keys.iter().any(|new| takes_over(&new))
    }

    /// Whether the team has heard of the tightest threshold that `key` has crossed, since it last heard `resolved`.
    fn is_told(&self, key: &Key, now: Timestamp, told: &[&NoticeKey]) -> bool {
        let resolved = told.iter().filter(|told| told.kind == NoticeKind::Resolved).map(|told| told.episode + 1);
        let episode = resolved.max().unwrap_or(0);
        let current = || told.iter().filter(|told| told.episode == episode && told.expires_at == Some(key.until));
        let left = days_between(now, key.until);
        if now >= key.until {
            if key.until + days(30) < self.first_seen[&key.id] {
                return true;
            }
            let weeks = u32::try_from(-left / 7).unwrap();
            return current().any(|told| match told.step {
                Step::Expired(None) => weeks == 0,
                Step::Expired(Some(after)) => after.amount >= 7 * weeks,
                _ => false,
            });
        }
        let life = days_between(key.from, key.until);
        let Some(crossed) = LADDER.into_iter().rfind(|n| left <= *n && *n < life) else { return true };
        current().any(|told| match told.step {
            Step::Before(Threshold::Before(period)) => i64::from(period.amount) <= crossed,
            _ => false,
        })
    }
}

struct Year {
    rng: Rng,
    place: Place,
    applications: Vec<Entry>,
    /// What stands in the directory.
    now: World,
    /// What the watch has read of it.
    read: World,
    graph_is_down_until: Timestamp,
    mail_is_down_until: Timestamp,
    enqueued: BTreeMap<String, Vec<u8>>,
    /// In order: to whom, of what, kind, threshold.
    told: Vec<(String, String, String, String)>,
    identities: HashSet<NoticeKey>,
}

impl Year {
    async fn new(seed: u64) -> Self {
        let mut place = Place::new(Directory::new(), "2026-06-01", ONE_TEAM).await;
        place.reconfigure(|config| config.replace("stale_after = \"6h\"", "stale_after = \"30h\""));
        let begun = place.clock.now();
        let mut year = Self {
            rng: Rng::with_seed(seed),
            applications: Vec::new(),
            now: World::default(),
            read: World::default(),
            graph_is_down_until: begun,
            mail_is_down_until: begun,
            enqueued: BTreeMap::new(),
            told: Vec::new(),
            identities: HashSet::new(),
            place,
        };
        for n in 0..18 {
            year.register(n);
        }
        year
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(0..100) < percent
    }

    fn register(&mut self, n: usize) {
        let tags: &[&str] = if n.is_multiple_of(3) { &["team:idim"] } else { &[] };
        let entry = self.place.tenant.directory().application(&format!("application {n}")).tags(tags);
        self.applications.push(entry);
        let life = self.rng.i64(20..400);
        let until =
            self.place.clock.now() + days(self.rng.i64(-40..300)) + SignedDuration::from_mins(self.rng.i64(0..1440));
        self.issue(n, until - days(life), until);
    }

    fn issue(&mut self, application: usize, from: Timestamp, until: Timestamp) {
        let id = format!("{:08x}-0000-4000-8000-{application:012x}", self.rng.u32(..));
        let secret = Secret::labelled("key").key_id(&id).from(from).until(until);
        self.applications[application] = self.applications[application].clone().secret(secret);
        self.now.keys.push(Key { application, id, from, until });
    }

    fn withdraw(&mut self, at: usize) -> Key {
        let key = self.now.keys.remove(at);
        let entry = self.applications[key.application].clone();
        self.applications[key.application] = entry.remove_secret(&key.id);
        key
    }

    /// What people do in a day.
    fn people(&mut self, withdrawn: &mut Vec<Key>) {
        let now = self.place.clock.now();
        for at in 0..self.now.keys.len() {
            let key = self.now.keys[at].clone();
            let left = days_between(now, key.until);
            if (-5..40).contains(&left) && !self.now.is_superseded(&key, now) && self.chance(4) {
                // Some are made to begin later than they are made.
                let begins = now - SignedDuration::from_hours(1) + days(if self.chance(20) { 3 } else { 0 });
                let life = self.rng.i64(20..300);
                self.issue(key.application, begins, begins + days(life));
            }
        }
        if self.chance(15) {
            let at = self.rng.usize(0..self.now.keys.len());
            let key = self.withdraw(at);
            withdrawn.push(key);
        }
        if !withdrawn.is_empty() && self.chance(10) {
            let key = withdrawn.swap_remove(self.rng.usize(0..withdrawn.len()));
            let secret = Secret::labelled("key").key_id(&key.id).from(key.from).until(key.until);
            self.applications[key.application] = self.applications[key.application].clone().secret(secret);
            self.now.keys.push(key);
        }
        if self.chance(5) {
            self.register(self.applications.len());
        }
        if self.chance(10) {
            let renamed = self.applications[self.rng.usize(0..self.applications.len())].clone();
            renamed.rename(&format!("renamed {now}"));
        }
    }

    fn misfortune(&mut self) {
        let now = self.place.clock.now();
        let (graph, mail) = (self.place.tenant.faults(), self.place.tenant.mail_faults());
        graph.heal(At::Applications);
        graph.heal(At::ServicePrincipals);
        if self.chance(4) {
            self.graph_is_down_until = now + days(self.rng.i64(1..6));
        }
        if now < self.graph_is_down_until {
            let faults = [
                Fault::Denied,
                Fault::NextLinkTo(self.place.tenant.elsewhere_url()),
                Fault::Refusal { status: 400, code: "Bad" },
            ];
            let fault = faults[self.rng.usize(0..faults.len())].clone();
            let at = if self.chance(50) { At::Applications } else { At::ServicePrincipals };
            graph.always(at, fault);
        }
        mail.heal();
        // Never for five days in a row, after which a message is given up.
        if now > self.mail_is_down_until + days(1) && self.chance(4) {
            self.mail_is_down_until = now + days(self.rng.i64(1..4));
        }
        mail.down(now < self.mail_is_down_until);
        for (percent, fault) in [
            (8, MailFault::DropKept),
            (5, MailFault::DropLost),
            (5, MailFault::Reply("451 4.3.0 later".to_owned())),
            (3, MailFault::Greeting("421 4.3.2 busy".to_owned())),
            (3, MailFault::Sender("530 5.7.0 authentication required".to_owned())),
        ] {
            if self.chance(percent) {
                mail.next(fault);
            }
        }
        if self.chance(5) {
            mail.defer(OPS, "450 4.2.0 greylisted", 2);
        }
    }

    /// A morning's work; a process that is killed on the way is replaced by the next one.
    async fn watch(&mut self, mut process: Process) -> Process {
        let begun = self.place.clock.now();
        let polled = process.poll().await;
        if polled[0].error.is_none() {
            self.read.is_read_as(&self.now.keys, begun);
        }
        if self.chance(1) {
            process = Process::start(&self.place).await;
        }
        for notice in process.notify().await {
            self.check_that_it_was_owed(&notice.key, self.place.clock.now());
            assert!(self.identities.insert(notice.key.clone()), "enqueued twice: {:?}", notice.key);
        }
        self.check_that_nobody_was_left_out(&process.told().await);
        for (id, raw, _) in self.place.messages_since(begun).await {
            let mut message = crate::support::Mail::of_raw(&raw);
            // What one message resolves, it resolves for what it tells anew.
            message.notices.sort_by_key(|(kind, ..)| kind != "resolved");
            let line = |(kind, credential, step)| (message.to.clone(), credential, kind, step);
            self.told.extend(message.notices.clone().into_iter().map(line));
            assert!(self.enqueued.insert(id.clone(), raw).is_none(), "{id}");
        }
        if self.chance(1) {
            process.postman.deliver_next(Pick::Due).await.unwrap();
            process = Process::start(&self.place).await;
        }
        for _ in 0..3 {
            process.deliver().await;
            self.place.clock.advance(SignedDuration::from_hours(2));
        }
        process
    }

    fn key(&self, credential: &CredentialId) -> Option<&Key> {
        let id = credential.key_id()?.to_string();
        self.read.keys.iter().find(|key| key.id == id)
    }

    /// No alarm about what has been rotated, has gone, or has not begun.
    fn check_that_it_was_owed(&self, told: &NoticeKey, now: Timestamp) {
        if told.credential.to_string().starts_with("source:") || told.kind == NoticeKind::Resolved {
            return;
        }
        let key = self.key(&told.credential).unwrap_or_else(|| panic!("it is not there: {told:?}"));
        assert!(key.from <= now, "it has not begun: {told:?}");
        assert_eq!(told.kind == NoticeKind::Retiring, self.read.is_superseded(key, now), "{told:?} on {now}");
    }

    fn check_that_nobody_was_left_out(&self, told: &[NoticeKey]) {
        let now = self.place.clock.now();
        let mut by_key: BTreeMap<(String, &str), Vec<&NoticeKey>> = BTreeMap::new();
        for told in told {
            let id = told.credential.key_id().map(ToString::to_string).unwrap_or_default();
            by_key.entry((id, told.team.as_str())).or_default().push(told);
        }
        for key in &self.read.keys {
            if key.from > now || self.read.is_superseded(key, now) {
                continue;
            }
            let team = if key.application.is_multiple_of(3) { "idim" } else { "ccaas" };
            let told = by_key.remove(&(key.id.clone(), team)).unwrap_or_default();
            assert!(self.read.is_told(key, now, &told), "nobody heard of {key:?} on {now}: {told:?}");
        }
    }

    /// The same thing is never told twice to an address without `resolved` between.
    fn check_that_it_never_cried_wolf(&self) {
        let mut open: BTreeSet<(&str, &str, &str, &str)> = BTreeSet::new();
        for (to, credential, kind, step) in &self.told {
            if kind == "resolved" {
                open.retain(|known| (known.0, known.1) != (to, credential));
            } else {
                assert!(open.insert((to, credential, kind, step)), "{kind} {step} of {credential} twice to {to}");
            }
        }
    }

    async fn check_that_everything_arrived(&mut self, process: &Process) {
        self.place.tenant.mail_faults().heal();
        self.place.clock.advance(SignedDuration::from_hours(2));
        process.deliver().await;
        assert_eq!(process.store.pending().await.unwrap(), [""; 0]);
        let mut arrived: BTreeMap<String, usize> = BTreeMap::new();
        for mail in mails(&self.place.tenant) {
            assert!(self.enqueued[&mail.id] == mail.raw, "{} arrived changed", mail.id);
            *arrived.entry(mail.id).or_default() += 1;
        }
        let lost: Vec<&String> = self.enqueued.keys().filter(|id| !arrived.contains_key(*id)).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        assert!(arrived.values().any(|copies| *copies > 1), "no answer was ever lost: the year was too quiet");
    }
}

async fn live_through(seed: u64) {
    let mut year = Year::new(seed).await;
    let mut process = Process::start(&year.place).await;
    let mut withdrawn = Vec::new();
    for date in crate::support::dates("2026-06-01", 365) {
        year.place.clock.set(crate::support::at_eight(&date));
        year.people(&mut withdrawn);
        year.misfortune();
        if year.chance(3) {
            continue; // Nobody watches today.
        }
        process = year.watch(process).await;
    }
    year.check_that_everything_arrived(&process).await;
    year.check_that_it_never_cried_wolf();
    let kinds: BTreeSet<&str> = year.told.iter().map(|told| &*told.2).collect();
    let all = ["expired", "expiring", "resolved", "retiring", "source_stale"];
    assert!(
        kinds == BTreeSet::from(all) && year.told.len() > 150,
        "the year was too quiet: {kinds:?}, {}",
        year.told.len()
    );
    assert!([OPS, IDIM].iter().all(|address| year.told.iter().any(|told| told.0 == *address)));
    assert_eq!(year.place.tenant.tokens_sent_elsewhere(), 0);
}

#[tokio::test]
async fn in_years_of_chance_nobody_is_left_out_and_nothing_is_told_twice() {
    // Side by side, since most of a year is waiting for answers.
    tokio::join!(live_through(1), live_through(20_261_121));
}
