//! Reading an account on this machine that answers as each test says. What is waited for passes on the manual clock.

use super::*;
use crate::clock::ManualClock;
use crate::config::SecretRef;
use crate::http::testing::{Ask, Reply, Server};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::NamedTempFile;

const KEY: &str = "0123456789ABCDEF-A-MADE-UP-KEY-0123456789ABCDEF";
const START: &str = "2026-11-21T16:00:00Z";

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/digicert/", $name))
    };
}

/// A source over an account, and what it is watched through.
struct Account {
    server: Server,
    digicert: Digicert,
    clock: ManualClock,
    key: NamedTempFile,
}

impl Account {
    async fn new(script: impl Fn(&Ask) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(script, Limits::default()).await
    }

    async fn with(script: impl Fn(&Ask) -> Reply + Send + Sync + 'static, limits: Limits) -> Self {
        let server = Server::start(script).await;
        let mut key = NamedTempFile::new().unwrap();
        writeln!(key, "{KEY}").unwrap();
        let clock = ManualClock::at(START.parse().unwrap());
        let config = DigicertConfig {
            url: server.url.join("services/v2").unwrap(),
            api_key: SecretRef::File(key.path().to_owned()),
        };
        let name = SourceName::new("certcentral");
        let digicert = Digicert::with(&name, &config, &Clock::Manual(clock.clone()), limits).unwrap();
        Self { server, digicert, clock, key }
    }

    async fn read(&self) -> Result<Vec<String>, String> {
        self.read_with(Patience::SHORT).await
    }

    /// The ids that were read, or what was said.
    async fn read_with(&self, patience: Patience) -> Result<Vec<String>, String> {
        let read = self.digicert.read(patience, self.clock.now()).await.map_err(|error| error.to_string())?;
        Ok(read.iter().map(|credential| credential.id.to_string()).collect())
    }

    async fn error(&self) -> String {
        let error = self.read().await.unwrap_err();
        assert!(!error.contains(KEY), "{error}");
        error
    }

    fn waited(&self) -> i64 {
        self.clock.now().duration_since(START.parse().unwrap()).as_secs()
    }

    fn asked(&self) -> Vec<String> {
        self.server.asked("/").into_iter().map(|ask| ask.target.replace("/services/v2/order/certificate", "")).collect()
    }
}

/// The value of `offset` in the query.
fn offset(ask: &Ask) -> Option<usize> {
    ask.target.split_once("offset=")?.1.split('&').next()?.parse().ok()
}

fn order(id: u64) -> String {
    order_with(id, "")
}

fn order_with(id: u64, fields: &str) -> String {
    format!(
        r#"{{"id":{id},"status":"issued","product":{{"name":"Standard SSL"}}{fields},
            "certificate":{{"id":{},"common_name":"n{id}.example.ca","serial_number":"0{id}",
            "valid_from":"2026-10-01","valid_till":"2027-04-01"}}}}"#,
        id * 10
    )
}

