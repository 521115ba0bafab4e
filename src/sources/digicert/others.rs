//! What stands beside an order's primary certificate: duplicates, and what reissues have replaced.
//!
//! Each list costs a request, so it is asked for only where there can be something in it, and what has been read is kept while the
//! order looks the same: for good once it has ended, for some hours while it lives. An account with thousands of duplicates is then
//! read within the key's budget, if need be over several polls.

use super::dates::{day_of, end_of};
use super::document::{Certificate, Order, certificates};
use super::fold::is_withdrawn;
use super::{Asker, ReadError};
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A duplicate or reissue changes what the list of orders shows of its order; this is for what does not, such as one revoked alone.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(6);

/// Between an order and its first certificate lies its validation. One that began later than this after may be a reissue.
const VALIDATION: SignedDuration = SignedDuration::from_hours(24 * 7);

#[derive(Debug, Default)]
pub(super) struct Others(Mutex<HashMap<u64, Kept>>);

#[derive(Debug)]
struct Kept {
    order: Order,
    read_at: Timestamp,
    certificates: Arc<[Certificate]>,
}

impl Others {
    fn kept(&self) -> MutexGuard<'_, HashMap<u64, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of orders that are not listed any more.
    pub fn forget_all_but(&self, orders: &[Order]) {
        let listed: HashSet<u64> = orders.iter().filter_map(|order| order.id.number()).collect();
        self.kept().retain(|id, _| listed.contains(id));
    }

    /// Duplicates and reissues of `order`.
    pub async fn of(
        &self,
        order: &Order,
        asker: &mut Asker<'_>,
        now: Timestamp,
    ) -> Result<Arc<[Certificate]>, ReadError> {
        let wanted = [("duplicate", duplicates(order)), ("reissue", reissues(order))];
        let Some(id) = order.id.number() else { return Ok(Arc::default()) };
        if wanted.iter().all(|(_, likelihood)| *likelihood == Likelihood::None) {
            return Ok(Arc::default());
        }
        if let Some(kept) = self.kept().get(&id).filter(|kept| kept.is_good_for(order, now)) {
            return Ok(Arc::clone(&kept.certificates));
        }
        let mut all = Vec::new();
        for (list, likelihood) in wanted {
            if likelihood != Likelihood::None {
                all.extend(ask(asker, id, list, likelihood).await?);
            }
        }
        let certificates: Arc<[Certificate]> = all.into();
        let kept = Kept { order: order.clone(), read_at: now, certificates: Arc::clone(&certificates) };
        self.kept().insert(id, kept);
        Ok(certificates)
    }
}

impl Kept {
    fn is_good_for(&self, order: &Order, now: Timestamp) -> bool {
        let complete = self.certificates.iter().all(|certificate| certificate.valid_till.text().is_some());
        let ended =
            |order: &Order| end_of(&order.order_valid_till).is_ok_and(|end| end.is_some_and(|end| end < self.read_at));
        let age = now.duration_since(self.read_at);
        self.order == *order && complete && (ended(order) || (SignedDuration::ZERO..KEPT_FOR).contains(&age))
    }
}

async fn ask(
    asker: &mut Asker<'_>,
    id: u64,
    list: &str,
    likelihood: Likelihood,
) -> Result<Vec<Certificate>, ReadError> {
    let path = format!("/order/certificate/{id}/{list}");
    let what = format!("GET {path}");
    let url = asker.address(&path);
    let answer = match asker.http.get(&url, &what, &mut asker.waiting, Vec::new()).await {
        Ok(answer) => answer,
        // Where the list of orders did not promise any, "there is none" is an answer.
        Err(refusal) if likelihood == Likelihood::Possible && refusal.status == Some(StatusCode::NOT_FOUND) => {
            return Ok(vec![]);
        }
        Err(refusal) => return Err(refusal.error),
    };
    match certificates(&answer.body) {
        Err(_) if likelihood == Likelihood::Possible && answer.body.trim_ascii() == b"{}" => Ok(vec![]),
        read => read.map_err(|why| ReadError::new(&format!("{what}: the answer is no list of certificates: {why}"))),
    }
}

/// How likely an order has certificates of a sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Likelihood {
    None,
    /// The list of orders does not say.
    Possible,
    Promised,
}

fn duplicates(order: &Order) -> Likelihood {
    match order.has_duplicates.truth().or(order.duplicates_count.truth()) {
        Some(true) if !is_withdrawn(&order.status) => Likelihood::Promised,
        _ => Likelihood::None,
    }
}

fn reissues(order: &Order) -> Likelihood {
    if is_withdrawn(&order.status) {
        return Likelihood::None;
    }
    match order.has_reissues.truth().or(order.reissues_count.truth()) {
        Some(true) => Likelihood::Promised,
        _ if order.status.text().is_some_and(|status| status.starts_with("reissue")) => Likelihood::Possible,
        None if began_late(order).unwrap_or(false) => Likelihood::Possible,
        _ => Likelihood::None,
    }
}

/// Whether the certificate began so long after the order was made that it is hardly the first one.
fn began_late(order: &Order) -> Option<bool> {
    let began = day_of(&order.certificate.as_ref()?.valid_from)?;
    Some(began.duration_since(day_of(&order.date_created)?) > VALIDATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fields: &str, duplicate: Likelihood, reissue: Likelihood) {
        let order: Order = serde_json::from_str(&format!(r#"{{"id":1,{fields}}}"#)).unwrap();
        assert_eq!((duplicates(&order), reissues(&order)), (duplicate, reissue), "{fields}");
    }

    #[test]
    fn a_list_is_asked_for_only_where_there_can_be_something_in_it() {
        use Likelihood::{None, Possible, Promised};
        check(r#""status":"issued","has_duplicates":false,"has_reissues":false"#, None, None);
        check(r#""status":"issued","has_duplicates":"1","has_reissues":1"#, Promised, Promised);
        check(r#""status":"issued","duplicates_count":2,"reissues_count":"1""#, Promised, Promised);
        check(r#""status":"revoked","has_duplicates":true,"has_reissues":true"#, None, None);
        check(r#""status":"reissue_pending","has_reissues":false"#, None, Possible);
        check(r#""status":"pending""#, None, None);
        let made = r#""date_created":"2026-11-10T14:59:13+00:00""#;
        check(&format!(r#"{made},"certificate":{{"valid_from":"2026-11-11"}}"#), None, None);
        check(&format!(r#"{made},"certificate":{{"valid_from":"2027-05-11"}}"#), None, Possible);
        check(&format!(r#"{made},"has_reissues":false,"certificate":{{"valid_from":"2027-05-11"}}"#), None, None);
    }
}
