//! Mails as people get them: snapshots for the words, properties for the promises.
