// SPDX-License-Identifier: Apache-2.0
//! Limits and redirections, as the kernel and tc(8) understand them.

use std::process::Command;
use std::time::Duration;

use net::{Kind, NewIfb, Qdisc, Rtnl, Tbf};

use crate::{in_namespace, mac, pair};

const LATENCY: Duration = Duration::from_millis(25);

fn tc(arguments: &str) -> String {
    let output = Command::new("tc")
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert!(output.status.success(), "tc {arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn veth(rtnl: &Rtnl) -> u32 {
    rtnl.create_veth(&pair("veth0", "veth1")).unwrap().host
}

#[test]
fn a_limit_is_as_tc_makes_it() {
    in_namespace(|rtnl| {
        let veth = veth(rtnl);
        for (rate, burst) in [
            (125_000, 12_500),
            (1_000, 2_000),
            (125_000_000, 125_000),
            // 4294 seconds of the rate, as containerd asks for with a Kubernetes annotation of 1M.
            (125_000, u32::MAX / 8),
            // Above 2^32 bytes a second the rate needs 64 bits.
            (u64::from(u32::MAX), 4_294_967),
            (5_000_000_000, 50_000_000),
        ] {
            let tbf = Tbf::with_latency(rate, burst, LATENCY);
            rtnl.limit(veth, &tbf).unwrap();
            let words = format!("tbf rate {rate}bps burst {burst}b latency 25ms");
            tc(&format!("qdisc add dev veth1 root handle 1: {words}"));
            let [ours, tcs] =
                ["veth0", "veth1"].map(|dev| tc(&format!("qdisc show dev {dev} root")));
            assert_eq!(ours, tcs, "{words}");
            tc("qdisc del dev veth1 root");
            let Some(Qdisc::Tbf(bucket)) = rtnl.root_qdisc(veth).unwrap() else {
                panic!("no limit")
            };
            assert_eq!((bucket.rate, bucket.limit), (tbf.rate, tbf.limit));
            assert!(bucket.holds(&tbf), "{bucket:?}");
            let other = Tbf {
                burst: burst + burst / 10,
                ..tbf
            };
            assert!(!bucket.holds(&other), "{bucket:?}");
            rtnl.delete_root_qdisc(veth).unwrap();
            assert_eq!(rtnl.root_qdisc(veth).unwrap(), None);
        }
        let tbf = Tbf::with_latency(125_000, 12_500, LATENCY);
        rtnl.limit(veth, &tbf).unwrap();
        let shown = tc("qdisc show dev veth0 root");
        assert!(shown.starts_with("qdisc tbf 1: root "), "{shown}");
        assert!(
            shown.ends_with(" rate 1Mbit burst 12500b lat 25ms"),
            "{shown}"
        );
    });
}

#[test]
fn a_limit_that_tc_made_is_read() {
    in_namespace(|rtnl| {
        let veth = veth(rtnl);
        for (made, rate, burst) in [
            ("rate 3mbit burst 7777b latency 25ms", 375_000, 7_777),
            ("rate 48gbit burst 1mb latency 25ms", 6_000_000_000, 1 << 20),
            ("rate 8kbit burst 512mb latency 25ms", 1_000, 512 << 20),
        ] {
            tc(&format!(
                "qdisc replace dev veth0 root handle 1: tbf {made}"
            ));
            let wish = Tbf::with_latency(rate, burst, LATENCY);
            let Some(Qdisc::Tbf(bucket)) = rtnl.root_qdisc(veth).unwrap() else {
                panic!("no limit")
            };
            assert_eq!(bucket.rate, rate, "{made}");
            assert!(bucket.holds(&wish), "{made}: {bucket:?}");
            let waiting = i64::from(bucket.limit) - i64::from(wish.limit);
            assert!(waiting.abs() <= 1, "{made}: {bucket:?}, not {wish:?}");
        }
    });
}

#[test]
fn of_two_disciplines_the_first_stays() {
    in_namespace(|rtnl| {
        let veth = veth(rtnl);
        let tbf = Tbf::with_latency(125_000, 12_500, LATENCY);
        rtnl.limit(veth, &tbf).unwrap();
        let error = rtnl.limit(veth, &tbf).unwrap_err();
        assert!(error.is_exists(), "{error}");
        let wish = "cannot limit the link \"veth0\" to 125000 bytes a second with a burst of 12500 \
                    bytes: File exists";
        assert!(error.to_string().starts_with(wish), "{error}");
        assert_eq!(rtnl.ingress_qdisc(veth).unwrap(), None);
        rtnl.add_ingress(veth).unwrap();
        assert!(rtnl.add_ingress(veth).unwrap_err().is_exists());
        assert_eq!(rtnl.ingress_qdisc(veth).unwrap(), Some(Qdisc::Ingress));
        rtnl.delete_ingress_qdisc(veth).unwrap();
        assert!(rtnl.delete_ingress_qdisc(veth).is_err());
    });
}

#[test]
fn other_disciplines_are_told_by_their_names() {
    in_namespace(|rtnl| {
        let veth = veth(rtnl);
        tc("qdisc add dev veth0 root handle 7: htb");
        tc("qdisc add dev veth0 clsact");
        let htb = Qdisc::Other("htb".to_owned());
        assert_eq!(rtnl.root_qdisc(veth).unwrap(), Some(htb));
        assert_eq!(rtnl.ingress_qdisc(veth).unwrap(), Some(Qdisc::Clsact));
    });
}

#[test]
fn what_comes_in_is_redirected_to_an_ifb() {
    in_namespace(|rtnl| {
        let veth = veth(rtnl);
        let new = NewIfb {
            name: "ifb-a",
            mac: mac(9),
            mtu: 1400,
            alias: "of veth0",
        };
        let ifb = rtnl.create_ifb(&new).unwrap();
        let link = rtnl.link("ifb-a").unwrap().unwrap();
        assert_eq!((link.index, link.mtu, link.mac), (ifb, 1400, mac(9)));
        assert_eq!(link.alias.as_deref(), Some("of veth0"));
        assert_eq!((&link.kind, link.up), (&Kind::Ifb, false));
        assert_eq!(rtnl.ifbs().unwrap(), [link]);
        assert!(rtnl.create_ifb(&new).unwrap_err().is_exists());

        assert!(rtnl.redirect(veth, ifb).is_err(), "no ingress discipline");
        rtnl.add_ingress(veth).unwrap();
        assert_eq!(rtnl.redirections(veth).unwrap(), Vec::<u32>::new());
        rtnl.redirect(veth, ifb).unwrap();
        assert_eq!(rtnl.redirections(veth).unwrap(), [ifb]);
        let shown = tc("filter show dev veth0 ingress");
        for words in [
            "filter protocol all pref 1 u32",
            "match 00000000/00000000 at 0",
            "action order 1: mirred (Egress Redirect to device ifb-a) stolen",
        ] {
            assert!(shown.contains(words), "{words:?} in\n{shown}");
        }
        rtnl.delete_ingress_qdisc(veth).unwrap();
        assert_eq!(tc("filter show dev veth0"), "");
    });
}

#[test]
fn a_filter_of_some_packets_alone_is_no_redirection() {
    in_namespace(|rtnl| {
        let veth = veth(rtnl);
        tc("qdisc add dev veth0 clsact");
        let to_lo = "action mirred egress redirect dev lo";
        for filter in [
            format!("protocol all prio 1 u32 match u32 1 1 {to_lo}"),
            format!("protocol ip prio 2 u32 match u32 0 0 {to_lo}"),
            "protocol all prio 3 u32 match u32 0 0 action mirred egress mirror dev lo".to_owned(),
        ] {
            tc(&format!("filter add dev veth0 ingress {filter}"));
        }
        assert_eq!(rtnl.redirections(veth).unwrap(), Vec::<u32>::new());
        tc(&format!(
            "filter add dev veth0 ingress protocol all prio 4 u32 match u8 0 0 {to_lo}"
        ));
        assert_eq!(rtnl.redirections(veth).unwrap(), [1]);
    });
}
