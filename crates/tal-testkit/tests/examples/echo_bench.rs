//! `echo-bench`, against `echod` and against servers that make mistakes.

use super::build;
use super::echod::Server;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread;

/// The program of each architecture.
fn both(test: fn(&Path)) {
    build::programs("echo-bench").iter().for_each(|program| test(program));
}

/// The status, the standard output, and the first line of the standard error.
fn run(program: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(program);
    let out = command.arg0("echo-bench").args(args).output().expect("echo-bench can be started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes text");
    let complaint = text(out.stderr).lines().next().unwrap_or_default().to_string();
    (out.status.code(), text(out.stdout), complaint)
}

/// The sizes in the lines of what it prints, which is looked at.
fn sizes(text: &str) -> Vec<u64> {
    let mut lines = text.lines();
    assert!(lines.next().is_some_and(|l| l.trim().starts_with("bytes    p50 us")));
    let line = |l: &str| {
        let numbers: Vec<f64> = l.split_whitespace().map(|w| w.parse().expect("a number")).collect();
        let [size, p50, p90, p99, most, messages, rate] = numbers[..] else { panic!("{l}") };
        assert!(0.0 < p50 && p50 <= p90 && p90 <= p99 && p99 <= most && messages > 0.0, "{l}");
        // Rounded: the rate to tenths of a megabyte, messages to whole ones.
        assert!((rate - messages * size / 1e6).abs() < 0.1 + size / 1e6, "{l}");
        size as u64
    };
    lines.map(line).collect()
}

fn measure(program: &Path, address: SocketAddr, options: &[&str]) -> Vec<u64> {
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let (status, text, complaint) = run(program, &[options, &[&ip, &port]].concat());
    assert_eq!((status, complaint.as_str()), (Some(0), ""), "{options:?}");
    sizes(&text)
}

#[test]
fn echo_bench() {
    both(measures);
}

fn measures(program: &Path) {
    let server = Server::local(&build::program("echod"));
    let all = [1, 16, 64, 256, 1024, 4096, 16384, 65536];
    assert_eq!(measure(program, server.address, &["-n", "100"]), all);
    assert_eq!(measure(program, server.address, &["-n", "1", "-c", "5"]), all);
    assert_eq!(measure(program, server.address, &["-n", "300", "-c", "20", "-s", "65536"]), [65536]);
    assert_eq!(measure(program, server.address, &["-n300", "-c200", "-s777"]), [777]);
    if TcpListener::bind("[::1]:0").is_ok() {
        let server = Server::start(&build::program("echod"), &["-a", "::1", "-p", "0"]);
        assert_eq!(measure(program, server.address, &["-n", "10"]), all);
    }
}

/// Servers that do not give back what they get: one byte is another one, too much comes, or the end.
#[test]
fn echo_bench_notices() {
    both(notices);
}

fn notices(program: &Path) {
    for (mistake, complaint) in [
        ("change", "echo-bench: a message came back changed"),
        ("end", "echo-bench: a connection is broken: Broken pipe"),
        ("more", "echo-bench: a connection is broken: Broken pipe"),
    ] {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a server listens");
        let port = server.local_addr().expect("it has an address").port().to_string();
        let serving = thread::spawn(move || {
            let (mut peer, _) = server.accept().expect("a client comes");
            let mut bytes = [0; 65536];
            let mut total = 0;
            while let Ok(n @ 1..) = peer.read(&mut bytes) {
                total += n;
                match mistake {
                    "end" if total > 5000 => return,
                    "change" if total > 5000 => bytes[n - 1] ^= 1,
                    _ => {}
                }
                let _ = peer.write_all(&bytes[..n]);
                if mistake == "more" && total > 5000 {
                    let _ = peer.write_all(b"x");
                }
            }
        });
        let (status, _, complained) = run(program, &["-s", "1000", "-n", "100", "127.0.0.1", &port]);
        serving.join().expect("the server ends");
        assert_eq!(status, Some(1), "{mistake}");
        // What is too much may come with the next message, and is no part of it.
        let other = "echo-bench: a message came back changed";
        assert!(complained == complaint || mistake == "more" && complained == other, "{complained}");
    }
}

#[test]
fn echo_bench_complains() {
    both(complains);
}

fn complains(program: &Path) {
    for (args, complaint) in [
        (&[][..], "echo-bench: an address and a port are needed"),
        (&["127.0.0.1"], "echo-bench: an address and a port are needed"),
        (&["127.0.0.1", "7", "8"], "echo-bench: an address and a port are needed"),
        (&["localhost", "7"], "echo-bench: not an address: 'localhost'"),
        (&["::1", "0"], "echo-bench: not a number from 1 to 65535: '0'"),
        (&["-c", "10001", "::1", "7"], "echo-bench: not a number from 1 to 10000: '10001'"),
        (&["-n", "x", "::1", "7"], "echo-bench: not a number from 1 to 10000000: 'x'"),
        (&["-s", "65537", "::1", "7"], "echo-bench: not a number from 1 to 65536: '65537'"),
        (&["-x"], "echo-bench: invalid option -- 'x'"),
        (&["-s"], "echo-bench: option requires an argument -- 's'"),
    ] {
        assert_eq!(run(program, args), (Some(2), String::new(), complaint.to_string()), "{args:?}");
    }
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a server listens");
    let port = gone.local_addr().expect("it has an address").port().to_string();
    drop(gone);
    let complaint = "echo-bench: cannot connect: Connection refused".to_string();
    assert_eq!(run(program, &["127.0.0.1", &port]), (Some(1), String::new(), complaint));
    let (status, text, _) = run(program, &["--help"]);
    assert!(status == Some(0) && text.starts_with("Usage: echo-bench [-c connections]"));
}
