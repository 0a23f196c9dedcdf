// SPDX-License-Identifier: Apache-2.0
//! User data, which the kernel keeps for nft(8): comments, and what ours say.

use sha2::{Digest, Sha512};

use crate::object::ByteOrder;

/// nft(8) refuses to read longer comments back (`NFTNL_UDATA_COMMENT_MAXLEN`).
const LONGEST: usize = 128;
/// A label, a blank and an IPv6 prefix (43) stay within nft's limit.
const LONGEST_LABEL: usize = 80;
const HASH_DIGITS: usize = 32;
/// `NFTNL_UDATA_*_COMMENT` has this number for every kind of object that carries one.
const TEXT: u8 = 0;

/// The user data that nft(8) shows as `comment "text"`; cut at what nft accepts.
pub(crate) fn encode(text: &str) -> Vec<u8> {
    let mut end = text.len().min(LONGEST - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let length = u8::try_from(end + 1).expect("a comment below 128 bytes");
    let mut data = vec![TEXT, length];
    data.extend(&text.as_bytes()[..end]);
    data.push(0);
    data
}

/// The user data by which nft(8) knows the byte order of a set's keys
/// (`NFTNL_UDATA_SET_KEYBYTEORDER`); without it, it shows names of interfaces as empty.
pub(crate) fn byte_order(order: ByteOrder) -> Vec<u8> {
    let mut data = vec![0, 4];
    data.extend((order as u32).to_ne_bytes());
    data
}

/// The comment in an object's user data, a run of (type, length, value).
pub(crate) fn decode(mut data: &[u8]) -> Option<String> {
    while let [kind, length, rest @ ..] = data {
        let value = rest.get(..usize::from(*length))?;
        if *kind == TEXT {
            return Some(crate::wire::string(value));
        }
        data = &rest[usize::from(*length)..];
    }
    None
}

/// A network's name as it stands in chain names and comments: itself, or cut and hashed if too
/// long. A cut one contains a slash, which a name cannot.
pub fn label(network: &str) -> String {
    if network.len() <= LONGEST_LABEL {
        return network.to_owned();
    }
    let head = network
        .get(..LONGEST_LABEL - HASH_DIGITS - 1)
        .unwrap_or_default();
    format!("{head}/{}", hash(HASH_DIGITS, network))
}

/// The first hexadecimal digits of a text's SHA-512.
pub(crate) fn hash(digits: usize, text: &str) -> String {
    let sum = Sha512::digest(text.as_bytes());
    let mut hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.truncate(digits);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_survives_encoding() {
        assert_eq!(
            decode(&encode("podnet veth0")).as_deref(),
            Some("podnet veth0")
        );
        assert_eq!(encode("ab"), [0, 3, b'a', b'b', 0]);
    }

    #[test]
    fn a_comment_is_found_behind_other_user_data() {
        assert_eq!(decode(&[7, 1, 9, 0, 2, b'x', 0]).as_deref(), Some("x"));
        assert_eq!(decode(&[7, 1, 9]), None);
        assert_eq!(decode(&[0, 9, b'x']), None);
    }

    #[test]
    fn a_long_comment_is_cut_between_characters() {
        let text = format!("{}é", "a".repeat(LONGEST - 2));
        assert_eq!(
            decode(&encode(&text)).as_deref(),
            Some(&text[..LONGEST - 2])
        );
    }

    #[test]
    fn labels_are_short_and_differ() {
        assert_eq!(label("podnet"), "podnet");
        let (one, two) = (label(&"n".repeat(200)), label(&"n".repeat(201)));
        assert_ne!(one, two);
        assert_eq!(one.len(), LONGEST_LABEL);
        assert!(one.contains('/'));
    }

    #[test]
    fn the_hash_is_sha512() {
        assert_eq!(hash(16, "abc"), "ddaf35a193617aba");
    }
}
