// SPDX-License-Identifier: Apache-2.0

use std::fs;

use serde_json::{Value, json};

use crate::{Host, addresses, assert_error, call, call_with, files};

fn with(conf: &Value, key: &str, value: Value) -> Value {
    let mut conf = conf.clone();
    conf[key] = value;
    conf
}

#[test]
fn del_needs_name_and_directory_only() {
    let host = Host::new();
    let conf = host.conf(json!({ "ranges": [
        [{ "subnet": "10.1.0.0/24" }], [{ "subnet": "2001:db8::/64" }],
    ] }));
    let broken = host.conf(json!({
        "ranges": "gone", "subnet": 7, "routes": "x", "lockTimeout": "y", "resolvConf": 3,
    }));
    for del in [&conf, &broken, &host.conf(json!({}))] {
        call("ADD", &conf, "a").unwrap();
        let environment = [("CNI_ARGS", "garbage"), ("CNI_NETNS", "")];
        assert_eq!(call_with("DEL", del, &environment), Ok(Value::Null));
        let left = ["last_reserved_ip.0", "last_reserved_ip.1", "lock"];
        assert_eq!(host.files(), left);
        assert_eq!(call("DEL", del, "a"), Ok(Value::Null));
    }
}

#[test]
fn an_unknown_network_is_left_unknown() {
    let host = Host::new();
    let conf = host.one_subnet("10.1.0.0/24");
    assert_eq!(call("DEL", &conf, "a"), Ok(Value::Null));
    let collected = with(&conf, "cni.dev/valid-attachments", json!([]));
    assert_eq!(call("GC", &collected, "a"), Ok(Value::Null));
    assert_eq!(call("STATUS", &conf, "a"), Ok(Value::Null));
    let result = json!({ "cniVersion": "1.1.0", "ips": [{ "address": "10.1.0.2/24" }] });
    assert!(call("CHECK", &with(&conf, "prevResult", result), "a").is_err());
    assert_eq!(files(host.dir.path()), [""; 0]);
}

#[test]
fn check_compares_the_result_with_the_leases() {
    let host = Host::new();
    let conf = host.conf(json!({ "ranges": [
        [{ "subnet": "10.1.0.0/24" }], [{ "subnet": "2001:db8::/64" }],
    ] }));
    let result = call("ADD", &conf, "a").unwrap();
    let check = with(&conf, "prevResult", result);
    assert_eq!(call("CHECK", &check, "a"), Ok(Value::Null));
    assert_error(call("CHECK", &conf, "a"), 7, "Required prevResult missing");
    let text = "address 10.1.0.2 is not leased to interface eth0 of container b in network net";
    assert_error(call("CHECK", &check, "b"), 105, text);
    fs::remove_file(host.data_dir().join("net/2001:db8::2")).unwrap();
    let text = "address 2001:db8::2 is not leased to interface eth0 of container a in network net";
    assert_error(call("CHECK", &check, "a"), 105, text);
}

#[test]
fn check_asks_for_one_lease_when_the_ranges_have_changed() {
    let host = Host::new();
    let result = call("ADD", &host.one_subnet("10.1.0.0/24"), "a").unwrap();
    let check = with(&host.one_subnet("10.2.0.0/24"), "prevResult", result);
    assert_eq!(call("CHECK", &check, "a"), Ok(Value::Null));
    call("DEL", &check, "a").unwrap();
    let text = "host-local: Failed to find address added by container a";
    assert_error(call("CHECK", &check, "a"), 105, text);
}

#[test]
fn gc_keeps_valid_attachments_only() {
    let host = Host::new();
    let conf = host.one_subnet("10.1.0.0/24");
    for container in ["a", "b", "c"] {
        call("ADD", &conf, container).unwrap();
    }
    call_with("ADD", &conf, &[("CNI_IFNAME", "eth1")]).unwrap();
    fs::write(host.data_dir().join("net/10.1.0.77"), "").unwrap();
    assert_eq!(call("GC", &conf, "a"), Ok(Value::Null));
    assert_eq!(host.files().len(), 7);
    let valid = json!([
        { "containerID": "a", "ifname": "eth1" },
        { "containerID": "c", "ifname": "eth0" },
        { "containerID": "z", "ifname": "eth0" },
    ]);
    let mut gc = with(&conf, "cni.dev/valid-attachments", valid);
    gc["ipam"]["ranges"] = json!([["no longer valid"]]);
    assert_eq!(call("GC", &gc, "a"), Ok(Value::Null));
    assert_eq!(
        host.files(),
        ["10.1.0.4", "10.1.0.5", "last_reserved_ip.0", "lock"]
    );
    let none = with(&conf, "cni.dev/valid-attachments", Value::Null);
    assert_eq!(call("GC", &none, "a"), Ok(Value::Null));
    assert_eq!(host.files(), ["last_reserved_ip.0", "lock"]);
}

