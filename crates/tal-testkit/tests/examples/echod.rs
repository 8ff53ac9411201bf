//! `echod`, with clients of the standard library.

use super::build;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

/// A server that runs, until it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start(program: &Path, args: &[&str]) -> Server {
        Server::limited(program, "true", args)
    }

    /// With limits that the shell sets before.
    fn limited(program: &Path, limits: &str, args: &[&str]) -> Server {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("{limits} && exec \"$0\" \"$@\"")]).arg(program);
        let mut child = command.args(args).stdout(Stdio::piped()).spawn().expect("echod can be started");
        let mut line = String::new();
        let out = child.stdout.take().expect("there is a pipe");
        BufReader::new(out).read_line(&mut line).expect("echod says where it listens");
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["listening", "on", address, "port", port] = words[..] else {
            panic!("echod {args:?} says {line:?}")
        };
        let address: IpAddr = address.parse().expect("that is an address");
        Server { child, address: SocketAddr::new(address, port.parse().expect("that is a port")) }
    }

    pub(crate) fn local(program: &Path) -> Server {
        Server::start(program, &["-a", "127.0.0.1", "-p", "0"])
    }

    fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(self.address).expect("a client connects");
        // A server that hangs is a failure, and not a test that never ends.
        client.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket has a timeout");
        client
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("/bin/sh").args(["-c", &format!("kill -{name} {pid}")]).status();
        assert!(sent.expect("a shell can be started").success());
    }

    /// Asks it to end.
    fn end(mut self, signal: &str) -> ExitStatus {
        self.signal(signal);
        self.child.wait().expect("a program can be waited for")
    }

    /// How much memory it has, in KiB.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the status can be read");
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).expect("it has a size");
        line.trim().trim_end_matches(" kB").parse().expect("that is a number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The server of each architecture.
fn both(test: fn(&Path)) {
    build::programs("echod").iter().for_each(|program| test(program));
}

/// Bytes that differ at all places.
fn bytes(seed: u64, count: usize) -> Vec<u8> {
    crate::fixture::bytes(seed, count)
}

fn exact(client: &mut TcpStream, text: &[u8]) {
    client.write_all(text).expect("a client sends");
    let mut answer = vec![0; text.len()];
    client.read_exact(&mut answer).expect("a client receives");
    assert!(answer == text);
}

/// Sends so many bytes while it receives, ends its side, and sees the end.
fn transfer(mut client: TcpStream, seed: u64, count: usize) {
    let piece = bytes(seed, 1 << 20);
    let mut sender = client.try_clone().expect("a socket can be shared");
    let pieces = count >> 20;
    let sent = piece.clone();
    let sending = thread::spawn(move || {
        for i in 0..pieces {
            sender.write_all(&sent[i % 1000..]).expect("a client sends");
        }
        sender.shutdown(Shutdown::Write).expect("a client ends its side");
    });
    let mut answer = vec![0; 1 << 20];
    for i in 0..pieces {
        let answer = &mut answer[i % 1000..];
        client.read_exact(answer).expect("a client receives");
        assert!(answer == &piece[i % 1000..], "piece {i} is another one");
    }
    assert_eq!(client.read(&mut answer).expect("a client receives"), 0);
    sending.join().expect("the sender ends");
}

#[test]
fn echod() {
    both(answers);
}

fn answers(program: &Path) {
    let server = Server::local(program);
    let mut client = server.connect();
    for size in [1, 2, 1000, 65535, 65536, 65537, 200_000] {
        exact(&mut client, &bytes(size as u64, size));
    }
    for i in 0..2_000 {
        exact(&mut client, format!("{i}\n").as_bytes());
    }
    // Many messages at once.
    let lines: String = (0..20_000).map(|i| format!("{i}\n")).collect();
    let mut sender = client.try_clone().expect("a socket can be shared");
    let sent = lines.clone();
    let sending =
        thread::spawn(move || sent.lines().try_for_each(|l| sender.write_all(format!("{l}\n").as_bytes())));
    let mut answer = vec![0; lines.len()];
    client.read_exact(&mut answer).expect("a client receives");
    assert!(answer == lines.as_bytes());
    sending.join().expect("the sender ends").expect("a client sends");
}

#[test]
fn echod_much() {
    both(much);
}

fn much(program: &Path) {
    let server = Server::local(program);
    transfer(server.connect(), 1, 64 << 20);
    thread::scope(|scope| {
        for i in 0..8 {
            let client = server.connect();
            scope.spawn(move || transfer(client, i, 8 << 20));
        }
    });
    assert!(server.memory() < 4_000, "{} KiB", server.memory());
}

#[test]
#[ignore = "takes some seconds: 1 GiB through one connection, and through 64"]
fn echod_gigabyte() {
    both(gigabyte);
}

fn gigabyte(program: &Path) {
    let server = Server::local(program);
    transfer(server.connect(), 1, 1 << 30);
    thread::scope(|scope| {
        for i in 0..64 {
            let client = server.connect();
            scope.spawn(move || transfer(client, i, 1 << 24));
        }
    });
}

/// How many sockets this process may have, at most so many.
fn sockets(most: usize) -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("the limits can be read");
    let line = limits.lines().find(|l| l.starts_with("Max open files")).expect("there is a limit");
    let limit = line.split_whitespace().nth(3).and_then(|w| w.parse().ok()).unwrap_or(usize::MAX);
    if limit < most + 200 {
        eprintln!("only {limit} files may be open: fewer connections than {most}");
    }
    most.min(limit.saturating_sub(200))
}

