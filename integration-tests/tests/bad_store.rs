// SPDX-License-Identifier: Apache-2.0
//! An address directory that cannot be written or locked: ADD says which file and why and leaves
//! nothing, DEL says it as long as something is left, and both work once the cause is gone.

use std::fs::File;
use std::time::{Duration, Instant};

use integration_tests::{Bench, Execution, PATIENCE, changed, ping};
use serde_json::{Value, json};

const STORE: &str = "/var/lib/cni/networks";

fn add(bench: &Bench, changes: &[(&str, Value)]) -> Execution {
    let whole = changes
        .iter()
        .fold(bench.configuration(), |whole, (key, value)| {
            changed(&whole, key, value.clone())
        });
    bench.call_with("ADD", "a", &whole)
}

#[test]
fn a_read_only_directory_is_named() {
    let mut bench = Bench::new();
    let (pod, other) = (bench.node.pod("a"), bench.attach("b"));
    bench.settle();
    bench
        .node
        .tool("mount", &format!("-n --bind {STORE} {STORE}"));
    bench
        .node
        .tool("mount", &format!("-n -o remount,bind,ro {STORE}"));
    let why = ["Read-only file system", STORE];
    for changes in [
        vec![],
        vec![("type", json!("host-local"))],
        vec![("name", json!("new"))],
    ] {
        let add = add(&bench, &changes);
        bench.assert_refuses(&add, 5, &why);
        assert_eq!(pod.interfaces(), [""; 0]);
    }
    bench.runner.check(&bench.network, &other, "eth0").unwrap();
    bench
        .runner
        .status(&bench.network)
        .unwrap_err()
        .outcome
        .assert_refused(50, &why);
    for _ in 0..2 {
        let failure = bench
            .runner
            .del(&bench.network, &other, "eth0")
            .unwrap_err();
        failure.outcome.assert_refused(5, &why);
        assert_eq!(other.interfaces(), [""; 0]);
    }

    bench.node.tool("umount", &format!("-n {STORE}"));
    bench.runner.del(&bench.network, &other, "eth0").unwrap();
    assert_eq!(bench.leases(), ["10.1.5.2", "fd00:1:5::2"]);
    bench.runner.add(&bench.network, &pod, "eth0").unwrap();
    assert!(ping(&pod, bench.keeper.ipv4("eth0"), PATIENCE));
}

/// Fills a file system with a program for `sh`, in a directory of its own.
fn fill(bench: &Bench, script: &str) {
    let script = format!("mkdir /run/small/filler && cd /run/small/filler && {script}");
    bench.script("fill", &script);
    let outcome = Execution::new("/run/lab/bin/fill").run(&bench.node);
    assert!(outcome.stderr.contains("No space left"), "{outcome}");
}

/// A network of which a pod is attached, on a small file system of its own at `/run/small`.
fn small(bench: &Bench, options: &str) -> Value {
    bench.node.tool("mkdir", "/run/small");
    bench.node.tool(
        "mount",
        &format!("-n -t tmpfs -o {options} small /run/small"),
    );
    let whole = changed(&bench.configuration(), "name", json!("small"));
    let whole = changed(&whole, "bridge", json!("cni5"));
    let whole = changed(&whole, "ipam.ranges", json!([[{"subnet": "10.5.0.0/24"}]]));
    changed(&whole, "ipam.dataDir", json!("/run/small"))
}