#[test]
fn status_speaks_of_full_ranges_only_if_told_to() {
    let host = Host::new();
    let conf = host.one_subnet("10.1.0.0/30");
    let mut strict = conf.clone();
    strict["ipam"]["statusWhenExhausted"] = json!(true);
    assert_eq!(call("STATUS", &strict, "a"), Ok(Value::Null));
    call("ADD", &conf, "a").unwrap();
    assert_eq!(call("STATUS", &conf, "a"), Ok(Value::Null));
    let text = "network net: no IP addresses available in range set: 10.1.0.1-10.1.0.2";
    assert_error(call("STATUS", &strict, "a"), 50, text);
    // The same without a usable index.
    fs::remove_dir_all(host.data_dir().join(".podwire")).unwrap();
    assert_error(call("STATUS", &strict, "a"), 50, text);
    call("DEL", &conf, "a").unwrap();
    assert_eq!(call("STATUS", &strict, "a"), Ok(Value::Null));
}

#[test]
fn status_does_not_need_the_ranges_that_a_runtime_sends_with_add() {
    let host = Host::new();
    assert_eq!(call("STATUS", &host.conf(json!({})), "a"), Ok(Value::Null));
}

#[test]
fn status_waits_for_no_lock() {
    let host = Host::new();
    let conf = host.one_subnet("10.1.0.0/24");
    call("ADD", &conf, "a").unwrap();
    let lock = fs::File::open(host.data_dir().join("net/lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(call("STATUS", &conf, "a"), Ok(Value::Null));
}

#[test]
fn a_lock_that_is_not_let_go_is_an_error_that_names_it() {
    let host = Host::new();
    let mut conf = host.one_subnet("10.1.0.0/24");
    conf["ipam"]["lockTimeout"] = json!(0.1);
    assert_eq!(addresses(call("ADD", &conf, "a")), ["10.1.0.2/24"]);
    let path = host.data_dir().join("net/lock");
    let lock = fs::File::open(&path).unwrap();
    lock.lock().unwrap();
    let text = format!(
        "lock {} is held by another process: gave up after 0.1 s",
        path.display()
    );
    let gc = with(&conf, "cni.dev/valid-attachments", json!([]));
    assert_error(call("ADD", &conf, "b"), 11, &text);
    assert_error(call("DEL", &conf, "a"), 11, &text);
    assert_error(call("GC", &gc, "a"), 11, &text);
    drop(lock);
    assert_eq!(call("DEL", &conf, "a"), Ok(Value::Null));
}

#[test]
fn a_limit_beyond_all_clocks_is_no_limit() {
    let host = Host::new();
    let mut conf = host.one_subnet("10.1.0.0/24");
    conf["ipam"]["lockTimeout"] = json!(1e19);
    assert_eq!(addresses(call("ADD", &conf, "a")), ["10.1.0.2/24"]);
    assert_eq!(call("DEL", &conf, "a"), Ok(Value::Null));
}

#[test]
fn del_of_a_network_whose_name_no_directory_can_have_is_no_error() {
    let host = Host::new();
    let mut conf = host.one_subnet("10.1.0.0/24");
    conf["name"] = json!("n".repeat(300));
    assert_eq!(call("ADD", &conf, "a").unwrap_err().0, 5);
    assert_eq!(call("DEL", &conf, "a"), Ok(Value::Null));
    let gc = with(&conf, "cni.dev/valid-attachments", json!([]));
    assert_eq!(call("GC", &gc, "a"), Ok(Value::Null));
}
