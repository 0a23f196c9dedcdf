// SPDX-License-Identifier: Apache-2.0
//! A message bus that is none: nothing hangs, and nothing is left.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use integration_tests::Failure;
use serde_json::json;

use crate::site::{Site, YES, network};

const SOCKET: &str = "/run/dbus/system_bus_socket";

fn listen(site: &Site) -> UnixListener {
    site.node.run(|| {
        fs::create_dir_all("/run/dbus").expect("a node's /run is writable");
        UnixListener::bind(SOCKET).expect("a socket can be made there")
    })
}

#[test]
fn a_bus_that_says_nothing_is_not_waited_for_without_end() {
    let site = Site::new();
    let silent = listen(&site);
    let network = network(5, &json!({}));
    let pod = site.node.pod("a");
    let start = Instant::now();
    let failure = site.runner.add(&network, &pod, "eth0").unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(40));
    let (code, text) = failure.error();
    assert_eq!(code, 11, "{failure}");
    assert!(
        text.contains("message bus") && text.contains("no answer in time"),
        "{text}"
    );
    assert_eq!(site.ruleset(), "");
    // It is not asked where another backend is wanted.
    let other = crate::site::network(6, &json!({"backend": "iptables"}));
    let pod = site.attach(&other, "b");
    site.detach(&other, &pod);
    drop(silent);
}

#[test]
fn a_bus_that_hangs_up_is_an_error_and_none_at_all_is_not() {
    let site = Site::new();
    let rude = listen(&site);
    let network = network(5, &json!({}));
    let pod = site.node.pod("a");
    let failure = std::thread::scope(|scope| {
        scope.spawn(|| drop(rude.accept()));
        site.runner.add(&network, &pod, "eth0").unwrap_err()
    });
    assert_eq!(failure.error().0, 11, "{failure}");
    drop(rude);
    // The socket's file is left, and nobody listens there.
    let pod = site.attach(&network, "b");
    assert_eq!(site.reaches_outside(&pod), YES);
    site.detach(&network, &pod);
}

/// What a bus says that accepts whoever it is.
const WELCOME: &[u8] = b"OK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n";

/// The answer to a connection's call with this number, the first of which gives it its name.
fn answer(call: u8) -> Vec<u8> {
    let start = b"l\x02\x01\x01\x09\0\0\0\x01\0\0\0\x0f\0\0\0";
    let fields = [
        b"\x05\x01u\0",
        &[call, 0, 0, 0][..],
        b"\x08\x01g\0\x01s\0\0",
    ]
    .concat();
    [&start[..], &fields, b"\x04\0\0\0:1.1\0"].concat()
}

/// What STATUS says where firewalld has to run and the bus says this, and how long that takes.
fn status(says: &[u8], then: impl FnOnce(UnixStream) + Send) -> (Failure, Duration) {
    let site = Site::new();
    let bus = listen(&site);
    let network = network(5, &json!({"backend": "firewalld"}));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut caller, _) = bus.accept().expect("somebody calls");
            caller.write_all(says).expect("somebody listens");
            then(caller);
        });
        let start = Instant::now();
        let answer = site.runner.status(&network);
        let failure = answer.expect_err("there is no firewalld");
        (failure, start.elapsed())
    })
}

/// The bus stays until the caller has gone.
fn wait(mut caller: UnixStream) {
    let mut heard = Vec::new();
    drop(caller.read_to_end(&mut heard));
}

#[test]
fn a_bus_that_talks_nonsense_is_an_error() {
    let cut = &answer(1)[..20];
    let mut huge = answer(1);
    huge[4..8].copy_from_slice(&[0xff; 4]);
    for (said, cause) in [
        (&b"\n"[..], "sent no message"),
        (b"nonsense\r\n", "handshake"),
        (b"\xff\xfe\r\n", "handshake"),
        (b"REJECTED\r\n", "rejected"),
        (b"OK\r\n", "GUID"),
        (
            &[WELCOME, b"nonsense that is no message"].concat(),
            "endian",
        ),
        (&[WELCOME, cut].concat(), "no answer in time"),
        (&[WELCOME, &huge].concat(), "excess data"),
        (&[WELCOME, &answer(1)].concat(), "no answer in time"),
        (
            &[WELCOME, &answer(1), b"nonsense that is no message"].concat(),
            "endian",
        ),
    ] {
        let (failure, took) = status(said, wait);
        let said = said.escape_ascii();
        let (code, text) = failure.error();
        assert_eq!(code, 50, "{said}: {failure}");
        assert!(
            text.contains("system's message bus for firewalld"),
            "{said}: {text}"
        );
        assert!(text.contains(cause), "{said}: {text}");
        assert!(took < Duration::from_secs(5), "{said}: {took:?}");
    }
}

#[test]
fn a_bus_that_hangs_up_in_the_middle_is_an_error() {
    for said in [
        &b"OK 0123"[..],
        WELCOME,
        &[WELCOME, &answer(1)[..20]].concat(),
        &[WELCOME, &answer(1)].concat(),
    ] {
        let (failure, took) = status(said, |caller| {
            caller.shutdown(Shutdown::Write).expect("it is open");
            wait(caller);
        });
        let said = said.escape_ascii();
        assert_eq!(failure.error().0, 50, "{said}: {failure}");
        assert!(took < Duration::from_secs(5), "{said}: {took:?}");
    }
}

#[test]
fn a_bus_that_never_ends_is_not_heard_to_the_end() {
    let line_after_line = b"DATA\r\n".repeat(10_000);
    let answer_after_answer = answer(77).repeat(1_000);
    for (said, endless) in [
        (vec![], vec![b'x'; 1 << 16]),
        (vec![], line_after_line),
        ([WELCOME, &answer(1)].concat(), answer_after_answer),
    ] {
        let (failure, took) = status(
            &said,
            |mut caller| {
                while caller.write_all(&endless).is_ok() {}
            },
        );
        assert_eq!(failure.error().0, 50, "{failure}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}