#[test]
fn echod_thousand() {
    both(thousand);
}

fn thousand(program: &Path) {
    let server = Server::local(program);
    let mut clients: Vec<TcpStream> = (0..sockets(1000)).map(|_| server.connect()).collect();
    for round in 0..3u64 {
        for (i, client) in clients.iter_mut().enumerate() {
            client.write_all(&bytes(round + i as u64, 100)).expect("a client sends");
        }
        let mut answer = [0; 100];
        for (i, client) in clients.iter_mut().enumerate().rev() {
            client.read_exact(&mut answer).expect("a client receives");
            assert!(answer[..] == bytes(round + i as u64, 100));
        }
        // Some go, others come.
        for i in (round as usize..clients.len()).step_by(7) {
            clients[i] = server.connect();
        }
    }
    assert!(server.end("TERM").success());
}

#[test]
fn echod_half_closed() {
    both(half_closed);
}

fn half_closed(program: &Path) {
    let server = Server::local(program);
    for size in [0, 1, 100_000, 3_000_000] {
        let mut client = server.connect();
        let sent = bytes(7, size);
        let mut sender = client.try_clone().expect("a socket can be shared");
        let text = sent.clone();
        let sending = thread::spawn(move || {
            sender.write_all(&text).expect("a client sends");
            sender.shutdown(Shutdown::Write).expect("a client ends its side");
        });
        sending.join().expect("the sender ends");
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).expect("a client receives");
        assert!(answer == sent, "{size} bytes come back");
    }
}

/// Clients that go without reading what was sent to them, which resets their connections.
#[test]
fn echod_reset() {
    both(reset);
}

fn reset(program: &Path) {
    let server = Server::local(program);
    for i in 0..200 {
        let mut client = server.connect();
        client.set_nonblocking(true).expect("a socket need not block");
        let much = bytes(i, 1 << (i % 22));
        drop(client.write(&much));
        if i % 3 == 0 {
            thread::sleep(Duration::from_millis(2));
            drop(client.write(&much));
        }
    }
    exact(&mut server.connect(), b"still here");
    assert!(server.end("INT").success());
}

/// Writes until nothing more is taken. How much was.
fn fill(client: &mut TcpStream, text: &[u8]) -> usize {
    client.set_nonblocking(true).expect("a socket need not block");
    let (mut sent, mut waited) = (0, 0);
    while waited < 50 {
        match client.write(&text[sent..]) {
            Ok(n) => (sent, waited) = (sent + n, 0),
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::WouldBlock);
                waited += 1;
                thread::sleep(Duration::from_millis(4));
            }
        }
    }
    client.set_nonblocking(false).expect("a socket may block");
    sent
}

/// Who does not read is not read from, and gets everything later.
#[test]
fn echod_slow_reader() {
    both(slow_reader);
}

fn slow_reader(program: &Path) {
    let server = Server::local(program);
    let text = bytes(3, 128 << 20);
    let mut slow: Vec<_> = (0..3).map(|_| server.connect()).collect();
    let sent: Vec<_> = slow.iter_mut().map(|client| fill(client, &text)).collect();
    assert!(sent.iter().all(|n| *n < text.len()), "all was taken: {sent:?}");
    assert!(server.memory() < 4_000, "{} KiB", server.memory());
    exact(&mut server.connect(), b"others are served");
    for (client, sent) in slow.iter_mut().zip(&sent) {
        client.shutdown(Shutdown::Write).expect("a client ends its side");
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).expect("a client receives");
        assert!(answer == text[..*sent]);
    }
    // And one that goes while something waits for it.
    fill(&mut server.connect(), &text);
    exact(&mut server.connect(), b"others are served");
    assert!(server.end("TERM").success());
}

