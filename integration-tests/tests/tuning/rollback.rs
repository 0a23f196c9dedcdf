// SPDX-License-Identifier: Apache-2.0
//! An ADD that fails leaves everything as it was.

use serde_json::{Value, json};

use crate::{BACKUP, Site, everything};

fn assert_fails(site: &Site, keys: &Value, code: u64, words: &[&str]) {
    let before = (site.link(), site.sysctl("net/core/somaxconn"));
    site.bench
        .assert_refuses(&site.call("ADD", keys), code, words);
    assert_eq!((site.link(), site.sysctl("net/core/somaxconn")), before);
}

#[test]
fn what_the_kernel_refuses_takes_everything_back() {
    let site = Site::new();
    // The queue needs memory for its length, and there is never enough for this one.
    site.pod
        .tool("tc", "qdisc replace dev eth0 root pfifo_fast");
    let mut keys = everything();
    keys["sysctl"] = json!({"net.core.somaxconn": "777"});
    keys["txQLen"] = json!(4_294_967_295_u32);
    assert_fails(
        &site,
        &keys,
        100,
        &["give \"eth0\" MAC address", "queue length 4294967295"],
    );
    keys["txQLen"] = json!(77);
    keys["sysctl"] = json!({"net.core.somaxconn": "777", "net.ipv4.conf.IFNAME.arp_filter": "x"});
    assert_fails(
        &site,
        &keys,
        100,
        &["net/ipv4/conf/eth0/arp_filter", "Invalid argument"],
    );
}

#[test]
fn a_backup_that_cannot_be_written_takes_everything_back() {
    let site = Site::new();
    site.bench.node.write("/run/lab/file", "");
    let mut keys = everything();
    keys["sysctl"] = json!({"net.core.somaxconn": "777"});
    keys["dataDir"] = json!("/run/lab/file");
    assert_fails(
        &site,
        &keys,
        5,
        &["cannot write the backup \"/run/lab/file/a_eth0.json\""],
    );
}

#[test]
fn an_earlier_backup_comes_back() {
    let site = Site::new();
    site.add(&json!({"mtu": 1400}));
    let backup = site.bench.node.read(BACKUP);
    let tuned = site.link();
    let keys = json!({"txQLen": 5, "sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "x"}});
    site.call("ADD", &keys)
        .run(&site.bench.node)
        .assert_refused(100, &[]);
    assert_eq!(site.bench.node.read(BACKUP), backup);
    assert_eq!(site.link(), tuned);
}

#[test]
fn a_sysctl_that_was_empty_is_so_again() {
    let site = Site::new();
    let keys = json!({"txQLen": 4_294_967_295_u32,
        "sysctl": {"net.ipv4.ip_local_reserved_ports": "8080"}});
    site.pod
        .tool("tc", "qdisc replace dev eth0 root pfifo_fast");
    assert_fails(&site, &keys, 100, &["queue length 4294967295"]);
    assert_eq!(site.sysctl("net/ipv4/ip_local_reserved_ports"), "");
    site.add(&json!({"sysctl": {"net.ipv4.ip_local_reserved_ports": "8080"}}));
    site.add(&json!({"sysctl": {"net.ipv4.ip_local_reserved_ports": ""}}));
    assert_eq!(site.sysctl("net/ipv4/ip_local_reserved_ports"), "");
}

#[test]
fn what_the_kernel_carries_over_to_interfaces_goes_back_there() {
    let site = Site::new();
    let on = ["forwarding", "accept_redirects"].map(|key| format!("net/ipv4/conf/eth0/{key}"));
    let set = |path: &str, value| site.pod.run(|| net::sysctl::ensure(path, value)).unwrap();
    set("net/ipv4/ip_forward", "0");
    on.iter().for_each(|path| set(path, "1"));
    set("net/ipv6/conf/eth0/forwarding", "1");
    for key in [
        "net.ipv4.ip_forward",
        "net.ipv4.conf.all.forwarding",
        "net.ipv6.conf.all.forwarding",
    ] {
        let keys = json!({"sysctl": {key: "1", "net.ipv4.conf.IFNAME.arp_filter": "x"}});
        assert_fails(&site, &keys, 100, &["arp_filter"]);
        for path in &on {
            assert_eq!(site.sysctl(path), "1", "{key}: {path}");
        }
        assert_eq!(site.sysctl("net/ipv6/conf/eth0/forwarding"), "1", "{key}");
    }
}

#[test]
fn sysctls_that_are_right_need_no_writing_and_others_fail_where_none_can_be() {
    let site = Site::new();
    let somaxconn = site.sysctl("net/core/somaxconn");
    site.bench.node.protect_sysctls();
    site.add(&json!({"sysctl": {"net.core.somaxconn": somaxconn}}));
    let mut keys = everything();
    keys["sysctl"] = json!({"net.core.somaxconn": "777"});
    assert_fails(
        &site,
        &keys,
        100,
        &["net/core/somaxconn", "Read-only file system"],
    );
}
