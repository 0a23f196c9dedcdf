// SPDX-License-Identifier: Apache-2.0
//! Who has the last word, and what is refused.

use super::*;

fn read(keys: &str, mac: Option<&str>) -> Result<Conf, Error> {
    let text = format!(r#"{{"cniVersion": "1.1.0", "name": "net", "type": "tuning", {keys}}}"#);
    let args = mac.map(|mac| ("MAC".to_owned(), mac.to_owned()));
    let network = Network::parse(text.as_bytes()).unwrap();
    Conf::new(&network, &args.into_iter().collect(), "eth0")
}

#[test]
fn nothing_given_is_nothing_to_do() {
    for keys in [
        r#""x": 1"#,
        r#""sysctl": {}, "mac": "", "mtu": 0, "promisc": false, "args": {"cni": null}"#,
        r#""sysctl": {"net.core.somaxconn": null}"#,
    ] {
        let conf = read(keys, None).unwrap();
        assert!(conf.is_empty(), "{conf:?}");
        assert_eq!(conf.data_dir.to_str(), Some("/run/cni/tuning"));
    }
}

#[test]
fn the_mac_address_is_the_first_of_four() {
    let mac = |keys: &str, args| read(keys, args).unwrap().wish.mac.unwrap().octets()[5];
    let own = r#""mac": "02:00:00:00:00:01""#;
    let runtime = format!(r#"{own}, "runtimeConfig": {{"mac": "02:00:00:00:00:03"}}"#);
    let cni = format!(r#"{runtime}, "args": {{"cni": {{"mac": "02:00:00:00:00:04"}}}}"#);
    let args = Some("02:00:00:00:00:02");
    assert_eq!(mac(own, None), 1);
    assert_eq!(mac(own, args), 2);
    assert_eq!(mac(&runtime, args), 3);
    assert_eq!(mac(&cni, args), 4);
}

#[test]
fn args_come_before_the_keys() {
    let keys = r#""mtu": 1400, "promisc": true, "allmulti": true, "txQLen": 5,
        "sysctl": {"net.core.somaxconn": "1", "net.ipv4.ip_forward": "1"}, "dataDir": "/d",
        "args": {"cni": {"mtu": 1300, "promisc": false, "allmulti": false, "txQLen": 0,
        "sysctl": {"net/core/somaxconn": "2"}}}"#;
    let conf = read(keys, None).unwrap();
    let wish = Attributes {
        mtu: Some(1300),
        allmulti: Some(false),
        tx_queue_len: Some(0),
        ..Attributes::default()
    };
    assert_eq!(conf.wish, wish);
    let values: Vec<_> = conf
        .sysctls
        .iter()
        .map(|it| (&*it.path, &*it.value))
        .collect();
    assert_eq!(
        values,
        [("net/core/somaxconn", "2"), ("net/ipv4/ip_forward", "1")]
    );
    assert_eq!(conf.data_dir.to_str(), Some("/d"));
}

#[test]
fn what_no_interface_can_have_is_refused() {
    for (keys, words) in [
        (r#""mtu": 67"#, "invalid mtu 67 "),
        (r#""mtu": -1"#, "invalid mtu -1 "),
        (r#""args": {"cni": {"mtu": 65536}}"#, "invalid mtu 65536 "),
        (r#""txQLen": -1"#, "invalid txQLen -1 "),
        (r#""txQLen": 4294967296"#, "invalid txQLen 4294967296 "),
        (r#""mac": "x""#, "mac: address x: invalid MAC address"),
        (
            r#""mac": "01:00:5e:00:00:01""#,
            "mac: address 01:00:5e:00:00:01: no interface",
        ),
        (
            r#""runtimeConfig": {"mac": "x"}"#,
            "runtimeConfig.mac: address x",
        ),
        (
            r#""sysctl": {"kernel.shmmax": "1"}"#,
            "invalid net sysctl key: \"kernel.shmmax\"",
        ),
        (
            r#""sysctl": {"net.a": "1", "net.a": "2"}"#,
            "duplicated sysctl keys are not allowed",
        ),
    ] {
        let error = read(keys, None).unwrap_err();
        assert_eq!(error.code, Code::INVALID_CONFIG, "{error}");
        assert!(error.msg.contains(words), "{error}");
    }
    let error = read(r#""x": 1"#, Some("x")).unwrap_err();
    assert_eq!(error.code, Code::INVALID_ENVIRONMENT);
}
