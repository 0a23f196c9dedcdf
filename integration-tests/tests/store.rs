// SPDX-License-Identifier: Apache-2.0
//! Addresses as the executable hands them out: each once, until there is none, however many there
//! are.

use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use integration_tests::bench::{call, leases};
use integration_tests::{Network, Node, Runner};
use nix::sys::stat::{major, minor};
use serde_json::{Value, json};

const STORE: &str = "/var/lib/cni/networks/pods";

fn network(ipam: Value) -> Network {
    let mut configuration = json!({
        "cniVersion": "1.1.0",
        "name": "pods",
        "type": "host-local",
        "ipam": {"type": "host-local"},
    });
    for (key, value) in ipam.as_object().into_iter().flatten() {
        configuration["ipam"][key] = value.clone();
    }
    Network::new(configuration)
}

/// A node and a runtime that has done nothing yet.
fn fresh() -> (Node, Runner) {
    let node = Node::new();
    let runner = Runner::new(&node);
    (node, runner)
}

fn addresses(result: &Value) -> Vec<String> {
    let ips = result["ips"].as_array().into_iter().flatten();
    ips.map(|ip| ip["address"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn each_address_of_a_subnet_is_handed_out_once_and_then_none() {
    let (node, runner) = fresh();
    let network = network(json!({"subnet": "10.5.0.0/24", "gateway": "10.5.0.77"}));
    let add = |number: usize| call(&runner, &network, "ADD", &format!("c{number}")).run(&node);
    let mut given = BTreeSet::new();
    for number in 0..253 {
        given.extend(addresses(&add(number).result()));
    }
    let all = (1..=254).filter(|host| *host != 77);
    let all: BTreeSet<_> = all.map(|host| format!("10.5.0.{host}/24")).collect();
    assert_eq!(given, all);
    let (code, text) = add(253).error();
    assert_eq!(code, 104);
    assert!(text.contains("10.5.0.1"), "{text}");
    assert_eq!(leases(&node, "pods").len(), 253);

    call(&runner, &network, "DEL", "c100")
        .run(&node)
        .assert_silent();
    let again = addresses(&add(253).result());
    assert!(all.contains(&again[0]) && leases(&node, "pods").len() == 253);
    assert_eq!(add(254).error().0, 104);
}

#[test]
fn an_attachment_gets_one_address_of_each_set() {
    let (node, runner) = fresh();
    let network = network(json!({"ranges": [
        [{"subnet": "10.5.0.0/24"}],
        [{"subnet": "10.6.0.0/30"}, {"subnet": "10.7.0.0/30"}],
        [{"subnet": "fd00:5::/64", "rangeStart": "fd00:5::ff"}],
    ]}));
    let add = |container: &str| call(&runner, &network, "ADD", container).run(&node);
    let seen = ["a", "b"].map(|container| addresses(&add(container).result()));
    assert_eq!(seen[0], ["10.5.0.2/24", "10.6.0.2/30", "fd00:5::ff/64"]);
    assert_eq!(seen[1], ["10.5.0.3/24", "10.7.0.2/30", "fd00:5::100/64"]);
    // The second set has no more: nothing is kept of the others.
    assert_eq!(add("c").error().0, 104);
    assert_eq!(leases(&node, "pods").len(), 6);
    call(&runner, &network, "DEL", "a")
        .run(&node)
        .assert_silent();
    assert_eq!(addresses(&add("c").result())[1], "10.6.0.2/30");
}

#[test]
fn two_interfaces_of_a_container_have_addresses_of_their_own() {
    let (node, runner) = fresh();
    let network = network(json!({"subnet": "10.5.0.0/24"}));
    let call = |verb, ifname| call(&runner, &network, verb, "a").env("CNI_IFNAME", ifname);
    let one = addresses(&call("ADD", "eth0").run(&node).result());
    let two = addresses(&call("ADD", "net1").run(&node).result());
    assert_ne!(one, two);
    call("DEL", "eth0").run(&node).assert_silent();
    assert_eq!(leases(&node, "pods"), [two[0].trim_end_matches("/24")]);
}

#[test]
fn sixty_thousand_leases() {
    let (node, runner) = fresh();
    let network = network(json!({"subnet": "10.128.0.0/16"}));
    let free = ["10.128.3.7", "10.128.77.0", "10.128.255.254"];
    node.run(|| {
        fs::create_dir_all(STORE).expect("the node's directory is writable");
        for number in 2..=65_534_u32 {
            let address = format!("10.128.{}.{}", number >> 8, number & 0xff);
            if !free.contains(&address.as_str()) {
                let owner = format!("container-{number}\r\neth0");
                fs::write(format!("{STORE}/{address}"), owner).expect("it can be written");
            }
        }
    });
    let call = |verb: &str, container: &str| call(&runner, &network, verb, container);
    let result = call("ADD", "new").run(&node).result();
    assert_eq!(addresses(&result), ["10.128.3.7/16"]);
    assert_eq!(node.read(format!("{STORE}/10.128.3.7")), "new\r\neth0");
    call("DEL", "container-30000").run(&node).assert_silent();
    let names: BTreeSet<_> = leases(&node, "pods").into_iter().collect();
    assert_eq!(names.len(), 65_533 - 3 + 1 - 1);
    assert!(!names.contains("10.128.117.48") && names.contains("10.128.117.49"));

    let rest =
        ["x", "y", "z"].map(|container| addresses(&call("ADD", container).run(&node).result()));
    assert_eq!(
        rest.concat(),
        ["10.128.77.0/16", "10.128.117.48/16", "10.128.255.254/16"]
    );
    assert_eq!(call("ADD", "too-many").run(&node).error().0, 104);
    call("DEL", "new").run(&node).assert_silent();
    assert!(!leases(&node, "pods").contains(&"10.128.3.7".to_owned()));
}

#[test]
fn a_lock_held_for_ever_is_an_error_after_its_time() {
    let (node, runner) = fresh();
    let network = network(json!({"subnet": "10.5.0.0/24", "lockTimeout": 0.3}));
    let call = |verb, container| call(&runner, &network, verb, container);
    call("ADD", "a").run(&node).result();
    let lock = node.run(|| File::open(format!("{STORE}/lock"))).unwrap();
    lock.lock().unwrap();
    for verb in ["ADD", "DEL"] {
        let started = Instant::now();
        let (code, text) = call(verb, "b").run(&node).error();
        assert_eq!(code, 11, "{verb}");
        assert!(text.contains("/lock"), "{text}");
        assert!(started.elapsed() >= Duration::from_millis(300));
    }
    drop(lock);
    call("ADD", "b").run(&node).result();
    call("DEL", "b").run(&node).assert_silent();
}

#[test]
fn a_lock_released_in_time_is_waited_for() {
    let (node, runner) = fresh();
    let network = network(json!({"subnet": "10.5.0.0/24", "lockTimeout": 60}));
    call(&runner, &network, "ADD", "a").run(&node).result();
    let path = format!("{STORE}/lock");
    let lock = node.run(|| File::open(&path)).unwrap();
    lock.lock().unwrap();
    let add = call(&runner, &network, "ADD", "b");
    let place = (*node).clone();
    let waiting = std::thread::spawn(move || add.run(&place));
    // /proc/locks shows who waits for it: then, and only then, it is released.
    let inode = lock.metadata().unwrap();
    let (major, minor) = (major(inode.dev()), minor(inode.dev()));
    let name = format!(" {major:02x}:{minor:02x}:{} ", inode.ino());
    let waits = |line: &str| line.contains("->") && line.contains(&name);
    while !node.read("/proc/locks").lines().any(waits) {
        assert!(!waiting.is_finished(), "nobody waits");
    }
    drop(lock);
    waiting.join().unwrap().result();
}

#[test]
fn a_full_or_read_only_store_is_an_error_and_keeps_nothing() {
    let (node, runner) = fresh();
    let network = network(json!({"subnet": "10.5.0.0/24", "dataDir": "/run/lab/small"}));
    let call = |verb, container| call(&runner, &network, verb, container);
    node.tool("mkdir", "/run/lab/small");
    node.tool(
        "mount",
        "-n -t tmpfs -o size=64k,nr_inodes=40 tmpfs /run/lab/small",
    );
    call("ADD", "a").run(&node).result();
    let before = node.list("/run/lab/small/pods");
    let mut fillers = 0;
    while node
        .run(|| File::create_new(format!("/run/lab/small/filler{fillers}")))
        .is_ok()
    {
        fillers += 1;
    }
    let (code, text) = call("ADD", "b").run(&node).error();
    assert_eq!(code, 5, "{text}");
    assert_eq!(node.list("/run/lab/small/pods"), before);
    call("DEL", "a").run(&node).assert_silent();
    node.run(|| {
        (0..fillers).for_each(|n| {
            fs::remove_file(format!("/run/lab/small/filler{n}")).expect("it is there");
        })
    });
    call("ADD", "b").run(&node).result();

    node.tool("mount", "-n -o remount,ro /run/lab/small");
    let (code, text) = call("ADD", "c").run(&node).error();
    assert_eq!(code, 5, "{text}");
    node.tool("mount", "-n -o remount,rw /run/lab/small");
    call("ADD", "c").run(&node).result();
}
