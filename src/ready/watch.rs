//! Watches the sockets of a tree: knocks at the wanted port, sees who listens where, has each listener asked.
//! No decision about which port is the server is made here (see `pick`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::pick::{Candidate, NEVER_A_SERVER, Standing, pick};
use super::probe::{self, Clients, Question, Reply};
use super::wait::{Answer, Members, NotReady, Others};
use crate::event::Seen;
use crate::plan::Port;
use crate::sys::{self, Listener};

/// Between two looks at the sockets of the tree.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// How long a stranger must have had the port to himself.
const STRANGER_AFTER: Duration = Duration::from_secs(1);
/// How long a socket must listen if that alone is the answer: some servers open one only to try a port.
const CONNECT_SETTLED: Duration = Duration::from_millis(150);

pub(super) struct Watch {
    wanted: Port,
    others: Others,
    question: Question,
    clients: Option<Clients>,
    members: Members,
    ephemeral: RangeInclusive<u16>,
    started: Instant,
    open: Vec<Open>,
    replies: UnboundedReceiver<(Listener, Reply)>,
    reply_to: UnboundedSender<(Listener, Reply)>,
    stranger_since: Option<Instant>,
}

/// A socket on which a member listens.
struct Open {
    pid: u32,
    listener: Listener,
    since: Instant,
    reply: Option<Reply>,
    /// The task that asks it; ends when this is dropped.
    asking: JoinSet<()>,
}

impl Watch {
    pub(super) fn new(wanted: Port, others: Others, question: Question, members: Members) -> Self {
        let (reply_to, replies) = unbounded_channel();
        let clients = match &question {
            Question::Get { host, .. } => Some(Clients::new(host)),
            Question::Connect => None,
        };
        Self {
            wanted,
            others,
            clients,
            question,
            members,
            ephemeral: sys::ephemeral_ports(),
            started: Instant::now(),
            open: Vec::new(),
            replies,
            reply_to,
            stranger_since: None,
        }
    }

    pub(super) async fn run(mut self, tell: &mut impl FnMut(Seen)) -> Result<Answer, NotReady> {
        let mut told = None;
        let mut next_look = Instant::now();
        let mut next_knock = next_look;
        loop {
            let listens = self.on_wanted().next().is_some();
            tokio::select! {
                biased;
                Some((listener, reply)) = self.replies.recv() => self.hear(listener, reply),
                () = sleep_until(next_knock), if !listens => {
                    next_knock = Instant::now() + self.knock_every();
                    if self.knock() {
                        self.look();
                        next_look = Instant::now() + LOOK_EVERY;
                        self.suspect_stranger()?;
                    } else {
                        self.stranger_since = None;
                    }
                }
                () = sleep_until(next_look) => {
                    self.look();
                    next_look = Instant::now() + LOOK_EVERY;
                }
            }
            if let Some(index) = pick(self.wanted.get(), &self.candidates()) {
                return Ok(self.answer(&self.open[index]));
            }
            let seen = self.seen();
            if told.as_ref() != Some(&seen) {
                tell(seen);
                told = Some(seen);
            }
        }
    }

    /// Where the tree listens now, without asking: the wanted port, or the only other one that can be meant.
    pub(super) fn found(mut self) -> Option<Answer> {
        self.open = self.listening().into_iter().map(|(pid, listener)| Open::new(pid, listener)).collect();
        let first = self.on_wanted().next().or_else(|| {
            let mut likely = self.open.iter().filter(|open| !self.ephemeral.contains(&open.listener.port));
            likely.next().filter(|first| likely.all(|open| open.listener.port == first.listener.port))
        });
        first.map(|open| self.answer(open))
    }

    fn on_wanted(&self) -> impl Iterator<Item = &Open> {
        self.open.iter().filter(|open| open.listener.port == self.wanted.get())
    }

