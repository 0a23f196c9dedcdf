// SPDX-License-Identifier: Apache-2.0
//! All of it taken away.

use dataplane::Action;

use crate::lab::{Lab, entries, settings};

#[test]
fn nothing_of_the_overlay_stays() {
    let direct = settings(r#", "directRouting": true"#);
    for settings in [settings(""), direct] {
        let (lab, nodes) = (Lab::new(2), entries(50, "46"));
        let host = &lab.nodes[0];
        let shown = || [host.ip("route show"), host.ip("-6 route show")];
        let before = shown();
        lab.program(&nodes, &settings);
        host.settle(&["podwire.1", "podwire-v6.1"]);
        let report = host.inside(|| host.dataplane(&settings).remove());
        assert!(report.errors.is_empty(), "{:?}", report.errors);
        assert_eq!(report.operations[&Action::DeleteDevice], 2);
        assert_eq!(report.operations[&Action::DeleteRoute], 98);
        assert_eq!(shown(), before);
        assert!(host.rtnl.vxlans().unwrap().is_empty());
        let again = host.inside(|| host.dataplane(&settings).remove());
        assert!(again.is_clean(), "{again:?}");
    }
}

/// A route with our number that leads elsewhere is another overlay's of this host.
#[test]
fn another_overlays_routes_stay() {
    let (lab, nodes, settings) = (Lab::new(1), entries(3, "4"), settings(""));
    let host = &lab.nodes[0];
    lab.program(&nodes, &settings);
    host.ip("route add 203.0.113.0/24 via 192.0.2.9 dev eth0 proto 118");
    let report = host.inside(|| host.dataplane(&settings).remove());
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    assert!(host.ip("route show proto 118").contains("203.0.113.0/24"));
}
