// SPDX-License-Identifier: Apache-2.0
//! Beside the reference plugin, and in its place.

use integration_tests::Runner;
use serde_json::json;

use crate::site::{Site, YES, guarded, network, reaches};

/// The node changes from one plugin to the other while its pods run.
#[test]
fn del_takes_away_what_the_reference_plugin_made() {
    let site = Site::of_reference();
    site.drop_forwarded();
    let network = network(5, &json!({}));
    let [told, seen] = ["told", "seen"].map(|name| site.attach(&network, name));
    let made_by_go = site.listed();
    assert!(
        made_by_go.contains("-A CNI-FORWARD -s 10.1.5.2/32 -j ACCEPT"),
        "{made_by_go}"
    );
    let ours = Runner::new(&site.node);
    let new = site.node.pod("new");
    ours.add(&network, &new, "eth0").unwrap();
    for pod in [&told, &seen, &new] {
        assert_eq!(site.reaches_outside(pod), YES);
    }
    // Nothing is there twice.
    assert_eq!(site.listed().matches("-j CNI-FORWARD").count(), 2);
    assert_eq!(site.listed().matches("-j CNI-ADMIN").count(), 2);
    // With the result of ADD, and by what is in the sandbox.
    let result = site.runner.result(&network, "told", "eth0").unwrap();
    let plugin = json!({"type": "firewall"});
    for (pod, result) in [(&told, Some(&result)), (&seen, None)] {
        let call = ours.call("DEL", &network, &plugin, result);
        let call = call
            .env("CNI_CONTAINERID", pod.name())
            .env("CNI_NETNS", pod.netns().display().to_string())
            .env("CNI_IFNAME", "eth0");
        call.run(&site.node).assert_silent();
    }
    for gone in [
        "10.1.5.2/32",
        "10.1.5.3/32",
        "fd00:1:5::2/128",
        "fd00:1:5::3/128",
    ] {
        assert!(!site.listed().contains(gone), "{}", site.listed());
    }
    assert_eq!(site.reaches_outside(&new), YES);
}

#[test]
fn check_is_content_with_what_the_reference_plugin_made() {
    let site = Site::of_reference();
    site.drop_forwarded();
    let network = guarded(5, "same-bridge");
    let pod = site.attach(&network, "a");
    let result = site.runner.result(&network, "a", "eth0").unwrap();
    let ours = Runner::new(&site.node);
    let plugin = json!({"type": "firewall", "ingressPolicy": "same-bridge"});
    let call = ours.call("CHECK", &network, &plugin, Some(&result));
    let call = call
        .env("CNI_CONTAINERID", "a")
        .env("CNI_NETNS", pod.netns().display().to_string())
        .env("CNI_IFNAME", "eth0");
    call.run(&site.node).assert_silent();
}

/// And the other way round: the reference plugin finds its chains as it would have made them.
#[test]
fn the_reference_plugin_goes_on_with_our_chains() {
    let site = Site::of_reference();
    site.drop_forwarded();
    let network = guarded(5, "same-bridge");
    let ours = Runner::new(&site.node);
    let old = site.node.pod("old");
    ours.add(&network, &old, "eth0").unwrap();
    let new = site.attach(&network, "new");
    assert_eq!(site.listed().matches("-j CNI-FORWARD").count(), 2);
    assert_eq!(site.listed().matches("-j CNI-ADMIN").count(), 2);
    for pod in [&old, &new] {
        assert_eq!(site.reaches_outside(pod), YES);
    }
    assert_eq!(reaches(&old, &new), YES);
    site.runner.check(&network, &new, "eth0").unwrap();
    site.detach(&network, &new);
    ours.del(&network, &old, "eth0").unwrap();
    assert!(!site.listed().contains("podwire"), "{}", site.listed());
}
