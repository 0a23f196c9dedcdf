// SPDX-License-Identifier: Apache-2.0
//! What looks like bad input and is none, because the reference plugins have always taken it: keys
//! in any case, null, unknown keys, whole numbers with a fraction.

use integration_tests::{Bench, PATIENCE, changed, ping};
use serde_json::{Map, Value, json};

/// A configuration with something in every kind of key.
fn configuration(bench: &Bench) -> Value {
    let mut whole = bench.configuration();
    whole["mtu"] = json!(1400);
    whole["nonMasqueradeCIDRs"] = json!(["198.51.100.0/24"]);
    whole["dns"] = json!({"nameservers": ["10.1.5.1"], "domain": "a.example", "options": ["x"]});
    whole["args"] = json!({"cni": {"mac": "02:00:00:00:00:99"}});
    whole["runtimeConfig"] =
        json!({"mac": "02:00:00:00:00:07", "ips": ["10.1.5.77/24", "fd00:1:5::77"]});
    whole["ipam"]["dataDir"] = json!("/var/lib/cni/networks");
    let route = json!({"dst": "198.51.100.0/24", "gw": "10.1.5.1", "mtu": 1300});
    changed(&whole, "ipam.routes.2", route)
}

/// The same document with every key changed by `spell`.
fn spelled(value: &Value, spell: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter();
            fields
                .map(|(key, value)| (spell(key), spelled(value, spell)))
                .collect::<Map<_, _>>()
                .into()
        }
        Value::Array(list) => list.iter().map(|value| spelled(value, spell)).collect(),
        scalar => scalar.clone(),
    }
}

/// Attaches pod `a` with this configuration, sees it work, takes it away; what was its result?
fn live(bench: &Bench, stdin: &str, with_result: &dyn Fn(&Value) -> String) -> Value {
    let pod = bench.node.pod("a");
    let call = |verb, stdin: &str| bench.call(verb, "a").stdin(stdin).run(&bench.node);
    let mut result = call("ADD", stdin).result();
    assert!(ping(&pod, bench.keeper.ipv4("eth0"), PATIENCE), "{stdin}");
    call("CHECK", &with_result(&result)).assert_silent();
    call("DEL", &with_result(&result)).assert_silent();
    assert_eq!(pod.interfaces(), [""; 0]);
    bench.assert_clean();
    // The host interface's is chosen anew each time.
    result["interfaces"][1]["mac"] = json!("...");
    result
}

#[test]
fn keys_are_taken_in_any_case() {
    let mut bench = Bench::new();
    let whole = configuration(&bench);
    // The network's own rules change with it, and stay.
    let pod = bench.node.pod("a");
    for verb in ["ADD", "DEL"] {
        let outcome = bench.call_with(verb, "a", &whole).run(&bench.node);
        assert!(outcome.success(), "{outcome}");
    }
    drop(pod);
    bench.settle();
    let plain = |result: &Value| changed(&whole, "prevResult", result.clone());
    let expected = live(&bench, &whole.to_string(), &|result| {
        plain(result).to_string()
    });
    assert_eq!(expected["interfaces"][2]["mac"], "02:00:00:00:00:07");
    assert_eq!(expected["ips"][0]["address"], "10.1.5.77/24");
    let mixed = |key: &str| {
        let turn = |(index, c): (usize, char)| match index % 2 {
            0 => c.to_ascii_uppercase(),
            _ => c.to_ascii_lowercase(),
        };
        key.chars().enumerate().map(turn).collect()
    };
    let spellings: [&dyn Fn(&str) -> String; 3] =
        [&str::to_ascii_uppercase, &str::to_ascii_lowercase, &mixed];
    for spell in spellings {
        let with_result = |result: &Value| spelled(&plain(result), spell).to_string();
        let result = live(&bench, &spelled(&whole, spell).to_string(), &with_result);
        assert_eq!(result, expected);
    }
}

