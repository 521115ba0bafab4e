//! Every address behind a name: one stale node behind it is the commonest failure of a renewal.

use super::{ProbeError, Step, Target};
use crate::domain::Text;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::lookup_host;

/// The longest that a lookup may take; a name server that is silent this long is out of order.
const LONGEST: Duration = Duration::from_secs(5);

/// The most addresses probed behind one name.
const MOST: usize = 64;

/// The address that a target names outright, without any lookup.
pub(super) fn literal(target: &Target) -> Option<SocketAddr> {
    let plain = target.host.trim_matches(['[', ']']);
    plain.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, target.port))
}

/// All addresses behind a target's host (A and AAAA), in order, each once.
///
/// # Errors
/// When the name is not known, or nobody answers in time.
pub async fn resolve(target: &Target, timeout: Duration) -> Result<Vec<SocketAddr>, ProbeError> {
    if let Some(address) = literal(target) {
        return Ok(vec![address]);
    }
    let after = timeout.min(LONGEST);
    let found = tokio::time::timeout(after, lookup_host((target.host.as_str(), target.port))).await;
    let found = found.map_err(|_| ProbeError::TimedOut { step: Step::Resolving, after })?;
    let unknown = |why: &str| ProbeError::Unreachable(Text::clean(&format!("{}: {why}", target.host)));
    let found = found.map_err(|error| unknown(&format!("the name cannot be looked up: {error}")))?;
    let addresses: BTreeSet<SocketAddr> = found.take(MOST).map(canonical).collect();
    if addresses.is_empty() {
        return Err(unknown("the name has no address"));
    }
    Ok(addresses.into_iter().collect())
}

/// The same node as an IPv4 and as an IPv4-mapped address is one.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
