//! What of CertCentral's documents counts as a credential.

use super::dates::{end_of, start_of};
use super::document::{Certificate, Order, Word};
use crate::domain::{Credential, CredentialId, Holder, Ident, Kind, Serial, SourceName, Text, X509};
use std::collections::HashMap;
use std::sync::Arc;

/// Gathers the certificates of orders, each once.
pub(super) struct Fold {
    source: SourceName,
    credentials: Vec<Credential>,
    places: HashMap<(u64, u64), usize>,
    /// Renewals under another order are siblings, and share their holder.
    holders: HashMap<Ident, Arc<Holder>>,
}

impl Fold {
    pub fn new(source: &SourceName) -> Self {
        Self { source: source.clone(), credentials: Vec::new(), places: HashMap::new(), holders: HashMap::new() }
    }

    pub fn credentials(self) -> Vec<Credential> {
        self.credentials
    }

    /// The certificate that the list of orders shows.
    ///
    /// # Errors
    /// When it has dates that are none, or no id though it was issued.
    pub fn primary(&mut self, order: &Order) -> Result<(), String> {
        match &order.certificate {
            Some(certificate) if !is_withdrawn(&order.status) => self.add(order, certificate),
            _ => Ok(()),
        }
    }

    /// One out of the order's own lists.
    ///
    /// # Errors
    /// As [`Fold::primary`].
    pub fn other(&mut self, order: &Order, certificate: &Certificate) -> Result<(), String> {
        if is_withdrawn(&certificate.status) { Ok(()) } else { self.add(order, certificate) }
    }

    /// Make sure that whatever has an end is listed whatever its status is called, and that what has none, since it has not been
    /// issued yet, is not.
    fn add(&mut self, order: &Order, certificate: &Certificate) -> Result<(), String> {
        let order_id = order.id.number().ok_or("an order's id is not a number")?;
        let wrong = |what: &str| format!("order {order_id} has a certificate {what}");
        if certificate.valid_till.text().is_none() {
            return Ok(());
        }
        let expires_at = end_of(&certificate.valid_till).map_err(|()| wrong("with a valid_till that is not a date"))?;
        let not_before = start_of(certificate).map_err(|()| wrong("with a valid_from that is not a date"))?;
        let id = certificate.id.number().ok_or_else(|| wrong("whose id is not a number"))?;
        if let Some(place) = self.places.get(&(order_id, id)) {
            // Listed twice: what the first place lacked may stand in the second.
            let known = &mut self.credentials[*place];
            known.not_before = known.not_before.or(not_before);
            known.x509 = complete(known.x509.take(), x509(order, certificate));
            return Ok(());
        }
        self.places.insert((order_id, id), self.credentials.len());
        let holder = self.holder(order, order_id, certificate);
        self.credentials.push(Credential {
            id: CredentialId::parse(&format!("digicert:{order_id}:{id}")),
            source: self.source.clone(),
            kind: Kind::IssuedCertificate,
            holder,
            label: label(order),
            not_before,
            expires_at,
            enabled: true,
            in_use: false,
            x509: x509(order, certificate).map(Arc::new),
            trouble: None,
            mark: None,
        });
        Ok(())
    }

    fn holder(&mut self, order: &Order, order_id: u64, certificate: &Certificate) -> Arc<Holder> {
        let of_order = order.certificate.as_ref().and_then(|primary| primary.common_name.text());
        let first_name = certificate.dns_names.iter().flatten().find_map(Word::text);
        let name = match certificate.common_name.text().or(first_name).or(of_order) {
            Some(name) => Text::clean(name),
            None => Text::clean(&format!("order {order_id}")),
        };
        let id = Ident::new(&name.as_str().to_lowercase());
        let holder =
            || Holder { name, id: id.clone(), app_id: None, team_tags: Box::default(), enabled: true, owners: None };
        Arc::clone(self.holders.entry(id.clone()).or_insert_with(|| Arc::new(holder())))
    }
}

/// The product's name alone: anything of the order's own, such as its number or end, would keep a renewal from counting as its
/// predecessor's successor.
fn label(order: &Order) -> Text {
    let product = order.product.as_ref();
    let name = product.and_then(|product| product.name.text().or(product.name_id.text()));
    Text::clean(name.unwrap_or_default())
}

/// Whether it was called back or never given. The set of statuses is open: all others are judged by their dates.
pub(super) fn is_withdrawn(status: &Word) -> bool {
    let withdrawn = ["revoked", "rejected", "canceled", "cancelled"];
    status.text().is_some_and(|status| withdrawn.iter().any(|word| status.eq_ignore_ascii_case(word)))
}

