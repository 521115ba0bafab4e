//! `[mail]`: who the messages come from, and how they leave.

use super::read::{Item, Table};
use super::sources::{graph_url, host};
use super::value::{SECRET, is_loopback};
use super::{Cloud, GraphMail, Mail, Smtp, SmtpLogin, SmtpTls, Transport};
use crate::domain::{Address, Text};
use lettre::message::Mailbox;

const FROM: &str = "\"Expiry Watch <expiry-watch@example.ca>\"";
pub(super) const SECTION: &str = "[mail]\nfrom = \"Expiry Watch <expiry-watch@example.ca>\"\n\n[mail.transport]\ntype = \"smtp\"\nhost = \"smtp.example.ca\"";
const MAILBOX: &str = "\"expiry-watch@example.ca\"";
const TRANSPORT: &str = "[mail.transport]\ntype = \"smtp\"\nhost = \"smtp.example.ca\"";

#[derive(Clone, Copy)]
enum Type {
    Smtp,
    Graph,
    Directory,
}

const TYPES: &[(&str, Type)] = &[("smtp", Type::Smtp), ("graph", Type::Graph), ("directory", Type::Directory)];

const TLS: &[(&str, SmtpTls)] =
    &[("starttls", SmtpTls::StartTls), ("implicit", SmtpTls::Implicit), ("none", SmtpTls::None)];

/// `None` where there is no `[mail]`, and where something is wrong with it.
pub(super) fn mail(t: &Table, cloud: Cloud) -> Option<Mail> {
    if !t.is_given() {
        return None;
    }
    let from = t.need("from", FROM).and_then(|item| mailbox(&item));
    let reply_to = t.get("reply_to").and_then(|item| item.address());
    let transport = match t.get("transport") {
        Some(item) => {
            let from = from.as_ref().map(|(_, from)| from);
            item.table(TRANSPORT, |t| transport(t, from, cloud)).flatten()
        }
        None => {
            t.at("transport").problem("is missing: how do messages leave?", TRANSPORT);
            None
        }
    };
    let (from_name, from) = from?;
    Some(Mail { from_name, from, reply_to, transport: transport? })
}

/// An address, perhaps with the name to show before it.
fn mailbox(item: &Item) -> Option<(Text, Address)> {
    item.parsed(FROM, |written| {
        let wanted = "an address is wanted, or a name and an address in <>";
        let mailbox: Mailbox = written.parse().map_err(|_| wanted)?;
        let address: Address = mailbox.email.to_string().parse().map_err(|_| wanted)?;
        Ok::<_, &str>((Text::clean(mailbox.name.as_deref().unwrap_or_default()), address))
    })
}

fn transport(t: &Table, from: Option<&Address>, cloud: Cloud) -> Option<Transport> {
    let Some(kind) = t.need("type", "\"smtp\"").and_then(|item| item.choice(TYPES)) else {
        t.let_any_key_go();
        return None;
    };
    match kind {
        Type::Smtp => smtp(t, from).map(Transport::Smtp),
        Type::Graph => graph(t, from, cloud).map(Transport::Graph),
        Type::Directory => {
            let path = t.need("path", "\"outbox/\"").and_then(|item| item.path("\"outbox/\""))?;
            Some(Transport::Directory { path })
        }
    }
}

fn graph(t: &Table, from: Option<&Address>, cloud: Cloud) -> Option<GraphMail> {
    let mailbox = t.need("mailbox", MAILBOX);
    let graph_url = graph_url(t, cloud);
    let mailbox = mailbox.and_then(|item| own_mailbox(&item, from))?;
    Some(GraphMail { mailbox, graph_url: graph_url? })
}

/// The mailbox that mail is sent from.
fn own_mailbox(item: &Item, from: Option<&Address>) -> Option<Address> {
    let mailbox = item.address()?;
    if from.is_some_and(|from| *from != mailbox) {
        item.place.warn("is another address than mail.from: the mailbox must be allowed to send as that one");
    }
    Some(mailbox)
}

