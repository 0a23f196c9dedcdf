// SPDX-License-Identifier: Apache-2.0
//! CHECK after damage, and STATUS.

use integration_tests::{Bench, Network};
use serde_json::json;

use crate::{alone, attach, chain, ifbs, limit, limits};

#[test]
fn check_names_what_differs() {
    let bench = Bench::new();
    let network = chain(&bench, &limits());
    let damages: [(&str, &[&str]); 8] = [
        ("tc qdisc del dev PORT root", &["has lost its limit"]),
        ("tc qdisc del dev IFB root", &["has lost its limit"]),
        (
            "tc qdisc replace dev PORT root handle 1: tbf rate 8kbit burst 25000 limit 25000",
            &["is limited to 1000 bytes a second, not to 10"],
        ),
        (
            "tc qdisc replace dev IFB root handle 1: tbf rate 80bit burst 40000 limit 50000",
            &["has a burst of ", " bytes, not of 50000"],
        ),
        (
            "tc qdisc replace dev IFB root handle 1: tbf rate 80bit burst 50000 limit 7000",
            &["has a queue of 7000 bytes, not of 50000"],
        ),
        (
            "tc qdisc del dev PORT ingress",
            &["is not redirected to the container's ifb"],
        ),
        (
            "ip link del IFB",
            &["is not redirected to the container's ifb"],
        ),
        ("ip link set IFB down", &["ifb", "is down"]),
    ];
    for (damage, words) in damages {
        let pod = attach(&bench, &network, "pod");
        bench.runner.check(&network, &pod, "eth0").unwrap();
        let port = bench.runner.port(&network, &pod);
        let damage = damage
            .replace("PORT", &port)
            .replace("IFB", &ifbs(&bench.node)[0]);
        let (program, arguments) = damage.split_once(' ').unwrap();
        bench.node.tool(program, arguments);
        let failure = bench.runner.check(&network, &pod, "eth0").unwrap_err();
        failure.outcome.assert_refused(105, words);
        bench.runner.del(&network, &pod, "eth0").unwrap();
        bench.assert_clean();
    }
}

#[test]
fn check_names_every_difference_and_leaves_alone_what_is_not_limited() {
    let bench = Bench::new();
    let pod = attach(&bench, &chain(&bench, &limit("egress")), "pod");
    let port = bench.runner.port(&bench.network, &pod);
    bench
        .node
        .tool("tc", &format!("qdisc add dev {port} root htb"));
    let network = chain(&bench, &limit("egress"));
    bench.runner.check(&network, &pod, "eth0").unwrap();
    let ifb = ifbs(&bench.node).remove(0);
    bench.node.tool("tc", &format!("qdisc del dev {ifb} root"));
    bench.node.ip(&format!("link set {ifb} down"));
    let failure = bench.runner.check(&network, &pod, "eth0").unwrap_err();
    failure
        .outcome
        .assert_refused(105, &["has lost its limit", "is down"]);
}

#[test]
fn status_is_that_of_the_configuration() {
    let bench = Bench::new();
    let only = |keys| Network::new(alone(&keys));
    bench.runner.status(&only(json!({}))).unwrap();
    bench.runner.status(&only(limits())).unwrap();
    let failure = bench
        .runner
        .status(&only(json!({"ingressRate": 9})))
        .unwrap_err();
    failure
        .outcome
        .assert_refused(7, &["burst must also be set"]);
}
