// SPDX-License-Identifier: Apache-2.0
//! Everything that Podwire is built from may be distributed under the licences of `deny.toml`;
//! `cargo deny` says the same where it is installed.

use std::fs;

use integration_tests::{Metadata, binaries};

/// Whether an SPDX expression can be satisfied from a list of licences. Such expressions here are
/// a conjunction of alternatives; `/` is what older packages write for OR.
fn is_satisfied(expression: &str, allowed: &[String]) -> bool {
    expression
        .replace('/', " OR ")
        .split(" AND ")
        .all(|alternatives| {
            let bare = alternatives.replace(['(', ')'], "");
            bare.split(" OR ")
                .any(|licence| allowed.iter().any(|name| name == licence.trim()))
        })
}

#[test]
fn dependencies_have_allowed_licences() {
    let table = fs::read_to_string(binaries::workspace().join("deny.toml")).unwrap();
    let line = table
        .lines()
        .find(|line| line.starts_with("allow = "))
        .unwrap();
    let allowed: Vec<String> = line
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();

    let licences = Metadata::read().licences();
    assert!(licences.len() > 20);
    for (name, licence) in licences {
        assert!(
            is_satisfied(&licence, &allowed),
            "{name} has the licence {licence:?}"
        );
    }
}

#[test]
fn expressions_are_understood() {
    let allowed = ["MIT", "Unicode-3.0"].map(str::to_owned);
    for good in [
        "MIT",
        "Apache-2.0 OR MIT",
        "MIT/Apache-2.0",
        "(MIT OR GPL-3.0) AND Unicode-3.0",
    ] {
        assert!(is_satisfied(good, &allowed), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0 OR GPL-3.0"] {
        assert!(!is_satisfied(bad, &allowed), "{bad}");
    }
}