#[test]
fn a_full_file_system_is_named_and_emptied_by_del() {
    let by_octets = ("size=256k", "cat /dev/zero >large");
    let by_files = (
        "nr_inodes=40",
        "n=0; while : >small$n; do n=$((n + 1)); done",
    );
    for (options, script) in [by_octets, by_files] {
        let mut bench = Bench::new();
        let (pod, other) = (bench.node.pod("a"), bench.node.pod("b"));
        let configuration = small(&bench, options);
        let call = |verb, id| bench.call_with(verb, id, &configuration).run(&bench.node);
        call("ADD", "b").result();
        // What the network keeps is there already.
        call("ADD", "a").result();
        call("DEL", "a").assert_silent();
        fill(&bench, script);
        let add = bench.call_with("ADD", "a", &configuration);
        let del = bench.call_with("DEL", "b", &configuration);
        bench.settle();

        bench.assert_refuses(&add, 5, &["No space left on device", "/run/small"]);
        assert_eq!(pod.interfaces(), [""; 0]);
        del.run(&bench.node).assert_silent();
        assert_eq!(other.interfaces(), [""; 0]);
        let leases = bench.node.list("/run/small/small");
        assert!(
            leases.iter().all(|name| !name.contains("10.5")),
            "{leases:?}"
        );

        bench.node.tool("rm", "-r /run/small/filler");
        add.run(&bench.node).result();
        assert!(ping(&bench.node, pod.ipv4("eth0"), PATIENCE));
    }
}

#[test]
fn a_lock_that_is_held_for_ever_is_named() {
    let mut bench = Bench::new();
    let (pod, other) = (bench.node.pod("a"), bench.attach("b"));
    bench.settle();
    let lock = format!("{STORE}/pods/lock");
    let held = bench.node.run(|| File::open(&lock)).unwrap();
    held.lock().unwrap();
    let words = [&*lock, "held by another process", "gave up after 0.2 s"];
    let impatient = changed(&bench.configuration(), "ipam.lockTimeout", json!(0.2));
    let started = Instant::now();
    for plugin in ["bridge", "host-local"] {
        let configuration = changed(&impatient, "type", json!(plugin));
        bench.assert_refuses(&bench.call_with("ADD", "a", &configuration), 11, &words);
        bench.assert_refuses(&bench.call_with("DEL", "gone", &configuration), 11, &words);
        let mut gc = configuration.clone();
        gc["cni.dev/valid-attachments"] = json!([
            {"containerID": "keeper", "ifname": "eth0"},
            {"containerID": "b", "ifname": "eth0"},
        ]);
        bench.assert_refuses(&bench.call_with("GC", "", &gc), 11, &words);
    }
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(pod.interfaces(), [""; 0]);

    let del = bench.call_with("DEL", "b", &impatient);
    del.run(&bench.node).assert_refused(11, &words);
    assert_eq!(
        bench.leases().len(),
        4,
        "nobody may be given the address yet"
    );
    held.unlock().unwrap();
    del.run(&bench.node).assert_silent();
    assert_eq!(other.interfaces(), [""; 0]);
    assert_eq!(bench.leases(), ["10.1.5.2", "fd00:1:5::2"]);
}

#[test]
fn a_lock_that_is_let_go_is_waited_for() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    let lock = format!("{STORE}/pods/lock");
    let held = bench.node.run(|| File::open(&lock)).unwrap();
    held.lock().unwrap();
    let node = (*bench.node).clone();
    let add = add(&bench, &[]);
    let adding = std::thread::spawn(move || add.run(&node));
    // It waits when the kernel shows a lock that is not granted.
    let waits = || {
        bench
            .node
            .read("/proc/locks")
            .lines()
            .any(|line| line.contains("-> FLOCK"))
    };
    let until = Instant::now() + PATIENCE;
    while !waits() && Instant::now() < until {
        std::thread::yield_now();
    }
    held.unlock().unwrap();
    adding.join().unwrap().result();
    assert!(ping(&pod, bench.keeper.ipv4("eth0"), PATIENCE));
}

#[test]
fn files_in_place_of_directories_are_named() {
    let mut bench = Bench::new();
    let pod = bench.node.pod("a");
    bench.node.write(format!("{STORE}/file"), "");
    bench.settle();
    let existing = format!("{STORE}/file");
    for (key, value, words) in [
        ("name", json!("file"), [&*existing, "Not a directory"]),
        (
            "ipam.dataDir",
            json!(existing),
            [&*existing, "Not a directory"],
        ),
    ] {
        let add = add(&bench, &[(key, value)]);
        add.run(&bench.node).assert_refused(5, &words);
        assert_eq!(pod.interfaces(), [""; 0]);
        assert_eq!(bench.differences(), [""; 0]);
    }
}
