//! Links that a server gives: followed only to where the token may go.

use url::Url;

/// `link`, if it is absolute and leads to the scheme, host and port of `first`. A default port may be written out or not.
///
/// # Errors
/// In words, which do not repeat the link: it can hold a page token.
pub(in crate::sources) fn pinned(first: &Url, link: &str) -> Result<Url, &'static str> {
    let next = Url::parse(link).map_err(|_| "the link to the next page is not a URL")?;
    let plain = next.username().is_empty() && next.password().is_none();
    if next.origin() != first.origin() || !plain {
        return Err("the link to the next page leads to another host; refused, the token was not sent there");
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_with_scheme_host_and_port_however_the_port_is_written() {
        let first = "https://kv.vault.azure.net/secrets?api-version=7.4".parse().unwrap();
        for (link, followed) in [
            ("https://kv.vault.azure.net:443/secrets?$skiptoken=a", true),
            ("https://kv.vault.azure.net/secrets", true),
            ("HTTPS://KV.VAULT.AZURE.NET:0443/secrets", true),
            ("https://kv.vault.azure.net:8443/secrets", false),
            ("http://kv.vault.azure.net:443/secrets", false),
            ("https://kv.vault.azure.net.evil.example/secrets", false),
            ("https://kv.vault.azure.net@evil.example/secrets", false),
            ("https://u:p@kv.vault.azure.net/secrets", false),
            ("//kv.vault.azure.net/secrets", false),
            ("/secrets?$skiptoken=a", false),
            ("javascript:1", false),
        ] {
            assert_eq!(pinned(&first, link).is_ok(), followed, "{link}");
        }
    }
}
