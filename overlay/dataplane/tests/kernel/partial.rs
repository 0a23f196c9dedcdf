// SPDX-License-Identifier: Apache-2.0
//! A list that may lack nodes: what it has is made right, what it has not stays.

use dataplane::{Action, Guard};
use nft::Nft;

use crate::lab::{Lab, assert_cross, entries, settings};

#[test]
fn what_a_partial_list_lacks_stays_and_what_it_has_is_mended() {
    let (lab, settings) = (Lab::new(3), settings(""));
    let (all, known) = (entries(3, "46"), entries(2, "46"));
    lab.program(&all, &settings);
    let host = &lab.nodes[0];
    host.ip("route flush proto 118");
    host.ip("-6 route flush proto 118");
    let cluster = host.cluster(&known, &settings);
    let complete = || host.inside(|| host.dataplane(&settings).complete(&cluster));
    let report = complete();
    assert!(report.errors.is_empty(), "{report:?}");
    assert_eq!(report.operations.get(&Action::AddRoute), Some(&2));
    assert_eq!(report.operations.len(), 1, "{report:?}");
    assert_cross(&lab, 1, 2, "46");
    let audit = host.audit(&all, &settings);
    // Of the third node the routes alone were gone.
    assert_eq!(
        audit.operations.get(&Action::AddRoute),
        Some(&2),
        "{audit:?}"
    );
    assert_eq!(audit.operations.len(), 1, "{audit:?}");
    let report = complete();
    assert!(report.operations.is_empty(), "{report:?}");
}

#[test]
fn a_partial_list_takes_no_peer_from_the_guard() {
    let (lab, settings) = (Lab::new(1), settings(""));
    let host = &lab.nodes[0];
    let mut nft = host.inside(Nft::open).unwrap();
    let mut guard = Guard {
        nft: &mut nft,
        settings: &settings,
    };
    let [four, two] = [4, 2].map(|count| host.cluster(&entries(count, "46"), &settings));
    guard.complete(&two, &[]).unwrap();
    assert_eq!(guard.missing(&two, &[]).unwrap(), [""; 0]);
    guard.complete(&four, &[]).unwrap();
    assert_eq!(guard.missing(&four, &[]).unwrap(), [""; 0]);
    guard.complete(&two, &[]).unwrap();
    assert_eq!(guard.missing(&four, &[]).unwrap(), [""; 0]);
}
