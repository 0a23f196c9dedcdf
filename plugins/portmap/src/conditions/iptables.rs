// SPDX-License-Identifier: Apache-2.0
//! Conditions in the syntax of iptables(8), which earlier plugins took: what they are in nft's.

use nft::Protocol;

/// Whether the conditions are in the syntax of iptables, as the reference tells it.
pub(super) fn is_meant(text: &str) -> bool {
    text.trim_start().starts_with(['-', '!'])
}

/// The sentence that says what to write instead.
pub(super) fn translation(text: &str, protocol: Protocol) -> String {
    let why = "it is in the syntax of iptables, and rules are made in nf_tables";
    let mut words = Words {
        left: text.split_whitespace().collect(),
        family: match protocol {
            Protocol::V4 => "ip",
            Protocol::V6 => "ip6",
        },
        transport: "th".to_owned(),
    };
    let mut matches = Vec::new();
    while !words.left.is_empty() {
        match words.a_match() {
            Ok(text) => matches.extend(text),
            Err(word) => {
                return format!(
                    "{why}: write it in nft's language (what {word:?} is there is not known here)"
                );
            }
        }
    }
    let tokens: Vec<_> = matches
        .iter()
        .flat_map(|text| text.split(' '))
        .map(|word| format!("{word:?}"))
        .collect();
    format!("{why}: write [{}]", tokens.join(", "))
}

struct Words<'a> {
    left: std::collections::VecDeque<&'a str>,
    family: &'static str,
    /// What ports are of, as `-p` said it.
    transport: String,
}

impl<'a> Words<'a> {
    /// One match in nft's language, `None` for what needs no words there; the word that is not known.
    fn a_match(&mut self) -> Result<Option<String>, &'a str> {
        let mut negation = "";
        let mut option = self.left.pop_front().unwrap_or_default();
        if option == "!" {
            negation = "!= ";
            option = self.left.pop_front().ok_or("!")?;
        }
        let mut value = self.left.pop_front().ok_or(option)?;
        if value == "!" {
            negation = "!= ";
            value = self.left.pop_front().ok_or(option)?;
        }
        let Words {
            family, transport, ..
        } = &*self;
        let list = || format!("{{ {} }}", value.replace(',', ", ").replace(':', "-"));
        let text = match option {
            "-m" | "--match" => return Ok(None),
            "-s" | "--source" | "--src" => format!("{family} saddr {negation}{value}"),
            "-d" | "--destination" | "--dst" => format!("{family} daddr {negation}{value}"),
            // Which would be a name like others in nft's language.
            "-i" | "--in-interface" | "-o" | "--out-interface" if value.ends_with('+') => {
                return Err(value);
            }
            "-i" | "--in-interface" => format!("iifname {negation}{value}"),
            "-o" | "--out-interface" => format!("oifname {negation}{value}"),
            "--sport" | "--source-port" => port(transport, "sport", negation, value),
            "--dport" | "--destination-port" => port(transport, "dport", negation, value),
            "--sports" | "--source-ports" => format!("{transport} sport {negation}{}", list()),
            "--dports" | "--destination-ports" => format!("{transport} dport {negation}{}", list()),
            "--mark" if !value.contains('/') => format!("meta mark {negation}{value}"),
            "--ctstate" | "--state" => format!("ct state {negation}{}", value.to_lowercase()),
            "--dst-type" => format!("fib daddr type {negation}{}", value.to_lowercase()),
            "--src-type" => format!("fib saddr type {negation}{}", value.to_lowercase()),
            "-p" | "--protocol" => {
                self.transport = value.to_owned();
                format!("meta l4proto {negation}{value}")
            }
            other => return Err(other),
        };
        Ok(Some(text))
    }
}

fn port(transport: &str, end: &str, negation: &str, value: &str) -> String {
    format!("{transport} {end} {negation}{}", value.replace(':', "-"))
}