#[test]
fn echod_signals() {
    both(signals);
}

fn signals(program: &Path) {
    for end in ["TERM", "INT"] {
        let server = Server::local(program);
        let mut client = server.connect();
        exact(&mut client, b"before");
        server.signal("PIPE");
        server.signal("STOP");
        server.signal("CONT");
        exact(&mut client, b"after");
        let mut slow = server.connect();
        fill(&mut slow, &bytes(4, 32 << 20));
        assert_eq!(server.end(end).code(), Some(0));
        assert_eq!(client.read(&mut [0]).expect("a client sees the end"), 0);
    }
}

/// More clients than descriptors: those that wait are accepted when others have gone.
#[test]
fn echod_descriptors() {
    both(descriptors);
}

fn descriptors(program: &Path) {
    let server = Server::limited(program, "ulimit -n 16", &["-a", "127.0.0.1", "-p", "0"]);
    let mut clients: Vec<TcpStream> = (0..100).map(|_| server.connect()).collect();
    for (i, client) in clients.iter_mut().enumerate() {
        client.write_all(&[i as u8]).expect("a client sends");
    }
    let mut served = 0;
    for (i, mut client) in clients.into_iter().enumerate() {
        let mut answer = [0];
        client.read_exact(&mut answer).expect("a client receives");
        served += usize::from(answer == [i as u8]);
    }
    assert_eq!(served, 100);
    assert!(server.end("TERM").success());
}

/// Clients for which there is no memory are closed, the others served.
#[test]
fn echod_memory() {
    both(memory);
}

