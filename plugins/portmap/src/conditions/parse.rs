// SPDX-License-Identifier: Apache-2.0
//! The part of nft's language that conditions are written in.

use ipnetwork::IpNetwork;
use nft::{End, Protocol};

use super::test::{Field, Test};
use crate::mapping::Transport;

/// `IFNAMSIZ`: the length of an interface's name as a register holds it.
const NAME: usize = 16;

/// A conjunction of disjunctions, or why there is none.
pub(super) fn clauses(text: &str, protocol: Protocol) -> Result<Vec<Vec<Test>>, String> {
    let words = words(text);
    let mut reader = Reader {
        words: &words,
        protocol,
        clauses: Vec::new(),
    };
    while !reader.words.is_empty() {
        reader.a_match()?;
    }
    Ok(reader.clauses)
}

/// Words, with brackets and commas as words of their own and without quotation marks.
fn words(text: &str) -> Vec<String> {
    let spaced: String = text
        .chars()
        .filter(|c| *c != '"')
        .flat_map(|c| match c {
            '{' | '}' | ',' => vec![' ', c, ' '],
            c => vec![c],
        })
        .collect();
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// What is left of the words, and what they have meant so far.
struct Reader<'a> {
    words: &'a [String],
    protocol: Protocol,
    clauses: Vec<Vec<Test>>,
}

/// What follows a field.
struct Values<'a> {
    negated: bool,
    values: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    fn next(&mut self, wanted: &str) -> Result<&'a str, String> {
        let [first, rest @ ..] = self.words else {
            return Err(format!("it ends where {wanted} should be"));
        };
        self.words = rest;
        Ok(first)
    }

    fn one_of<T: Copy>(&mut self, known: &[(&str, T)]) -> Result<T, String> {
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        let names = names.join(" or ");
        let word = self.next(&names)?;
        let found = known.iter().find(|(name, _)| *name == word);
        found
            .map(|(_, value)| *value)
            .ok_or_else(|| format!("{word:?} is not {names}"))
    }

    fn a_match(&mut self) -> Result<(), String> {
        let mut word = self.next("a match")?;
        if word == "meta" {
            word = self.next("a key of meta")?;
        }
        match word {
            "ip" => self.address(Protocol::V4),
            "ip6" => self.address(Protocol::V6),
            "iifname" | "iif" => self.simple(Field::InputName, name),
            "oifname" | "oif" => self.simple(Field::OutputName, name),
            "mark" => self.simple(Field::Mark, mark),
            "l4proto" => self.simple(Field::Transport, transport),
            "tcp" => self.port(Some(Transport::Tcp)),
            "udp" => self.port(Some(Transport::Udp)),
            "sctp" => self.port(Some(Transport::Sctp)),
            "th" => self.port(None),
            "fib" => self.fib(),
            "ct" => self.connection(),
            other => Err(format!(
                "{other:?} is none of the matches that are known here: ip, ip6, iifname, oifname, \
                 tcp, udp, sctp, th, meta mark, meta l4proto, fib, ct state"
            )),
        }
    }

    fn address(&mut self, protocol: Protocol) -> Result<(), String> {
        let end = self.one_of(&[("saddr", End::Source), ("daddr", End::Destination)])?;
        if protocol != self.protocol {
            return Err("it asks for an address of the other family".to_owned());
        }
        let Values { negated, values } = self.values("an address")?;
        let networks = values.into_iter().map(|word| network(word, protocol));
        let networks = networks.collect::<Result<Vec<_>, _>>()?;
        let tests = networks.into_iter().map(|network| match negated {
            true => Test::Outside(end, network),
            false => Test::Within(end, network),
        });
        self.add(negated, tests.collect());
        Ok(())
    }

    fn simple(
        &mut self,
        field: Field,
        read: fn(&str) -> Result<Vec<u8>, String>,
    ) -> Result<(), String> {
        let Values { negated, values } = self.values("a value")?;
        let values = values.into_iter().map(read);
        let tests = values.map(|value| value.map(|value| equality(field, value, negated)));
        let tests = tests.collect::<Result<_, _>>()?;
        self.add(negated, tests);
        Ok(())
    }

    fn port(&mut self, transport: Option<Transport>) -> Result<(), String> {
        let field = self.one_of(&[("sport", Field::Sport), ("dport", Field::Dport)])?;
        let Values { negated, values } = self.values("a port")?;
        if let Some(transport) = transport {
            let number = vec![transport as u8];
            self.clauses
                .push(vec![Test::Equal(Field::Transport, number)]);
        }
        let tests = values.iter().map(|word| ports(field, word, negated));
        let tests = tests.collect::<Result<Vec<_>, _>>()?;
        match negated {
            true => self.clauses.extend(tests),
            false => self.clauses.push(tests.concat()),
        }
        Ok(())
    }

    fn fib(&mut self) -> Result<(), String> {
        let ends = [
            ("saddr", Field::SourceType),
            ("daddr", Field::DestinationType),
        ];
        let field = self.one_of(&ends)?;
        self.one_of(&[("type", ())])?;
        self.simple(field, address_type)
    }

    fn connection(&mut self) -> Result<(), String> {
        self.one_of(&[("state", ())])?;
        let Values { negated, values } = self.values("a state")?;
        let bits = values.into_iter().map(state);
        let bits = bits.collect::<Result<Vec<_>, _>>()?;
        let bits = bits.into_iter().fold(0, |all, bit| all | bit);
        self.clauses.push(vec![match negated {
            true => Test::None(Field::State, bits),
            false => Test::Some(Field::State, bits),
        }]);
        Ok(())
    }

    /// An operator, and one value, several with commas between them, or a set.
    fn values(&mut self, wanted: &str) -> Result<Values<'a>, String> {
        let mut word = self.next(wanted)?;
        let negated = matches!(word, "!=" | "ne");
        if negated || matches!(word, "==" | "eq") {
            word = self.next(wanted)?;
        }
        let set = word == "{";
        let mut values = vec![if set { self.next(wanted)? } else { word }];
        while self.words.first().is_some_and(|word| word == ",") {
            self.next(",")?;
            if set && self.words.first().is_some_and(|word| word == "}") {
                break;
            }
            values.push(self.next(wanted)?);
        }
        if set {
            self.one_of(&[("}", ())])?;
        }
        let stray = values
            .iter()
            .find(|word| ["{", "}", ",", "!", "=", "<", ">", "<=", ">="].contains(*word));
        match stray {
            Some(word) => Err(format!("{word:?} stands where {wanted} should be")),
            None => Ok(Values { negated, values }),
        }
    }

    /// One of the tests must hold, or, if they are negated, each of them.
    fn add(&mut self, negated: bool, tests: Vec<Test>) {
        match negated {
            true => self
                .clauses
                .extend(tests.into_iter().map(|test| vec![test])),
            false => self.clauses.push(tests),
        }
    }
}

