// SPDX-License-Identifier: Apache-2.0

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::{Host, addresses, assert_error, call, call_with};

#[test]
fn a_result_has_addresses_gateways_routes_and_dns() {
    let host = Host::new();
    let resolv = host.dir.path().join("resolv.conf");
    fs::write(&resolv, "nameserver 192.0.2.1\nsearch example.org\n").unwrap();
    let mut conf = host.conf(json!({
        "subnet": "10.9.0.0/24",
        "ranges": [
            [{ "subnet": "10.1.0.0/16", "rangeStart": "10.1.7.0", "gateway": "10.1.255.254" }],
            [{ "subnet": "2001:db8::/64" }],
        ],
        "routes": [{ "dst": "0.0.0.0/0", "mtu": 1400 }, { "dst": "::/0", "gw": "2001:db8::1" }],
        "resolvConf": resolv,
    }));
    conf["runtimeConfig"] = json!({ "ipRanges": [[{ "subnet": "10.8.0.0/24" }]] });
    let expected = json!({
        "cniVersion": "1.1.0",
        "ips": [
            { "address": "10.8.0.2/24", "gateway": "10.8.0.1" },
            { "address": "10.9.0.2/24", "gateway": "10.9.0.1" },
            { "address": "10.1.7.0/16", "gateway": "10.1.255.254" },
            { "address": "2001:db8::2/64", "gateway": "2001:db8::1" },
        ],
        "routes": [{ "dst": "0.0.0.0/0", "mtu": 1400 }, { "dst": "::/0", "gw": "2001:db8::1" }],
        "dns": { "nameservers": ["192.0.2.1"], "search": ["example.org"] },
    });
    assert_eq!(call("ADD", &conf, "a").unwrap(), expected);
    let leases = [
        "10.1.7.0",
        "10.8.0.2",
        "10.9.0.2",
        "2001:db8::2",
        "last_reserved_ip.0",
        "last_reserved_ip.1",
        "last_reserved_ip.2",
        "last_reserved_ip.3",
        "lock",
    ];
    assert_eq!(host.files(), leases);
    assert_eq!(
        fs::read(host.data_dir().join("net/10.1.7.0")).unwrap(),
        b"a\r\neth0"
    );
}

#[test]
fn requests_come_from_three_sources_together() {
    let host = Host::new();
    let mut conf = host.conf(json!({ "ranges": [
        [{ "subnet": "10.1.0.0/24" }], [{ "subnet": "10.2.0.0/24" }],
        [{ "subnet": "10.3.0.0/24" }], [{ "subnet": "2001:db8::/64" }],
    ] }));
    conf["args"] = json!({ "cni": { "ips": ["10.2.0.20", "10.1.0.10"] } });
    conf["runtimeConfig"] = json!({ "ips": ["2001:db8::40/64", ""] });
    let made = call_with(
        "ADD",
        &conf,
        &[("CNI_ARGS", "IgnoreUnknown=1;X=y;IP=10.1.0.10/8")],
    );
    let expected = [
        "10.1.0.10/24",
        "10.2.0.20/24",
        "10.3.0.2/24",
        "2001:db8::40/64",
    ];
    assert_eq!(addresses(made), expected);
}

#[test]
fn requests_that_no_set_can_serve_are_refused_before_anything_is_made() {
    let host = Host::new();
    let mut conf = host.one_subnet("10.1.0.0/24");
    conf["runtimeConfig"] = json!({ "ips": ["10.1.0.3", "10.1.0.4", "10.9.0.1"] });
    let text = "failed to allocate all requested IPs: 10.1.0.4 10.9.0.1";
    assert_error(call("ADD", &conf, "a"), 103, text);
    assert!(!host.data_dir().exists());
}

#[test]
fn a_gateway_or_a_taken_address_is_refused() {
    let host = Host::new();
    let conf = host.one_subnet("10.1.0.0/24");
    let request = |container, ip: &str| {
        let arguments = format!("IP={ip}");
        call_with(
            "ADD",
            &conf,
            &[("CNI_CONTAINERID", container), ("CNI_ARGS", &arguments)],
        )
    };
    let text = "failed to allocate for range 0: requested ip 10.1.0.1 is subnet's gateway";
    assert_error(request("a", "10.1.0.1"), 103, text);
    assert_eq!(addresses(request("a", "10.1.0.9")), ["10.1.0.9/24"]);
    let text = "failed to allocate for range 0: requested IP address 10.1.0.9 is not available in \
                range set 10.1.0.1-10.1.0.254";
    assert_error(request("b", "10.1.0.9"), 103, text);
}

