// SPDX-License-Identifier: Apache-2.0
//! What is read of nft's language, and what is refused.

use nft::End;
use proptest::prelude::*;

use super::test::Field;
use super::*;

fn read(text: &str) -> Result<Vec<Vec<Test>>, String> {
    let tokens: Vec<String> = text.split(' ').map(str::to_owned).collect();
    match parse(Some(&tokens), Protocol::V4) {
        Ok(conditions) => Ok(conditions.alternatives),
        Err(error) => Err(error.msg),
    }
}

fn within(network: &str) -> Test {
    Test::Within(End::Source, network.parse().unwrap())
}

fn outside(network: &str) -> Test {
    Test::Outside(End::Source, network.parse().unwrap())
}

#[test]
fn without_conditions_everything_fits() {
    assert_eq!(read("").unwrap(), [vec![]]);
    assert_eq!(parse(None, Protocol::V6).unwrap().alternatives, [vec![]]);
}

#[test]
fn a_set_is_an_alternative_and_its_negation_is_none() {
    let set = read("ip saddr { 10.0.0.0/8, 192.0.2.1 } tcp dport 80").unwrap();
    let tcp = Test::Equal(Field::Transport, vec![6]);
    let port = Test::Equal(Field::Dport, vec![0, 80]);
    let of = |network| vec![within(network), tcp.clone(), port.clone()];
    assert_eq!(set, [of("10.0.0.0/8"), of("192.0.2.1/32")]);
    let none = read("ip saddr != {10.0.0.0/8,192.0.2.1}").unwrap();
    assert_eq!(none, [vec![outside("10.0.0.0/8"), outside("192.0.2.1/32")]]);
    let range = read("th sport != 1000-2000").unwrap();
    let between = |first: u16, last: u16| {
        let [first, last] = [first, last].map(|it| it.to_be_bytes().to_vec());
        vec![Test::Between(Field::Sport, first, last)]
    };
    assert_eq!(range, [between(0, 999), between(2001, u16::MAX)]);
}

#[test]
fn all_documented_matches_are_read() {
    for text in [
        "iifname eth0",
        "iifname \"eth0\"",
        "oif != { eth0, eth1 }",
        "meta iifname eth0 meta mark 0x10 mark != 16",
        "meta l4proto { tcp, udp, 132 }",
        "udp sport 53 sctp dport 1-5",
        "fib daddr type local fib saddr type != { local, broadcast }",
        "ct state new,established",
        "ct state != invalid",
        "ip daddr == 192.0.2.0/24 ip saddr ne 10.0.0.1 ip saddr eq 10.0.0.2",
    ] {
        read(text).unwrap_or_else(|why| panic!("{text}: {why}"));
    }
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    for (text, words) in [
        ("icmp type 8", "\"icmp\" is none of the matches"),
        ("ip ttl 5", "\"ttl\" is not saddr or daddr"),
        ("ip saddr", "it ends where an address should be"),
        ("ip saddr fd00::1", "\"fd00::1\" is no IPv4 address"),
        ("ip6 saddr fd00::1", "the other family"),
        ("tcp dport 80-70", "\"80-70\" is no port"),
        ("tcp dport > 80", "\">\" stands where a port should be"),
        ("iifname verylonginterface0", "is no interface's name"),
        ("ip saddr { 10.0.0.1", "it ends where } should be"),
        ("ip saddr @mine", "\"@mine\" is no IPv4 address"),
        ("ct state gone", "\"gone\" is no state"),
        ("iif != 3", "\"3\" is no interface's name"),
    ] {
        let refused = read(text).unwrap_err();
        assert!(refused.contains(words), "{text}: {refused}");
    }
}

#[test]
fn iptables_syntax_is_translated() {
    for (text, nft) in [
        ("! -s 10.0.0.0/8", r#"["ip", "saddr", "!=", "10.0.0.0/8"]"#),
        ("-s ! 10.0.0.0/8", r#"["ip", "saddr", "!=", "10.0.0.0/8"]"#),
        (
            "-d 192.0.2.2 -i eth0",
            r#"["ip", "daddr", "192.0.2.2", "iifname", "eth0"]"#,
        ),
        (
            "-p tcp -m tcp --dport 80:90",
            r#"["meta", "l4proto", "tcp", "tcp", "dport", "80-90"]"#,
        ),
        (
            "-p udp -m multiport ! --dports 53,99",
            r#"["meta", "l4proto", "udp", "udp", "dport", "!=", "{", "53,", "99", "}"]"#,
        ),
        ("-m conntrack --ctstate NEW", r#"["ct", "state", "new"]"#),
        (
            "-m addrtype ! --dst-type LOCAL",
            r#"["fib", "daddr", "type", "!=", "local"]"#,
        ),
    ] {
        let refused = read(text).unwrap_err();
        assert!(refused.contains("in the syntax of iptables"), "{refused}");
        assert!(refused.ends_with(&format!("write {nft}")), "{refused}");
        let words = nft.replace(['[', ']', '"'], "").replace(", ", " ");
        read(&words).unwrap_or_else(|why| panic!("{words}: {why}"));
    }
    let refused = read("-m owner --uid-owner 5").unwrap_err();
    assert!(refused.contains("\"--uid-owner\""), "{refused}");
    let refused = read("! -i eth+").unwrap_err();
    assert!(refused.contains("what \"eth+\" is there"), "{refused}");
}

#[test]
fn combinations_have_an_end() {
    let ports = vec!["1"; 20].join(", ");
    let text = format!("tcp dport {{ {ports} }} th sport {{ {ports} }}");
    assert!(read(&text).unwrap_err().contains("combinations"));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_fail(text in "[-!a-z0-9{}., /]{0,60}") {
        if let Ok(alternatives) = read(&text) {
            prop_assert!(alternatives.len() <= MOST_ALTERNATIVES);
        }
    }
}
