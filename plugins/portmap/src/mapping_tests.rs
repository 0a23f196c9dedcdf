// SPDX-License-Identifier: Apache-2.0
//! What runtimes send becomes mappings, or is refused.

use super::*;

fn wish(host_port: i64, protocol: &str, host_ip: &str) -> Result<Wish, Error> {
    Wish::new(&RawMapping {
        host_port,
        container_port: 80,
        protocol: protocol.to_owned(),
        host_ip: host_ip.to_owned(),
    })
}

fn resolved(wishes: &[(&str, &str)], addresses: &[&str]) -> Result<Vec<String>, String> {
    let wishes: Vec<_> = wishes
        .iter()
        .map(|(protocol, host_ip)| wish(8080, protocol, host_ip).unwrap())
        .collect();
    let addresses: Vec<_> = addresses.iter().map(|it| it.parse().unwrap()).collect();
    let mappings = resolve(&wishes, &addresses).map_err(|error| error.msg)?;
    let text = |it: &Mapping| format!("{} {}", it.host, it.target);
    Ok(mappings.iter().map(text).collect())
}

const DUAL: [&str; 2] = ["10.1.0.5/24", "fd00::5/64"];

#[test]
fn an_unsaid_address_is_all_of_each_family() {
    let v4 = "0.0.0.0:8080/tcp 10.1.0.5:80";
    let v6 = "[::]:8080/tcp [fd00::5]:80";
    for host_ip in ["", "::", "0.0.0.0"] {
        let expected: &[&str] = match host_ip {
            "" => &[v4, v6],
            "::" => &[v6],
            _ => &[v4],
        };
        assert_eq!(resolved(&[("TCP", host_ip)], &DUAL).unwrap(), expected);
    }
    assert_eq!(resolved(&[("", "")], &DUAL[..1]).unwrap(), [v4]);
    let one = resolved(&[("sctp", "::ffff:192.0.2.2")], &DUAL).unwrap();
    assert_eq!(one, ["192.0.2.2:8080/sctp 10.1.0.5:80"]);
}

#[test]
fn the_first_address_of_a_family_counts() {
    let addresses = ["10.1.0.5/24", "10.2.0.5/24"];
    let mappings = resolved(&[("udp", "")], &addresses).unwrap();
    assert_eq!(mappings, ["0.0.0.0:8080/udp 10.1.0.5:80"]);
}

#[test]
fn a_mapping_that_leads_nowhere_is_refused() {
    for (host_ip, addresses, words) in [
        ("", &[][..], "does not give the container an address"),
        ("::", &DUAL[..1], "hostIP ::"),
        ("2001:db8::1", &DUAL[..1], "hostIP 2001:db8::1"),
        ("192.0.2.2", &DUAL[1..], "hostIP 192.0.2.2"),
    ] {
        let refused = resolved(&[("tcp", host_ip)], addresses).unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
    // Runtimes that ask for both families whatever the container has.
    let both = [("tcp", "0.0.0.0"), ("tcp", "::")];
    assert_eq!(resolved(&both, &DUAL[..1]).unwrap().len(), 1);
}

#[test]
fn a_port_is_mapped_once() {
    for (one, other, apart) in [
        (("tcp", ""), ("tcp", ""), false),
        (("tcp", ""), ("tcp", "192.0.2.2"), false),
        (("tcp", "::"), ("tcp", "2001:db8::1"), false),
        (("tcp", "192.0.2.2"), ("tcp", "192.0.2.3"), true),
        (("tcp", "192.0.2.2"), ("tcp", "2001:db8::1"), true),
        (("tcp", ""), ("udp", ""), true),
    ] {
        let outcome = resolved(&[one, other], &DUAL);
        assert_eq!(outcome.is_ok(), apart, "{one:?} {other:?} {outcome:?}");
    }
}

#[test]
fn what_can_not_be_is_refused() {
    for (port, text) in [(0, "0"), (65_536, "65536"), (-1, "-1")] {
        let refused = wish(port, "tcp", "").unwrap_err().msg;
        assert_eq!(refused, format!("Invalid host port number: {text}"));
    }
    let raw = RawMapping {
        host_port: 8080,
        container_port: 70_000,
        ..RawMapping::default()
    };
    let refused = Wish::new(&raw).unwrap_err().msg;
    assert_eq!(refused, "Invalid container port number: 70000");
    for (protocol, host_ip, words) in [
        ("icmp", "", "unknown protocol \"icmp\""),
        ("tcp", "192.0.2.256", "invalid hostIP \"192.0.2.256\""),
        ("tcp", "localhost", "invalid hostIP"),
        ("tcp", "::1", "hostIP ::1"),
    ] {
        let refused = wish(8080, protocol, host_ip).unwrap_err().msg;
        assert!(refused.contains(words), "{refused}");
    }
}
