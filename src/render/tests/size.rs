//! Mails that stay below what readers cut, however much there is to say and however it is spelt.

use super::*;

fn weight(notices: &[Notice]) -> usize {
    let notices: Vec<_> = notices.iter().collect();
    let letter = digest(&stationery(), &ccaas(), &notices, now());
    compose(&stationery(), &ccaas(), &letter, "<size@example.ca>", now(), &notices).unwrap().len()
}

/// As `many`, no two of which end together.
fn different(count: usize) -> Vec<Notice> {
    let mut notices = many(count);
    for (index, notice) in (0..).zip(&mut notices) {
        notice.key.expires_at = notice.key.expires_at.map(|end| end + jiff::SignedDuration::from_mins(index));
        if let Subject::Credential { holder, app_id, label, .. } = &mut notice.subject {
            *holder = Text::clean(&format!("billing-platform-{index}-prod"));
            *app_id = Some(Ident::new(&format!("33758b54-a9cb-48ef-a363-{index:012}")));
            *label = Text::clean(&format!("rotated by pipeline {index}"));
        }
    }
    notices
}

/// The names that a careless layout pays most for, or trips over.
fn worst() -> [String; 6] {
    [
        "é".repeat(256),
        "🔑".repeat(256),
        "<script>alert(\"1\")</script>&amp;'".repeat(8),
        format!("\u{202E}{}\u{202C}", "שלום ".repeat(50)),
        "line\r\nBcc: all@example.ca\n".repeat(10),
        "=HYPERLINK(\"http://x\",\"y\")".repeat(10),
    ]
}

#[test]
fn a_long_digest_says_once_what_is_true_of_all() {
    let mut notices = different(24);
    notices.push(notice(NoticeKind::Expired));
    let letter = digest_of(&notices);
    insta::assert_snapshot!("long_text", format!("Subject: {}\n\n{}", letter.subject, letter.text));
    insta::assert_snapshot!("long_html", letter.html.replace("><", ">\n<"));
}

#[test]
fn a_hundred_ordinary_notices_are_all_told_with_all_their_facts() {
    let notices = different(100);
    assert!(weight(&notices) < 100_000, "{}", weight(&notices));
    let letter = digest_of(&notices);
    assert_eq!(letter.text.matches("Ends (UTC):").count(), 100);
    assert_eq!(letter.html.matches("Ends (UTC)").count(), 100);
    assert!(!letter.text.contains("too long"));
}

#[test]
fn a_hundred_notices_with_the_worst_names_fit_and_what_does_not_is_counted_and_linked() {
    for name in worst() {
        let mut notices = different(100);
        for (index, notice) in notices.iter_mut().enumerate() {
            if let Subject::Credential { holder, label, .. } = &mut notice.subject {
                (*holder, *label) = (Text::clean(&format!("{index} {name}")), Text::clean(&name));
            }
            notice.environment = Some(Text::clean(&name));
            notice.rule = Some(Text::clean(&name));
            notice.runbook = Some(Text::clean(&name));
        }
        assert!(weight(&notices) < 100_000, "{name}: {}", weight(&notices));
        let letter = digest_of(&notices);
        let shown = letter.text.matches("Ends (UTC):").count();
        assert!(shown > 5, "{name}: {shown}");
        for part in [&letter.text, &letter.html] {
            let counted = format!("And {} more, less urgent, that would make this mail too long", 100 - shown);
            assert!(shown == 100 || joined(part).contains(&counted), "{name}: {shown}");
            assert!(
                !letter.html.contains("<script") && !part.contains("\nBcc") && !part.contains('\u{202E}'),
                "{name}"
            );
        }
        assert_eq!(letter.html.matches("Ends (UTC)").count(), shown);
    }
}

#[test]
fn a_flood_names_the_most_urgent_and_counts_the_others_by_what_they_are() {
    let mut notices = different(1_990);
    notices.extend(of_each_kind().into_iter().map(|mut notice| {
        notice.key.expires_at = notice.key.expires_at.map(|end| end + jiff::SignedDuration::from_hours(1));
        notice
    }));
    let letter = digest_of(&notices);
    assert!(letter.subject.ends_with(&format!(" and {} more", notices.len() - 1)));
    assert!(letter.text.contains("!! Expired 2 days ago") && joined(&letter.text).contains("x Expires in 7 days"));
    assert!(joined(&letter.text).contains("1 x Resolved. All of them: https://expiry.example.ca"));
    assert!(letter.html.len() < 60_000, "{}", letter.html.len());
}

#[test]
fn lines_of_the_text_fit_78_columns_but_for_names_and_identifiers() {
    for notice in of_each_kind().into_iter().chain(morning()) {
        for line in digest_of(&[notice]).text.lines() {
            let is_whole = ["Credential id:", "Its story:", "!", "-"].iter().any(|start| line.starts_with(start));
            assert!(line.chars().count() <= 78 || is_whole, "{line}");
        }
    }
}
