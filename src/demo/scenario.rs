//! The place that the demo shows: every situation that the watcher has to tell apart, dated relative to an instant.
//!
//! One function a situation, so that the directory reads as a list of stories.

use super::certcentral::{CertCentral, Issued, Order};
use super::credentials::{Certificate, Moment, SamlCertificate, Secret};
use super::directory::{Directory, MICROSOFT, PrincipalType};
use super::nodes::Bundle;
use super::vault::{Vault, Version};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Application (client) ids that the shipped configuration names.
pub const PEXIP_TEST: &str = "33758b54-a9cb-48ef-a363-5aaf10888f80";
pub const PEXIP_PROD: &str = "849cca37-34d6-42d9-bb7d-4d8592b385c5";
pub const API_EDGE: &str = "d802c929-6984-48f9-81d1-ff8770c65bde";
pub const API_TEST: &str = "9f0c40e1-6c03-40c1-8035-78bfcd8fed1b";
pub const API_PROD: &str = "a154a158-92d0-4d3c-a756-95d811001574";

/// The names on the TLS certificates, of the management nodes and of the conferencing nodes.
pub const MANAGEMENT_TEST: &str = "mgmt.test.vc.maxconf.ca";
pub const MANAGEMENT_PROD: &str = "mgmt.vc.maxconf.ca";
pub const CONFERENCE_TEST: &str = "conference.test.vc.maxconf.ca";
pub const CONFERENCE_PROD: &str = "conference.vc.maxconf.ca";

/// A display name as a malicious developer of the tenant could choose it: markup, a forged header, a mark that turns text round.
pub const HOSTILE_NAME: &str =
    "<img src=x onerror=alert(1)> invoice\u{202E}fdp.exe\r\nBcc: everyone@example.com <b>&amp;</b>";

/// The whole place, as it stands at `now`.
#[must_use]
pub fn mission(now: Timestamp) -> Directory {
    let place = Place { directory: Directory::new(), now };
    place.pexip();
    place.interface_secrets();
    place.lapsed_and_rotated();
    place.nobodys();
    place.single_sign_on();
    place.none_of_our_business();
    place.oddities();
    place.directory
}

/// How long DigiCert issues for, in days.
pub(super) const LIFE: i64 = 199;

/// What DigiCert has issued to the place.
///
/// ```text
/// management test    =================|=          ends in 5 days
/// management prod    =====|===============        under a plan of three years
/// conference test    old ==========|==            ends in 20 days; renewed a week ago under another order,
///                    new          =|=========     which its node has not noticed
/// conference prod    =========|===========        ends in 100 days
/// ```
#[must_use]
pub fn certificates(now: Timestamp) -> CertCentral {
    let central = CertCentral::new();
    let day = |days| day_of(now, days);
    let issued = |order, id, name, left| Issued::new(order, id, name, day(left - LIFE), day(left));
    central.order(310_001, Order::of(issued(310_001, 710_001, MANAGEMENT_TEST, 5)));
    let plan = Order::of(issued(310_002, 710_002, MANAGEMENT_PROD, 150)).paid_until(day(900));
    central.order(310_002, plan);
    central.order(310_003, Order::of(issued(310_003, 710_003, CONFERENCE_TEST, 20)).renewed());
    central.order(310_004, Order::of(issued(310_004, 710_004, CONFERENCE_PROD, 100)));
    central.order(310_005, Order::of(issued(310_005, 710_005, CONFERENCE_TEST, LIFE - 7)));
    central
}

