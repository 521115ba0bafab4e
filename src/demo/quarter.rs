//! A quarter of a year at the place that the demo shows: what people do there, day by day.
//!
//! Owns the script alone. What the watch makes of it is for whoever runs it to see.
//!
//! ```text
//! day              0    5  8                  38        68 70             90  98
//! API, A   ========|====|==|                                                        ends as planned
//! API, B   ========|====|==|===================|=========|=|===============|===|    its consumer moves on day 70
//! API, C           |    |=====================================================...
//! Pexip, prod  ====|=========================================== ends on day 62; rotated on day 60, its vault entry on day 63
//! ```

use super::certcentral::{CertCentral, Issued, Order};
use super::credentials::Secret;
use super::directory::Directory;
use super::nodes::Bundle;
use super::scenario::{
    API_PROD, CONFERENCE_PROD, CONFERENCE_TEST, LIFE, MANAGEMENT_PROD, MANAGEMENT_TEST, PEXIP_PROD, PEXIP_TEST, day_of,
};
use super::vault::{Vault, Version};
use super::{Options, Tenant};
use jiff::{SignedDuration, Timestamp};

/// How long it lasts, in days.
pub const DAYS: i64 = 100;

const PEXIP: &str = "Pexip Administration OICD client secret";
const STATUS_EXPORT: &str = "carrier-status-export";

/// The script, dated from the morning of its first day.
#[derive(Clone, Copy, Debug)]
pub struct Quarter {
    pub begins: Timestamp,
}

impl Quarter {
    /// So many days from the beginning, at two in the afternoon where the beginning is eight in the morning.
    fn afternoon(self, day: i64) -> Timestamp {
        self.begins.saturating_add(SignedDuration::from_hours(24 * day + 6)).unwrap_or(self.begins)
    }

    fn lasting(self, label: &str, from: i64, until: i64) -> Secret {
        Secret::labelled(label).from(self.afternoon(from)).until(self.afternoon(until))
    }

    /// The place as it stands on the first morning.
    #[must_use]
    pub fn place(self) -> (Directory, Options) {
        let directory = Directory::new();
        for (environment, app_id, ends) in [("Test", PEXIP_TEST, 33), ("Prod", PEXIP_PROD, 62)] {
            let name = format!("Verify-by-Video Platform - {environment} - Pexip Administration OICD");
            directory.application(&name).app_id(app_id).secret(self.lasting(PEXIP, ends - 180, ends));
        }
        let interface = directory.application("sec_bcgov_v1").app_id(API_PROD);
        let first = self.lasting("MaxConf API A", 8 - 180, 8).used(self.afternoon(-30));
        interface.secret(first).secret(self.lasting("MaxConf API B", -82, 98).used(self.afternoon(-1)));
        let export = directory.application(STATUS_EXPORT).tags(&["team:ccaas"]);
        export.secret(self.lasting("nightly job", -351, 14));

        let vault = Vault::new();
        for (entry, app_id) in [("pexip-administration-test", PEXIP_TEST), ("pexip-administration-prod", PEXIP_PROD)] {
            self.keep(&vault, &directory, entry, app_id, if app_id == PEXIP_TEST { 33 } else { 62 }, -1);
        }
        self.keep(&vault, &directory, "maxconf-api-prod", API_PROD, 98, -1);

        let certcentral = CertCentral::new();
        let mut nodes = Vec::new();
        let orders = [(MANAGEMENT_TEST, 194), (MANAGEMENT_PROD, 194), (CONFERENCE_PROD, 194), (CONFERENCE_TEST, 40)];
        for (order, (name, left)) in (410_001..).zip(orders) {
            let issued = self.issued(order, name, left);
            nodes.push((name.to_owned(), Bundle::of(issued.clone())));
            certcentral.order(order, Order::of(issued));
        }
        (directory, Options { vault, certcentral, nodes, ..Options::default() })
    }

    fn issued(self, order: u64, name: &str, left: i64) -> Issued {
        Issued::new(order, order + 400_000, name, day_of(self.begins, left - LIFE), day_of(self.begins, left))
    }

    /// Stores the newest secret of an application in the vault.
    fn keep(self, vault: &Vault, directory: &Directory, entry: &str, app_id: &str, until: i64, day: i64) {
        let keys = directory.find_application(app_id).key_ids();
        let version = Version::created(self.afternoon(day)).until(self.afternoon(until)).tag("appId", app_id);
        vault.secret(entry, keys.last().map_or(version.clone(), |key| version.tag("keyId", key)));
    }

    /// What happens in the afternoon of that day, with what people would say about it.
    ///
    /// # Panics
    /// When the tenant is not the one of this script.
    pub fn act(self, day: i64, tenant: &Tenant) -> Vec<&'static str> {
        let directory = tenant.directory();
        let key = |app_id: &str, number: usize| directory.find_application(app_id).key_ids().get(number).cloned();
        // The consumer signs in every day, with whatever secret it has.
        let in_hand = if day < 70 { 1 } else { 2 };
        if let Some(key) = key(API_PROD, in_hand) {
            directory.find_application(API_PROD).used(&key, self.afternoon(day));
        }
        let keep = |entry, app_id, until| self.keep(&tenant.vault(), &directory, entry, app_id, until, day);
        match day {
            5 => {
                directory.add_secret(API_PROD, self.lasting("MaxConf API C", 5, 185));
                keep("maxconf-api-prod", API_PROD, 185);
                vec!["CCaaS makes the API's secret C, stores it in the vault and sends it to IDIM"]
            }
            19 => {
                directory.remove_application(STATUS_EXPORT);
                vec!["nobody needed carrier-status-export: it is deleted"]
            }
            20 => {
                directory.add_secret(PEXIP_TEST, self.lasting(PEXIP, 20, 200));
                keep("pexip-administration-test", PEXIP_TEST, 200);
                vec!["CCaaS rotates the Pexip test secret, tests a login, and updates the vault"]
            }
            24 => {
                tenant.certcentral().order(410_009, Order::of(self.issued(410_009, CONFERENCE_TEST, 24 + LIFE)));
                vec!["the certificate of the conferencing test node is renewed, and not installed"]
            }
            27 => {
                let renewed = self.issued(410_009, CONFERENCE_TEST, 24 + LIFE);
                let installed = tenant.nodes().install(CONFERENCE_TEST, &Bundle::of(renewed));
                installed.unwrap_or_else(|error| panic!("the simulated node cannot be changed: {error}"));
                vec!["the new certificate is installed"]
            }
            48 => {
                tenant.graph_down(true);
                vec!["Microsoft Graph stops answering"]
            }
            50 => {
                tenant.graph_down(false);
                vec!["Microsoft Graph answers again"]
            }
            60 => {
                directory.add_secret(PEXIP_PROD, self.lasting(PEXIP, 60, 240));
                vec!["CCaaS rotates the Pexip production secret, and forgets the vault"]
            }
            63 => {
                keep("pexip-administration-prod", PEXIP_PROD, 240);
                vec!["the vault's entry is brought up to date"]
            }
            70 => vec!["IDIM moves to the API's secret C"],
            90 => {
                directory.add_secret(API_PROD, self.lasting("MaxConf API D", 90, 270));
                keep("maxconf-api-prod", API_PROD, 270);
                vec!["CCaaS makes the API's secret D, stores it in the vault and sends it to IDIM"]
            }
            _ => Vec::new(),
        }
    }
}
