// SPDX-License-Identifier: Apache-2.0
//! Keys and what they mean together.

use super::*;

fn conf(keys: &str) -> Result<Conf, String> {
    let text = format!(r#"{{"cniVersion": "1.1.0", "name": "net", "type": "portmap"{keys}}}"#);
    let network = Network::parse(text.as_bytes()).unwrap();
    Conf::new(&network).map_err(|error| {
        assert_eq!(error.code, Code::INVALID_CONFIG);
        error.msg
    })
}

fn mark(keys: &str) -> Option<(u32, bool)> {
    let snat = conf(keys).unwrap().policy.snat?;
    Some((snat.mark, snat.external))
}

#[test]
fn marks_are_bits_or_known_chains() {
    assert_eq!(mark(""), Some((0x2000, false)));
    assert_eq!(mark(r#", "markMasqBit": 0"#), Some((1, false)));
    assert_eq!(mark(r#", "markMasqBit": 31"#), Some((1 << 31, false)));
    let chain = |name| format!(r#", "externalSetMarkChain": "{name}""#);
    assert_eq!(mark(&chain("KUBE-MARK-MASQ")), Some((0x4000, true)));
    assert_eq!(mark(&chain("CNI-HOSTPORT-SETMARK")), Some((0x2000, false)));
    assert_eq!(mark(r#", "snat": false"#), None);
}

#[test]
fn what_can_not_be_is_refused() {
    for (keys, words) in [
        (
            r#", "markMasqBit": 32"#,
            "MasqMarkBit must be between 0 and 31",
        ),
        (
            r#", "markMasqBit": -1"#,
            "MasqMarkBit must be between 0 and 31",
        ),
        (
            r#", "markMasqBit": 1, "externalSetMarkChain": "KUBE-MARK-MASQ""#,
            "Cannot specify externalSetMarkChain and markMasqBit",
        ),
        (
            r#", "externalSetMarkChain": "MINE""#,
            "\"MINE\" is not known",
        ),
        (
            r#", "backend": "ebtables""#,
            "unrecognized backend \"ebtables\"",
        ),
    ] {
        let refused = conf(keys).unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
    for backend in ["", "iptables", "nftables"] {
        conf(&format!(r#", "backend": "{backend}""#)).unwrap();
    }
}
