// SPDX-License-Identifier: Apache-2.0
//! `/proc/sys` as an unprivileged container has it: read-only.

use std::thread;

use dataplane::{Action, Dataplane, Origin};
use net::Rtnl;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use topology::Settings;

use crate::lab::{Host, Lab, assert_cross, entries, settings};

/// Runs `f` in a node, on a thread that cannot write a sysctl.
fn without_writing<T: Send>(
    host: &Host,
    settings: &Settings,
    f: impl FnOnce(&Dataplane<'_>) -> T + Send,
) -> T {
    let netns = &host.netns;
    let run = || {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS).unwrap();
        make_read_only();
        let rtnl = Rtnl::open_in(netns).unwrap();
        let dataplane = Dataplane {
            rtnl: &rtnl,
            settings,
            origin: Origin::Own,
        };
        netns.run(|| f(&dataplane)).unwrap()
    };
    thread::scope(|scope| scope.spawn(run).join()).unwrap()
}

fn make_read_only() {
    const SYS: &str = "/proc/sys";
    let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(SYS), SYS, None::<&str>, bind, None::<&str>).unwrap();
    let locked = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | locked;
    mount(None::<&str>, SYS, None::<&str>, read_only, None::<&str>).unwrap();
}

/// The host is as strict as can be with new links.
fn strict(host: &Host) {
    for (setting, value) in [
        ("net/ipv4/conf/all/rp_filter", "1"),
        ("net/ipv4/conf/default/rp_filter", "1"),
        ("net/ipv4/conf/default/forwarding", "0"),
        ("net/ipv6/conf/default/accept_ra", "1"),
    ] {
        set(host, setting, value);
    }
}

fn set(host: &Host, setting: &str, value: &str) {
    host.inside(|| net::sysctl::ensure(setting, value)).unwrap();
}

#[test]
fn an_overlay_is_made_and_repaired_without_writing_sysctls() {
    let (lab, nodes, settings) = (Lab::new(2), entries(2, "46"), settings(""));
    lab.program(&nodes[1..], &settings);
    lab.nodes[1].reconcile(&nodes, &settings);
    let host = &lab.nodes[0];
    strict(host);
    let cluster = host.cluster(&nodes, &settings);
    let reconcile = || {
        without_writing(host, &settings, |dataplane| {
            assert!(!net::sysctl::is_writable("net/ipv4/conf/all/rp_filter"));
            let report = dataplane.reconcile(&cluster);
            assert!(report.errors.is_empty(), "{:?}", report.errors);
            let again = dataplane.audit(&cluster);
            assert!(again.is_clean(), "{again:?}");
            assert!(dataplane.glance(&cluster).unwrap().is_some());
            report
        })
    };
    reconcile();
    assert_cross(&lab, 1, 2, "46");
    for (setting, wrong, right) in [("rp_filter", "1", "2"), ("forwarding", "0", "1")] {
        let path = format!("net/ipv4/conf/podwire.1/{setting}");
        set(host, &path, wrong);
        let report = reconcile();
        assert_eq!(report.operations[&Action::SetSysctl], 1);
        let is = host.inside(|| net::sysctl::read(&path)).unwrap();
        assert_eq!(is, right, "{path}");
    }
    assert_cross(&lab, 1, 2, "46");
}

/// Without IPv6 on its device there is no overlay of IPv6; nothing but the host can give it that.
#[test]
fn what_has_to_be_set_on_the_host_is_said() {
    let (lab, nodes, settings) = (Lab::new(1), entries(1, "6"), settings(""));
    let host = &lab.nodes[0];
    set(host, "net/ipv6/conf/default/disable_ipv6", "1");
    let cluster = host.cluster(&nodes, &settings);
    let texts = without_writing(host, &settings, |dataplane| {
        let errors = dataplane.reconcile(&cluster).errors;
        errors.iter().map(ToString::to_string).collect::<Vec<_>>()
    });
    let advice = "set it on the host, by `sysctl -w net/ipv6/conf/podwire-v6.1/disable_ipv6=0`";
    assert!(texts.iter().any(|text| text.contains(advice)), "{texts:?}");
}
