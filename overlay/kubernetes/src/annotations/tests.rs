// SPDX-License-Identifier: Apache-2.0
//! Annotations as flannel v0.28.10 writes and reads them.

use topology::Vni;

use super::*;

mod properties;

const DATA: &str = r#"{"VNI":1,"VtepMAC":"0a:58:0a:01:02:ff"}"#;
const DATA_V6: &str = r#"{"VNI":1,"VtepMAC":"0a:58:0a:01:02:fe"}"#;

fn annotations(entries: &[(&str, &str)]) -> Annotations {
    let entry = |(name, value): &(&str, &str)| (Prefix::default().key(name), (*value).to_owned());
    entries.iter().map(entry).collect()
}

/// What flannel v0.28.10 writes on a dual-stack node.
fn flannel() -> Annotations {
    annotations(&[
        ("backend-data", DATA),
        ("backend-type", "vxlan"),
        ("backend-v6-data", DATA_V6),
        ("kube-subnet-manager", "true"),
        ("public-ip", "192.0.2.1"),
        ("public-ipv6", "2001:db8::1"),
    ])
}

fn announced() -> Announced {
    Announced {
        underlay: Underlay {
            v4: Some(Ipv4Addr::new(192, 0, 2, 1)),
            v6: Some("2001:db8::1".parse().unwrap()),
        },
        mac: Some(Mac([0x0a, 0x58, 0x0a, 1, 2, 0xff])),
        mac_v6: Some(Mac([0x0a, 0x58, 0x0a, 1, 2, 0xfe])),
    }
}

fn of(entries: &[(&str, &str)]) -> Result<Option<Announced>, Fault> {
    read(&annotations(entries), &Prefix::default())
}

fn vni() -> Vni {
    Vni::try_from(1).unwrap()
}

fn published(announced: &Announced, present: &Annotations) -> Annotations {
    written(announced, vni(), &Prefix::default(), present)
}

#[test]
fn what_flannel_writes_is_read_and_written_alike() {
    assert_eq!(read(&flannel(), &Prefix::default()), Ok(Some(announced())));
    assert_eq!(published(&announced(), &Annotations::new()), flannel());
    assert_eq!(published(&announced(), &flannel()), flannel());
}

#[test]
fn a_family_alone_has_its_own_annotations_only() {
    let v6 = Announced {
        underlay: Underlay {
            v4: None,
            ..announced().underlay
        },
        mac: None,
        ..announced()
    };
    let mut expected = flannel();
    expected.retain(|key, _| !key.ends_with("/public-ip") && !key.ends_with("/backend-data"));
    assert_eq!(published(&v6, &Annotations::new()), expected);
    assert_eq!(read(&expected, &Prefix::default()), Ok(Some(v6)));
}

#[test]
fn a_node_that_is_no_member_is_no_fault() {
    for member in [None, Some("false"), Some(""), Some("True")] {
        let mut annotations = annotations(&[("public-ip", "garbage"), ("backend-type", "udp")]);
        if let Some(value) = member {
            let key = Prefix::default().key(MEMBER);
            annotations.insert(key, value.to_owned());
        }
        assert_eq!(
            read(&annotations, &Prefix::default()),
            Ok(None),
            "{member:?}"
        );
    }
    assert_eq!(read(&flannel(), &"example.com".parse().unwrap()), Ok(None));
}

/// The Node that an operator makes for a load balancer has neither a VNI nor the other family.
#[test]
fn nodes_made_by_hand_are_members() {
    for data in [
        r#"{"VtepMAC":"0a:58:0a:01:02:ff"}"#,
        r#" {"VNI":9, "VtepMAC" : "0A:58:0A:01:02:FF", "more": [1]}"#,
        r#"{"vtepmac":"0a-58-0a-01-02-ff"}"#,
        r#"{"VtepMAC":"02:00:00:00:00:00","VtepMAC":"0a:58:0a:01:02:ff"}"#,
    ] {
        let node = of(&[
            ("kube-subnet-manager", "true"),
            ("backend-type", "vxlan"),
            ("public-ip", "192.0.2.1"),
            ("backend-data", data),
        ]);
        let node = node.unwrap().unwrap();
        assert_eq!((node.mac, node.mac_v6), (announced().mac, None), "{data}");
    }
}

#[test]
fn what_is_malformed_is_named() {
    for (name, value, why) in [
        (
            "backend-type",
            "host-gw",
            "\"host-gw\" is another backend type than vxlan",
        ),
        (
            "public-ip",
            "192.0.2.256",
            "\"192.0.2.256\" is not an IP address",
        ),
        ("public-ip", "", "\"\" is not an IP address"),
        (
            "public-ip",
            "2001:db8::1",
            "2001:db8::1 is not an IPv4 address",
        ),
        (
            "public-ipv6",
            "192.0.2.1",
            "192.0.2.1 is not an IPv6 address",
        ),
        (
            "backend-data",
            "null",
            "\"null\" is not the JSON of an object: invalid type: null, expected a map at line 1 \
             column 4",
        ),
        ("backend-data", "{}", "it has no VtepMAC"),
        (
            "backend-data",
            r#"{"VtepMAC":7}"#,
            "its VtepMAC \"7\" is not a text",
        ),
        (
            "backend-v6-data",
            r#"{"VtepMAC":"0a:58"}"#,
            "its VtepMAC \"0a:58\" is not a MAC address",
        ),
    ] {
        let mut annotations = flannel();
        annotations.insert(Prefix::default().key(name), value.to_owned());
        let fault = read(&annotations, &Prefix::default()).unwrap_err();
        assert_eq!(
            fault.to_string(),
            format!("its annotation flannel.alpha.coreos.com/{name} cannot be read: {why}")
        );
    }
}

