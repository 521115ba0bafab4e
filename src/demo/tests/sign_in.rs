//! Tokens: who gets one, and which ones open the door.

use super::Visitor;
use crate::demo::{Directory, Fault, Options, Place};
use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::TokenCredential;
use azure_core::http::{AsyncRawResponse, ClientOptions, HttpClient, Request, Transport, new_http_client};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use jiff::SignedDuration;
use serde_json::Value;
use std::pin::Pin;
use std::sync::Arc;

async fn ask(visitor: &Visitor, fields: &[(&str, &str)]) -> (u16, Value) {
    let url = format!("{}/{}/oauth2/v2.0/token", visitor.tenant.authority_url(), visitor.tenant.tenant_id());
    let answer = visitor.http.post(url).form(fields).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_right_secret_or_assertion_gets_a_token_and_a_wrong_one_the_authoritys_error() {
    let visitor = Visitor::of(Directory::new(), Options::default()).await;
    let (id, secret) = (visitor.tenant.client_id(), visitor.tenant.client_secret());
    let scope = ("scope", "https://graph.microsoft.com/.default");
    let grant = ("grant_type", "client_credentials");
    let jwt = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    for (fields, status, error) in [
        (vec![grant, scope, ("client_id", id), ("client_secret", secret)], 200, 0),
        (vec![grant, scope, ("client_id", id), jwt, ("client_assertion", "a.b.c")], 200, 0),
        (vec![grant, scope, ("client_id", id), jwt, ("client_assertion", "nonsense")], 401, 700_211),
        (vec![grant, scope, ("client_id", id), ("client_secret", "wrong")], 401, 7_000_215),
        (vec![grant, scope, ("client_id", "stranger"), ("client_secret", secret)], 400, 700_016),
        (vec![grant, ("client_id", id), ("client_secret", secret)], 400, 70_011),
        (vec![scope, ("client_id", id), ("client_secret", secret)], 400, 70_003),
    ] {
        let (got, body) = ask(&visitor, &fields).await;
        assert_eq!((got, body["error_codes"][0].as_u64().unwrap_or(0)), (status, error), "{fields:?}");
        assert_eq!(body["access_token"].is_string(), status == 200);
    }
    assert_eq!(visitor.tenant.tokens_issued().len(), 3, "two here, and the visitor's own");
}

#[tokio::test]
async fn the_managed_identity_answers_as_app_service_does() {
    let visitor = Visitor::of(Directory::new(), Options::default()).await;
    let ask = async |query: &str, header: &str| {
        let url = format!("{}?{query}", visitor.tenant.identity_endpoint());
        let answer = visitor.http.get(url).header("X-IDENTITY-HEADER", header).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let whole = "resource=https://graph.microsoft.com&api-version=2019-08-01";
    let header = visitor.tenant.identity_header();
    let (status, token) = ask(&format!("{whole}&client_id={}", visitor.tenant.client_id()), header).await;
    assert_eq!((status, token["token_type"].as_str()), (200, Some("Bearer")));
    assert!(token["expires_on"].as_str().unwrap().parse::<i64>().is_ok(), "a string of Unix seconds");
    for (query, header, status) in [
        (whole, "wrong", 401),
        ("resource=https://graph.microsoft.com&api-version=2017-09-01", header, 400),
        ("api-version=2019-08-01", header, 400),
        (&format!("{whole}&client_id=stranger"), header, 400),
    ] {
        assert_eq!(ask(query, header).await.0, status, "{query}");
    }
}

#[tokio::test]
async fn only_a_live_token_for_graph_opens_the_door_and_every_other_is_on_record() {
    let mut visitor = Visitor::of(Directory::new(), Options::default()).await;
    let url = visitor.url("/v1.0/applications");
    visitor.page(&url).await;
    assert_eq!(visitor.http.get(&url).send().await.unwrap().status(), 401);
    let good = std::mem::replace(&mut visitor.token, "made-up".to_owned());
    let answer = visitor.get(&url).await;
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], "InvalidAuthenticationToken");
    visitor.token = good;
    visitor.tenant.revoke_tokens();
    assert_eq!(visitor.get(&url).await.status(), 401);
    let wrong = visitor.tenant.wrong_tokens();
    assert_eq!(wrong.len(), 3);
    assert!(wrong[2].ends_with("The token has been revoked."), "{wrong:?}");
    visitor.sign_in().await;
    visitor.page(&url).await;
}

