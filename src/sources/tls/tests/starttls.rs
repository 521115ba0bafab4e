//! Protocols that begin in clear.

use super::*;

/// What a server says; an empty entry waits for the client.
type Script = &'static [&'static [u8]];

const LDAP_YES: &[u8] = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";
const LDAP_YES_LONG: &[u8] =
    b"\x30\x84\x00\x00\x00\x10\x02\x01\x01\x78\x84\x00\x00\x00\x07\x0a\x01\x00\x04\x00\x04\x00";
const LDAP_NO: &[u8] = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00";

#[tokio::test]
async fn each_protocol_changes_over() {
    use StartTls::{Ftp, Imap, Ldap, Pop3, Postgres, Smtp};
    let ours = Authority::new();
    let issued = ours.issue(|_| {});
    let scripts: [(StartTls, Script); 9] = [
        (Smtp, &[b"220 hello\r\n", b"", b"250-mail\r\n250-PIPELINING\r\n250 STARTTLS\r\n", b"", b"220 go ahead\r\n"]),
        (Smtp, &[b"220-one\r\n220 two\r\n", b"", b"250 mail\r\n", b"", b"220\r\n"]),
        (Imap, &[b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n", b"", b"* noise\r\na1 OK begin\r\n"]),
        (Pop3, &[b"+OK ready\r\n", b"", b"+OK begin\r\n"]),
        (Ftp, &[b"220-Welcome\r\n any words\r\n220 ready\r\n", b"", b"234 AUTH TLS ok\r\n"]),
        (Ldap, &[b"", LDAP_YES]),
        (Ldap, &[b"", LDAP_YES_LONG]),
        (Postgres, &[b"", b"S"]),
        (Imap, &[b"* ok lower\r\n", b"", b"a1 ok\r\n"]),
    ];
    for (protocol, script) in scripts {
        let acceptor = acceptor(&issued, vec![issued.der.clone(), ours.intermediate_der.clone()], Manner::default());
        let address = answer(move |mut stream| {
            let acceptor = acceptor.clone();
            async move {
                play(&mut stream, script).await;
                let _ = acceptor.accept(stream).await;
            }
        })
        .await;
        let mut at = target(address);
        at.starttls = Some(protocol);
        let served = probe(&at, address, PATIENCE, &ours.trust(), now()).await;
        assert_eq!(served.unwrap_or_else(|error| panic!("{protocol:?}: {error}")).trust, Ok(()), "{protocol:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_in_the_servers_words() {
    use StartTls::{Ftp, Imap, Ldap, Pop3, Postgres, Smtp};
    let scripts: [(StartTls, Script, &str); 12] = [
        (Smtp, &[b"554 go away\x1b[2J\r\n"], "554 go away [2J"),
        (Smtp, &[b"220 hi\r\n", b"", b"250 mail\r\n", b"", b"454 no TLS now\r\n"], "454 no TLS now"),
        (Smtp, &[b"220 hi\r\n", b"", b"250 mail\r\n", b"", b"220 go\r\n250 more\r\n"], "it went on talking in clear"),
        (Smtp, &[b"220"], "it hung up"),
        (Imap, &[b"* BYE full\r\n"], "* BYE full"),
        (Imap, &[b"* OK\r\n", b"", b"a1 NO not here\r\n"], "a1 NO not here"),
        (Pop3, &[b"+OK\r\n", b"", b"-ERR unknown\r\n"], "-ERR unknown"),
        (Ftp, &[b"220 hi\r\n", b"", b"500 what?\r\n"], "500 what?"),
        (Ldap, &[b"", LDAP_NO], "LDAP result 52"),
        (Ldap, &[b"", b"\x30\x84\xff\xff\xff\xff"], "what answers does not speak LDAP"),
        (Ldap, &[b"", b"\x30\x03\x02\xff\x01"], "it answers something else"),
        (Postgres, &[b"", b"N"], "it answers that it has no TLS"),
    ];
    let trust = Authority::new().trust();
    for (protocol, script, why) in scripts {
        let address = answer(move |mut stream| async move { play(&mut stream, script).await }).await;
        let mut at = target(address);
        at.starttls = Some(protocol);
        let error = probe(&at, address, PATIENCE, &trust, now()).await.unwrap_err();
        assert_eq!(error, ProbeError::StartTls { protocol, why: text(why) });
    }
}
