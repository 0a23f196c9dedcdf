// SPDX-License-Identifier: Apache-2.0
use super::*;

fn network(keys: &str) -> Network {
    let keys = if keys.is_empty() {
        String::new()
    } else {
        format!(", {keys}")
    };
    let text = format!(r#"{{"cniVersion": "1.1.0", "name": "net", "type": "bridge"{keys}}}"#);
    Network::parse(text.as_bytes()).unwrap()
}

fn conf(keys: &str) -> Result<Conf, Error> {
    Conf::new(&network(keys), &BTreeMap::new())
}

fn refused(keys: &str) -> Error {
    conf(keys).unwrap_err()
}

#[test]
fn nothing_given_is_a_plain_layer_2_bridge_named_cni0() {
    let conf = conf("").unwrap();
    assert_eq!(conf.bridge, "cni0");
    assert!(!conf.is_gateway && conf.masquerade.is_none() && conf.mtu.is_none());
    assert!(conf.ipam.is_none() && conf.dns.is_none() && conf.mac.is_none());
    assert!(!conf.vlans.need_filtering());
}

#[test]
fn keys_match_without_regard_to_case_and_null_is_absence() {
    let conf = conf(r#""ISGATEWAY": true, "Mtu": 1400, "hairpinMode": null, "ipam": null"#);
    let conf = conf.unwrap();
    assert!(conf.is_gateway && !conf.hairpin && conf.ipam.is_none());
    assert_eq!(conf.mtu, Some(1400));
}

#[test]
fn a_default_gateway_is_a_gateway() {
    let conf = conf(r#""isDefaultGateway": true"#).unwrap();
    assert!(conf.is_gateway && conf.is_default_gateway);
}

#[test]
fn masquerade_spares_subnets_without_their_host_bits() {
    let conf = conf(r#""ipMasq": true, "nonMasqueradeCIDRs": ["10.1.2.3/8", "fd00::1/48"]"#);
    let spared = conf.unwrap().masquerade.unwrap();
    assert_eq!(
        spared,
        ["10.0.0.0/8".parse().unwrap(), "fd00::/48".parse().unwrap()]
    );
}

#[test]
fn keys_that_exclude_each_other_are_refused() {
    for (keys, text) in [
        (
            r#""hairpinMode": true, "promiscMode": true"#,
            "cannot set hairpin mode and promiscuous mode at the same time",
        ),
        (
            r#""disableContainerInterface": true, "ipam": {"type": "host-local"}"#,
            "cannot use IPAM when DisableContainerInterface flag is set",
        ),
        (r#""ipMasqBackend": "pf""#, r#"unknown ipmasq backend "pf""#),
        (
            r#""vlan": 4095"#,
            "invalid VLAN ID 4095 (must be between 0 and 4094)",
        ),
        (r#""mtu": -1"#, "invalid mtu -1"),
        (r#""mtu": 67"#, "invalid mtu 67"),
        (r#""mtu": 65536"#, "invalid mtu 65536"),
        (
            r#""bridge": "a-name-of-16-byte""#,
            "is longer than 15 bytes",
        ),
        (r#""bridge": "a/b""#, "is not a legal interface name"),
        (r#""bridge": "..""#, "is not a legal interface name"),
        (r#""bridge": "a b""#, "is not a legal interface name"),
        (r#""bridge": "a%d""#, "is not a legal interface name"),
        (
            r#""bridge": "fourteen-bytes", "vlan": 7, "isGateway": true"#,
            r#"the interface "fourteen-bytes.7", whose name is longer than 15 bytes"#,
        ),
    ] {
        let error = refused(keys);
        assert_eq!(error.code, Code::INVALID_CONFIG, "{error}");
        assert!(error.msg.contains(text), "{error}");
    }
}

#[test]
fn wrong_types_name_the_key() {
    for (keys, key) in [
        (r#""mtu": "1500""#, "mtu"),
        (r#""isGateway": 1"#, "isGateway"),
        (r#""vlanTrunk": [{"minID": "a"}]"#, "vlanTrunk[0].minID"),
        (r#""runtimeConfig": {"mac": 5}"#, "runtimeConfig.mac"),
        (
            r#""nonMasqueradeCIDRs": ["10.0.0.0/8", "10.0.0.1"]"#,
            "nonMasqueradeCIDRs[1]",
        ),
    ] {
        let error = refused(keys);
        assert!(error.msg.contains(key), "{error}");
    }
}

#[test]
fn the_mac_address_comes_from_the_first_source_that_gives_one() {
    let from_args = BTreeMap::from([("MAC".to_owned(), "02:00:00:00:00:03".to_owned())]);
    let mac = |keys: &str| {
        Conf::new(&network(keys), &from_args)
            .unwrap()
            .mac
            .unwrap()
            .to_string()
    };
    let args = r#""args": {"cni": {"mac": "02:00:00:00:00:02"}}"#;
    let runtime = r#""runtimeConfig": {"mac": "02:00:00:00:00:01"}"#;
    assert_eq!(mac(&format!("{args}, {runtime}")), "02:00:00:00:00:01");
    assert_eq!(mac(args), "02:00:00:00:00:02");
    assert_eq!(mac(""), "02:00:00:00:00:03");
}

#[test]
fn a_mac_address_that_no_interface_can_have_is_refused_with_its_source() {
    for mac in ["nonsense", "01:00:5e:00:00:01", "00:00:00:00:00:00"] {
        let error = refused(&format!(r#""args": {{"cni": {{"mac": "{mac}"}}}}"#));
        assert_eq!(error.code, Code::INVALID_CONFIG);
        assert!(
            error
                .msg
                .starts_with(&format!("args.cni.mac: address {mac}: ")),
            "{error}"
        );
    }
    let from_args = BTreeMap::from([("MAC".to_owned(), "x".to_owned())]);
    let error = Conf::new(&network(""), &from_args).unwrap_err();
    assert_eq!(error.code, Code::INVALID_ENVIRONMENT);
}

#[test]
fn the_gateway_is_on_the_bridge_or_on_its_vlan_interface() {
    assert_eq!(conf(r#""bridge": "br""#).unwrap().gateway_interface(), "br");
    assert_eq!(
        conf(r#""bridge": "br", "vlan": 7"#)
            .unwrap()
            .gateway_interface(),
        "br.7"
    );
}

#[test]
fn gc_needs_of_an_invalid_configuration_only_the_bridge() {
    let network = network(r#""bridge": "br", "mtu": "nonsense", "vlan": -1"#);
    assert_eq!(bridge_of(&network).unwrap(), "br");
}

/// Any JSON under any of the plugin's keys is a configuration or an error, never a panic.
mod arbitrary {
    use super::*;
    use proptest::prelude::*;

    const KEYS: [&str; 22] = [
        "bridge",
        "isGateway",
        "isDefaultGateway",
        "forceAddress",
        "ipMasq",
        "ipMasqBackend",
        "nonMasqueradeCIDRs",
        "mtu",
        "hairpinMode",
        "promiscMode",
        "vlan",
        "vlanTrunk",
        "preserveDefaultVlan",
        "macspoofchk",
        "enabledad",
        "disableContainerInterface",
        "portIsolation",
        "dns",
        "args",
        "runtimeConfig",
        "ipam",
        "VLAN",
    ];

    fn scalar() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|value| value.to_string()),
            any::<i64>().prop_map(|value| value.to_string()),
            (-5_i64..5000).prop_map(|value| value.to_string()),
            any::<f64>()
                .prop_filter("JSON has no others", |f| f.is_finite())
                .prop_map(|f| format!("{f:?}")),
            "[ -!#-\\[\\]-~é]{0,18}".prop_map(|text| format!("\"{text}\"")),
            "(0a:58:[0-9a-f:]{2,11}|10\\.[0-9]{1,3}\\.0\\.0/[0-9]{1,2})"
                .prop_map(|text| format!("\"{text}\"")),
        ]
    }

    fn value() -> impl Strategy<Value = String> {
        let names = prop_oneof![
            Just("id"),
            Just("minID"),
            Just("maxID"),
            Just("mac"),
            Just("cni"),
            Just("type"),
            Just("nameservers"),
            Just("domain"),
        ];
        scalar().prop_recursive(4, 24, 4, move |inner| {
            let object = prop::collection::vec((names.clone(), inner.clone()), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(|list| format!("[{}]", list.join(","))),
                object.prop_map(|fields| {
                    let fields = fields
                        .iter()
                        .map(|(name, value)| format!("\"{name}\":{value}"));
                    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn configurations_are_read_or_refused(
            keys in prop::collection::vec((prop::sample::select(&KEYS[..]), value()), 0..6),
            mac in prop::option::of("[0-9a-fA-F:.-]{0,18}"),
        ) {
            let keys = keys.iter().map(|(key, value)| format!("\"{key}\":{value}"));
            let args = mac.map(|mac| ("MAC".to_owned(), mac)).into_iter().collect();
            let network = network(&keys.collect::<Vec<_>>().join(","));
            match Conf::new(&network, &args) {
                Ok(conf) => {
                    prop_assert!(conf.bridge.len() <= NAME_MAX && !conf.bridge.contains('/'));
                    prop_assert!(conf.mtu.is_none_or(|mtu| mtu >= 68));
                    for vlan in conf.vlans.wanted() {
                        prop_assert!(1 <= vlan.first && vlan.first <= vlan.last);
                        prop_assert!(vlan.last <= 4094);
                    }
                    prop_assert!(!(conf.container_down && conf.ipam.is_some()));
                }
                Err(error) => prop_assert!(!error.msg.is_empty()),
            }
        }
    }
}
