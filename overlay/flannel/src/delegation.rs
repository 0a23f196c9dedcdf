// SPDX-License-Identifier: Apache-2.0
//! The delegate's configuration: what the operator has written, completed by `subnet.env`.

use cni::{Call, Delegate, Error};
use serde_json::{Map, Value, json};

use crate::conf::{BRIDGE, Conf};
use crate::fold;
use crate::subnet_env::SubnetEnv;

/// The whole configuration. What the operator has written wins, but for the address ranges.
pub(crate) fn complete(conf: &Conf, env: &SubnetEnv) -> Map<String, Value> {
    let mut whole = conf.delegate.clone();
    // Somebody has to masquerade: flannel says whether it does.
    fold::set_if_absent(&mut whole, "ipMasq", !env.ip_masq);
    fold::set_if_absent(&mut whole, "mtu", env.mtu);
    if conf.plugin == BRIDGE {
        fold::set_if_absent(&mut whole, "isGateway", true);
    }
    let ranges = env
        .subnets
        .iter()
        .map(|subnet| json!([{"subnet": subnet.to_string()}]));
    let missing = env
        .networks
        .iter()
        .filter(|network| !conf.destinations.contains(network));
    let routes = missing.map(|network| json!({"dst": network.to_string()}));
    let mut ipam = conf.ipam.clone();
    ipam.insert("ranges".to_owned(), ranges.collect());
    ipam.insert(
        "routes".to_owned(),
        conf.routes.iter().cloned().chain(routes).collect(),
    );
    fold::set(&mut whole, "ipam", ipam);
    whole
}

/// As much of it as there is without `subnet.env`: enough to clean up by.
pub(crate) fn without_subnet(conf: &Conf) -> Map<String, Value> {
    let mut whole = conf.delegate.clone();
    fold::set(&mut whole, "ipam", conf.ipam.clone());
    whole
}

/// What there is of it now, for a call that only takes away.
pub(crate) fn present(call: &impl Call) -> Result<Map<String, Value>, Error> {
    let conf = Conf::new(call.network())?;
    Ok(match SubnetEnv::read(&conf.subnet_file) {
        Ok(env) => complete(&conf, &env),
        Err(_) => without_subnet(&conf),
    })
}

/// The plugin that a configuration is for, called in this call's name.
pub(crate) fn delegate(call: &impl Call, whole: Map<String, Value>) -> Result<Delegate, Error> {
    let plugin = fold::text(&whole, "type").unwrap_or_default().to_owned();
    call.delegate_with(&plugin, whole)
}

#[cfg(test)]
mod tests {
    use cni::Network;

    use super::*;

    fn env() -> SubnetEnv {
        let parse = |texts: [&str; 2]| texts.map(|text| text.parse().unwrap()).to_vec();
        SubnetEnv {
            networks: parse(["10.244.0.0/16", "fd00:244::/48"]),
            subnets: parse(["10.244.3.0/24", "fd00:244:0:3::/64"]),
            mtu: 1450,
            ip_masq: true,
        }
    }

    fn conf(keys: &str) -> Result<Conf, Error> {
        let text = format!(r#"{{"name": "cbr0", "type": "flannel"{keys}}}"#);
        Conf::new(&Network::parse(text.as_bytes()).unwrap())
    }

    fn completed(keys: &str) -> Value {
        complete(&conf(keys).unwrap(), &env()).into()
    }

    #[test]
    fn without_keys_it_is_flannels_bridge() {
        let expected = json!({
            "name": "cbr0", "type": "bridge", "ipMasq": false, "mtu": 1450, "isGateway": true,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": "10.244.3.0/24"}], [{"subnet": "fd00:244:0:3::/64"}]],
                "routes": [{"dst": "10.244.0.0/16"}, {"dst": "fd00:244::/48"}],
            },
        });
        assert_eq!(completed(""), expected);
        assert_eq!(
            completed(r#", "delegate": null, "ipam": {}, "subnetFile": """#),
            expected
        );
        let other = SubnetEnv {
            ip_masq: false,
            ..env()
        };
        let whole = complete(&conf("").unwrap(), &other);
        assert_eq!(whole["ipMasq"], true);
    }

    #[test]
    fn the_operators_keys_win_whatever_their_case() {
        let whole = completed(
            r#", "cniVersion": "1.0.0", "runtimeConfig": {"mac": "02:00:00:00:00:01"}, "DELEGATE": {
            "ipmasq": true, "MTU": 1400, "IsGateway": false, "isDefaultGateway": true,
            "hairpinMode": true, "cniVersion": "0.2.0", "runtimeConfig": 5}"#,
        );
        for (key, value) in [
            ("ipmasq", json!(true)),
            ("MTU", json!(1400)),
            ("IsGateway", json!(false)),
            ("isDefaultGateway", json!(true)),
            ("hairpinMode", json!(true)),
            ("cniVersion", json!("1.0.0")),
            ("runtimeConfig", json!({"mac": "02:00:00:00:00:01"})),
        ] {
            assert_eq!(whole[key], value, "{key}");
        }
        for key in ["ipMasq", "mtu", "isGateway"] {
            assert_eq!(whole.get(key), None, "{key} twice");
        }
    }

    #[test]
    fn addresses_keep_the_operators_keys_but_not_their_ranges() {
        let whole = completed(
            r#", "ipam": {"type": "other", "dataDir": "/x", "Ranges": 5, "routes":
            [{"dst": "0.0.0.0/0", "mtu": 1400}, {"dst": "10.244.0.0/16", "gw": "10.244.3.9"}]}"#,
        );
        let ipam = &whole["ipam"];
        assert_eq!(
            (&ipam["type"], &ipam["dataDir"]),
            (&json!("other"), &json!("/x"))
        );
        assert_eq!(
            (ipam.get("Ranges"), ipam["ranges"].as_array().unwrap().len()),
            (None, 2)
        );
        // A network that has a route already gets no second one.
        let expected = json!([
            {"dst": "0.0.0.0/0", "mtu": 1400},
            {"dst": "10.244.0.0/16", "gw": "10.244.3.9"},
            {"dst": "fd00:244::/48"},
        ]);
        assert_eq!(ipam["routes"], expected);
    }

    #[test]
    fn another_delegate_gets_no_gateway() {
        let whole = completed(r#", "delegate": {"type": "ptp"}"#);
        assert_eq!(
            (&whole["type"], whole.get("isGateway")),
            (&json!("ptp"), None)
        );
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (keys, code, words) in [
            (r#""delegate": {"Name": "x"}"#, 7, "delegate.name"),
            (r#""delegate": {"ipam": {}}"#, 7, "delegate.ipam"),
            (
                r#""delegate": {"type": 5}"#,
                6,
                "delegate.type: expected a string",
            ),
            (r#""delegate": []"#, 6, "delegate: expected"),
            (
                r#""ipam": {"routes": [{"dst": "x"}]}"#,
                7,
                "ipam.routes[0].dst",
            ),
            (
                r#""subnetFile": "subnet.env""#,
                7,
                "\"subnet.env\" is not absolute",
            ),
            (r#""runtimeConfig": 5"#, 6, "runtimeConfig"),
        ] {
            let error = conf(&format!(", {keys}")).unwrap_err();
            assert_eq!(error.code, cni::Code(code), "{keys}: {error}");
            assert!(error.msg.contains(words), "{keys}: {error}");
        }
    }
}
