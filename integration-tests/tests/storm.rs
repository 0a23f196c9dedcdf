// SPDX-License-Identifier: Apache-2.0
//! Many attachments at once, and one many times.

use std::collections::BTreeSet;
use std::thread;

use integration_tests::{Bench, Node, PATIENCE, Pod, Runner, bench, ping};

/// Does something for all pods at the same time.
fn at_once<T: Send>(pods: &[Pod], work: impl Fn(&Pod) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let running: Vec<_> = pods.iter().map(|pod| scope.spawn(|| work(pod))).collect();
        let ended = running.into_iter().map(thread::ScopedJoinHandle::join);
        ended
            .map(|result| result.expect("no thread panics"))
            .collect()
    })
}

/// Attaches all pods at once, lets each ping the gateway and the next pod, and takes all away at
/// once.
fn storm(bench: &Bench, pods: &[Pod]) {
    let results = at_once(pods, |pod| bench.runner.add(&bench.network, pod, "eth0"));
    let mut given = BTreeSet::new();
    for result in results {
        let result = result.unwrap_or_else(|failure| panic!("{failure}"));
        for ip in result["ips"].as_array().into_iter().flatten() {
            assert!(
                given.insert(ip["address"].to_string()),
                "{ip} was given twice"
            );
        }
    }
    assert_eq!(given.len(), 2 * pods.len());
    let gateway = bench.node.ipv4("cni0");
    for (pod, next) in pods.iter().zip(pods.iter().cycle().skip(1)) {
        for address in [gateway, next.ipv4("eth0"), next.ipv6("eth0")] {
            assert!(ping(pod, address, PATIENCE), "{} to {address}", pod.name());
        }
    }
    for checked in at_once(pods, |pod| bench.runner.check(&bench.network, pod, "eth0")) {
        assert!(checked.is_ok(), "{checked:?}");
    }
    for deleted in at_once(pods, |pod| bench.runner.del(&bench.network, pod, "eth0")) {
        assert!(deleted.is_ok(), "{deleted:?}");
    }
    for pod in pods {
        assert_eq!(pod.interfaces(), [""; 0]);
    }
    bench.assert_clean();
}

/// A pod that seeks no routers. Pods that came together do so together, four seconds later, each by
/// a frame to every port of the bridge: with a hundred of them the kernel's queue
/// (net.core.netdev_max_backlog) overflows, and a test's own packets may be among the lost ones.
fn quiet_pod(bench: &Bench) -> Pod {
    let pod = bench.node.any_pod();
    let path = "/proc/sys/net/ipv6/conf/default/router_solicitations";
    let written = pod.run(|| std::fs::write(path, "0"));
    assert!(written.is_ok(), "{path}: {written:?}");
    pod
}

#[test]
fn a_hundred_pods_come_and_go_at_once() {
    let bench = Bench::new();
    let pods: Vec<_> = (0..100).map(|_| quiet_pod(&bench)).collect();
    storm(&bench, &pods);
}

#[test]
fn pods_come_at_once_to_a_node_that_has_nothing_yet() {
    for _ in 0..5 {
        let node = Node::new();
        let runner = Runner::new(&node);
        let network = bench::network("pods", "cni0", &["10.1.5.0/24", "fd00:1:5::/64"]);
        let pods: Vec<_> = (0..12).map(|_| node.any_pod()).collect();
        for added in at_once(&pods, |pod| runner.add(&network, pod, "eth0")) {
            assert!(added.is_ok(), "{added:?}");
        }
        let gateway = node.ipv4("cni0");
        for pod in &pods {
            assert!(ping(pod, gateway, PATIENCE));
        }
        for pair in pods.windows(2) {
            assert!(ping(&pair[0], pair[1].ipv6("eth0"), PATIENCE));
        }
        assert_eq!(node.addresses("cni0").len(), 2);
        for deleted in at_once(&pods, |pod| runner.del(&network, pod, "eth0")) {
            assert!(deleted.is_ok(), "{deleted:?}");
        }
    }
}

#[test]
fn pods_come_while_others_go() {
    let bench = Bench::new();
    let [first, second] = [0, 1].map(|_| (0..20).map(|_| bench.node.any_pod()).collect::<Vec<_>>());
    let add = |pods: &[Pod]| {
        for added in at_once(pods, |pod| bench.runner.add(&bench.network, pod, "eth0")) {
            assert!(added.is_ok(), "{added:?}");
        }
    };
    let del = |pods: &[Pod]| {
        for deleted in at_once(pods, |pod| bench.runner.del(&bench.network, pod, "eth0")) {
            assert!(deleted.is_ok(), "{deleted:?}");
        }
    };
    add(&first);
    for _ in 0..3 {
        for (going, coming) in [(&first, &second), (&second, &first)] {
            thread::scope(|scope| {
                scope.spawn(|| del(going));
                scope.spawn(|| add(coming));
            });
            for pod in coming {
                assert!(ping(pod, bench.keeper.ipv4("eth0"), PATIENCE));
            }
        }
    }
    del(&first);
    bench.assert_clean();
}

#[test]
fn one_pod_comes_and_goes_fifty_times() {
    let bench = Bench::new();
    let pod = bench.node.pod("a");
    let gateway = bench.node.ipv4("cni0");
    for turn in 0..50 {
        bench.runner.add(&bench.network, &pod, "eth0").unwrap();
        assert!(ping(&pod, gateway, PATIENCE), "turn {turn}");
        bench.runner.del(&bench.network, &pod, "eth0").unwrap();
        assert_eq!(pod.interfaces(), [""; 0]);
    }
    bench.assert_clean();
}

#[test]
fn the_same_del_many_times_at_once() {
    let bench = Bench::new();
    for _ in 0..5 {
        let pod = bench.attach("a");
        let call = bench.call("DEL", "a");
        let place = &*bench.node;
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| call.run(place).assert_silent());
            }
        });
        assert_eq!(pod.interfaces(), [""; 0]);
        bench.assert_clean();
    }
}
