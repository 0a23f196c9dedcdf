// SPDX-License-Identifier: Apache-2.0
//! The example of limited pods.

use integration_tests::{PATIENCE, ping};

use crate::{Example, addresses, routed};

/// What an annotation of a pod becomes: a rate of 5 Mbit/s to it, and containerd's burst.
const ANNOTATED: (&str, &str) = (
    "CAP_ARGS",
    r#"{"bandwidth": {"ingressRate": 5000000, "ingressBurst": 4294967295}}"#,
);

/// Pods that are limited by the configuration, and by what the runtime says where that is less.
pub(crate) fn limited(file: &str) {
    routed(file);
    let example = Example::new(file);
    let (pod, result) = example.attach("a", &[ANNOTATED]);
    for gateway in addresses(&result, "gateway") {
        assert!(ping(&pod, gateway, PATIENCE), "{gateway}");
    }
    let shown = example.node.tool("tc", "qdisc show");
    for words in [
        " rate 5Mbit burst 1",
        " rate 1Gbit burst 1",
        "ingress ffff:",
    ] {
        assert!(shown.contains(words), "{words:?} in {shown}");
    }
    example.end(&[&pod], &[ANNOTATED]);
}
