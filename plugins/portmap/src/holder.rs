// SPDX-License-Identifier: Apache-2.0
//! Whose a mapping is, as the comment of its elements says it: `NETWORK CONTAINER-ID IFNAME`.

use cni::Attachment;
use sha2::{Digest, Sha256};

/// With the interface's name (15 bytes) and two blanks a holder stays below the 128 bytes that
/// nft(8) reads as a comment.
const LONGEST_NETWORK: usize = 40;
const LONGEST_CONTAINER: usize = 64;
const HASH_DIGITS: usize = 24;

/// The holder of an attachment's mappings.
pub(crate) fn of(network: &str, attachment: &Attachment) -> String {
    let container = shortened(&attachment.container_id, LONGEST_CONTAINER);
    format!("{} {container} {}", label(network), attachment.ifname)
}

/// A network's name as holders and chains have it.
pub(crate) fn label(network: &str) -> String {
    shortened(network, LONGEST_NETWORK)
}

/// Whether a holder is an attachment of the network of this label.
pub(crate) fn is_of(holder: &str, label: &str) -> bool {
    holder
        .split_once(' ')
        .is_some_and(|(whose, _)| whose == label)
}

/// Whether two holders are attachments of one container.
pub(crate) fn share_container(one: &str, other: &str) -> bool {
    let container = |holder: &str| holder.split(' ').nth(1).map(str::to_owned);
    container(one).is_some_and(|id| container(other) == Some(id))
}

/// A name, or its beginning and a hash behind a slash, which no name has.
fn shortened(name: &str, longest: usize) -> String {
    if name.len() <= longest {
        return name.to_owned();
    }
    let mut hash: String = Sha256::digest(name.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    hash.truncate(HASH_DIGITS);
    let end = name.floor_char_boundary(longest - HASH_DIGITS - 1);
    format!("{}/{hash}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(container_id: &str) -> Attachment {
        Attachment {
            container_id: container_id.to_owned(),
            ifname: "eth0".to_owned(),
        }
    }

    #[test]
    fn usual_names_are_told_as_they_are() {
        let id = "a".repeat(64);
        let holder = of("podnet", &attachment(&id));
        assert_eq!(holder, format!("podnet {id} eth0"));
        assert!(is_of(&holder, &label("podnet")) && !is_of(&holder, &label("podne")));
    }

    #[test]
    fn attachments_of_a_container_are_siblings() {
        let [one, other] = ["a", "b"].map(|network| of(network, &attachment("c")));
        assert!(share_container(&one, &other));
        assert!(!share_container(&one, &of("a", &attachment("d"))));
    }

    #[test]
    fn long_names_are_cut_and_differ() {
        let [one, two] = [200, 201].map(|n| of(&"n".repeat(n), &attachment(&"c".repeat(n))));
        assert!(one != two && one.len() < 128);
        assert!(is_of(&one, &label(&"n".repeat(200))));
    }
}
