// SPDX-License-Identifier: Apache-2.0
//! What holds for all announcements, and whatever stands in the annotations.

use proptest::prelude::*;

use super::*;

fn any_announced() -> impl Strategy<Value = Announced> {
    let family = |family: Family| {
        proptest::option::of((0..3_u8, 0..3_u8).prop_map(move |(host, mac)| {
            let last = host + if family == Family::V4 { 1 } else { 100 };
            (last, Mac([2, 0, 0, 0, 0, mac]))
        }))
    };
    (family(Family::V4), family(Family::V6)).prop_map(|(v4, v6)| Announced {
        underlay: Underlay {
            v4: v4.map(|(host, _)| Ipv4Addr::new(192, 0, 2, host)),
            v6: v6.map(|(host, _)| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host.into())),
        },
        mac: v4.map(|(_, mac)| mac),
        mac_v6: v6.map(|(_, mac)| mac),
    })
}

/// Annotations as they may be found: what some node wrote, with some of it stripped or changed.
fn any_present() -> impl Strategy<Value = Annotations> {
    let names = [
        MEMBER,
        BACKEND_TYPE,
        "backend-data",
        "backend-v6-data",
        "public-ip",
        "public-ipv6",
    ];
    let texts = prop_oneof![Just(" {}".to_owned()), Just(format!("  {DATA}")), ".{0,40}"];
    let damage = proptest::option::of((0..names.len(), proptest::option::of(texts)));
    (any_announced(), any::<bool>(), damage).prop_map(move |(announced, blank, damage)| {
        let mut present = published(&announced, &Annotations::new());
        let data = present.get_mut(&Prefix::default().key("backend-data"));
        if let Some(data) = data.filter(|_| blank) {
            data.insert(0, ' ');
        }
        match damage.map(|(index, text)| (Prefix::default().key(names[index]), text)) {
            Some((key, Some(text))) => drop(present.insert(key, text)),
            Some((key, None)) => drop(present.remove(&key)),
            None => {}
        }
        present
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(announced in any_announced(), present in any_present()) {
        let annotations = published(&announced, &present);
        prop_assert_eq!(read(&annotations, &Prefix::default()), Ok(Some(announced)));
        let own = OwnAnnotations::read(&annotations, &Prefix::default());
        prop_assert_eq!((own.announced, own.faults), (announced, vec![]));
    }

    #[test]
    fn what_stands_stays(announced in any_announced(), present in any_present()) {
        let mut after = present.clone();
        after.extend(published(&announced, &present));
        let again = published(&announced, &after);
        prop_assert!(again.iter().all(|(key, value)| after.get(key) == Some(value)));
    }

    /// What flannel's peers of both families have to know they get to know.
    #[test]
    fn every_write_is_seen(announced in any_announced(), present in any_present()) {
        prop_assume!(announced.mac.is_some() && announced.mac_v6.is_some());
        let mut after = present.clone();
        after.extend(published(&announced, &present));
        prop_assert!(after == present || flannel_sees(&present, &after));
    }

    #[test]
    fn no_text_is_too_much(name in 0..10_usize, text in any::<String>(), json in ".{0,20}") {
        let names = [
            MEMBER, BACKEND_TYPE, "backend-data", "backend-v6-data", "public-ip", "public-ipv6",
            "public-ip-overwrite", "public-ipv6-overwrite", "node-public-ip", "node-public-ipv6",
        ];
        for text in [text.clone(), format!(r#"{{"VtepMAC":{json}}}"#), format!(r#"{{"VtepMAC":"{json}"}}"#)] {
            let mut annotations = flannel();
            annotations.insert(Prefix::default().key(names[name]), text);
            let _ = read(&annotations, &Prefix::default());
            let own = OwnAnnotations::read(&annotations, &Prefix::default());
            let wanted = written(&own.announced, vni(), &Prefix::default(), &annotations);
            prop_assert!(read(&wanted, &Prefix::default()).is_ok());
        }
        let _ = text.parse::<Prefix>();
    }
}