#[tokio::test]
async fn a_token_that_has_ended_or_is_for_another_service_is_refused() {
    let expired = Options { token_lifetime: SignedDuration::ZERO, ..Options::default() };
    let visitor = Visitor::of(Directory::new(), expired).await;
    assert_eq!(visitor.get(&visitor.url("/v1.0/applications")).await.status(), 401);

    let mut visitor = Visitor::of(Directory::new(), Options::default()).await;
    let (id, secret) = (visitor.tenant.client_id().to_owned(), visitor.tenant.client_secret().to_owned());
    let scope = ("scope", "https://vault.azure.net/.default");
    let fields = [("grant_type", "client_credentials"), scope, ("client_id", &*id), ("client_secret", &*secret)];
    let (_, body) = ask(&visitor, &fields).await;
    visitor.token = body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(visitor.get(&visitor.url("/v1.0/applications")).await.status(), 401);
    assert!(visitor.tenant.wrong_tokens()[0].contains("Invalid audience"));
}

#[tokio::test]
async fn sign_in_breaks_as_told() {
    let visitor = Visitor::of(Directory::new(), Options::default()).await;
    visitor.tenant.faults().next(Place::SignIn, Fault::Html502);
    let url = format!("{}/{}/oauth2/v2.0/token", visitor.tenant.authority_url(), visitor.tenant.tenant_id());
    let status = async || visitor.http.post(&url).form(&[("a", "b")]).send().await.unwrap().status().as_u16();
    assert_eq!(status().await, 502);
    visitor.tenant.faults().sign_in_down(true);
    assert_eq!(status().await, 503);
    visitor.tenant.faults().sign_in_down(false);
    assert_eq!(status().await, 400);
}

/// The client library insists on https for an authority; this carries its requests to the fake's http.
#[derive(Debug)]
struct Downgrade(Arc<dyn HttpClient>);

impl HttpClient for Downgrade {
    fn execute_request<'a, 'b, 'c>(&'a self, request: &'b Request) -> Answer<'c>
    where
        Self: 'c,
        'a: 'c,
        'b: 'c,
    {
        Box::pin(async move {
            let mut request = request.clone();
            request.url_mut().set_scheme("http").unwrap();
            self.0.execute_request(&request).await
        })
    }
}

type Answer<'a> = Pin<Box<dyn Future<Output = azure_core::Result<AsyncRawResponse>> + Send + 'a>>;

#[tokio::test]
async fn the_client_library_that_we_sign_in_with_gets_a_token_that_works_and_an_error_that_says_why() {
    let mut visitor = Visitor::of(Directory::new(), Options::default()).await;
    let authority_host = visitor.tenant.authority_url().replace("http://", "https://");
    let credential = |secret: &str| {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = authority_host.clone();
        let transport = Some(Transport::new(Arc::new(Downgrade(new_http_client(None)))));
        let client_options = ClientOptions { transport, cloud: Some(Arc::new(cloud.into())), ..Default::default() };
        let options = Some(ClientSecretCredentialOptions { client_options });
        let (tenant, client) = (visitor.tenant.tenant_id(), visitor.tenant.client_id().to_owned());
        ClientSecretCredential::new(tenant, client, secret.to_owned().into(), options).unwrap()
    };
    let scopes = ["https://graph.microsoft.com/.default"];
    let token = credential(visitor.tenant.client_secret()).get_token(&scopes, None).await.unwrap();
    let refused = credential("wrong").get_token(&scopes, None).await.unwrap_err();
    assert!(refused.to_string().contains("AADSTS7000215"), "{refused}");
    visitor.token = token.token.secret().to_owned();
    visitor.page(&visitor.url("/v1.0/applications")).await;
}
