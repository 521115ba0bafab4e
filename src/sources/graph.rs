//! How Microsoft Graph refuses: its error envelope, and what to do about each refusal.

use super::http::Manner;
use crate::http::explained_by_graph;

pub(super) const MANNER: Manner = Manner { explain: explained_by_graph, advise, crowded: &[] };

fn advise(status: u16, _code: &str) -> &'static str {
    match status {
        401 => "; the token is refused: check tenant_id, and that graph_url belongs to `cloud`",
        403 => {
            "; grant Application.Read.All with admin consent (a managed identity's tokens are cached: up to 24 h until it shows)"
        }
        404 => "; check graph_url",
        300..=399 => "; redirects are refused, the token was sent nowhere else: check graph_url",
        _ => "",
    }
}
