// SPDX-License-Identifier: Apache-2.0
//! CHECK: what ADD has set is set. A plugin behind may have changed the MAC address or the MTU
//! again: then the result says so. It need not be right otherwise: the reference plugin does not
//! note there which MTU it sets.

use std::net::IpAddr;

use cni::{AddResult, Check, Code, Error, OrCode};
use net::{Netns, Rtnl};

use crate::attributes::Attributes;
use crate::conf::Conf;
use crate::sysctls::Sysctl;

/// Reports all that differs, under code 105.
pub(crate) fn check(call: &Check) -> Result<(), Error> {
    let conf = Conf::of_check(call)?;
    let prev = call.required_prev_result()?;
    if conf.is_empty() {
        return Ok(());
    }
    let wish = format_args!("failed to open netns {:?}", call.netns);
    let netns = Netns::open(&call.netns).or_code(Code::INVALID_NETNS, wish)?;
    let look = || conf.sysctls.iter().filter_map(difference).collect();
    let wish = "look at the sandbox's sysctls";
    let mut sentences: Vec<String> = netns.run(look).or_code(Code::KERNEL, wish)?;
    if !conf.wish.is_empty() {
        let ifname = &call.attachment.ifname;
        let reported = reported(prev, ifname);
        sentences.extend(differences(&netns, ifname, &conf.wish, &reported)?);
    }
    match sentences.is_empty() {
        true => Ok(()),
        false => Err(Error::new(Code::CHECK_FAILED, sentences.join("; "))),
    }
}

/// What the result says of the interface.
fn reported(prev: &AddResult, ifname: &str) -> Attributes {
    let mut interfaces = prev.interfaces.iter();
    let interface = interfaces.find(|it| it.sandbox.is_some() && it.name == ifname);
    let mac = interface.and_then(|it| it.mac.as_ref()?.parse().ok());
    Attributes {
        mac,
        mtu: interface.and_then(|it| it.mtu),
        ..Attributes::default()
    }
}

fn differences(
    netns: &Netns,
    ifname: &str,
    wish: &Attributes,
    reported: &Attributes,
) -> Result<Vec<String>, Error> {
    let looking = || format!("look up {ifname:?} in the sandbox");
    let rtnl = Rtnl::open_in(netns).or_code(Code::KERNEL, looking())?;
    let Some(link) = rtnl.link(ifname).or_code(Code::KERNEL, looking())? else {
        return Ok(vec![format!("the sandbox has no interface {ifname:?}")]);
    };
    let present = Attributes::of(&link);
    let sentence = |one: Attributes| {
        let found = present.named_by(&one);
        let right = found == one || found == reported.named_by(&one);
        (!right).then(|| format!("{ifname:?} has {}, not {}", found.words(), one.words()))
    };
    Ok(wish.each().filter_map(sentence).collect())
}

/// One that can't be read can't be compared.
fn difference(sysctl: &Sysctl) -> Option<String> {
    let Sysctl { path, value, .. } = sysctl;
    match sysctl.read() {
        Ok(Some(found)) if !same(value, &found) => {
            Some(format!("sysctl {path} is {found:?}, not {value:?}"))
        }
        Ok(_) => None,
        Err(_) => Some(format!("the sandbox has no sysctl {path}")),
    }
}

/// Whether the kernel says in `found` what was written as `wanted`: it puts tabs between numbers,
/// writes them in decimal and addresses in full, and merges lists of ports.
fn same(wanted: &str, found: &str) -> bool {
    let [wanted, found] = [wanted, found].map(|text| {
        let words = text.split_whitespace();
        words.map(normal).collect::<Vec<_>>()
    });
    wanted == found
}

fn normal(word: &str) -> String {
    if let Some(number) = number(word) {
        return number.to_string();
    }
    if let Ok(address) = word.parse::<IpAddr>() {
        return address.to_string();
    }
    ports(word).unwrap_or_else(|| word.to_owned())
}

/// As the kernel reads it, which is as C does.
fn number(word: &str) -> Option<i64> {
    let digits = ["0x", "0X"].iter().find_map(|it| word.strip_prefix(it));
    match (digits, word.strip_prefix('0')) {
        (Some(digits), _) => i64::from_str_radix(digits, 16).ok(),
        (None, Some(digits)) if !digits.is_empty() => i64::from_str_radix(digits, 8).ok(),
        (None, _) => word.parse().ok(),
    }
}

/// A list such as `8080-8082,9000`, with all that touches in one range.
fn ports(word: &str) -> Option<String> {
    let range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some((first.parse::<u32>().ok()?, last.parse::<u32>().ok()?))
    };
    let mut ranges = word.split(',').map(range).collect::<Option<Vec<_>>>()?;
    ranges.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::new();
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    Some(format!("{merged:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_own_way_to_write_a_value_is_no_difference() {
        for (wanted, found) in [
            ("1", "1"),
            ("4096 87380 6291456", "4096\t87380\t6291456"),
            ("0x10", "16"),
            ("0X10", "16"),
            ("010", "8"),
            ("0", "0"),
            ("-1", "-1"),
            ("8080,8081,9000", "8080-8081,9000"),
            ("9000,8080-8090,8085-8099", "8080-8099,9000"),
            ("cubic", "cubic"),
            ("fd00::1", "fd00:0000:0000:0000:0000:0000:0000:0001"),
        ] {
            assert!(same(wanted, found), "{wanted} {found}");
        }
        for (wanted, found) in [
            ("1", "0"),
            ("1 2", "1"),
            ("10", "8"),
            ("8080,9000", "8080-9000"),
            ("a", "b"),
        ] {
            assert!(!same(wanted, found), "{wanted} {found}");
        }
    }
}
