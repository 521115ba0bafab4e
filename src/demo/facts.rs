//! What the simulated Graph tells beside its listings: when keys were last used (a report, in beta), and who owns an object.

use super::answers;
use super::credentials::{Moment, Secret};
use super::directory::{Collection, Content, Owner, Record, made_up_id};
use super::faults::{Fault, Place};
use super::graph::Site;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;
use url::form_urlencoded;

const REPORT: &str = "/beta/reports/appCredentialSignInActivities";

/// Answers `GET /beta/reports/appCredentialSignInActivities`.
pub(super) async fn report(State(site): State<Arc<Site>>, uri: Uri, headers: HeaderMap) -> Response {
    let _seen = site.traffic.enter(&uri);
    if let Some(refusal) = site.door(&uri, &headers).await {
        return refusal;
    }
    if let Err(seconds) = site.report_throttle.admit(site.options.clock.now()) {
        // The code that this part of Graph has for it; what it is shows in the status.
        return answers::refusal(429, "UnknownError", "This request is throttled.", Some(seconds));
    }
    let rows = uses(&site.directory.content());
    site.paged(Place::Report, REPORT, &uri, rows, site.options.report_page).await
}

/// Answers `GET /v1.0/{collection}/{id}/owners`.
pub(super) async fn owners(
    State(site): State<Arc<Site>>,
    collection: Collection,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let _seen = site.traffic.enter(&uri);
    if let Some(refusal) = site.door(&uri, &headers).await {
        return refusal;
    }
    let hidden = site.faults.are_users_hidden();
    let rows = site.directory.content().of(collection).get(&id).map(|record| {
        let row = |(index, owner): (usize, &Owner)| owner.json(&id, index, hidden);
        record.owners.iter().enumerate().map(row).collect()
    });
    let Some(rows) = rows else {
        let said =
            format!("Resource '{id}' does not exist or one of its queried reference-property objects are not present.");
        return answers::refusal(404, "Request_ResourceNotFound", &said, None);
    };
    site.paged(Place::Owners, uri.path(), &uri, rows, site.options.owners_page).await
}

/// A row for each secret that has ever been used, in the order of their holders.
fn uses(content: &Content) -> Vec<Value> {
    let of = |collection: Collection| content.of(collection).values().map(move |record| (collection, record));
    let records = Collection::ALL.into_iter().flat_map(of);
    records
        .flat_map(|(collection, record)| record.secrets.iter().filter_map(move |s| usage(collection, record, s)))
        .collect()
}

fn usage(collection: Collection, record: &Record, secret: &Secret) -> Option<Value> {
    let used = secret.used.as_ref()?.as_str();
    let is_application = collection == Collection::Applications;
    let origin = if is_application { "application" } else { "servicePrincipal" };
    let key = secret.key_id.as_deref().unwrap_or_default();
    Some(json!({
        "id": made_up_id(&[key, origin]),
        "keyId": secret.key_id,
        "keyType": "clientSecret",
        "keyUsage": "verify",
        "appId": record.app_id,
        "appObjectId": is_application.then_some(&record.id),
        "servicePrincipalObjectId": (!is_application).then_some(&record.id),
        "resourceId": made_up_id(&["Microsoft Graph"]),
        "credentialOrigin": origin,
        "expirationDateTime": secret.until.as_ref().map(Moment::as_str),
        "signInActivity": { "lastSignInDateTime": used, "lastSignInRequestId": made_up_id(&[key, used]) },
    }))
}

impl Owner {
    /// As the real listing has it; of a user who may not be read, the id and nothing else.
    fn json(&self, holder: &str, index: usize, hidden: bool) -> Value {
        let id = made_up_id(&[holder, "owner", &index.to_string()]);
        match self {
            Self::Principal => json!({
                "@odata.type": "#microsoft.graph.servicePrincipal", "id": id, "displayName": "deployment-pipeline",
            }),
            Self::Person { .. } if hidden => json!({
                "@odata.type": "#microsoft.graph.user", "id": id, "displayName": null, "mail": null,
            }),
            Self::Person { mail } => json!({
                "@odata.type": "#microsoft.graph.user", "id": id, "displayName": format!("Owner {index}"), "mail": mail,
            }),
        }
    }
}

impl Site {
    /// The page of `rows` that the address asks for, unless something goes wrong at `place`.
    async fn paged(&self, place: Place, path: &str, uri: &Uri, mut rows: Vec<Value>, size: usize) -> Response {
        let query = uri.query().unwrap_or_default();
        let token = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "$skiptoken");
        let from = token.map_or(Some(0), |(_, from)| from.parse::<usize>().ok());
        let Some(from) = from.filter(|from| *from <= rows.len()) else { return answers::expired_page_token() };
        let fault = answers::get_through(self.faults.meet(place)).await;
        rows.drain(..from);
        let more = rows.len() > size || matches!(fault, Some(Fault::NextLinkTo(_) | Fault::EmptyPage));
        rows.truncate(if fault == Some(Fault::EmptyPage) { 0 } else { size });
        let host = if let Some(Fault::NextLinkTo(host)) = &fault { host } else { &self.base };
        let mut page = json!({ "@odata.context": format!("{}/beta/$metadata#{path}", self.base), "value": rows });
        if more {
            let to = from + page["value"].as_array().map_or(0, Vec::len);
            // A page without a row leads on with a token of its own: a link that comes back to itself would be a circle.
            let again = if fault == Some(Fault::EmptyPage) { "&again=1" } else { "" };
            page["@odata.nextLink"] = format!("{host}{path}?$skiptoken={to}{again}").into();
        }
        let body = page.to_string().into_bytes();
        match fault {
            None | Some(Fault::NextLinkTo(_) | Fault::EmptyPage) => answers::json(body.into()),
            Some(fault) => answers::broken(&fault, body),
        }
    }
}
