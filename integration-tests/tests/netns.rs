// SPDX-License-Identifier: Apache-2.0
//! CNI_NETNS that is no namespace of a pod: gone, something else, or the plugin's own.

use integration_tests::{Bench, Execution, Network, Node, PATIENCE, Runner, bench, ping};
use serde_json::{Value, json};

/// The configuration of `pods` for one of the plugins.
fn configuration(bench: &Bench, plugin: &str) -> Value {
    let mut configuration = bench.configuration();
    configuration["type"] = json!(plugin);
    configuration
}

fn call(bench: &Bench, plugin: &str, verb: &str, netns: &str) -> Execution {
    let call = bench.call_with(verb, "a", &configuration(bench, plugin));
    call.env("CNI_NETNS", netns)
}

/// Files at which there is no network namespace, with the word that says why.
fn wrong_files(bench: &Bench) -> Vec<(&'static str, &'static str)> {
    bench.node.write("/run/lab/file", "");
    bench.node.write("/run/lab/text", "/run/netns/keeper");
    bench.node.tool("mkfifo", "/run/lab/fifo");
    bench.node.tool("mkdir", "/run/lab/directory");
    bench.node.tool("ln", "-s loop /run/lab/loop");
    bench
        .node
        .tool("ln", "-s /run/lab/nothing /run/lab/dangling");
    vec![
        ("/run/netns/gone", "No such file"),
        ("/run/lab/dangling", "No such file"),
        ("/run/lab/file/below", "Not a directory"),
        ("/run/lab/loop", "symbolic links"),
        ("/run/lab/file", "namespace"),
        ("/run/lab/text", "namespace"),
        ("/run/lab/fifo", "namespace"),
        ("/run/lab/directory", "namespace"),
        ("/dev/null", "namespace"),
        ("/proc/self/ns/uts", "namespace"),
        ("nonsense", "No such file"),
    ]
}

#[test]
fn add_refuses_what_is_no_namespace() {
    let bench = Bench::new();
    for (path, why) in wrong_files(&bench) {
        for plugin in ["bridge", "loopback"] {
            let call = call(&bench, plugin, "ADD", path);
            bench.assert_refuses(&call, 8, &["failed to open netns", path, why]);
        }
    }
}

#[test]
fn check_refuses_what_is_no_namespace() {
    let mut bench = Bench::new();
    let files = wrong_files(&bench);
    let _pod = bench.attach("a");
    bench.settle();
    for (path, why) in files {
        for plugin in ["bridge", "loopback"] {
            let mut configuration = configuration(&bench, plugin);
            let result = bench.runner.result(&bench.network, "a", "eth0");
            configuration["prevResult"] = result.unwrap();
            let call = call(&bench, plugin, "CHECK", path).stdin(configuration.to_string());
            bench.assert_refuses(&call, 8, &["failed to open netns", path, why]);
        }
    }
}

#[test]
fn del_takes_what_is_no_namespace_for_one_that_is_gone() {
    let mut bench = Bench::new();
    let mut files = wrong_files(&bench);
    // Nothing that a runtime leaves behind; whoever made it has to say what it is.
    files.retain(|(path, _)| *path != "/run/lab/loop");
    bench.settle();
    for (path, _) in files {
        let pod = bench.attach("a");
        call(&bench, "loopback", "DEL", path)
            .run(&bench.node)
            .assert_silent();
        call(&bench, "bridge", "DEL", path)
            .run(&bench.node)
            .assert_silent();
        assert_eq!(pod.interfaces(), [""; 0], "{path}");
        bench.assert_clean();
    }
}

/// Links and addresses of the node itself, by name.
fn own(bench: &Bench) -> String {
    bench.node.ip("-brief address")
}

#[test]
fn the_own_namespace_is_refused_before_anything_is_done() {
    let bench = Bench::new();
    let before = own(&bench);
    bench.node.write("/run/lab/own", "");
    bench
        .node
        .tool("mount", "-n --bind /proc/self/ns/net /run/lab/own");
    for path in [
        "/proc/self/ns/net",
        "/proc/thread-self/ns/net",
        "/run/lab/own",
    ] {
        for (plugin, verb) in ["bridge", "host-local", "loopback"]
            .iter()
            .flat_map(|plugin| ["ADD", "CHECK"].map(|verb| (plugin, verb)))
        {
            let call = call(&bench, plugin, verb, path);
            let words = [
                "plugin's netns and netns from CNI_NETNS should not be the same",
                path,
            ];
            bench.assert_refuses(&call, 8, &words);
        }
    }
    assert_eq!(own(&bench), before);
}

#[test]
fn del_takes_the_own_namespace_for_one_that_is_gone() {
    let bench = Bench::new();
    let before = own(&bench);
    // Of an attachment whose namespace's number was given out again, to the node's own.
    let pod = bench.attach("a");
    for plugin in ["loopback", "bridge"] {
        let del = call(&bench, plugin, "DEL", "/proc/self/ns/net");
        del.run(&bench.node).assert_silent();
    }
    assert_eq!(pod.interfaces(), [""; 0]);
    bench.assert_clean();
    assert_eq!(own(&bench), before);
    let lo = bench.node.ip("-brief link show lo");
    assert!(lo.contains("UP"), "{lo}");
}

#[test]
fn an_override_allows_the_own_namespace() {
    let node = Node::new();
    node.ip("link set lo down");
    let runner = Runner::new(&node);
    let network = Network::new(json!({"cniVersion": "1.1.0", "name": "lo", "type": "loopback"}));
    let call = |verb| {
        let call = bench::call(&runner, &network, verb, "a");
        call.env("CNI_NETNS", "/proc/self/ns/net")
    };
    for no in ["", "0", "false", "yes"] {
        let outcome = call("ADD").env("CNI_NETNS_OVERRIDE", no).run(&node);
        outcome.assert_refused(8, &[]);
    }
    let up = || node.ip("-brief link show lo").contains("UP");
    for yes in ["1", "true", "TRUE"] {
        assert!(!up());
        call("ADD")
            .env("CNI_NETNS_OVERRIDE", yes)
            .run(&node)
            .result();
        assert!(up());
        call("DEL")
            .env("CNI_NETNS_OVERRIDE", yes)
            .run(&node)
            .assert_silent();
    }
}

#[test]
fn host_local_needs_no_namespace() {
    let bench = Bench::new();
    for path in ["/run/netns/gone", "nonsense"] {
        call(&bench, "host-local", "ADD", path)
            .run(&bench.node)
            .result();
        call(&bench, "host-local", "DEL", path)
            .run(&bench.node)
            .assert_silent();
        bench.assert_clean();
    }
}

#[test]
fn a_namespace_by_its_process_or_by_a_link_is_one() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    bench.node.tool("ln", "-s /run/netns/a /run/lab/link");
    let mut sleep = pod
        .run(|| std::process::Command::new("sleep").arg("600").spawn())
        .unwrap();
    for path in [
        "/run/lab/link".to_owned(),
        format!("/proc/{}/ns/net", sleep.id()),
    ] {
        let result = call(&bench, "bridge", "ADD", &path)
            .run(&bench.node)
            .result();
        assert_eq!(result["interfaces"][2]["sandbox"], path.as_str());
        assert!(ping(&pod, bench.keeper.ipv4("eth0"), PATIENCE));
        call(&bench, "bridge", "DEL", &path)
            .run(&bench.node)
            .assert_silent();
        assert_eq!(pod.interfaces(), [""; 0]);
    }
    sleep.kill().and_then(|()| sleep.wait()).unwrap();
    bench.assert_clean();
}
