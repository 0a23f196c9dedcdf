// SPDX-License-Identifier: Apache-2.0
use super::*;

/// As flannel writes it for both families.
const DUAL: &str = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\n\
    FLANNEL_IPV6_NETWORK=fd00:244::/48\nFLANNEL_IPV6_SUBNET=fd00:244:0:3::1/64\n\
    FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";

fn networks(texts: &[&str]) -> Vec<IpNetwork> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn both_families_are_read() {
    let expected = SubnetEnv {
        networks: networks(&["10.244.0.0/16", "fd00:244::/48"]),
        subnets: networks(&["10.244.3.0/24", "fd00:244:0:3::/64"]),
        mtu: 1450,
        ip_masq: true,
    };
    assert_eq!(SubnetEnv::parse(DUAL), Ok(expected.clone()));
    // Neither line ends nor what other programs may add matter, nor does the order.
    let other = format!(
        "# a comment\r\n\r\nFUTURE=1\r\n{}",
        DUAL.replace('\n', "\r\n")
    );
    let other: String = other
        .lines()
        .rev()
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(SubnetEnv::parse(&other), Ok(expected));
}

#[test]
fn one_family_is_enough() {
    for (kept, left_out) in [("10.244", "IPV6"), ("fd00", "10.244")] {
        let lines = DUAL.lines().filter(|line| !line.contains(left_out));
        let text: Vec<_> = lines.collect();
        let env = SubnetEnv::parse(&text.join("\n")).unwrap();
        assert_eq!((env.networks.len(), env.subnets.len()), (1, 1));
        assert!(env.subnets[0].to_string().starts_with(kept));
    }
}

#[test]
fn several_networks_are_a_list_without_repetitions() {
    let text = DUAL.replace(
        "10.244.0.0/16",
        "10.244.0.0/16, 10.245.0.0/16,10.244.7.9/16",
    );
    let env = SubnetEnv::parse(&text).unwrap();
    let expected = ["10.244.0.0/16", "10.245.0.0/16", "fd00:244::/48"];
    assert_eq!(env.networks, networks(&expected));
}

#[test]
fn what_cannot_be_is_named() {
    for (from, to, words) in [
        (
            "=10.244.0.0/16",
            "=10.244.0.0",
            "line 1: FLANNEL_NETWORK: invalid CIDR address: 10.244.0.0",
        ),
        (
            "=10.244.0.0/16",
            "",
            "line 1: FLANNEL_NETWORK: invalid CIDR address: ",
        ),
        (
            "=10.244.0.0/16",
            "=fd00::/48",
            "line 1: FLANNEL_NETWORK: fd00::/48 is of the other",
        ),
        (
            "=10.244.3.1/24",
            "=10.244.3.1/33",
            "line 2: FLANNEL_SUBNET: invalid CIDR",
        ),
        (
            "=fd00:244::/48",
            "=10.0.0.0/8",
            "line 3: FLANNEL_IPV6_NETWORK: 10.0.0.0/8 is of",
        ),
        (
            "=10.244.3.1/24",
            "=10.5.3.1/24",
            "the subnet 10.5.3.0/24 is not within the network 10.244",
        ),
        (
            "=10.244.3.1/24",
            "=10.244.0.0/15",
            "the subnet 10.244.0.0/15 is not within",
        ),
        (
            "1450",
            "fifty",
            "line 5: FLANNEL_MTU: \"fifty\" is not a number from 68 to 65535",
        ),
        ("1450", "0", "FLANNEL_MTU: \"0\""),
        ("1450", "-1", "FLANNEL_MTU: \"-1\""),
        ("1450", "99999999999999999999", "FLANNEL_MTU"),
        (
            "=true",
            "=maybe",
            "line 6: FLANNEL_IPMASQ: \"maybe\" is neither true nor false",
        ),
        (
            "FLANNEL_MTU=1450\nFLANNEL_IPMASQ",
            "X",
            "FLANNEL_MTU, FLANNEL_IPMASQ is missing",
        ),
        (
            "_NETWORK",
            "_NETZWERK",
            "FLANNEL_NETWORK or FLANNEL_IPV6_NETWORK is missing",
        ),
        (
            "_SUBNET",
            "_TEILNETZ",
            "FLANNEL_SUBNET or FLANNEL_IPV6_SUBNET is missing",
        ),
    ] {
        let text = DUAL.replace(from, to);
        let Invalid(cause) = SubnetEnv::parse(&text).unwrap_err();
        assert!(cause.contains(words), "{to}: {cause}");
    }
}

#[test]
fn garbage_is_refused_and_nothing_worse() {
    for garbage in [
        "",
        "\0",
        "=",
        "====\n=\n",
        "FLANNEL_NETWORK",
        "{}",
        "\u{feff}\n",
    ] {
        assert!(SubnetEnv::parse(garbage).is_err(), "{garbage:?}");
    }
    // Any beginning of the file, as a writer leaves it that does not rename.
    for end in 0..DUAL.len() {
        drop(SubnetEnv::parse(&DUAL[..end]));
    }
}

#[test]
fn a_file_that_is_not_there_yet_may_come() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("subnet.env");
    assert_eq!(
        SubnetEnv::read(&path).unwrap_err().code,
        Code::TRY_AGAIN_LATER
    );
    assert_eq!(
        SubnetEnv::read(directory.path()).unwrap_err().code,
        Code::IO
    );
    fs::write(&path, "FLANNEL_MTU=x").unwrap();
    let error = SubnetEnv::read(&path).unwrap_err();
    assert_eq!(error.code, Code::INVALID_CONFIG);
    assert!(
        error.msg.contains("subnet.env\": line 1: FLANNEL_MTU"),
        "{error}"
    );
}
