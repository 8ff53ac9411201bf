//! Sockets without a network: clients that are made up come to a server, send in pieces, read slowly, and break off. When all have
//! gone, a signal ends the server. Everything that happens follows from a seed.

use super::host::{Answer, Host, Open};
use super::{Machine, Watched};
use fastrand::Rng;
use std::collections::VecDeque;

const EINTR: i64 = 4;
const EBADF: i64 = 9;
const EAGAIN: i64 = 11;
const EINVAL: i64 = 22;
const EMFILE: i64 = 24;
const EPIPE: i64 = 32;
const ENOSYS: i64 = 38;
const ECONNRESET: i64 = 104;
const EPOLLIN: u32 = 1;
const EPOLLOUT: u32 = 4;
const CTL_ADD: u64 = 1;
/// `struct sockaddr_in`: 127.0.0.1, with the port in bytes 2 and 3.
const LOCAL: [u8; 16] = [2, 0, 0x1e, 0x61, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
/// So often is looked whether something can happen before it is said that nothing will.
const PATIENCE: u32 = 10_000;

/// A client of the server.
#[derive(Clone)]
pub struct Peer {
    /// What it sends, and then it ends its side.
    pub sends: Vec<u8>,
    /// How many bytes the server has read.
    read: usize,
    /// What has come back.
    pub back: Vec<u8>,
    /// How many more bytes it takes now.
    room: usize,
    /// Behind so many bytes it breaks off.
    pub breaks: Option<usize>,
}

/// What a descriptor of the network is.
pub(super) enum Socket {
    Listener,
    Signals,
    Peer(Peer),
    /// What is waited for: descriptor, flags, and the number of the events.
    Watch(Vec<(u64, u32, u32)>),
}

/// Those who come to a server.
pub struct Network {
    rng: Rng,
    /// Clients that will connect.
    pub coming: VecDeque<Peer>,
    /// Clients whose connections the server has closed.
    pub gone: Vec<Peer>,
    /// Datagrams that will come.
    pub datagrams: VecDeque<Vec<u8>>,
    /// Datagrams that were sent back.
    pub answers: Vec<Vec<u8>>,
    open: usize,
}

impl Network {
    /// These clients and datagrams come, in an order and in pieces that follow from the seed.
    #[must_use]
    pub fn new(seed: u64, coming: Vec<Peer>, datagrams: Vec<Vec<u8>>) -> Network {
        let rng = Rng::with_seed(seed);
        let (coming, datagrams) = (coming.into(), datagrams.into());
        Network { rng, coming, gone: Vec::new(), datagrams, answers: Vec::new(), open: 0 }
    }

    fn accept(&mut self) -> Result<Socket, i64> {
        if self.rng.u8(..8) == 0 {
            return Err(EMFILE);
        }
        let peer = self.coming.pop_front().ok_or(EAGAIN)?;
        self.open += 1;
        Ok(Socket::Peer(peer))
    }

    /// The server closes a connection.
    pub(super) fn close(&mut self, socket: Socket) {
        if let Socket::Peer(peer) = socket {
            self.open -= 1;
            self.gone.push(peer);
        }
    }

    /// What can be done with a socket now.
    fn ready(&mut self, socket: &mut Socket) -> u32 {
        match socket {
            Socket::Listener => u32::from(!self.coming.is_empty() || !self.datagrams.is_empty()) * EPOLLIN,
            Socket::Signals => {
                let idle = self.open == 0 && self.coming.is_empty() && self.datagrams.is_empty();
                u32::from(idle) * EPOLLIN
            }
            Socket::Peer(peer) => {
                peer.room += self.rng.usize(..500) * usize::from(self.rng.bool());
                let out = u32::from(peer.room > 0 || peer.broken()) * EPOLLOUT;
                (u32::from(self.rng.bool()) * EPOLLIN) | out
            }
            Socket::Watch(_) => 0,
        }
    }
}

impl Peer {
    /// A client that sends this, and breaks off when the server has read so many bytes, if it does.
    #[must_use]
    pub fn new(sends: Vec<u8>, breaks: Option<usize>) -> Peer {
        Peer { sends, read: 0, back: Vec::new(), room: 0, breaks }
    }

    fn broken(&self) -> bool {
        self.breaks.is_some_and(|n| self.read >= n)
    }

    fn receive(&mut self, most: usize, rng: &mut Rng) -> Result<Vec<u8>, i64> {
        if self.broken() {
            return Err(ECONNRESET);
        }
        let rest = self.sends.get(self.read..).unwrap_or(&[]);
        if !rest.is_empty() && rng.u8(..8) == 0 {
            return Err([EAGAIN, EINTR][usize::from(rng.bool())]);
        }
        let count = rest.len().min(most).min(1 << rng.u32(..18));
        let bytes = rest.get(..count).unwrap_or(&[]).to_vec();
        self.read += count;
        Ok(bytes)
    }

    fn send(&mut self, bytes: &[u8], rng: &mut Rng) -> Answer {
        if self.broken() {
            return Err(EPIPE);
        }
        let count = bytes.len().min(self.room);
        if count == 0 {
            return Err([EAGAIN, EINTR][usize::from(rng.u8(..4) == 0)]);
        }
        self.room -= count;
        self.back.extend(bytes.get(..count).unwrap_or(&[]));
        Ok(count as u64)
    }
}

impl Host {
    fn socket(&mut self, fd: u64) -> Result<&mut Socket, i64> {
        match self.at(fd)? {
            Open::Socket(socket) => Ok(socket),
            _ => Err(EBADF),
        }
    }

    /// Events of a set, at most so many; `None` if none will ever come.
    fn wait(
        &mut self,
        network: &mut Network,
        fd: u64,
        most: usize,
        for_ever: bool,
    ) -> Result<Option<Vec<u8>>, i64> {
        let Socket::Watch(watched) = self.socket(fd)? else { return Err(EINVAL) };
        let watched = watched.clone();
        if network.rng.u8(..8) == 0 {
            return Err(EINTR);
        }
        for _ in 0..PATIENCE {
            let mut events = Vec::new();
            for &(fd, flags, tag) in &watched {
                // A descriptor that was closed is waited for no longer.
                let Ok(socket) = self.socket(fd) else { continue };
                let ready = network.ready(socket) & flags;
                if ready != 0 && events.len() < 12 * most {
                    events.extend([ready, tag, 0].iter().flat_map(|n| n.to_le_bytes()));
                }
            }
            if !events.is_empty() || !for_ever {
                return Ok(Some(events));
            }
        }
        Ok(None)
    }
}

impl Machine<'_> {
    /// A call that has to do with sockets; the registers are those of its arguments.
    pub(super) fn network_call(&mut self, host: &mut Host, name: &str, words: [u64; 6]) -> Watched<Answer> {
        let Some(mut network) = host.network.take() else { return Ok(Err(ENOSYS)) };
        let answer = self.on_network(host, &mut network, name, words);
        host.network = Some(network);
        answer
    }

    fn on_network(
        &mut self,
        host: &mut Host,
        network: &mut Network,
        name: &str,
        words: [u64; 6],
    ) -> Watched<Answer> {
        let [a, b, c, d, e, f] = words;
        Ok(match name {
            "rt_sigprocmask" | "setsockopt" | "bind" | "listen" => Ok(0),
            "signalfd4" => Ok(host.opened(Open::Socket(Socket::Signals))),
            "epoll_create1" => Ok(host.opened(Open::Socket(Socket::Watch(Vec::new())))),
            "socket" => Ok(host.opened(Open::Socket(Socket::Listener))),
            "getsockname" => {
                let filled = self.fill_in(b, &LOCAL);
                filled.and_then(|_| self.fill_in(c, &16u32.to_le_bytes())).map(|_| 0)
            }
            "accept4" => network.accept().map(|socket| host.opened(Open::Socket(socket))),
            "epoll_ctl" => {
                let event = self.bytes_at(d, 8)?;
                let word =
                    |i: usize| u32::from_le_bytes([event[i], event[i + 1], event[i + 2], event[i + 3]]);
                let entry = (c, word(0), word(4));
                match host.socket(a) {
                    Ok(Socket::Watch(watched)) => {
                        // One that was closed may come again.
                        let known = watched.iter_mut().find(|w| w.0 == c);
                        match known {
                            Some(known) => *known = entry,
                            None if b == CTL_ADD => watched.push(entry),
                            None => return Ok(Err(2)),
                        }
                        Ok(0)
                    }
                    _ => Err(EBADF),
                }
            }
            "epoll_wait" => {
                let events = match host.wait(network, a, c as usize, d as i32 == -1) {
                    Ok(Some(events)) => events,
                    Ok(None) => return Err("it waits, and nothing will ever happen".into()),
                    Err(number) => return Ok(Err(number)),
                };
                self.fill_in(b, &events).map(|n| n / 12)
            }
            "recvfrom" if e != 0 => match network.datagrams.pop_front() {
                Some(bytes) => {
                    let known = self.fill_in(e, &LOCAL).and_then(|_| self.fill_in(f, &16u32.to_le_bytes()));
                    known.and_then(|_| self.fill_in(b, bytes.get(..c as usize).unwrap_or(&bytes)))
                }
                None => Err(EAGAIN),
            },
            "recvfrom" => match host.socket(a) {
                Ok(Socket::Peer(peer)) => {
                    let bytes = peer.receive(c as usize, &mut network.rng);
                    bytes.and_then(|bytes| self.fill_in(b, &bytes))
                }
                _ => Err(EBADF),
            },
            "sendto" => {
                let bytes = self.bytes_at(b, c)?;
                match host.socket(a) {
                    Ok(Socket::Peer(peer)) => peer.send(&bytes, &mut network.rng),
                    Ok(Socket::Listener) if self.bytes_at(e, f)? == LOCAL => {
                        network.answers.push(bytes);
                        Ok(c)
                    }
                    _ => Err(EINVAL),
                }
            }
            _ => Err(ENOSYS),
        })
    }
}
