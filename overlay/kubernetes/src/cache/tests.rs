// SPDX-License-Identifier: Apache-2.0
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::snapshot::Snapshot;

fn store() -> Store {
    Store::new("own".to_owned(), Prefix::default())
}

const KNOWN: &str = r#"{"version":1,"node":"own","prefix":"flannel.alpha.coreos.com/","own":{"uid":"o","podCIDRs":["10.0.0.0/24"],"internalIps":["192.0.2.9"],"annotations":{"flannel.alpha.coreos.com/public-ip":"192.0.2.9"}},"nodes":[{"uid":"1","since":5,"node":{"name":"a","underlay":["192.0.2.1"],"mac":"02:00:5e:00:53:01","podCIDRs":["10.0.1.0/24"]}}]}"#;

fn recalled(content: &str) -> Store {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nodes.json");
    std::fs::write(&path, content).unwrap();
    let mut store = store();
    Cache::new(path).recall(&mut store);
    store.believe_memory();
    store
}

/// Files of earlier versions are still read, so the form is fixed to the letter.
#[test]
fn the_form_of_the_file_is_kept() {
    let store = recalled(KNOWN);
    let snapshot = store.snapshot(None);
    assert_eq!(snapshot.origin, Origin::Cached);
    assert_eq!(snapshot.peers[0].since, 5);
    assert_eq!(snapshot.peers[0].pod_cidrs[0].to_string(), "10.0.1.0/24");
    assert_eq!(
        snapshot.own.unwrap().pod_cidrs[0].to_string(),
        "10.0.0.0/24"
    );
    assert_eq!(String::from_utf8(content(&store).unwrap()).unwrap(), KNOWN);
}

#[test]
fn a_file_of_no_use_is_as_good_as_none() {
    for content in [
        "",
        "null",
        "{",
        &KNOWN[..KNOWN.len() - 1],
        &KNOWN.replace("\"version\":1", "\"version\":2"),
        &KNOWN.replace("\"own\",", "\"other\","),
        &KNOWN.replace("\"prefix\":\"flannel", "\"prefix\":\"canal"),
        &KNOWN.replace("10.0.1.0/24", "10.0.1.0"),
    ] {
        assert_eq!(
            recalled(content).snapshot(None),
            Snapshot::default(),
            "{content}"
        );
    }
}

#[test]
fn only_what_is_believed_is_written() {
    assert_eq!(content(&store()), None);
}

#[test]
fn the_file_is_its_owners_alone_and_not_written_in_vain() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("var/nodes.json");
    let cache = Cache::new(path.clone());
    for content in ["one", "another"] {
        cache.write(Some(content.into())).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    std::fs::remove_file(&path).unwrap();
    cache.write(Some("another".into())).unwrap();
    cache.write(None).unwrap();
    assert!(!path.exists());
    // What cannot be put in its place is not left beside it.
    std::fs::create_dir(&path).unwrap();
    assert!(cache.write(Some("third".into())).is_err());
    assert_eq!(
        std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1
    );
}