#[test]
fn what_is_missing_beside_the_rest_is_named() {
    for name in ["backend-type", "backend-data", "backend-v6-data"] {
        let mut annotations = flannel();
        annotations.remove(&Prefix::default().key(name));
        let fault = read(&annotations, &Prefix::default()).unwrap_err();
        assert_eq!(
            fault.to_string(),
            format!("its annotation flannel.alpha.coreos.com/{name} cannot be read: it is missing")
        );
    }
}

#[test]
fn a_fault_does_not_repeat_a_whole_novel() {
    let mut annotations = flannel();
    let key = Prefix::default().key("public-ip");
    annotations.insert(key, "ä".repeat(100_000));
    let fault = read(&annotations, &Prefix::default()).unwrap_err();
    assert!(fault.to_string().len() < 300, "{fault}");
}

#[test]
fn a_malformed_wish_of_the_operator_costs_nothing_else() {
    let mut annotations = flannel();
    annotations.extend(self::annotations(&[
        ("public-ip-overwrite", "198.51.100.1"),
        ("public-ipv6-overwrite", ""),
        ("node-public-ip", "eth0"),
        ("node-public-ipv6", "2001:db8::2"),
    ]));
    let own = OwnAnnotations::read(&annotations, &Prefix::default());
    assert_eq!(own.announced, announced());
    assert_eq!(own.backend_type.as_deref(), Some("vxlan"));
    assert_eq!(own.overwrite.v4, Some(Ipv4Addr::new(198, 51, 100, 1)));
    assert_eq!(own.overwrite.v6, None);
    assert_eq!(own.node_public_ip.v6, Some("2001:db8::2".parse().unwrap()));
    let faults: Vec<_> = own.faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "its annotation flannel.alpha.coreos.com/node-public-ip cannot be read: \"eth0\" is not \
          an IP address"
        ]
    );
}

#[test]
fn an_own_mac_address_that_no_device_can_have_counts_as_absent() {
    let annotations = annotations(&[
        ("backend-type", "vxlan"),
        ("backend-data", r#"{"VtepMAC":"01:00:5e:00:00:01"}"#),
        ("backend-v6-data", r#"{"VtepMAC":"00:00:00:00:00:00"}"#),
    ]);
    let own = OwnAnnotations::read(&annotations, &Prefix::default());
    assert_eq!((own.announced.mac, own.announced.mac_v6), (None, None));
    assert_eq!(own.faults.len(), 2);
    assert_eq!(
        own.faults[0].to_string(),
        "its IPv4 MAC address 01:00:5e:00:00:01 is not the address of a station"
    );
}

#[test]
fn another_backends_data_is_no_fault_of_the_own_node() {
    let annotations = annotations(&[("backend-type", "host-gw"), ("backend-data", "null")]);
    let own = OwnAnnotations::read(&annotations, &Prefix::default());
    assert_eq!((own.faults, own.announced.mac), (Vec::new(), None));
}

/// Flannel's filter for updates of other Nodes (`pkg/subnet/kube`, v0.28.10): whether a flanneld
/// of both families does something about a change.
fn flannel_sees(before: &Annotations, after: &Annotations) -> bool {
    let same = |names: [&str; 3]| {
        let key = |name: &str| Prefix::default().key(name);
        names
            .iter()
            .all(|name| before.get(&key(name)) == after.get(&key(name)))
    };
    !same(["backend-data", "backend-type", "public-ip"])
        && !same(["backend-v6-data", "backend-type", "public-ipv6"])
}

#[test]
fn a_change_of_one_family_is_a_change_of_both() {
    let mut moved = announced();
    moved.underlay.v4 = Some(Ipv4Addr::new(192, 0, 2, 9));
    let after = published(&moved, &flannel());
    let data =
        |annotations: &Annotations| annotations[&Prefix::default().key("backend-v6-data")].clone();
    assert_eq!(data(&after), format!(" {DATA_V6}"));
    assert!(flannel_sees(&flannel(), &after));

    let back = published(&announced(), &after);
    assert_eq!(back, flannel(), "the blank goes with the next change");
    assert!(flannel_sees(&after, &back));
}

/// A flanneld that lists the Nodes while the membership is stripped does not know ours.
#[test]
fn a_membership_that_comes_back_is_seen() {
    let mut stripped = flannel();
    stripped.remove(&Prefix::default().key(MEMBER));
    let back = published(&announced(), &stripped);
    assert!(flannel_sees(&stripped, &back));
    assert_eq!(published(&announced(), &back), back);
}
