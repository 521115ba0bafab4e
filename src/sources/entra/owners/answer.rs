//! What a holder's list of owners says.
//!
//! Owns the wire format and its traps: without a permission to read users, owners come with their id and nothing else, which is "may
//! not read" and not "no owner"; and owners can be service principals, which read no mail. None of these types has a `Debug`: they
//! hold people's names and addresses.

use crate::domain::{Address, Owners};
use crate::sources::entra::page::{Written, without_quotes};
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(rename = "@odata.nextLink")]
    link: Option<String>,
    #[serde(borrow)]
    value: Vec<Owner<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Owner<'a> {
    #[serde(rename = "@odata.type", borrow)]
    sort: Option<Written<'a>>,
    #[serde(borrow)]
    display_name: Option<Written<'a>>,
    #[serde(borrow)]
    mail: Option<Written<'a>>,
}

/// The owners of one holder, page by page.
#[derive(Default)]
pub(super) struct Owned {
    /// In order, each once.
    addresses: BTreeSet<Address>,
    hidden: bool,
    without_address: bool,
}

impl Owned {
    /// Adds a page's owners and gives the link to the next page. A page without `value` is none.
    pub fn page(&mut self, body: &[u8]) -> Result<Option<String>, String> {
        let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8".to_owned())?;
        let page: Page<'_> = serde_json::from_str(text).map_err(|error| without_quotes(&error))?;
        for owner in &page.value {
            self.owner(owner);
        }
        Ok(page.link)
    }

    fn owner(&mut self, owner: &Owner<'_>) {
        let is_principal = owner.sort.as_ref().is_some_and(|sort| sort.ends_with(".servicePrincipal"));
        match owner.mail.as_ref().map(|mail| mail.trim().parse::<Address>()) {
            Some(Ok(address)) => _ = self.addresses.insert(address),
            None if owner.display_name.is_none() && !is_principal => self.hidden = true,
            Some(Err(_)) | None => self.without_address = true,
        }
    }

    /// One address is enough to reach somebody; else what is hidden may have one.
    pub fn read(self) -> Owners {
        if !self.addresses.is_empty() {
            Owners::Reachable(self.addresses.into_iter().collect())
        } else if self.hidden {
            Owners::Hidden
        } else if self.without_address {
            Owners::WithoutAddress
        } else {
            Owners::Nobody
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners(rows: &str) -> Owners {
        let mut owned = Owned::default();
        assert_eq!(owned.page(format!(r#"{{"value":[{rows}]}}"#).as_bytes()), Ok(None));
        owned.read()
    }

    fn reachable(addresses: &[&str]) -> Owners {
        Owners::Reachable(addresses.iter().map(|address| address.parse().unwrap()).collect())
    }

    #[test]
    fn the_documented_owners_are_reached_by_the_one_address_that_may_be_read() {
        let body = include_bytes!("../../../../tests/fixtures/graph/application-owners.json");
        let mut owned = Owned::default();
        assert_eq!(owned.page(body), Ok(None));
        assert_eq!(owned.read(), reachable(&["rowan.ellis@fabrikam.example"]));
    }

    #[test]
    fn may_not_read_is_not_no_owner_and_who_has_no_mailbox_is_neither() {
        const HIDDEN: &str = r##"{"@odata.type":"#microsoft.graph.user","id":"u","displayName":null,"mail":null}"##;
        const BARE: &str = r#"{"id":"u"}"#;
        const PRINCIPAL: &str = r##"{"@odata.type":"#microsoft.graph.servicePrincipal","id":"p"}"##;
        const NO_MAIL: &str = r##"{"@odata.type":"#microsoft.graph.user","id":"u","displayName":"Ro","mail":null}"##;
        let mail = |mail: &str| format!(r#"{{"id":"u","displayName":"Ro","mail":"{mail}"}}"#);
        for (rows, said) in [
            ("".to_owned(), Owners::Nobody),
            (HIDDEN.to_owned(), Owners::Hidden),
            (BARE.to_owned(), Owners::Hidden),
            (PRINCIPAL.to_owned(), Owners::WithoutAddress),
            (NO_MAIL.to_owned(), Owners::WithoutAddress),
            (mail(""), Owners::WithoutAddress),
            (mail("not an address"), Owners::WithoutAddress),
            (format!("{PRINCIPAL},{HIDDEN}"), Owners::Hidden),
            (format!("{},{HIDDEN},{PRINCIPAL}", mail("a@x.ca")), reachable(&["a@x.ca"])),
            (
                format!("{},{},{},{}", mail("B@x.ca"), mail("a@x.ca"), mail("b@X.CA"), mail("a@x.ca\\r\\nBcc: c@x.ca")),
                reachable(&["a@x.ca", "b@x.ca"]),
            ),
        ] {
            assert_eq!(owners(&rows), said, "{rows}");
        }
    }

    #[test]
    fn an_answer_that_is_no_list_is_an_error_that_quotes_nobody() {
        for body in ["", "<html>a@x.ca</html>", "{}", r#"{"value":"a@x.ca"}"#, r#"{"value":[{"mail":{"a@x.ca":1}}]}"#] {
            let said = Owned::default().page(body.as_bytes()).unwrap_err();
            assert!(!said.contains('@'), "{said}");
        }
        let mut owned = Owned::default();
        assert_eq!(owned.page(br#"{"value":[{"displayName":"\ud83d","mail":"a@x.ca"}]}"#), Ok(None));
        assert_eq!(owned.read(), reachable(&["a@x.ca"]));
    }
}