    /// Often at first, when every millisecond counts; after minutes of compiling, nobody sees 50 ms.
    fn knock_every(&self) -> Duration {
        // The timer rounds up to its next millisecond, so a little less than so many is exactly so many.
        Duration::from_millis(match self.started.elapsed().as_secs() {
            _ if self.stranger_since.is_some() => 50,
            0..2 => 1,
            2..10 => 2,
            10..60 => 5,
            60..300 => 10,
            _ => 50,
        }) - Duration::from_micros(900)
    }

    fn knock(&self) -> bool {
        [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
            .into_iter()
            .any(|ip| sys::knock(SocketAddr::new(ip, self.wanted.get())))
    }

    /// The sockets on which members listen and which may be the server.
    fn listening(&self) -> Vec<(u32, Listener)> {
        let mut found = sys::listeners_of(&(self.members)(), self.wanted.get()).unwrap_or_default();
        let anothers = |port| NEVER_A_SERVER.contains(&port) || self.others.have(port);
        found.retain(|(_, l)| l.port == self.wanted.get() || !anothers(l.port));
        found
    }

    /// Compares what is open with what was: forgets what is gone, has asked what is new.
    fn look(&mut self) {
        let found = self.listening();
        self.open.retain(|open| found.iter().any(|(_, listener)| *listener == open.listener));
        for (pid, listener) in found {
            match self.open.iter_mut().find(|open| open.listener == listener) {
                Some(open) => open.pid = pid,
                None => self.open.push(Open::new(pid, listener)),
            }
        }
        let wanted = self.wanted.get();
        let wanted_listens = self.on_wanted().next().is_some();
        for open in &mut self.open {
            // Others only if they stay, and only while the wanted one is not there.
            let ask = if wanted_listens {
                open.listener.port == wanted
            } else {
                open.since.elapsed() >= LOOK_EVERY
            };
            if !ask {
                open.asking = JoinSet::new(); // dropping the old one ends its task
            } else if open.asking.is_empty() && !matches!(open.reply, Some(Reply::Answer { .. })) {
                let (listener, to) = (open.listener, self.reply_to.clone());
                let at = SocketAddr::new(probe::reachable(listener.ip), listener.port);
                // The receiver goes with the watch, and so does this task.
                let client = self.clients.as_ref().and_then(|clients| clients.at(at.ip()));
                open.asking.spawn(probe::ask(client, at, self.question.clone(), move |reply| {
                    let _ = to.send((listener, reply));
                }));
            }
            while open.asking.try_join_next().is_some() {}
        }
    }

    fn hear(&mut self, listener: Listener, reply: Reply) {
        if let Some(open) = self.open.iter_mut().find(|open| open.listener == listener) {
            open.reply = Some(reply);
        }
    }

    /// Somebody listens on the wanted port. No member? Then it is a stranger, unless that changes soon.
    fn suspect_stranger(&mut self) -> Result<(), NotReady> {
        // A knock that got no answer yet proves nobody; the table of listeners does.
        let listens = || sys::listeners().is_ok_and(|all| all.iter().any(|l| l.port == self.wanted.get()));
        if self.on_wanted().next().is_some() || !listens() {
            self.stranger_since = None;
            return Ok(());
        }
        if self.stranger_since.get_or_insert_with(Instant::now).elapsed() < STRANGER_AFTER {
            return Ok(());
        }
        let port = self.wanted;
        let pid = sys::holders(port.get()).first().copied();
        let who = pid.map_or("a process of another user".to_string(), describe);
        Err(NotReady::Stranger { port, pid, who })
    }

    fn candidates(&self) -> Vec<Candidate> {
        let candidate = |open: &Open| Candidate {
            port: open.listener.port,
            ephemeral: self.ephemeral.contains(&open.listener.port),
            age: open.since.elapsed().saturating_sub(self.others.patience),
            standing: match open.reply {
                Some(Reply::Answer { .. })
                    if self.question == Question::Connect && open.since.elapsed() < CONNECT_SETTLED =>
                {
                    Standing::Pending
                }
                Some(Reply::Answer { status, .. }) => Standing::Answered(status),
                Some(Reply::Failing(_) | Reply::NotHttp) => Standing::Refused,
                Some(Reply::Silence) | None => Standing::Pending,
            },
        };
        self.open.iter().map(candidate).collect()
    }

    fn seen(&self) -> Seen {
        let all = self.open.iter().filter(|open| open.listener.port != self.wanted.get());
        match self.on_wanted().chain(all).next().map(|open| open.reply) {
            None => Seen::NothingListens,
            Some(Some(Reply::Failing(status))) => Seen::Status(status),
            Some(Some(Reply::NotHttp)) => Seen::NotHttp,
            Some(Some(Reply::Answer { .. } | Reply::Silence) | None) => Seen::NoAnswer,
        }
    }

    fn answer(&self, open: &Open) -> Answer {
        let port = Port::new(open.listener.port).expect("nobody listens on port 0");
        let scheme =
            if matches!(open.reply, Some(Reply::Answer { https: true, .. })) { "https" } else { "http" };
        let everybody = sys::listeners().unwrap_or_default();
        let mut known: Vec<Listener> = self.open.iter().map(|open| open.listener).collect();
        known.retain(|listener| listener.port == port.get() && everybody.contains(listener));
        // Mostly that is enough. Otherwise looked up anew, and after the others: a server may open its second socket
        // just now.
        let anew = || {
            let ours = self.listening().into_iter().map(|(_, listener)| listener);
            ours.filter(|listener| listener.port == port.get()).collect::<Vec<Listener>>()
        };
        let host = if leads_here(&known, &everybody) || leads_here(&anew(), &everybody) {
            "localhost".to_string()
        } else {
            match probe::reachable(open.listener.ip) {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            }
        };
        Answer {
            url: format!("{scheme}://{host}:{port}"),
            port,
            pid: Some(open.pid),
            moved: port != self.wanted,
        }
    }
}

impl Open {
    fn new(pid: u32, listener: Listener) -> Self {
        Self { pid, listener, since: Instant::now(), reply: None, asking: JoinSet::new() }
    }
}

/// Whether `localhost` leads to these sockets of ours: the name means a family on which one of them is, and
/// nobody else has the same port there.
fn leads_here(ours: &[Listener], everybody: &[Listener]) -> bool {
    let Some(port) = ours.first().map(|listener| listener.port) else {
        return false;
    };
    let foreign = everybody.iter().any(|l| l.port == port && !ours.contains(l) && reached_by_localhost(l.ip));
    let here = ours.iter().any(|l| match l.ip {
        IpAddr::V4(ip) => ip.is_unspecified() || ip == Ipv4Addr::LOCALHOST,
        IpAddr::V6(ip) => ip.is_unspecified() || ip == Ipv6Addr::LOCALHOST && localhost_is_v6(),
    });
    here && !foreign
}

fn reached_by_localhost(ip: IpAddr) -> bool {
    ip.is_unspecified() || ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST
}

/// On some systems the hosts file gives `::1` other names only.
fn localhost_is_v6() -> bool {
    ("localhost", 0).to_socket_addrs().is_ok_and(|mut all| all.any(|at| at.is_ipv6()))
}

/// A process in words. Its arguments stay out: they may hold secrets.
fn describe(pid: u32) -> String {
    match sys::process_name(pid) {
        Some(name) => format!("{} (pid {pid})", name.escape_debug()),
        None => format!("pid {pid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_sockets_have_no_number_a_reply_is_still_that_of_the_socket_that_was_asked() {
        let listener = |port| Listener { ip: Ipv4Addr::LOCALHOST.into(), port, inode: 0, uid: 0 };
        let question = Question::Get { host: "localhost".into(), path: "/".into() };
        let wanted = Port::new(3000).unwrap();
        let mut watch = Watch::new(wanted, Others::default(), question, Box::new(Vec::new));
        // A helper's socket was seen first.
        watch.open = [24_678, 3000].map(|port| Open::new(1, listener(port))).into();
        watch.hear(listener(3000), Reply::Answer { https: false, status: 200 });
        assert_eq!(pick(3000, &watch.candidates()), Some(1));
        assert_eq!(watch.open[0].reply, None);
    }
}
