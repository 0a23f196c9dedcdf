// SPDX-License-Identifier: Apache-2.0
//! Many ADDs and DELs at once, beside somebody who uses iptables.

use std::thread;

use integration_tests::State;

use crate::site::{Site, YES, guarded, reaches};

const RUNTIMES: usize = 6;
const ROUNDS: usize = 4;

#[test]
fn nothing_is_lost_or_left_by_calls_at_once() {
    let site = Site::new();
    site.drop_forwarded();
    site.iptables("-P INPUT ACCEPT");
    let networks = [guarded(5, "same-bridge"), guarded(6, "isolated")];
    let keepers = networks.each_ref().map(|network| {
        let pod = site.attach(network, &format!("keeper-{}", network.name()));
        (network, pod)
    });
    let before = State::of(&site.node);
    thread::scope(|scope| {
        for runtime in 0..RUNTIMES {
            let (site, network) = (&site, &networks[runtime % 2]);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let pod = site.attach(network, &format!("pod{runtime}-{round}"));
                    let listed = site.listed();
                    for address in pod.both_addresses() {
                        let rules = listed.matches(&format!(" {address}/")).count();
                        assert_eq!(rules, 2, "{address}: {listed}");
                    }
                    assert_eq!(reaches(&site.node, &pod), YES);
                    site.detach(network, &pod);
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..RUNTIMES * ROUNDS {
                site.iptables("-A INPUT -p tcp --dport 9 -j ACCEPT");
                site.iptables("-D INPUT -p tcp --dport 9 -j ACCEPT");
            }
        });
    });
    before.assert_nothing_left(&site.node, &["last_reserved"]);
    for (network, pod) in &keepers {
        site.runner.check(network, pod, "eth0").unwrap();
        assert_eq!(site.reaches_outside(pod), YES);
    }
}
