// SPDX-License-Identifier: Apache-2.0
//! Whatever is in a file of the store or the index, it is no reason to panic.

use std::fs;
use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::{Host, owner, set};
use crate::store::block::Block;
use crate::store::{Owner, index, lease};

/// Texts that are nearly right, which plain random bytes never are.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just("a\r\neth0".to_owned()),
        Just("10.1.0.2".to_owned()),
        Just("\r\n".to_owned()),
        Just(" ".to_owned()),
        Just("1111111111111111".to_owned()),
        Just("-".to_owned()),
        Just("ffffffffffffffff".to_owned()),
        Just("::ffff:10.1.0.2".to_owned()),
        any::<String>(),
    ];
    let text = prop::collection::vec(word, 0..5).prop_map(|words| words.concat().into_bytes());
    prop_oneof![text, prop::collection::vec(any::<u8>(), 0..40)]
}

proptest! {
    #[test]
    fn any_content_is_an_owner_unless_it_is_empty(content in nearly()) {
        let owner = Owner::parse(&content);
        let blank = String::from_utf8_lossy(&content).trim().is_empty();
        prop_assert_eq!(owner.is_none(), blank);
    }

    #[test]
    fn an_owner_is_read_as_it_was_written(id in "[a-zA-Z0-9][a-zA-Z0-9_.-]{0,300}", ifname in "[!-.0-9;-~]{1,15}") {
        let owner = Owner::new(&id, &ifname);
        prop_assert_eq!(Owner::parse(owner.to_content().as_bytes()), Some(owner.clone()));
        prop_assert!(owner.record_name().len() == 64);
    }

    #[test]
    fn a_lease_file_is_named_as_its_address(bits in any::<u128>(), v4 in any::<u32>()) {
        for address in [std::net::IpAddr::V6(bits.into()).to_canonical(), std::net::IpAddr::V4(v4.into())] {
            prop_assert_eq!(lease::address_of(&address.to_string()), Some(address));
        }
    }

    #[test]
    fn records_and_blocks_and_names_can_be_anything(content in nearly()) {
        let text = String::from_utf8_lossy(&content);
        let _any = index::parse_record(&text, &owner("a"));
        let _any = lease::address_of(&text);
        prop_assert_eq!(Block::parse(&content), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Random files in both directories: every operation still does its work.
    #[test]
    fn a_store_survives_what_is_thrown_into_it(
        files in prop::collection::vec((0_u8..12, any::<bool>(), nearly()), 0..12),
    ) {
        let host = Host::new();
        let set = set(&["10.1.0.0/24"]);
        host.allocate("before", &set).unwrap();
        for (name, in_index, content) in &files {
            let dir = if *in_index { host.index() } else { host.path("") };
            let record = format!("{}.0", owner("before").record_name());
            let names = [
                "10.1.0.3", "10.1.0.0", "last_reserved_ip.0", "stamp", "draft", "::1", "x", "2001:db8::",
                "10.1.0.77", "10.1.0.200", "10.1.0.1", &record,
            ];
            let path = dir.join(names[usize::from(*name)]);
            let text = String::from_utf8_lossy(content).replace('\0', "");
            if *in_index && !text.is_empty() && *name % 2 == 1 {
                let _replaced = fs::remove_file(&path);
                symlink(text, path).unwrap();
            } else if !path.is_symlink() {
                fs::write(path, content).unwrap();
            }
        }
        let made = host.allocate("after", &set).unwrap();
        prop_assert!(host.store.holds(&owner("after"), made).unwrap());
        prop_assert_eq!(host.release("after"), vec![made]);
        prop_assert_eq!(host.release("before"), vec![super::ip("10.1.0.2")]);
        prop_assert!(!host.store.is_exhausted(&set).unwrap());
    }
}