#[test]
fn an_attachment_has_one_address_of_a_set_and_keeps_it() {
    let host = Host::new();
    let conf = host.one_subnet("10.1.0.0/24");
    assert_eq!(addresses(call("ADD", &conf, "a")), ["10.1.0.2/24"]);
    let text = "failed to allocate for range 0: 10.1.0.2 has been allocated to a, duplicate \
                allocation is not allowed";
    assert_error(call("ADD", &conf, "a"), 102, text);
    let other = call_with("ADD", &conf, &[("CNI_IFNAME", "eth1")]);
    assert_eq!(addresses(other), ["10.1.0.3/24"]);
    assert_eq!(host.files()[..2], ["10.1.0.2", "10.1.0.3"]);
}

#[test]
fn an_exhausted_set_gives_back_what_the_others_gave() {
    let host = Host::new();
    let conf = host.conf(json!({ "ranges": [
        [{ "subnet": "10.1.0.0/24" }],
        [{ "subnet": "10.2.0.0/30" }],
    ] }));
    call("ADD", &conf, "a").unwrap();
    let text = "failed to allocate for range 1: no IP addresses available in range set: \
                10.2.0.1-10.2.0.2";
    assert_error(call("ADD", &conf, "b"), 104, text);
    let left = [
        "10.1.0.2",
        "10.2.0.2",
        "last_reserved_ip.0",
        "last_reserved_ip.1",
        "lock",
    ];
    assert_eq!(host.files(), left);
}

#[test]
fn wrong_arguments_are_refused() {
    let host = Host::new();
    let conf = host.one_subnet("10.1.0.0/24");
    let code = |arguments| {
        call_with("ADD", &conf, &[("CNI_ARGS", arguments)])
            .unwrap_err()
            .0
    };
    for arguments in ["IP=x", "IP", "IP=10.1.0.2/33", "MAC=x", "IP=10.1.0.2;"] {
        assert_eq!(code(arguments), 4, "{arguments}");
    }
    assert!(!host.data_dir().exists());
}

#[test]
fn processes_get_different_addresses() {
    let host = Host::new();
    let conf = host.one_subnet("10.1.0.0/24");
    let names = |thread: usize| (0..4).map(move |pod| format!("{thread}-{pod}"));
    let attach = |thread| -> Vec<String> {
        names(thread)
            .flat_map(|name| addresses(call("ADD", &conf, &name)))
            .collect()
    };
    let detach = |thread| names(thread).for_each(|name| drop(call("DEL", &conf, &name).unwrap()));
    let made: Vec<Vec<String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..32)
            .map(|thread| scope.spawn(move || attach(thread)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let different: BTreeSet<_> = made.iter().flatten().collect();
    assert_eq!(different.len(), 128);
    std::thread::scope(|scope| {
        (0..32).for_each(|thread| drop(scope.spawn(move || detach(thread))));
    });
    assert_eq!(host.files(), ["last_reserved_ip.0", "lock"]);
}

#[test]
fn a_container_id_can_be_longer_than_a_file_name() {
    let host = Host::new();
    let conf = host.one_subnet("10.1.0.0/24");
    let long = "x".repeat(5000);
    assert_eq!(addresses(call("ADD", &conf, &long)), ["10.1.0.2/24"]);
    call("DEL", &conf, &long).unwrap();
    assert_eq!(host.files(), ["last_reserved_ip.0", "lock"]);
}

#[test]
fn an_address_of_which_nobody_can_be_told_is_given_back() {
    let host = Host::new();
    let stdin = host.dir.path().join("stdin");
    fs::write(&stdin, host.one_subnet("10.1.0.0/24").to_string()).unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_host-local"))
        .envs([("CNI_COMMAND", "ADD"), ("CNI_CONTAINERID", "a")])
        .envs([("CNI_NETNS", "/nowhere"), ("CNI_IFNAME", "eth0")])
        .env("CNI_PATH", "/nowhere")
        .stdin(fs::File::open(stdin).unwrap())
        .stdout(fs::File::create("/dev/full").unwrap())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
    assert_eq!(host.files(), ["last_reserved_ip.0", "lock"]);
}
