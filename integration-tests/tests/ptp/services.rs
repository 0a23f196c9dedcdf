// SPDX-License-Identifier: Apache-2.0
//! Services: from each pod to each pod, itself among them, without br_netfilter.

use integration_tests::service::{Service, set_bridge_netfilter};
use integration_tests::{Node, Runner};
use serde_json::json;

use crate::network;

#[test]
fn each_pod_reaches_a_service_of_its_node() {
    let node = Node::new();
    set_bridge_netfilter(&node, false);
    let runner = Runner::new(&node);
    let network = network(json!({"ipMasq": true}));
    let [client, server] = [(); 2].map(|()| runner.attach(&network, &node));
    let _service = Service::start(&node, &server);
    for own in client.both_addresses() {
        for seen in Service::ask(&client, own.is_ipv4()) {
            assert_eq!(seen.expect("the Service answers"), own);
        }
        // The server's own call comes back to it from the host.
        for seen in Service::ask(&server, own.is_ipv4()) {
            assert!(seen.is_ok(), "{own}: {seen:?}");
        }
    }
}
