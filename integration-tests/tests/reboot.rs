// SPDX-License-Identifier: Apache-2.0
//! A node that was booted anew: its state directory is there, what the kernel held is not. What
//! pods of the earlier boot held must not be missing to those of this one.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};

use integration_tests::bench::{call, leases};
use integration_tests::{Network, Node, Runner};
use serde_json::{Value, json};

const STORE: &str = "/var/lib/cni/networks/pods";
const INDEX: &str = "/var/lib/cni/networks/.podwire/pods";

/// Four addresses.
fn network() -> Network {
    let range =
        json!({"subnet": "10.1.5.0/24", "rangeStart": "10.1.5.10", "rangeEnd": "10.1.5.13"});
    Network::new(json!({
        "cniVersion": "1.1.0",
        "name": "pods",
        "type": "host-local",
        "ipam": {"type": "host-local", "ranges": [[range]], "statusWhenExhausted": true},
    }))
}

/// A node all of whose addresses were leased in an earlier boot.
fn booted(earlier: impl Fn() + Send) -> (Node, Runner) {
    let node = Node::new();
    let runner = Runner::new(&node);
    for container in ["a", "b", "c", "d"] {
        call(&runner, &network(), "ADD", container)
            .run(&node)
            .result();
    }
    let full = call(&runner, &network(), "ADD", "e").run(&node);
    assert_eq!(full.error().0, 104, "{full}");
    node.run(earlier);
    (node, runner)
}

/// Makes the index as one that an earlier boot made: what it says of the boot is another one's, in
/// its stamp and in its records alike.
fn index_of_an_earlier_boot() {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("/proc is there");
    let boot: String = boot
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(16)
        .collect();
    let modified = fs::metadata(STORE).and_then(|store| store.modified());
    let modified = modified.expect("there is a store");
    let mut rewritten = 0;
    for entry in fs::read_dir(INDEX).expect("there is an index").flatten() {
        let Ok(target) = fs::read_link(entry.path()) else {
            continue;
        };
        let target = target.display().to_string();
        rewritten += usize::from(target.contains(&boot));
        fs::remove_file(entry.path()).expect("it is ours");
        symlink(target.replace(&boot, "0123456789abcdef"), entry.path()).expect("the name is free");
    }
    assert_eq!(rewritten, 5, "four records and the stamp");
    for directory in [STORE, INDEX] {
        let directory = File::open(directory).and_then(|file| file.set_modified(modified));
        directory.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Makes the lease files as old as those that the reference plugin wrote before the boot, which has
/// no index.
fn files_of_an_earlier_boot() {
    fs::remove_dir_all("/var/lib/cni/networks/.podwire").expect("it is ours");
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for entry in fs::read_dir(STORE).expect("there is a store").flatten() {
        let file = File::options().write(true).open(entry.path());
        let aged = file.and_then(|file| file.set_modified(long_ago));
        aged.unwrap_or_else(|error| panic!("{error}"));
    }
}

fn assert_full_capacity(node: &Node, runner: &Runner) {
    call(runner, &network(), "STATUS", "")
        .run(node)
        .assert_silent();
    for container in ["w", "x", "y", "z"] {
        call(runner, &network(), "ADD", container)
            .run(node)
            .result();
    }
    assert_eq!(
        call(runner, &network(), "ADD", "e").run(node).error().0,
        104
    );
    assert_eq!(
        call(runner, &network(), "STATUS", "").run(node).error().0,
        50
    );
    // The DEL that a runtime sends for a container of the earlier boot releases nobody's address.
    call(runner, &network(), "DEL", "a")
        .run(node)
        .assert_silent();
    assert_eq!(leases(node, "pods").len(), 4);
    for address in leases(node, "pods") {
        let owner = node.read(Path::new(STORE).join(address));
        assert!("wxyz".contains(&owner[..1]), "{owner}");
    }
}

#[test]
fn leases_of_an_earlier_boot_are_free_by_the_index() {
    let (node, runner) = booted(index_of_an_earlier_boot);
    assert_full_capacity(&node, &runner);
}

#[test]
fn leases_of_an_earlier_boot_are_free_by_the_age_of_their_files() {
    let (node, runner) = booted(files_of_an_earlier_boot);
    assert_full_capacity(&node, &runner);
}

#[test]
fn a_container_that_outlives_the_boot_gets_an_address_again() {
    let (node, runner) = booted(index_of_an_earlier_boot);
    call(&runner, &network(), "ADD", "a").run(&node).result();
    assert_eq!(
        call(&runner, &network(), "ADD", "a").run(&node).error().0,
        102
    );
}

#[test]
fn a_requested_address_of_an_earlier_boot_is_free() {
    let (node, runner) = booted(index_of_an_earlier_boot);
    let runner = runner.with_args("IP=10.1.5.12");
    let result: Value = call(&runner, &network(), "ADD", "e").run(&node).result();
    assert_eq!(result["ips"][0]["address"], "10.1.5.12/24");
}

#[test]
fn gc_takes_back_what_an_earlier_boot_left() {
    let (node, runner) = booted(index_of_an_earlier_boot);
    // The runtime still knows them: only this boot's leases count all the same.
    let known = [("a", "eth0"), ("b", "eth0"), ("c", "eth0"), ("d", "eth0")];
    runner.gc(&network(), &known).unwrap();
    assert_eq!(leases(&node, "pods"), [""; 0]);
}

#[test]
fn leases_of_this_boot_are_not_taken_back() {
    let (node, runner) = booted(|| ());
    for container in ["a", "b", "c", "d"] {
        let again = call(&runner, &network(), "ADD", container).run(&node);
        assert_eq!(again.error().0, 102, "{again}");
    }
    assert_eq!(
        call(&runner, &network(), "ADD", "e").run(&node).error().0,
        104
    );
    assert_eq!(leases(&node, "pods").len(), 4);
}