#[test]
fn the_last_of_several_spellings_counts() {
    let bench = Bench::new();
    let whole = changed(&bench.configuration(), "mtu", json!(1400)).to_string();
    for (twice, mtu) in [
        (r#""MTU":1300,"mtu":1400"#, 1400),
        (r#""mtu":1400,"MTU":1300"#, 1300),
        (r#""mtu":1400,"Mtu":null"#, 1400),
    ] {
        let stdin = whole.replace(r#""mtu":1400"#, twice);
        let _pod = bench.node.pod("a");
        let add = bench.call("ADD", "a").stdin(stdin);
        let result = add.run(&bench.node).result();
        assert_eq!(result["interfaces"][2]["mtu"], mtu, "{twice}");
        bench.call("DEL", "a").run(&bench.node).assert_silent();
    }
}

#[test]
fn null_is_absence() {
    let bench = Bench::new();
    let mut whole = bench.configuration();
    for key in [
        "isDefaultGateway",
        "forceAddress",
        "ipMasqBackend",
        "nonMasqueradeCIDRs",
        "mtu",
        "hairpinMode",
        "promiscMode",
        "vlan",
        "vlanTrunk",
        "preserveDefaultVlan",
        "enabledad",
        "disableContainerInterface",
        "portIsolation",
        "dns",
        "args",
        "runtimeConfig",
        "prevResult",
        "capabilities",
    ] {
        whole[key] = json!(null);
    }
    for key in [
        "subnet",
        "rangeStart",
        "rangeEnd",
        "gateway",
        "dataDir",
        "resolvConf",
        "lockTimeout",
        "statusWhenExhausted",
    ] {
        whole["ipam"][key] = json!(null);
    }
    for key in ["rangeStart", "rangeEnd", "gateway"] {
        whole["ipam"]["ranges"][0][0][key] = json!(null);
    }
    for key in ["gw", "mtu", "advmss", "priority", "table", "scope"] {
        whole["ipam"]["routes"][0][key] = json!(null);
    }
    live(&bench, &whole.to_string(), &|result| {
        changed(&whole, "prevResult", result.clone()).to_string()
    });
}

#[test]
fn empty_text_is_absence() {
    let bench = Bench::new();
    let mut whole = bench.configuration();
    whole["ipMasqBackend"] = json!("");
    whole["args"] = json!({"cni": {"mac": "", "ips": [""]}});
    whole["runtimeConfig"] = json!({"mac": "", "ips": []});
    whole["dns"] = json!({"domain": "", "search": []});
    for key in ["rangeStart", "rangeEnd", "gateway", "dataDir", "resolvConf"] {
        whole["ipam"][key] = json!("");
        whole["ipam"]["ranges"][0][0][key] = json!("");
    }
    whole["ipam"]["routes"][0]["gw"] = json!("");
    let result = live(&bench, &whole.to_string(), &|result| {
        changed(&whole, "prevResult", result.clone()).to_string()
    });
    assert_eq!(result["dns"], json!(null));
}

#[test]
fn unknown_keys_are_ignored() {
    let bench = Bench::new();
    let mut whole = bench.configuration();
    whole["cni.dev/strange"] = json!({"a": [1, 2, {"b": null}]});
    whole["bridges"] = json!(["cni9"]);
    whole["_comment"] = json!("a note");
    whole["ipam"]["_comment"] = json!(5);
    whole["ipam"]["ranges"][0][0]["note"] = json!([]);
    whole["ipam"]["routes"][0]["via"] = json!("10.1.5.1");
    whole["dns"] = json!({"note": true});
    live(&bench, &whole.to_string(), &|result| {
        changed(&whole, "prevResult", result.clone()).to_string()
    });
}

#[test]
fn numbers_are_taken_as_libcni_writes_them() {
    let bench = Bench::new();
    let whole = changed(&bench.configuration(), "mtu", json!("MTU")).to_string();
    for number in ["1400.0", "1.4e3", "14e2"] {
        let pod = bench.node.pod("a");
        let stdin = whole.replace("\"MTU\"", number);
        let add = bench
            .call("ADD", "a")
            .stdin(stdin.as_str())
            .run(&bench.node);
        assert_eq!(add.result()["interfaces"][2]["mtu"], 1400, "{number}");
        assert!(pod.ip("link show eth0").contains("mtu 1400"));
        let del = bench.call("DEL", "a").stdin(stdin);
        del.run(&bench.node).assert_silent();
    }
    bench.assert_clean();
}