fn memory(program: &Path) {
    let server = Server::limited(program, "ulimit -v 2600", &["-a", "127.0.0.1", "-p", "0"]);
    let text = bytes(5, 32 << 20);
    let mut slow: Vec<_> = (0..40).map(|_| (server.connect(), 0)).collect();
    for (client, _) in &mut slow {
        client.set_nonblocking(true).expect("a socket need not block");
    }
    let (mut waited, mut closed) = (0, 0);
    while waited < 50 {
        waited += 1;
        slow.retain_mut(|(client, sent)| match client.write(&text[*sent..]) {
            Ok(n) => {
                (*sent, waited) = (*sent + n, 0);
                true
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => true,
            Err(_) => {
                closed += 1;
                false
            }
        });
        thread::sleep(Duration::from_millis(4));
    }
    assert!(closed > 0 && !slow.is_empty(), "{closed} of 40 were closed");
    exact(&mut server.connect(), b"still here");
    drop(slow);
    exact(&mut server.connect(), b"and now");
    assert!(server.end("TERM").success());
}

#[test]
fn echod_ipv6() {
    both(ipv6);
}

fn ipv6(program: &Path) {
    if let Err(e) = TcpListener::bind("[::1]:0") {
        eprintln!("skipped: this machine has no IPv6: {e}");
        return;
    }
    for args in [&["-a", "::1", "-p", "0"][..], &["-6", "-a", "0:0::1", "-p0"]] {
        let server = Server::start(program, args);
        assert_eq!(server.address.ip(), "::1".parse::<IpAddr>().expect("that is an address"));
        exact(&mut server.connect(), b"over IPv6");
        assert!(server.end("TERM").success());
    }
    // All addresses: with both protocols.
    let server = Server::start(program, &["-6", "-p", "0"]);
    assert_eq!(server.address.ip(), "::".parse::<IpAddr>().expect("that is an address"));
    for address in ["[::1]", "127.0.0.1"] {
        let to = format!("{address}:{}", server.address.port());
        exact(&mut TcpStream::connect(to).expect("a client connects"), b"over both");
    }
    let server = Server::start(program, &["-u", "-a", "::1", "-p", "0"]);
    datagrams(&server, "[::1]:0");
}

fn datagrams(server: &Server, from: &str) {
    let client = UdpSocket::bind(from).expect("a socket has an address");
    client.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket has a timeout");
    let other = UdpSocket::bind(from).expect("a socket has an address");
    let mut answer = vec![0; 65536];
    for size in [1, 0, 2, 1000, 9000, 65507, 3] {
        let text = bytes(9, size);
        client.send_to(&text, server.address).expect("a datagram is sent");
        let (n, whom) = client.recv_from(&mut answer).expect("a datagram comes back");
        assert!(answer[..n] == text && whom == server.address);
    }
    // Not more than the socket has room for.
    for i in 0..100u8 {
        client.send_to(&[i], server.address).expect("a datagram is sent");
        other.send_to(&[i, i], server.address).expect("a datagram is sent");
    }
    for i in 0..100 {
        assert_eq!((client.recv(&mut answer).expect("an answer"), answer[0]), (1, i));
        other.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket has a timeout");
        assert_eq!((other.recv(&mut answer).expect("an answer"), answer[0]), (2, i));
    }
    // Answers that nobody takes.
    for _ in 0..10 {
        let gone = UdpSocket::bind(from).expect("a socket has an address");
        gone.send_to(b"x", server.address).expect("a datagram is sent");
    }
    client.send_to(b"end", server.address).expect("a datagram is sent");
    assert_eq!(client.recv(&mut answer).expect("an answer"), 3);
}

#[test]
fn echod_datagrams() {
    both(over_udp);
}

fn over_udp(program: &Path) {
    let server = Server::start(program, &["-u", "-a", "127.0.0.1", "-p", "0"]);
    datagrams(&server, "127.0.0.1:0");
    assert_eq!(server.end("TERM").code(), Some(0));
    let server = Server::start(program, &["-p0", "-u"]);
    assert_eq!(server.end("INT").code(), Some(0));
}

#[test]
fn echod_complains() {
    both(complains);
}

fn complains(program: &Path) {
    let run = |args: &[&str]| {
        let mut command = Command::new(program);
        let out = command.arg0("echod").args(args).output().expect("echod can be started");
        let text = String::from_utf8(out.stderr).expect("complaints are text");
        (out.status.code(), text.lines().next().unwrap_or_default().to_string())
    };
    for (args, complaint) in [
        (&["-p"][..], "echod: option requires an argument -- 'p'"),
        (&["-x"], "echod: invalid option -- 'x'"),
        (&["--nothing"], "echod: unrecognized option '--nothing'"),
        (&["word"], "echod: extra operand 'word'"),
        (&["-p", "65536"], "echod: not a port: '65536'"),
        (&["-p", "-1"], "echod: not a port: '-1'"),
        (&["-p", ""], "echod: not a port: ''"),
        (&["-p", "18446744073709551617"], "echod: not a port: '18446744073709551617'"),
        (&["-p", "7x"], "echod: not a port: '7x'"),
        (&["-a", "localhost"], "echod: not an address: 'localhost'"),
        (&["-a", "::1::"], "echod: not an address: '::1::'"),
        (&["-6a", "127.0.0.1"], "echod: not an IPv6 address: '127.0.0.1'"),
    ] {
        assert_eq!(run(args), (Some(2), complaint.to_string()), "{args:?}");
    }
    let server = Server::local(program);
    let port = server.address.port().to_string();
    let complaint = format!("echod: cannot listen on 127.0.0.1 port {port}: Address already in use");
    assert_eq!(run(&["-p", &port, "-a", "127.0.0.1"]), (Some(1), complaint));
    let complaint = "echod: cannot listen on 192.0.2.1 port 0: Cannot assign requested address";
    assert_eq!(run(&["-p", "0", "-a", "192.0.2.1"]), (Some(1), complaint.to_string()));
    let help = Command::new(program).arg("--help").output().expect("echod can be started");
    assert!(help.status.success() && help.stdout.starts_with(b"Usage: echod [-p port]"));
}

/// Random steps on some connections: what comes back is what was sent, as far as it goes.
#[test]
fn echod_random() {
    both(random);
}

fn random(program: &Path) {
    let server = Server::local(program);
    for seed in 0..6 {
        random_steps(&server, seed);
    }
    assert!(server.end("TERM").success());
}

fn random_steps(server: &Server, seed: u64) {
    struct Peer {
        socket: TcpStream,
        sent: usize,
        received: usize,
        text: Vec<u8>,
    }
    let mut rng = fastrand::Rng::with_seed(seed);
    let new = |rng: &mut fastrand::Rng| {
        let socket = server.connect();
        socket.set_nonblocking(true).expect("a socket need not block");
        socket.set_nodelay(rng.bool()).expect("a socket need not wait");
        Peer { socket, sent: 0, received: 0, text: bytes(rng.u64(..), 1 << 20) }
    };
    let mut peers: Vec<Peer> = (0..rng.usize(1..12)).map(|_| new(&mut rng)).collect();
    let mut room = vec![0; 1 << 20];
    for _ in 0..3_000 {
        let at = rng.usize(..peers.len());
        let size = 1 << rng.u32(..19);
        match rng.u8(..40) {
            0 => peers[at] = new(&mut rng),
            1 => {
                let mut peer = std::mem::replace(&mut peers[at], new(&mut rng));
                peer.socket.set_nonblocking(false).expect("a socket may block");
                peer.socket.shutdown(Shutdown::Write).expect("a client ends its side");
                let mut rest = Vec::new();
                peer.socket.read_to_end(&mut rest).expect("the rest comes");
                assert!(rest == peer.text[peer.received..peer.sent], "seed {seed}");
            }
            2..=20 => {
                let peer = &mut peers[at];
                let end = (peer.sent + rng.usize(1..=size)).min(peer.text.len());
                if let Ok(n) = peer.socket.write(&peer.text[peer.sent..end]) {
                    peer.sent += n;
                }
            }
            _ => {
                let peer = &mut peers[at];
                match peer.socket.read(&mut room[..size]) {
                    Ok(n) => {
                        assert!(n > 0, "the connection ended; seed {seed}");
                        assert!(room[..n] == peer.text[peer.received..peer.received + n], "seed {seed}");
                        peer.received += n;
                    }
                    Err(e) => assert_eq!(e.kind(), ErrorKind::WouldBlock, "seed {seed}"),
                }
            }
        }
    }
}

/// With the tools that people have.
#[test]
fn echod_tools() {
    both(tools);
}

fn tools(program: &Path) {
    let server = Server::local(program);
    let (host, port) = (server.address.ip().to_string(), server.address.port().to_string());
    let text = bytes(6, 300_000);
    let to = format!("TCP:{host}:{port}");
    let bash = "exec 3<>/dev/tcp/$0/$1; head -c $2 <&3 & cat >&3; wait";
    let length = text.len().to_string();
    for (tool, args) in [
        ("socat", &["-t10", "-", &to][..]),
        // OpenBSD's; others are told to close their side by another option.
        ("nc.openbsd", &["-N", &host, &port]),
        ("bash", &["-c", bash, &host, &port, &length]),
    ] {
        let command = Command::new(tool).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = command else {
            eprintln!("skipped: there is no `{tool}` on this machine");
            continue;
        };
        let mut pipe = child.stdin.take().expect("there is a pipe");
        let sent = text.clone();
        let sending = thread::spawn(move || pipe.write_all(&sent));
        let out = child.wait_with_output().expect("a program can be waited for");
        sending.join().expect("the writer ends").expect("the tool reads");
        assert!(out.stdout == text, "{tool}");
    }
}

/// Under the interpreter that watches: clients that send and read in pieces, and break off; errors of the kernel now and then.
#[test]
fn echod_watched() {
    both(watched);
}

fn watched(program: &Path) {
    use tal_testkit::interp::{Claims, Host, Machine, Network, Peer, Stop};
    use tal_testkit::toolchain::Image;
    let image = Image::Program(std::fs::read(program).expect("the example"));
    let program = image.load().expect("an accepted example");
    let claims = Claims::of(&program, image.bytes());
    for seed in 0..12 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let peers: Vec<Peer> = (0..rng.u64(0..6))
            .map(|i| {
                let sends = bytes(i, 1 << rng.u32(0..13));
                let breaks = (rng.u8(..4) == 0).then(|| rng.usize(..=sends.len()));
                Peer::new(sends, breaks)
            })
            .collect();
        let datagrams: Vec<Vec<u8>> = (0..rng.u64(..200)).map(|i| bytes(i, rng.usize(..40))).collect();
        let udp = seed % 3 == 0;
        let (mode, peers, datagrams): (&[u8], _, _) =
            if udp { (b"-u", vec![], datagrams) } else { (b"-p0", peers, vec![]) };
        let network = Network::new(seed, peers.clone(), datagrams.clone());
        let host = Host::new(std::path::Path::new("/"), b"").with_network(network);
        let args: [&[u8]; 4] = [b"echod", b"-a", b"127.0.0.1", mode];
        let mut machine = Machine::new(&program, &args, seed).with_claims(&claims).with_host(host);
        match machine.run(20_000_000) {
            Ok(Stop::Exit) => {}
            Ok(stop) => panic!("seed {seed}: {stop:?}"),
            Err(v) => panic!("seed {seed}: at {:#x}: {}\n{}", v.rip, v.what, v.history),
        }
        let host = machine.host().expect("the world around it");
        assert_eq!(host.status, Some(0), "seed {seed}");
        assert_eq!(host.output, b"listening on 127.0.0.1 port 7777\n");
        let network = host.network.as_ref().expect("there is one");
        assert_eq!(network.answers, datagrams, "seed {seed}");
        assert_eq!(network.gone.len(), peers.len(), "seed {seed}");
        for peer in &network.gone {
            let whole = peer.breaks.is_none();
            assert!(peer.sends.starts_with(&peer.back) && (!whole || peer.back == peer.sends), "seed {seed}");
        }
    }
}
