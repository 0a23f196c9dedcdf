// SPDX-License-Identifier: Apache-2.0
//! What is refused, and what is not.

use std::net::IpAddr;

use serde_json::json;

use super::*;
use crate::flannel::SubnetEnv;

fn networks(texts: &[&str]) -> Vec<IpNetwork> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn vxlan() -> Vxlan {
    Vxlan {
        vni: 1,
        port: 8472,
        local: Some(IpAddr::from([192, 0, 2, 11])),
        group: None,
        device: Some(2),
        learning: false,
        udp_checksum: true,
        proxy: false,
        route_short_circuit: false,
        l2_miss: false,
        l3_miss: false,
        external: false,
        gbp: false,
        gpe: false,
    }
}

fn device(name: &str, vxlan: Option<Vxlan>) -> Device {
    let name = name.to_owned();
    Device { name, vxlan }
}

/// What flannel makes by its shipped configuration.
fn running() -> Running {
    let conflist = json!({"name": "cbr0", "plugins": [
        {"type": "flannel", "delegate": {"hairpinMode": true, "isDefaultGateway": true}},
        {"type": "portmap", "capabilities": {"portMappings": true}},
    ]});
    Running {
        devices: vec![device("flannel.1", Some(vxlan()))],
        subnet_env: Some(SubnetEnv::parse(
            "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\nFLANNEL_MTU=1450\n\
             FLANNEL_IPMASQ=true\n",
        )),
        network: Attaching::of_flannels(&conflist, "10-flannel.conflist".to_owned()),
        masquerades: true,
    }
}

fn settings() -> Settings {
    Settings {
        network: networks(&["10.244.0.0/16"]),
        ..Settings::default()
    }
}

fn ours() -> Value {
    json!({"name": "cbr0", "plugins": [
        {"type": "bridge", "bridge": "cni0", "ipam": {"type": "host-local"}},
        {"type": "vxlan"},
        {"type": "portmap", "capabilities": {"portMappings": true}},
    ]})
}

fn refused(running: &Running, here: &Here<'_>) -> Vec<String> {
    let lines = running.agrees_with(here).err();
    lines.map_or_else(Vec::new, |Refused(Lines(lines))| lines)
}

#[test]
fn the_shipped_configuration_is_taken_over() {
    let settings = settings();
    let ours = ours();
    let conflists = ["05-podwire.conflist", "10-flannel.conflist"].map(Path::new);
    let conflists = conflists.map(|path| Some((path, &ours)));
    for conflist in [None].into_iter().chain(conflists) {
        let here = Here {
            settings: &settings,
            ip_masq: true,
            conflist,
        };
        assert_eq!(refused(&running(), &here), [""; 0]);
        // Nor is a node refused on which flannel never was.
        assert_eq!(refused(&Running::default(), &here), [""; 0]);
    }
    let pods = networks(&["10.244.3.0/24", "fd00:244:0:3::/64"]);
    let network = networks(&["10.244.0.0/16", "fd00:244::/48"]);
    assert_eq!(running().agrees_with_list(&network, &pods), Ok(()));
}

#[test]
fn what_can_be_changed_in_place_is_no_obstacle() {
    let changed = Vxlan {
        local: Some(IpAddr::from([198, 51, 100, 1])),
        device: None,
        learning: true,
        udp_checksum: false,
        ..vxlan()
    };
    let mut running = running();
    running.devices = vec![
        device("flannel.1", Some(changed)),
        device("flannel.9", Some(Vxlan { vni: 9, ..vxlan() })),
    ];
    let here = Here {
        settings: &settings(),
        ip_masq: true,
        conflist: None,
    };
    assert_eq!(refused(&running, &here), [""; 0]);
}

#[test]
fn all_differences_are_told_at_once_with_what_to_do() {
    let ours = json!({"name": "podwire", "plugins": [
        {"type": "bridge", "bridge": "pods", "ipam": {"type": "host-local", "dataDir": "/d"}},
        {"type": "vxlan"},
    ]});
    let flags = Vxlan {
        port: 4789,
        gbp: true,
        l2_miss: true,
        ..vxlan()
    };
    let mut running = running();
    running.devices = vec![
        device("flannel.1", Some(flags)),
        device("flannel-v6.1", None),
    ];
    let settings = Settings {
        network: networks(&["10.0.0.0/16"]),
        ..Settings::default()
    };
    let here = Here {
        settings: &settings,
        ip_masq: false,
        conflist: Some((Path::new("/etc/cni/net.d/20-podwire.conflist"), &ours)),
    };
    let told = refused(&running, &here);
    let expected = [
        "port of device flannel.1: there 4789, here 8472; give flannel's with --port or --net-conf",
        "flags of device flannel.1: there gbp, l2miss, here none; have flanneld make it anew without, on all nodes",
        "device flannel-v6.1: there a link that is no VXLAN device, here one; delete it",
        "cluster network in subnet.env: there 10.244.0.0/16, here 10.0.0.0/16; give flannel's with --network or --net-conf",
        "masquerade of packets that leave the cluster: there flanneld's, here none; give --ip-masq",
        "network name in conflist 10-flannel.conflist: there \"cbr0\", here \"podwire\"; say the same in --conflist-template, or addresses are given out twice",
        "bridge in conflist 10-flannel.conflist: there \"cni0\", here \"pods\"; say the same in --conflist-template, or pods of one node are apart",
        "addresses' directory in conflist 10-flannel.conflist: there \"host-local's default\", here \"/d\"; say the same in --conflist-template, or addresses are given out twice",
        "chained plugins in conflist 10-flannel.conflist: there \"portmap\", here \"\"; say the same in --conflist-template, or new pods go without",
        "the conflist that the runtime takes: there 10-flannel.conflist, here 20-podwire.conflist; name one with --conflist that comes before it, or that one itself",
    ];
    assert_eq!(told, expected);
}

#[test]
fn another_vni_is_told_where_it_is_the_only_one() {
    let mut running = running();
    running.devices = vec![device("flannel.9", Some(Vxlan { vni: 9, ..vxlan() }))];
    let here = Here {
        settings: &settings(),
        ip_masq: true,
        conflist: None,
    };
    let told = refused(&running, &here);
    assert_eq!(
        told,
        ["VNI of device flannel.9: there 9, here 1; give flannel's with --vni or --net-conf"]
    );
}

#[test]
fn another_pod_cidr_than_flannels_is_told_when_the_list_is_known() {
    let pods = networks(&["10.244.4.0/24"]);
    let error = running().agrees_with_list(&networks(&["10.244.0.0/16"]), &pods);
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("pod CIDR in subnet.env: there 10.244.3.0/24, here 10.244.4.0/24"),
        "{text}"
    );
    assert!(
        text.starts_with("flannel's place on this node is not taken"),
        "{text}"
    );
}

/// A delegate that is no bridge cannot be served by one.
#[test]
fn pods_that_are_attached_otherwise_are_told() {
    let macvlan =
        json!({"name": "cbr0", "plugins": [{"type": "flannel", "delegate": {"type": "macvlan"}}]});
    let mut running = running();
    running.network = Attaching::of_flannels(&macvlan, "10-flannel.conflist".to_owned());
    let (settings, ours) = (settings(), ours());
    let here = Here {
        settings: &settings,
        ip_masq: true,
        conflist: Some((Path::new("05-podwire.conflist"), &ours)),
    };
    let told = refused(&running, &here);
    assert!(
        told[0].starts_with("bridge in conflist 10-flannel.conflist: there \"no bridge\""),
        "{told:?}"
    );
}
