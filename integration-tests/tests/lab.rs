// SPDX-License-Identifier: Apache-2.0
//! The laboratory proved.

use integration_tests::Node;

#[test]
fn place() {
    let node = Node::new();
    let pod = node.pod("a");
    println!("{} {:?}", node.tool("ip", "-o address"), pod.interfaces());
    println!("{}", pod.ip("link"));
    node.write("/var/lib/cni/x", "hello");
    println!("{:?} {:?}", node.list("/var/lib"), node.list("/run/netns"));
    println!("{}", pod.tool("ls", "-la /run/netns /var/lib/cni"));
}
