// SPDX-License-Identifier: Apache-2.0
//! What the names of the annotations begin with.

use std::fmt;
use std::str::FromStr;

/// The beginning of the annotations' names: `flannel.alpha.coreos.com/`, or
/// `example.com/overlay-` for a second overlay in one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// The name of an annotation with this prefix.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        format!("{self}{name}")
    }
}

/// Flannel's own.
impl Default for Prefix {
    fn default() -> Self {
        Self("flannel.alpha.coreos.com/".to_owned())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that no annotation's name can begin with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a prefix for annotations such as flannel.alpha.coreos.com or example.com/overlay"
)]
pub struct NotAPrefix(String);

/// Reads a domain name of at least two labels, or one with a slash and a word, which is set off
/// by a hyphen then: flannel's rule for `--kube-annotation-prefix`.
impl FromStr for Prefix {
    type Err = NotAPrefix;

    fn from_str(text: &str) -> Result<Self, NotAPrefix> {
        let (domain, word) = text.split_once('/').unwrap_or((text, ""));
        let labels: Vec<_> = domain.split('.').collect();
        if labels.len() < 2 || !labels.into_iter().all(is_word) {
            return Err(NotAPrefix(text.to_owned()));
        }
        match word {
            "" => Ok(Self(format!("{domain}/"))),
            word if !is_word(word) => Err(NotAPrefix(text.to_owned())),
            word => Ok(Self(format!("{domain}/{}-", word.trim_end_matches('-')))),
        }
    }
}

fn is_word(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    !text.is_empty() && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_as_flannel_makes_them() {
        for (text, key) in [
            (
                "flannel.alpha.coreos.com",
                "flannel.alpha.coreos.com/public-ip",
            ),
            (
                "flannel.alpha.coreos.com/",
                "flannel.alpha.coreos.com/public-ip",
            ),
            ("example.com/overlay", "example.com/overlay-public-ip"),
            ("example.com/overlay-", "example.com/overlay-public-ip"),
            ("a_b.c-d/0", "a_b.c-d/0-public-ip"),
        ] {
            let prefix: Prefix = text.parse().unwrap();
            assert_eq!(prefix.key("public-ip"), key);
        }
        let flannel: Prefix = "flannel.alpha.coreos.com".parse().unwrap();
        assert_eq!(flannel, Prefix::default());
    }

    #[test]
    fn what_no_name_begins_with_is_refused() {
        for text in [
            "", "/", "flannel", "flannel/", "a.b/c/d", "a.b//", "a..b", ".b", "A.b", "a.b/C",
            "a.b/c.d", "a.b c", "ä.b",
        ] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
        let error = "flannel".parse::<Prefix>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"flannel\" is not a prefix for annotations such as flannel.alpha.coreos.com or \
             example.com/overlay"
        );
    }
}