fn page(orders: &[String], total: u64) -> Reply {
    Reply::ok(format!(r#"{{"orders":[{}],"page":{{"total":{total},"limit":0,"offset":0}}}}"#, orders.join(",")))
}

/// One page with these orders, then an empty one; everything else is answered by `other`.
fn account_of(orders: Vec<String>, other: impl Fn(&Ask) -> Reply) -> impl Fn(&Ask) -> Reply {
    move |ask| match offset(ask) {
        Some(offset) => page(orders.get(offset..).unwrap_or_default(), 0),
        None => other(ask),
    }
}

fn refuse(status: u16, body: &str) -> Reply {
    Reply::Http(status, "", body.as_bytes().to_vec())
}

fn fixtures(ask: &Ask) -> Reply {
    Reply::ok(match (offset(ask), ask.path().rsplit('/').next()) {
        (Some(0), _) => fixture!("list_orders_limit2_offset0.json"),
        (Some(2), _) => fixture!("list_orders_limit2_offset2.json"),
        (Some(4), _) => fixture!("list_orders_limit2_offset4.json"),
        (Some(6), _) => fixture!("list_orders_limit2_offset6.json"),
        (Some(_), _) => fixture!("list_orders_offset_past_end.json"),
        (None, Some("duplicate")) => fixture!("list_duplicates.json"),
        (None, Some("reissue")) if ask.path().contains("900001") => fixture!("list_reissues.json"),
        _ => return refuse(404, fixture!("error_404_order.json")),
    })
}

#[tokio::test]
async fn the_whole_account_is_read_with_what_stands_beside_the_primary_certificates() {
    let account = Account::new(fixtures).await;
    assert_eq!(
        account.read().await.unwrap(),
        [
            "digicert:900001:700001",
            "digicert:900002:700002",
            "digicert:900004:700004",
            "digicert:900005:700005",
            "digicert:900001:700101",
            "digicert:900001:700000",
        ]
    );
    assert_eq!(
        account.asked(),
        [
            "?limit=1000&offset=0&sort=order_id",
            "?limit=1000&offset=2&sort=order_id",
            "?limit=1000&offset=4&sort=order_id",
            "?limit=1000&offset=6&sort=order_id",
            "?limit=1000&offset=7&sort=order_id",
            "/900001/duplicate",
            "/900001/reissue",
            "/900004/reissue",
        ]
    );
    let asked = account.server.asked("/");
    assert!(asked.iter().all(|ask| ask.header("x-dc-devkey") == Some(KEY)));
    assert!(asked.iter().all(|ask| !ask.target.contains(KEY) && ask.headers.matches(KEY).count() == 1));
    assert_eq!(account.digicert.requests(), [("200".to_owned(), 7), ("404".to_owned(), 1)]);
    assert!(!format!("{:?}", account.digicert).contains(KEY));
}

#[tokio::test]
async fn an_empty_account_is_a_snapshot_and_one_that_only_shows_nothing_is_not() {
    let account = Account::new(|_| page(&[], 0)).await;
    assert_eq!(account.read().await, Ok(vec![]));
    for (reply, said) in [
        (page as fn(&[String], u64) -> Reply, "it says that there are 7 orders, and lists none"),
        (|_, _| Reply::ok("{}"), "the answer is no page of the list of orders: it has no orders"),
        (|_, _| Reply::ok(""), "the answer is no page of the list of orders: it ends too early (line 1, column 0)"),
    ] {
        let account = Account::new(move |_| reply(&[], 7)).await;
        assert_eq!(account.error().await, format!("GET /order/certificate page 1: {said}"));
    }
}

#[tokio::test]
async fn an_account_that_suddenly_answers_nothing_is_not_believed() {
    let emptied = Arc::new(Mutex::new(false));
    let shown = emptied.clone();
    let account = Account::new(move |ask| match offset(ask) {
        Some(0) if !*shown.lock().unwrap() => page(&[order(1), order(2)], 2),
        _ => page(&[], 0),
    })
    .await;
    assert_eq!(account.read().await.unwrap().len(), 2);
    *emptied.lock().unwrap() = true;
    let error = account.error().await;
    assert!(error.starts_with("GET /order/certificate: no order is listed, where there were 2; check that"), "{error}");
    *emptied.lock().unwrap() = false;
    assert_eq!(account.read().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_listing_that_never_ends_or_heeds_no_offset_is_an_error() {
    let endless = |ask: &Ask| page(&[order(offset(ask).unwrap() as u64)], 1);
    let account = Account::with(endless, Limits { pages: 7, ..Limits::default() }).await;
    assert_eq!(account.error().await, "GET /order/certificate: the listing does not end; 7 pages were read");
    let account = Account::new(|_| page(&[order(1), order(2)], 2)).await;
    assert_eq!(
        account.error().await,
        "GET /order/certificate page 6: the listing runs in a circle: 5 pages in a row brought nothing new"
    );
}

#[tokio::test]
async fn a_listing_that_breaks_off_half_way_is_no_snapshot() {
    let script = |ask: &Ask| match offset(ask) {
        Some(0) => page(&[order(1)], 2),
        _ => refuse(403, fixture!("error_403.json")),
    };
    let account = Account::new(script).await;
    assert!(account.error().await.starts_with("GET /order/certificate page 2: 403 access_denied|missing_permission"));
    let orders = vec![order_with(1, r#","has_duplicates":true"#)];
    for reply in ["{}", "{\"certificates\":[", "<html>"] {
        let account = Account::new(account_of(orders.clone(), move |_| Reply::ok(reply))).await;
        let error = account.error().await;
        assert!(error.starts_with("GET /order/certificate/1/duplicate: the answer is no list of certif"), "{error}");
    }
    let guessed = vec![order_with(1, r#","status":"reissue_pending""#).replacen(r#""status":"issued","#, "", 1)];
    for (status, body) in [(404, "<html>"), (404, fixture!("error_404_order.json")), (200, "{}")] {
        let account = Account::new(account_of(guessed.clone(), move |_| refuse(status, body))).await;
        assert_eq!(account.read().await.unwrap(), ["digicert:1:10"], "it was only possible");
        assert_eq!(account.server.asked("/reissue").len(), 1);
    }
    let account = Account::new(account_of(orders, |_| refuse(404, fixture!("error_404_order.json")))).await;
    assert_eq!(account.error().await, "GET /order/certificate/1/duplicate: 404 not_found|order", "it was promised");
}

#[tokio::test]
async fn a_refusal_is_final_and_says_which_role_is_needed() {
    let account = Account::new(|_| refuse(403, fixture!("error_403.json"))).await;
    assert_eq!(
        account.error().await,
        "GET /order/certificate page 1: 403 access_denied|missing_permission; check api_key, and that its user may see orders: \
         the role View Only suffices"
    );
    assert_eq!((account.asked().len(), account.waited()), (1, 0));
    for (status, body, said) in [
        (401, "", "401 Unauthorized; the key is refused: check api_key, and that url is that of the account's region"),
        (404, fixture!("error_object_variant.json"), "404 not_found|route; check url"),
        (404, fixture!("error_502_html.txt"), "404 Not Found; check url"),
        (400, r#"{"errors":[{"code":"invalid|limit"}]}"#, "400 invalid|limit"),
    ] {
        let account = Account::new(move |_| refuse(status, body)).await;
        assert_eq!(account.error().await, format!("GET /order/certificate page 1: {said}"));
        assert_eq!(account.asked().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_key_that_is_sent_back_is_not_shown() {
    let said = format!(r#"{{"errors":[{{"code":"{KEY}","message":"{KEY} is wrong"}}]}}"#);
    let account = Account::new(move |_| refuse(403, &said)).await;
    assert!(account.error().await.starts_with("GET /order/certificate page 1: 403 Forbidden; check api_key"));
}

#[tokio::test]
async fn a_redirect_is_refused_and_the_key_goes_nowhere_else() {
    let elsewhere = Server::start(|_| page(&[], 0)).await;
    let to: &'static str = format!("location: {}\r\n", elsewhere.url).leak();
    let account = Account::new(move |_| Reply::Http(302, to, Vec::new())).await;
    assert!(
        account.error().await.ends_with("302 Found; redirects are refused, the key was sent nowhere else: check url")
    );
    assert!(elsewhere.asked("/").is_empty());
}

#[tokio::test]
async fn throttling_is_backed_off_until_the_longest_span_of_the_budget_is_over() {
    let busy = || refuse(429, fixture!("error_429.json"));
    let account =
        Account::new(move |ask| if ask.before < 4 && offset(ask) == Some(0) { busy() } else { page(&[], 0) }).await;
    assert_eq!(account.read_with(Patience::LONG).await, Ok(vec![]));
    assert_eq!(account.waited(), 5 + 15 + 45 + 135);
    let account = Account::new(move |_| busy()).await;
    assert_eq!(
        account.error().await,
        "GET /order/certificate page 1: 429 request_limit_exceeded; the next try would be in 45 s, but only 10 s may be waited"
    );
    let account = Account::new(move |_| busy()).await;
    assert!(account.read_with(Patience::LONG).await.unwrap_err().ends_with("; gave up after 5 tries"));
    let account = Account::new(|ask| match ask.before {
        0 if offset(ask) == Some(0) => Reply::Http(429, "retry-after: 7\r\n", Vec::new()),
        _ => page(&[], 0),
    })
    .await;
    assert_eq!((account.read().await, account.waited()), (Ok(vec![]), 7));
}

#[tokio::test]
async fn a_gateways_page_is_tried_again_and_then_named() {
    let html = || refuse(502, fixture!("error_502_html.txt"));
    let account = Account::new(move |ask| if ask.before == 0 { html() } else { page(&[], 0) }).await;
    assert_eq!(account.read().await, Ok(vec![]));
    let account = Account::new(move |_| html()).await;
    assert_eq!(account.error().await, "GET /order/certificate page 1: 502 Bad Gateway; gave up after 5 tries");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_and_silence_is_not_waited_for() {
    let limits = Limits { answer: 64 << 10, request: Duration::from_millis(100), ..Limits::default() };
    let account = Account::with(|_| Reply::Endless, limits).await;
    assert!(account.error().await.ends_with("page 1: the answer is larger than 64 KiB and was not read on"));
    let account = Account::with(|_| Reply::Silence, limits).await;
    assert!(account.error().await.ends_with("page 1: no complete answer in time; gave up after 5 tries"));
}

#[tokio::test]
async fn the_number_of_requests_stays_inside_the_budget_of_the_key() {
    let sent: Arc<Mutex<Vec<Timestamp>>> = Arc::default();
    let clock: Arc<Mutex<Option<ManualClock>>> = Arc::default();
    let (log, watch) = (sent.clone(), clock.clone());
    let orders = (0..1200).map(|id| order_with(id, r#","has_duplicates":1"#)).collect();
    let script = account_of(orders, |_| Reply::ok(r#"{"certificates":[]}"#));
    let account = Account::new(move |ask| {
        log.lock().unwrap().extend(watch.lock().unwrap().as_ref().map(ManualClock::now));
        script(ask)
    })
    .await;
    *clock.lock().unwrap() = Some(account.clock.clone());
    let error = account.error().await;
    assert!(error.contains("the number of requests that is allowed is used up for another"), "{error}");
    assert_eq!(
        account.read_with(Patience::LONG).await.unwrap().len(),
        1200,
        "what was read already is not asked again"
    );
    let sent = sent.lock().unwrap();
    assert_eq!(sent.len(), 1200 + 4, "an order each, and two pages for each of the two reads");
    let within = |requests: usize, seconds| {
        sent.windows(requests + 1).all(|run| run[requests].duration_since(run[0]).as_secs() >= seconds)
    };
    assert!(within(100, 5) && within(1000, 180));
}

#[tokio::test]
async fn an_orders_lists_are_asked_for_again_when_the_order_changes_or_some_hours_have_passed() {
    let count = Arc::new(Mutex::new(1));
    let shown = count.clone();
    let script = move |ask: &Ask| {
        let count = *shown.lock().unwrap();
        let order = order_with(1, &format!(r#","has_duplicates":true,"duplicates_count":{count}"#));
        account_of(vec![order], |_| Reply::ok(fixture!("list_duplicates.json")))(ask)
    };
    let account = Account::new(script).await;
    let mut lists = Vec::new();
    for change in ["first", "", "half a day", "", "another duplicate", ""] {
        match change {
            "half a day" => account.clock.advance(SignedDuration::from_hours(12)),
            "another duplicate" => *count.lock().unwrap() += 1,
            _ => {}
        }
        assert_eq!(account.read().await.unwrap().len(), 2);
        lists.push(account.server.asked("/duplicate").len());
    }
    assert_eq!(lists, [1, 1, 2, 2, 3, 3]);
}

#[tokio::test]
async fn a_new_key_in_the_file_is_used_and_a_missing_one_is_said() {
    let account = Account::new(|_| page(&[], 0)).await;
    std::fs::write(account.key.path(), "another").unwrap();
    account.read().await.unwrap();
    assert_eq!(account.server.asked("/")[0].header("x-dc-devkey"), Some("another"));
    std::fs::write(account.key.path(), "two\nlines").unwrap();
    assert!(account.error().await.ends_with("no key to send: it is not a single line of printable characters"));
    let config =
        DigicertConfig { url: account.server.url.clone(), api_key: SecretRef::Env("EXPIRY_WATCH_NOT_SET".into()) };
    let clock = Clock::Manual(account.clock.clone());
    let error = Digicert::connect(&SourceName::new("certcentral"), &config, &clock).unwrap_err();
    assert_eq!(
        error.to_string(),
        "sources.certcentral.api_key: the environment variable EXPIRY_WATCH_NOT_SET is not set"
    );
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Pages of any size, of which some come with orders that were there before, and a count that says anything.
    #[test]
    fn every_order_is_read_exactly_once_however_the_pages_fall(
        pages in proptest::collection::vec((1_usize..6, proptest::collection::vec(any::<prop::sample::Index>(), 0..3)), 1..12),
        totals in proptest::collection::vec(0_u64..100, 1..4),
    ) {
        let (mut slots, mut ends, mut next) = (Vec::new(), Vec::new(), 1_u64);
        for (size, repeats) in &pages {
            let known = next - 1;
            slots.extend(repeats.iter().filter(|_| known > 0).map(|index| 1 + index.index(known as usize) as u64));
            slots.extend(next..next + *size as u64);
            next += *size as u64;
            ends.push(slots.len());
        }
        let script = move |ask: &Ask| {
            let offset = offset(ask).unwrap();
            let end = ends.iter().copied().find(|end| *end > offset).unwrap_or(offset);
            let orders: Vec<String> = slots.get(offset..end).unwrap_or_default().iter().map(|id| order(*id)).collect();
            page(&orders, totals[offset % totals.len()])
        };
        let read = runtime().block_on(async { Account::new(script).await.read().await }).unwrap();
        let wanted: BTreeSet<String> = (1..next).map(|id| format!("digicert:{id}:{}", id * 10)).collect();
        prop_assert_eq!(read.len(), wanted.len());
        prop_assert_eq!(read.into_iter().collect::<BTreeSet<_>>(), wanted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_change_to_a_document_makes_it_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..12, "[-a-z0-9\"\\[\\]{}:,. \n\u{e9}]{0,8}"), 1..5)
    ) {
        let mut text: Vec<char> = fixture!("list_orders_limit2_offset0.json").chars().collect();
        for (at, removed, added) in changes {
            let at = at.index(text.len());
            let end = (at + removed).min(text.len());
            text.splice(at..end, added.chars());
        }
        let text: String = text.into_iter().collect();
        let mut fold = Fold::new(&SourceName::new("certcentral"));
        if let Ok((orders, _)) = document::OrderPage::parse(text.as_bytes()) {
            for order in orders {
                let _ = fold.primary(&order);
                let _ = order.certificate.as_ref().map(|certificate| fold.other(&order, certificate));
            }
        }
        let _ = document::certificates(text.as_bytes());
    }
}
