// SPDX-License-Identifier: Apache-2.0
//! Where it listens, and clients that mean no good.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use integration_tests::http::{get, request_raw};
use integration_tests::{Agent, Fleet, PATIENCE, Stack};
use nix::sys::signal::Signal;

use crate::{ARGS, NODES, agent, ask, server};

#[test]
fn a_port_that_is_taken_is_named() {
    let fleet = Fleet::new(2, Stack::V4);
    let node = &fleet.members[0].node;
    node.write(NODES, fleet.nodes_json());
    let taken = node.run(|| TcpListener::bind("127.0.0.1:8474")).unwrap();
    for address in ["127.0.0.1:8474", ":8474"] {
        let ended = Agent::start(node, &["--nodes", NODES, "--http", address]).wait();
        assert!(!ended.status.success());
        let told = format!("cannot serve health and metrics at {address}: Address ");
        assert!(ended.log.contains(&told), "{}", ended.log);
    }
    // Nothing was done before.
    assert_eq!(node.interfaces(), ["eth0"]);
    drop(taken);
    Agent::converged(node, &ARGS);
}

#[test]
fn all_addresses_are_those_of_both_families() {
    let (fleet, _agent) = agent(2, &["--nodes", NODES, "--http", ":8474"]);
    for address in ["127.0.0.1:8474", "[::1]:8474", "192.0.2.11:8474"] {
        let address = address.parse().unwrap();
        let answer = get(&fleet.members[0].node, address, "/healthz", PATIENCE);
        assert_eq!(answer.unwrap().status, 200, "{address}");
    }
    let from_outside = "192.0.2.11:8474".parse().unwrap();
    get(&fleet.members[1].node, from_outside, "/readyz", PATIENCE).unwrap();
}

#[test]
fn nothing_is_served_unless_it_is_wanted() {
    let (fleet, agent) = agent(2, &ARGS[..2]);
    let sockets = fleet.members[0].node.tool("ss", "-H -l -n -t");
    assert_eq!(sockets, "", "{}", agent.log());
}

#[test]
fn nonsense_is_refused_and_does_no_harm() {
    let (fleet, agent) = agent(2, &ARGS);
    let node = &fleet.members[0].node;
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(1000));
    for (request, status) in [
        ("\r\n\r\nwhat?\r\n\r\n", 400),
        ("GET / HTTP/9.9\r\n\r\n", 400),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\r\n\r\n", 400),
        (&long, 431),
        (&many, 431),
        ("GET /metrics/../etc/passwd HTTP/1.1\r\n\r\n", 404),
        ("GET / HTTP/1.1\r\n\r\n", 404),
        ("DELETE /metrics HTTP/1.1\r\n\r\n", 405),
        (
            "POST /healthz HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
            405,
        ),
        ("HEAD /healthz HTTP/1.0\r\n\r\n", 200),
    ] {
        match request_raw(node, server(), request.as_bytes(), PATIENCE) {
            Ok(answer) => assert_eq!(answer.status, status, "{request:.60}: {answer:?}"),
            // It did not read to the end of what it refused.
            Err(error) => assert!([400, 431].contains(&status), "{request:.60}: {error}"),
        }
    }
    assert_eq!(ask(node, "/healthz").status, 200, "{}", agent.log());
}

/// Connections on which nothing is said, or a request is begun and not ended.
#[test]
fn a_hundred_idle_connections_keep_nobody_waiting() {
    let (fleet, agent) = agent(2, &ARGS);
    let node = &fleet.members[0].node;
    let idle = node.run(|| {
        let connect = |number| {
            let mut stream = TcpStream::connect(server()).unwrap();
            if number % 2 == 0 {
                // It may have been closed already.
                stream.write_all(b"GET /metrics HTTP/1.1\r\nx: ").ok();
            }
            stream
        };
        (0..100).map(connect).collect::<Vec<_>>()
    });
    node.ip("link delete podwire.1");
    assert!(agent.says("create device 1", PATIENCE), "{}", agent.log());
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(ask(node, path).status, 200);
    }
    let pid = agent.pid();
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    assert!(descriptors < 64, "{descriptors}");
    drop(idle);
}

/// Who asks as fast as can be gets answers, and holds nothing up.
#[test]
fn greedy_scrapers_keep_nobody_waiting() {
    let (fleet, agent) = agent(2, &ARGS);
    let node = &fleet.members[0].node;
    let ended = AtomicBool::new(false);
    let answered = thread::scope(|scope| {
        let scrape = || {
            let mut answered = 0;
            while !ended.load(Ordering::Relaxed) {
                answered += u32::from(ask(node, "/metrics").status == 200);
            }
            answered
        };
        let scrapers = [0; 4].map(|_| scope.spawn(scrape));
        node.ip("link delete podwire.1");
        let repaired = agent.says("create device 1", PATIENCE);
        ended.store(true, Ordering::Relaxed);
        assert!(repaired, "{}", agent.log());
        scrapers.map(|scraper| scraper.join().unwrap())
    });
    assert!(answered.iter().all(|count| *count > 0), "{answered:?}");
}

/// More that ask at once than connections are open at a time: all had asked before any was heard.
#[test]
fn all_who_ask_at_once_are_answered() {
    let (fleet, agent) = agent(2, &ARGS);
    let node = &fleet.members[0].node;
    agent.signal(Signal::SIGSTOP);
    let mut clients = node.run(|| {
        let connect = |_| {
            let mut stream = TcpStream::connect(server()).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").unwrap();
            stream
        };
        (0..60).map(connect).collect::<Vec<_>>()
    });
    agent.signal(Signal::SIGCONT);
    let mut answered = 0;
    for client in &mut clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).ok();
        answered += usize::from(answer.starts_with("HTTP/1.0 200 "));
    }
    assert_eq!(answered, clients.len(), "{}", agent.log());
}
