// SPDX-License-Identifier: Apache-2.0
//! CHECK tells what somebody has changed of a pod's ports, and ADD makes it right again.

use integration_tests::Outside;

use crate::site::{NODE, Site, both, network, seen_at};

#[test]
fn what_is_missing_is_told_and_made_again() {
    let network = network(both(8080));
    for (tool, arguments, words) in [
        (
            "nft",
            "delete element inet podwire hostport4-any { tcp . 8080 }",
            "map hostport4-any of table inet podwire does not lead 0.0.0.0:8080/tcp",
        ),
        (
            "nft",
            "delete element inet podwire hostport6-any-to { udp . 8080 }",
            "map hostport6-any-to of table inet podwire does not lead [::]:8080/udp",
        ),
        (
            "nft",
            "flush chain inet podwire hostport-prerouting",
            "chain hostport-prerouting of table inet podwire does not hold its rules",
        ),
        (
            "nft",
            "flush chain inet podwire hostport/podnet/dnat",
            "chain hostport/podnet/dnat of table inet podwire does not",
        ),
        (
            "nft",
            "flush chain inet podwire hostport-postrouting",
            "chain hostport-postrouting of table inet podwire lacks",
        ),
        ("nft", "delete table inet podwire", "does not hold"),
        (
            "sysctl",
            "-w net.ipv4.conf.cni0.route_localnet=0",
            "net/ipv4/conf/cni0/route_localnet is 0",
        ),
    ] {
        let site = Site::new();
        let pod = site.bare(&network);
        let _servers = crate::site::serve(&pod);
        assert!(
            site.portmap("ADD", &network, &pod)
                .run(&site.node)
                .success()
        );
        let check = || site.portmap("CHECK", &network, &pod).run(&site.node);
        check().assert_silent();
        site.node.tool(tool, arguments);
        check().assert_refused(105, &[words]);
        assert!(
            site.portmap("ADD", &network, &pod)
                .run(&site.node)
                .success()
        );
        check().assert_silent();
        assert_eq!(seen_at(&site.outside, NODE[0], 8080), Outside::V4);
        assert_eq!(seen_at(&pod, NODE[0], 8080), site.node.ipv4("cni0"));
        site.portmap("DEL", &network, &pod)
            .run(&site.node)
            .assert_silent();
        assert_eq!(site.ports(), [""; 0], "{arguments}");
    }
}

#[test]
fn a_pod_that_lost_its_address_is_told() {
    let site = Site::new();
    let network = network(both(8080));
    let pod = site.runner.attach(&network, &site.node);
    site.runner.check(&network, &pod, "eth0").unwrap();
    let address = pod.ipv4("eth0");
    site.portmap("CHECK", &network, &pod);
    pod.ip(&format!("address del {address}/24 dev eth0"));
    let failure = site.runner.check(&network, &pod, "eth0").unwrap_err();
    assert_eq!(failure.error().0, 105, "{failure}");
}