fn equality(field: Field, value: Vec<u8>, negated: bool) -> Test {
    match negated {
        true => Test::Unequal(field, value),
        false => Test::Equal(field, value),
    }
}

fn network(word: &str, protocol: Protocol) -> Result<IpNetwork, String> {
    let network: Result<IpNetwork, _> = word.parse();
    let network = network.ok().filter(|it| Protocol::of(it.ip()) == protocol);
    network.ok_or_else(|| {
        let family = match protocol {
            Protocol::V4 => "IPv4",
            Protocol::V6 => "IPv6",
        };
        format!("{word:?} is no {family} address or network")
    })
}

fn name(word: &str) -> Result<Vec<u8>, String> {
    // `iif 3` is about an index.
    let is_number = word.bytes().all(|octet| octet.is_ascii_digit());
    if is_number || word.len() >= NAME || word.contains(['/', '*']) {
        return Err(format!("{word:?} is no interface's name"));
    }
    let mut name = word.as_bytes().to_vec();
    name.resize(NAME, 0);
    Ok(name)
}

fn mark(word: &str) -> Result<Vec<u8>, String> {
    let number = match word.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => word.parse(),
    };
    let number = number.map_err(|_| format!("{word:?} is no mark"))?;
    Ok(number.to_ne_bytes().to_vec())
}

fn transport(word: &str) -> Result<Vec<u8>, String> {
    let known = [Transport::Tcp, Transport::Udp, Transport::Sctp];
    let named = known.into_iter().find(|known| known.to_string() == word);
    let number = named.map(|known| known as u8).or_else(|| word.parse().ok());
    let number = number.ok_or_else(|| format!("{word:?} is no transport protocol"))?;
    Ok(vec![number])
}

/// A port or a range of them. Outside of a range is below it or above it.
fn ports(field: Field, word: &str, negated: bool) -> Result<Vec<Test>, String> {
    let refused = || format!("{word:?} is no port and no range of ports");
    let number = |text: &str| text.parse::<u16>().map_err(|_| refused());
    let octets = |port: u16| port.to_be_bytes().to_vec();
    let Some((first, last)) = word.split_once('-') else {
        return Ok(vec![equality(field, octets(number(word)?), negated)]);
    };
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err(refused());
    }
    let between = |first, last| Test::Between(field, octets(first), octets(last));
    if !negated {
        return Ok(vec![between(first, last)]);
    }
    let below = first.checked_sub(1).map(|end| between(0, end));
    let above = last.checked_add(1).map(|start| between(start, u16::MAX));
    Ok(below.into_iter().chain(above).collect())
}

/// `RTN_*` of linux/rtnetlink.h.
fn address_type(word: &str) -> Result<Vec<u8>, String> {
    let number: u32 = match word {
        "unicast" => 1,
        "local" => 2,
        "broadcast" => 3,
        "multicast" => 5,
        other => return Err(format!("{other:?} is no type of address")),
    };
    Ok(number.to_ne_bytes().to_vec())
}

/// `NF_CT_STATE_BIT` of linux/netfilter/nf_conntrack_common.h.
fn state(word: &str) -> Result<u32, String> {
    match word {
        "invalid" => Ok(1),
        "established" => Ok(2),
        "related" => Ok(4),
        "new" => Ok(8),
        "untracked" => Ok(64),
        other => Err(format!("{other:?} is no state of a connection")),
    }
}