/// The key vault of the place, which ought to carry the dates of `directory`.
///
/// ```text
/// pexip-administration-*   keep the one secret, by tags and by content type: same dates
/// maxconf-api-edge         keeps the newest secret: same date
/// maxconf-api-test         somebody put the newest one in, and left the date of the one before
/// maxconf-api-prod         nobody has put the newest one in yet: it keeps the one before
/// sip-trunk-password       has no date at all
/// maxconf-api-gateway      a certificate, with the secret that every vault keeps behind one
/// ```
#[must_use]
pub fn vault(now: Timestamp, directory: &Directory) -> Vault {
    let vault = Vault::new();
    let day = |days: i64| now.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(now);
    let keys = |app_id: &str| directory.find_application(app_id).key_ids();
    let lasting = |from: i64, until: i64| Version::created(day(from)).from(day(from)).until(day(until));
    let tagged = |version: Version, app_id: &str, key: Option<&String>| match key {
        Some(key) => version.tag("appId", app_id).tag("keyId", key),
        None => version,
    };
    vault.secret("pexip-administration-test", tagged(lasting(7 - 180, 7), PEXIP_TEST, keys(PEXIP_TEST).first()));
    let named = keys(PEXIP_PROD).first().map(|key| format!("Entra client secret {PEXIP_PROD}:{key}"));
    let content = named.unwrap_or_default();
    vault.secret("pexip-administration-prod", lasting(45 - 180, 45).content_type(&content));
    vault.secret("maxconf-api-edge", tagged(lasting(5 - 180, 5), API_EDGE, keys(API_EDGE).first()));
    vault.secret("maxconf-api-edge", tagged(lasting(-85, 95), API_EDGE, keys(API_EDGE).last()));
    vault.secret("maxconf-api-test", tagged(lasting(-40, 50), API_TEST, keys(API_TEST).last()));
    vault.secret("maxconf-api-prod", tagged(lasting(88 - 180, 88), API_PROD, keys(API_PROD).first()));
    vault.secret("sip-trunk-password", Version::created(day(-400)).content_type("text/plain"));
    vault.certificate("maxconf-api-gateway", lasting(-60, 120));
    vault
}

/// The nodes that serve what `central` issued, in the order of the mission's configuration. Each serves the oldest for its name,
/// and on the conferencing node of production somebody forgot the intermediate certificate.
#[must_use]
pub fn nodes(central: &CertCentral) -> Vec<(String, Bundle)> {
    let issued = central.certificates();
    let node = |name: &str| {
        let certificate = issued.iter().find(|issued| issued.names.iter().any(|covered| covered == name))?.clone();
        let bundle = Bundle::of(certificate);
        let bundle = if name == CONFERENCE_PROD { bundle.without_intermediate() } else { bundle };
        Some((name.to_owned(), bundle))
    };
    [CONFERENCE_TEST, CONFERENCE_PROD, MANAGEMENT_TEST, MANAGEMENT_PROD].into_iter().filter_map(node).collect()
}

/// The date in UTC so many days from `now`; past the end of time stays there.
pub(super) fn day_of(now: Timestamp, days: i64) -> Date {
    let at = now.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(now);
    at.to_zoned(TimeZone::UTC).date()
}

struct Place {
    directory: Directory,
    now: Timestamp,
}

impl Place {
    /// So many days from now; past the end of time stays there.
    fn day(&self, days: i64) -> Timestamp {
        self.now.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(self.now)
    }

    /// A moment with a fraction of a second, as the portal makes them.
    fn exactly(&self, days: i64) -> Timestamp {
        let fraction = SignedDuration::from_nanos(912_730_500);
        self.day(days).saturating_add(fraction).unwrap_or(self.now)
    }

    fn secret(&self, label: &str, from: i64, until: i64) -> Secret {
        Secret::labelled(label).from(self.day(from)).until(self.day(until))
    }

    /// One consumer, one secret each: the test one has a week left, the production one is in sight.
    fn pexip(&self) {
        let label = "Pexip Administration OICD client secret";
        for (environment, app_id, left) in [("Test", PEXIP_TEST, 7), ("Prod", PEXIP_PROD, 45)] {
            let name = format!("Verify-by-Video Platform - {environment} - Pexip Administration OICD");
            let application = self.directory.application(&name).app_id(app_id).with_principal();
            let owned = application.owner("dana.whitfield@example.ca").owner("Pexip.Admins@example.ca");
            owned.secret(self.secret(label, left - 180, left).used(self.exactly(-1)));
        }
    }