fn smtp(t: &Table, from: Option<&Address>) -> Option<Smtp> {
    let example = "\"smtp.example.ca\"";
    let host_item = t.need("host", example);
    let parsed = host_item.as_ref().and_then(|item| item.parsed(example, host));
    let tls = t.get("tls").map_or(Some(SmtpTls::default()), |item| item.choice(TLS));
    let port = t.get("port").map_or(tls.map(default_port), |item| item.port("587"));
    let login = login(t, from);
    let allowed = t.boolean_or("allow_plaintext", false);
    let roots = t.get("roots").and_then(|item| item.secret());
    let far = parsed.as_ref().is_some_and(|host| !is_loopback(host));
    if tls == Some(SmtpTls::None) && far {
        note_plaintext(t, allowed, login.as_ref());
    }
    // Without the brackets of IPv6, as name lookup wants it.
    let host = host_item?.value.as_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
    parsed.map(|_| ())?;
    Some(Smtp { host, port: port?, tls: tls?, login, roots })
}

/// What it means that nothing protects the way to a host that is not this machine.
fn note_plaintext(t: &Table, allowed: bool, login: Option<&SmtpLogin>) {
    let example = "\"starttls\"";
    match (allowed, login) {
        // A token opens more than one mailbox's door: there is no leave for this.
        (_, Some(SmtpLogin::Xoauth2 { .. })) => t.at("tls").problem(
            "found \"none\": the token of `auth = \"xoauth2\"` would cross the network readable to all; use starttls or implicit",
            example,
        ),
        (false, _) => t.at("tls").problem(
            "found \"none\": mail would cross the network readable to all; use starttls or implicit, or say allow_plaintext = true",
            example,
        ),
        (true, Some(SmtpLogin::Password { .. })) => t.at("tls").warn("the password crosses the network readable to all"),
        (true, None) => {}
    }
}

fn default_port(tls: SmtpTls) -> u16 {
    match tls {
        SmtpTls::StartTls => 587,
        SmtpTls::Implicit => 465,
        SmtpTls::None => 25,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Auth {
    Password,
    Xoauth2,
}

fn login(t: &Table, from: Option<&Address>) -> Option<SmtpLogin> {
    let auth = t
        .get("auth")
        .map_or(Some(Auth::Password), |item| item.choice(&[("password", Auth::Password), ("xoauth2", Auth::Xoauth2)]));
    match auth {
        Some(Auth::Password) => password(t),
        Some(Auth::Xoauth2) => xoauth2(t, from),
        None => {
            // Which of the two goes with it is not known.
            t.get("username");
            t.get("password").and_then(|item| item.secret());
            None
        }
    }
}

fn password(t: &Table) -> Option<SmtpLogin> {
    let username = t.get("username");
    let password = t.get("password");
    let name = username.as_ref().and_then(|item| item.string("\"expiry-watch\"")).map(str::to_owned);
    let secret = password.as_ref().and_then(|item| item.secret());
    match (&username, &password) {
        (Some(_), None) => t.at("password").problem("is missing: `username` alone cannot sign in", SECRET),
        (None, Some(_)) => t.at("username").problem("is missing: whose `password` is it?", "\"expiry-watch\""),
        _ => {}
    }
    Some(SmtpLogin::Password { username: name?, password: secret? })
}

fn xoauth2(t: &Table, from: Option<&Address>) -> Option<SmtpLogin> {
    if let Some(password) = t.get("password") {
        password
            .place
            .problem("there is none with `auth = \"xoauth2\"`, which takes a token from [azure]: remove it", "");
    }
    let mailbox = match t.get("username") {
        Some(item) => own_mailbox(&item, from),
        None => from.cloned(),
    };
    Some(SmtpLogin::Xoauth2 { mailbox: mailbox? })
}
