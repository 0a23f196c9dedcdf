// SPDX-License-Identifier: Apache-2.0

use std::net::IpAddr;

use proptest::prelude::*;

use super::{Error, Pool, RangeSet, Span, check_disjoint};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// `subnet start end gateway`, with `-` for what is absent.
fn pool(text: &str) -> Result<Pool, Error> {
    let words: Vec<_> = text.split(' ').chain(["-"; 3]).collect();
    let address = |word: &str| (word != "-").then(|| ip(word));
    Pool::new(
        words[0].parse().unwrap(),
        address(words[1]),
        address(words[2]),
        address(words[3]),
    )
}

fn set(pools: &[&str]) -> Result<RangeSet, Error> {
    RangeSet::new(pools.iter().map(|text| pool(text).unwrap()).collect())
}

fn spans(pools: &[&str], last: Option<&str>) -> String {
    let spans = set(pools).unwrap().spans(last.map(ip));
    let text = |span: &Span| format!("{}-{}", span.first, span.last);
    spans.iter().map(text).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_absent_is_derived() {
    for (text, range, gateway) in [
        ("10.0.0.0/24", "10.0.0.1-10.0.0.254", "10.0.0.1"),
        ("10.0.0.0/30", "10.0.0.1-10.0.0.2", "10.0.0.1"),
        (
            "10.0.0.0/30 10.0.0.0 10.0.0.3",
            "10.0.0.0-10.0.0.3",
            "10.0.0.1",
        ),
        (
            "10.0.0.0/16 - - 192.0.2.1",
            "10.0.0.1-10.0.255.254",
            "192.0.2.1",
        ),
        (
            "2001:db8::/64",
            "2001:db8::1-2001:db8::ffff:ffff:ffff:ffff",
            "2001:db8::1",
        ),
        ("0.0.0.0/0", "0.0.0.1-255.255.255.254", "0.0.0.1"),
        ("::/0", "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::1"),
    ] {
        let pool = pool(text).unwrap();
        assert_eq!(
            (pool.to_string().as_str(), pool.gateway()),
            (range, ip(gateway)),
            "{text}"
        );
    }
}

#[test]
fn a_wrong_pool_is_refused_with_the_reference_text() {
    for (text, message) in [
        (
            "10.0.0.0/31",
            "Network 10.0.0.0/31 too small to allocate from",
        ),
        (
            "10.0.0.0/32",
            "Network 10.0.0.0/32 too small to allocate from",
        ),
        (
            "2001:db8::/127",
            "Network 2001:db8::/127 too small to allocate from",
        ),
        (
            "10.0.0.1/24",
            "Network has host bits set. For a subnet mask of length 24 the network address is \
             10.0.0.0",
        ),
        (
            "10.0.0.0/24 10.0.1.1",
            "RangeStart 10.0.1.1 not in network 10.0.0.0/24",
        ),
        (
            "10.0.0.0/24 10.0.0.9 10.0.0.8",
            "RangeStart 10.0.0.9 not in network 10.0.0.0/24",
        ),
        (
            "10.0.0.0/24 10.0.0.255",
            "RangeStart 10.0.0.255 not in network 10.0.0.0/24",
        ),
        (
            "10.0.0.0/24 ::1",
            "RangeStart ::1 not in network 10.0.0.0/24",
        ),
        (
            "10.0.0.0/24 - 10.0.1.1",
            "RangeEnd 10.0.1.1 not in network 10.0.0.0/24",
        ),
        (
            "10.0.0.0/24 - 10.0.0.0",
            "RangeEnd 10.0.0.0 not in network 10.0.0.0/24",
        ),
        (
            "10.0.0.0/24 10.0.0.2 10.0.1.1",
            "RangeEnd 10.0.1.1 not in network 10.0.0.0/24",
        ),
        (
            "::ffff:10.0.0.0/104",
            "IPNet IP and Mask version mismatch: ::ffff:10.0.0.0/104 is an IPv4 network written \
             as IPv6",
        ),
    ] {
        assert_eq!(pool(text).unwrap_err().to_string(), message, "{text}");
    }
}

#[test]
fn a_wrong_set_is_refused_with_the_reference_text() {
    let message = |pools: &[&str]| set(pools).unwrap_err().to_string();
    assert_eq!(message(&[]), "empty range set");
    assert_eq!(
        message(&["10.0.0.0/24", "2001:db8::/64"]),
        "mixed address families"
    );
    assert_eq!(
        message(&["10.0.0.0/24", "10.0.0.0/25 10.0.0.9"]),
        "subnets 10.0.0.1-10.0.0.254 and 10.0.0.9-10.0.0.126 overlap"
    );
    assert!(set(&["10.0.0.0/24 - 10.0.0.9", "10.0.0.0/24 10.0.0.10"]).is_ok());
}

#[test]
fn sets_may_not_share_an_address() {
    let sets = |sets: &[&[&str]]| {
        sets.iter()
            .map(|pools| set(pools).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        check_disjoint(&sets(&[&["10.0.0.0/24"], &["10.0.1.0/24"], &["::/64"]])),
        Ok(())
    );
    let error = check_disjoint(&sets(&[&["10.0.1.0/24"], &["::/64"], &["10.0.0.0/16"]]));
    assert_eq!(
        error.unwrap_err().to_string(),
        "range set 0 overlaps with 2"
    );
}

#[test]
fn addresses_are_tried_round_from_the_last_one() {
    let one = ["10.0.0.0/29"];
    assert_eq!(spans(&one, None), "10.0.0.2-10.0.0.6");
    assert_eq!(
        spans(&one, Some("10.0.0.4")),
        "10.0.0.5-10.0.0.6 10.0.0.2-10.0.0.4"
    );
    assert_eq!(spans(&one, Some("10.0.0.6")), "10.0.0.2-10.0.0.6");
    assert_eq!(spans(&one, Some("10.0.0.1")), "10.0.0.2-10.0.0.6");
    assert_eq!(spans(&one, Some("10.9.9.9")), "10.0.0.2-10.0.0.6");
    assert_eq!(spans(&one, Some("::1")), "10.0.0.2-10.0.0.6");
    let two = ["10.0.0.0/29 - - 10.0.0.4", "10.0.1.0/30"];
    assert_eq!(
        spans(&two, Some("10.0.0.5")),
        "10.0.0.6-10.0.0.6 10.0.1.2-10.0.1.2 10.0.0.1-10.0.0.3 10.0.0.5-10.0.0.5"
    );
    assert_eq!(spans(&["10.0.0.0/30 - 10.0.0.1"], None), "");
}

#[test]
fn the_ends_of_the_families_are_no_trouble() {
    let v4 = ["255.255.255.252/30 255.255.255.252 255.255.255.255 255.255.255.255"];
    assert_eq!(
        spans(&v4, Some("255.255.255.255")),
        "255.255.255.252-255.255.255.254"
    );
    assert_eq!(
        spans(&["0.0.0.0/30 0.0.0.0 - 0.0.0.0"], None),
        "0.0.0.1-0.0.0.2"
    );
    let all = set(&["::/0"]).unwrap().spans(None);
    assert_eq!(all[0].size(), u128::MAX - 1);
    let whole = Span {
        first: ip("::"),
        last: ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    };
    assert_eq!(whole.size(), u128::MAX);
}

#[test]
fn an_address_gets_its_own_pools_prefix_and_gateway() {
    let set = set(&["10.0.0.0/24", "10.1.0.0/16 - - 10.1.0.9"]).unwrap();
    let pool = set.pool_of(ip("10.1.2.3")).unwrap();
    assert_eq!(pool.with_prefix(ip("10.1.2.3")).to_string(), "10.1.2.3/16");
    assert_eq!(pool.gateway(), ip("10.1.0.9"));
    assert_eq!(set.to_string(), "10.0.0.1-10.0.0.254,10.1.0.1-10.1.255.254");
}

/// Pools of neighbouring subnets with random ends and gateways, and a last address.
fn any_set() -> impl Strategy<Value = (RangeSet, Vec<(u32, u32, u32)>, Option<u32>)> {
    let pool = (0_u32..8, 0_u32..8, 0_u32..10);
    (
        prop::collection::vec(pool, 1..4),
        prop::option::of(0_u32..40),
    )
        .prop_map(|(pools, last)| {
            let base = 0x0a00_0000_u32;
            let mut plain = Vec::new();
            let mut built = Vec::new();
            for (number, (one, other, gateway)) in (0_u32..).zip(pools) {
                let subnet = base + 8 * number;
                let ends = (
                    subnet + one.min(other),
                    subnet + one.max(other),
                    subnet + gateway,
                );
                let address = |bits: u32| Some(IpAddr::V4(bits.into()));
                let network = ipnetwork::IpNetwork::new(address(subnet).unwrap(), 29).unwrap();
                built.push(Pool::new(
                    network,
                    address(ends.0),
                    address(ends.1),
                    address(ends.2),
                ));
                plain.push(ends);
            }
            let built = built.into_iter().collect::<Result<_, _>>().unwrap();
            (
                RangeSet::new(built).unwrap(),
                plain,
                last.map(|last| base + last),
            )
        })
}

proptest! {
    /// One address after the other, as a person would write them down.
    #[test]
    fn the_order_is_that_of_a_walk((set, pools, last) in any_set()) {
        let all: Vec<(u32, u32)> = pools
            .iter()
            .flat_map(|(first, last, gateway)| (*first..=*last).map(move |ip| (ip, *gateway)))
            .collect();
        let start = last.and_then(|last| all.iter().position(|(ip, _)| *ip == last));
        let start = start.map_or(0, |position| position + 1);
        let walked = all[start..].iter().chain(&all[..start]);
        let expected: Vec<IpAddr> = walked
            .filter(|(ip, gateway)| ip != gateway)
            .map(|(ip, _)| IpAddr::V4((*ip).into()))
            .collect();
        let spans = set.spans(last.map(|last| IpAddr::V4(last.into())));
        let mut tried = Vec::new();
        for span in &spans {
            let mut at = Some(span.first);
            while let Some(address) = at.filter(|at| span.contains(*at)) {
                tried.push(address);
                at = super::next(address);
            }
        }
        let tried_len = tried.len() as u128;
        prop_assert_eq!(tried, expected);
        prop_assert_eq!(spans.iter().map(Span::size).sum::<u128>(), tried_len);
    }
}