    /// A life of 180 days, a new one every 90: three phases of the same overlap.
    ///
    /// ```text
    /// edge   old ==================|= ends in 5 days, as planned
    ///        new           ========|=================
    /// test   old ==============|========
    ///        new          =====|=================
    /// prod   old ===========|==========
    ///        new           =|===================
    /// ```
    ///
    /// In edge the consumer has not moved; in test it has, a month ago; in production it has not been told yet.
    fn interface_secrets(&self) {
        for (environment, app_id, old_ends, new_began, old_used, new_used) in [
            ("Edge", API_EDGE, 5, -85, -1, None),
            ("Test", API_TEST, 50, -40, -32, Some(-1)),
            ("Production", API_PROD, 88, -2, -1, None),
        ] {
            let application = self.directory.application("sec_bcgov_v1").app_id(app_id).with_principal();
            let label = |half: &str| format!("MaxConf API {environment} {half}");
            let old = self.secret(&label("A"), old_ends - 180, old_ends).used(self.exactly(old_used));
            let new = self.secret(&label("B"), new_began, new_began + 180);
            let new = if let Some(used) = new_used { new.used(self.exactly(used)) } else { new };
            application.tags(&["team:ccaas"]).owned_by_principal().secret(old).secret(new);
        }
    }

    fn lapsed_and_rotated(&self) {
        let lapsed = self.directory.application("carrier-status-export").with_principal().tags(&["team:ccaas"]);
        lapsed.secret(Secret::labelled("nightly job").from(self.exactly(-367)).until(self.exactly(-2)));
        let rotated = self.directory.application("recording-archive").with_principal().tags(&["team:ccaas"]);
        rotated
            .secret(self.secret("archive upload", -375, -10))
            .secret(Secret::labelled("archive upload").from(self.exactly(-24)).until(self.exactly(341)));
        let certificate = Certificate::labelled("CN=edge-gateway").from(self.day(-335)).until(self.day(30));
        self.directory.application("edge-gateway").tags(&["team:ccaas"]).certificate(certificate);
    }

    fn nobodys(&self) {
        let orphan = self.directory.application("orphan-report-export").with_principal();
        // Used every day, and owned by nobody.
        orphan.secret(Secret::unlabelled().from(self.exactly(-168)).until(self.exactly(12)).used(self.exactly(-1)));
    }

    /// The active signing certificate ends in 20 days; the new one is there but not in use yet, so it does not help.
    fn single_sign_on(&self) {
        let application = self.directory.application("Northwind Expenses (SAML)");
        let in_use =
            SamlCertificate::new("41fa8ea4-91ef-53c0-958c-783944cf91d0", self.day(20 - 3 * 365), self.day(20)).active();
        let prepared =
            SamlCertificate::new("aa4a4de7-3ad0-5e98-8307-60d9bb9f28bd", self.day(-9), self.day(3 * 365 - 9));
        application.principal().saml(&in_use).saml(&prepared);
    }

    /// What renews itself, and what belongs to others.
    fn none_of_our_business(&self) {
        let identity = self.directory.service_principal("id-maxconf-function").owned_by(None);
        let own = Certificate::labelled("CN=id-maxconf-function").from(self.day(-60)).until(self.day(30));
        identity.principal_type(PrincipalType::ManagedIdentity).certificate(own);
        let theirs = Certificate::labelled("CN=teams.microsoft.example").from(self.day(-400)).until(self.day(-35));
        let microsoft = self.directory.service_principal("Microsoft Teams Services").owned_by(Some(MICROSOFT));
        microsoft.certificate(theirs);
        let vendor = self.directory.service_principal("Vendor Ticketing");
        vendor.owned_by(Some("d36dcac5-7f59-5145-bbdd-29d8d3ab2399"));
    }

    fn oddities(&self) {
        let hostile = self.directory.application(HOSTILE_NAME);
        hostile.secret(self.secret("\"><script>alert(2)</script>", -10, 25));
        let forever = self.directory.application("legacy-batch-job");
        forever.secret(Secret::unlabelled().from("2016-05-03").forever().hint(None));
        let staged = self.directory.application("data-export (staged)").with_principal();
        staged.secret(self.secret("starts later", 14, 194));
        let disabled = self.directory.service_principal("retired-kiosk").enabled(false);
        disabled.secret(Secret::labelled("kiosk").from(Moment::from(self.day(-150))).until(self.exactly(30)));
        self.directory.application("spa-without-credentials").with_principal();
    }
}