fn x509(order: &Order, certificate: &Certificate) -> Option<X509> {
    let names = certificate.dns_names.iter().flatten().chain([&certificate.common_name]);
    let mut names: Vec<Text> =
        names.filter_map(|name| Some(Text::clean(&name.text()?.trim_end_matches('.').to_lowercase()))).collect();
    names.sort();
    names.dedup();
    Some(X509 {
        serial: Serial::parse(certificate.serial_number.text()?)?,
        issuer: None,
        sha1: certificate.thumbprint.text().and_then(sha1),
        names: names.into(),
        // For people only; what cannot be read here is no reason to lose a certificate.
        paid_until: end_of(&order.order_valid_till).unwrap_or_default(),
    })
}

/// The first, with the second's thumbprint where it has none.
fn complete(known: Option<Arc<X509>>, again: Option<X509>) -> Option<Arc<X509>> {
    match (known, again) {
        (Some(known), Some(again)) if known.sha1.is_none() && again.sha1.is_some() => {
            Some(Arc::new(X509 { sha1: again.sha1, ..(*known).clone() }))
        }
        (None, again) => again.map(Arc::new),
        (known, _) => known,
    }
}

/// Forty hexadecimal digits.
fn sha1(written: &str) -> Option<[u8; 20]> {
    let digits: Vec<u8> = written.chars().map(|c| c.to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    (digits.len() == 40).then_some(bytes)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::digicert::document::{OrderPage, certificates};
    use jiff::Timestamp;

    /// Id, holder, label, beginning, end.
    fn lines(fold: &Fold) -> Vec<String> {
        let line = |c: &Credential| {
            let at = |at: Option<Timestamp>| at.map_or("-".to_owned(), |at| at.to_string());
            format!("{} {} [{}] {} {}", c.id, c.holder.id, c.label, at(c.not_before), at(c.expires_at))
        };
        fold.credentials.iter().map(line).collect()
    }

    fn folded(orders: &str) -> Result<Fold, String> {
        let mut fold = Fold::new(&SourceName::new("certcentral"));
        for order in OrderPage::parse(orders.as_bytes()).unwrap().0 {
            fold.primary(&order)?;
        }
        Ok(fold)
    }

    #[test]
    fn whatever_has_dates_is_listed_but_what_was_called_back_or_never_given() {
        let mut all = Vec::new();
        for page in [
            include_str!("../../../tests/fixtures/digicert/list_orders_limit2_offset0.json"),
            include_str!("../../../tests/fixtures/digicert/list_orders_limit2_offset2.json"),
            include_str!("../../../tests/fixtures/digicert/list_orders_limit2_offset4.json"),
            include_str!("../../../tests/fixtures/digicert/list_orders_limit2_offset6.json"),
            include_str!("../../../tests/fixtures/digicert/list_orders_docs_minimal.json"),
        ] {
            all.extend(lines(&folded(page).unwrap()));
        }
        assert_eq!(
            all,
            [
                "digicert:900001:700001 node1.pexip.example [Secure Site OV] 2026-11-11T00:00:00Z 2027-05-29T23:59:59Z",
                "digicert:900002:700002 old.pexip.example [Secure Site OV] 2026-05-05T00:00:00Z 2026-11-20T23:59:59Z",
                "digicert:900004:700004 *.pexip.example [Secure Site OV] 2026-11-20T00:00:00Z 2027-01-06T23:59:59Z",
                "digicert:900005:700005 gone.example [Secure Site OV] 2021-06-10T00:00:00Z 2022-06-15T23:59:59Z",
                "digicert:123457:105 example.org [Standard SSL] - 2020-04-30T23:59:59Z",
            ]
        );
    }

    #[test]
    fn what_stands_beside_the_primary_counts_and_what_is_listed_twice_counts_once() {
        let page = include_str!("../../../tests/fixtures/digicert/list_orders_limit2_offset0.json");
        let order = OrderPage::parse(page.as_bytes()).unwrap().0.remove(0);
        let mut fold = Fold::new(&SourceName::new("certcentral"));
        fold.primary(&order).unwrap();
        let info: Order =
            serde_json::from_str(include_str!("../../../tests/fixtures/digicert/order_info_issued.json")).unwrap();
        let lists = [
            include_str!("../../../tests/fixtures/digicert/list_duplicates.json"),
            include_str!("../../../tests/fixtures/digicert/list_reissues.json"),
        ];
        let others = lists.iter().flat_map(|list| certificates(list.as_bytes()).unwrap());
        for certificate in others.chain(info.certificate) {
            fold.other(&order, &certificate).unwrap();
        }
        assert_eq!(
            lines(&fold),
            [
                "digicert:900001:700001 node1.pexip.example [Secure Site OV] 2026-11-11T00:00:00Z 2027-05-29T23:59:59Z",
                "digicert:900001:700101 node1.pexip.example [Secure Site OV] 2026-11-20T00:00:00Z 2027-01-06T23:59:59Z",
                "digicert:900001:700000 node1.pexip.example [Secure Site OV] 2026-05-05T00:00:00Z 2026-11-20T23:59:59Z",
            ]
        );
        let x509 = fold.credentials[0].x509.as_ref().unwrap();
        assert_eq!(x509.serial.to_string(), "0669D46CAE79EF684A69777490602485");
        assert_eq!(
            x509.paid_until.unwrap().to_string(),
            "2027-11-11T23:59:59Z",
            "the order's end is a fact of its own"
        );
        assert_eq!(x509.sha1.map(|sha1| sha1[0]), Some(0x99), "the second listing has a thumbprint");
        assert_eq!(
            x509.names.iter().map(Text::as_str).collect::<Vec<_>>(),
            ["node1.pexip.example", "sip.pexip.example"]
        );
        assert!(Arc::ptr_eq(&fold.credentials[0].holder, &fold.credentials[2].holder));
    }

    #[test]
    fn an_order_that_waits_for_approval_is_no_credential() {
        let text = include_str!("../../../tests/fixtures/digicert/order_info_needs_approval.json");
        assert!(lines(&folded(&format!(r#"{{"orders":[{text}]}}"#)).unwrap()).is_empty());
    }

    #[test]
    fn a_renewal_under_another_order_is_a_sibling_with_the_same_label() {
        let order = |id: u32, name: &str, till: &str| {
            format!(
                r#"{{"id":"{id}","product":{{"name":"Standard SSL"}},"order_valid_till":"2029-01-01",
                    "certificate":{{"id":{id},"common_name":"{name}","valid_till":"{till}"}}}}"#
            )
        };
        let orders = format!(
            r#"{{"orders":[{},{}]}}"#,
            order(1, "Conference.Example.ca", "2026-12-01"),
            order(2, "conference.example.ca", "2027-06-01")
        );
        let fold = folded(&orders).unwrap();
        let [old, new] = &fold.credentials[..] else { panic!("two") };
        assert_eq!((&old.holder, &old.label), (&new.holder, &new.label));
        assert_eq!(old.expires_at.unwrap().to_string(), "2026-12-01T23:59:59Z", "not when the order ends");
    }

    #[test]
    fn what_cannot_be_understood_names_the_order() {
        for (certificate, said) in [
            (r#"{"id":5,"valid_till":"soon"}"#, "order 7 has a certificate with a valid_till that is not a date"),
            (
                r#"{"id":5,"valid_till":"2027-01-01","valid_from":"x"}"#,
                "order 7 has a certificate with a valid_from that is not a date",
            ),
            (r#"{"valid_till":"2027-01-01"}"#, "order 7 has a certificate whose id is not a number"),
        ] {
            let orders = format!(r#"{{"orders":[{{"id":7,"certificate":{certificate}}}]}}"#);
            assert_eq!(folded(&orders).err().unwrap(), said);
        }
    }

    #[test]
    fn names_and_serials_that_are_missing_or_odd_are_no_reason_to_lose_a_certificate() {
        let orders = r#"{"orders":[
            {"id":1,"certificate":{"id":1,"valid_till":"2027-01-01","dns_names":["A.example.ca",null]}},
            {"id":2,"certificate":{"id":2,"valid_till":"2027-01-01","serial_number":"n/a"}},
            {"id":3,"status":"Revoked","certificate":{"id":3,"valid_till":"2027-01-01"}},
            {"id":4,"certificate":{"id":4,"valid_till":"2027-01-01","serial_number":"00:0A","thumbprint":"no"}}]}"#;
        let fold = folded(orders).unwrap();
        let holders: Vec<&str> = fold.credentials.iter().map(|credential| credential.holder.name.as_str()).collect();
        assert_eq!(holders, ["A.example.ca", "order 2", "order 4"]);
        let serials: Vec<_> =
            fold.credentials.iter().map(|credential| credential.x509.as_ref().map(|x| x.serial.to_string())).collect();
        assert_eq!(serials, [None, None, Some("0A".to_owned())]);
    }
}
