// SPDX-License-Identifier: Apache-2.0
//! Namespaces by path and by descriptor, and the sysctls in them.

use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use net::{Netns, sysctl};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::{in_namespace, sandbox};

fn inode() -> u64 {
    fs::metadata("/proc/thread-self/ns/net").unwrap().ino()
}

/// A path that leads to a namespace without a name.
fn path(netns: &Netns) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", netns.as_fd().as_raw_fd()))
}

#[test]
fn a_namespace_is_opened_by_its_path() {
    let netns = sandbox();
    let again = Netns::open(&path(&netns)).unwrap();
    let (first, second) = (netns.run(inode).unwrap(), again.run(inode).unwrap());
    assert_eq!(first, second);
    assert_ne!(first, inode());
}

#[test]
fn a_path_that_leads_nowhere_is_gone() {
    for path in [
        "/run/netns/no-such-pod",
        "/proc/2147483647/ns/net",
        "/etc/hostname/net",
    ] {
        let error = Netns::open(Path::new(path)).unwrap_err();
        assert!(error.is_gone() && !error.is_not_namespace(), "{error}");
        assert!(error.to_string().contains(path), "{error}");
    }
}

#[test]
fn a_path_to_anything_else_is_no_namespace() {
    let directory = std::env::temp_dir().join(format!("podwire-net-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    let (file, fifo) = (directory.join("file"), directory.join("fifo"));
    fs::write(&file, "").unwrap();
    // Opened carelessly, a fifo without a writer blocks for ever.
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    for path in [&file, &fifo, &directory, Path::new("/dev/null")] {
        let error = Netns::open(path).unwrap_err();
        assert!(error.is_not_namespace() && !error.is_gone(), "{error}");
        let text =
            format!("cannot open the network namespace {path:?}: it is not a network namespace");
        assert_eq!(error.to_string(), text);
    }
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_namespace_of_another_kind_is_none() {
    for path in ["/proc/thread-self/ns/uts", "/proc/thread-self/status"] {
        let error = Netns::open(Path::new(path)).unwrap_err();
        assert!(error.is_not_namespace(), "{error}");
    }
}

#[test]
fn the_thread_comes_back_also_from_a_panic() {
    in_namespace(|_| {
        let (here, netns) = (inode(), sandbox());
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            netns.run(|| {
                assert_ne!(inode(), here);
                panic!("inside");
            })
        }));
        assert!(outcome.is_err());
        assert_eq!(inode(), here);
    });
}

#[test]
fn a_sysctl_is_set_where_the_thread_is_and_only_when_it_differs() {
    const FORWARD: &str = "net/ipv4/ip_forward";
    in_namespace(|_| {
        let netns = sandbox();
        assert_eq!(sysctl::read(FORWARD).unwrap(), "0");
        netns.run(|| sysctl::ensure(FORWARD, "1")).unwrap().unwrap();
        assert_eq!(sysctl::read(FORWARD).unwrap(), "0");
        assert_eq!(netns.run(|| sysctl::read(FORWARD)).unwrap().unwrap(), "1");
        sysctl::ensure(FORWARD, "1").unwrap();
        sysctl::ensure(FORWARD, "1").unwrap();
        assert_eq!(sysctl::read(FORWARD).unwrap(), "1");
    });
}

/// The mapped root of a namespace may read this setting but not write it.
#[test]
fn a_sysctl_that_is_right_is_not_written() {
    const READABLE: &str = "kernel/ostype";
    let value = sysctl::read(READABLE).unwrap();
    sysctl::ensure(READABLE, &value).unwrap();
    let error = sysctl::ensure(READABLE, "podwire").unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("cannot set the sysctl kernel/ostype to \"podwire\": "),
        "{text}"
    );
}

#[test]
fn a_sysctl_of_several_values_is_compared_value_by_value() {
    in_namespace(|_| {
        const PORTS: &str = "net/ipv4/ip_local_port_range";
        sysctl::ensure(PORTS, "20000 30000").unwrap();
        assert_eq!(sysctl::read(PORTS).unwrap(), "20000\t30000");
        sysctl::ensure(PORTS, "20000 30000").unwrap();
    });
}

#[test]
fn a_sysctl_that_does_not_exist_is_recognised() {
    in_namespace(|_| {
        let error = sysctl::ensure("net/ipv6/conf/eth7/accept_dad", "0").unwrap_err();
        assert!(error.is_not_found(), "{error}");
    });
}
