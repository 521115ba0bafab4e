//! What goes wrong at the simulated mail server, as a script.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One thing that goes wrong, once, at the first chance after those queued before it for the same moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailFault {
    /// Greets with this reply, such as `421 4.3.2 closing`, and hangs up.
    Greeting(String),
    /// Takes the connection and never says a word.
    Silent,
    /// Answers AUTH with this reply, such as `535 5.7.3 Authentication unsuccessful`.
    SignIn(String),
    /// Answers MAIL FROM with this reply.
    Sender(String),
    /// Takes the message, answers with this reply (such as `451 4.3.0 try again`) and does not keep it.
    Reply(String),
    /// Keeps the message and hangs up without a reply: the sender cannot know.
    DropKept,
    /// Hangs up after the final dot without keeping the message.
    DropLost,
    /// Keeps the message and never replies.
    StallKept,
}

/// The moment at which a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Connect,
    SignIn,
    Sender,
    Data,
}

impl MailFault {
    fn moment(&self) -> Moment {
        match self {
            Self::Greeting(_) | Self::Silent => Moment::Connect,
            Self::SignIn(_) => Moment::SignIn,
            Self::Sender(_) => Moment::Sender,
            Self::Reply(_) | Self::DropKept | Self::DropLost | Self::StallKept => Moment::Data,
        }
    }
}

/// A handle on the script; clones share it.
#[derive(Clone, Default)]
pub struct MailFaults(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    queue: VecDeque<MailFault>,
    recipients: HashMap<String, Refusal>,
    down: bool,
    tokens_refused: bool,
    connections: usize,
}

struct Refusal {
    reply: String,
    /// How many times more; none = always.
    times: Option<usize>,
}

impl MailFaults {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a fault.
    pub fn next(&self, fault: MailFault) {
        self.script().queue.push_back(fault);
    }

    /// Every RCPT to this address gets this reply, such as `550 5.1.1 no such user`.
    pub fn refuse(&self, address: &str, reply: &str) {
        self.recipient(address, reply, None);
    }

    /// The next `times` RCPT to this address get this reply, such as `450 4.2.0 greylisted`.
    pub fn defer(&self, address: &str, reply: &str, times: usize) {
        self.recipient(address, reply, Some(times));
    }

    fn recipient(&self, address: &str, reply: &str, times: Option<usize>) {
        let refusal = Refusal { reply: reply.to_owned(), times };
        self.script().recipients.insert(address.to_ascii_lowercase(), refusal);
    }

    /// While true, every connection is greeted with 421 and closed.
    pub fn down(&self, down: bool) {
        self.script().down = down;
    }

    /// While true, no token of the authority opens the mailbox: a permission is missing.
    pub fn refuse_tokens(&self, refused: bool) {
        self.script().tokens_refused = refused;
    }

    pub(super) fn are_tokens_refused(&self) -> bool {
        self.script().tokens_refused
    }

    /// Takes everything back.
    pub fn heal(&self) {
        let mut script = self.script();
        *script = Script { connections: script.connections, ..Script::default() };
    }

    /// How many queued faults have not struck yet.
    #[must_use]
    pub fn unmet(&self) -> usize {
        self.script().queue.len()
    }

    /// How many connections have been taken.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.script().connections
    }

    pub(super) fn connected(&self) -> Option<MailFault> {
        let mut script = self.script();
        script.connections += 1;
        let down = script.down.then(|| MailFault::Greeting("421 4.3.2 the server is down by script".to_owned()));
        drop(script);
        down.or_else(|| self.strike(Moment::Connect))
    }

    pub(super) fn strike(&self, moment: Moment) -> Option<MailFault> {
        let queue = &mut self.script().queue;
        let first = queue.iter().position(|fault| fault.moment() == moment)?;
        queue.remove(first)
    }

    /// The reply that this recipient gets instead of 250.
    pub(super) fn for_recipient(&self, address: &str) -> Option<String> {
        let mut script = self.script();
        let refusal = script.recipients.get_mut(&address.to_ascii_lowercase())?;
        match &mut refusal.times {
            None => {}
            Some(0) => return None,
            Some(left) => *left -= 1,
        }
        Some(refusal.reply.clone())
    }
}
