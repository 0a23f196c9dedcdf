// SPDX-License-Identifier: Apache-2.0
//! The directory is the reference plugin's, and it may change it at any time that the lock is free.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;
use std::time::{Duration, Instant};

use super::{Host, LIMIT, ip, names, owner, set};
use crate::store::{Error, Owner, Store, Wish};

#[test]
fn files_are_the_reference_plugins_byte_for_byte() {
    let host = Host::new();
    let sets = [set(&["10.1.0.0/24"]), set(&["2001:db8::/64"])];
    let wishes = sets.each_ref().map(|set| Wish {
        set,
        requested: None,
    });
    let attachment = Owner::new("ok", "eth0");
    let (made, _) = host.session(|session| session.allocate(&attachment, &wishes));
    assert_eq!(made, [ip("10.1.0.2"), ip("2001:db8::2")]);
    let expected = [
        ("10.1.0.2", "ok\r\neth0", 0o600),
        ("2001:db8::2", "ok\r\neth0", 0o600),
        ("last_reserved_ip.0", "10.1.0.2", 0o600),
        ("last_reserved_ip.1", "2001:db8::2", 0o600),
        ("lock", "", 0o750),
    ];
    assert_eq!(names(&host.path("")), expected.map(|(name, ..)| name));
    for (name, content, mode) in expected {
        assert_eq!(
            fs::read_to_string(host.path(name)).unwrap(),
            content,
            "{name}"
        );
        let permissions = fs::metadata(host.path(name)).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, mode, "{name}");
    }
}

#[test]
fn a_foreign_lease_is_noticed() {
    let host = Host::new();
    let set = set(&["10.1.0.0/29"]);
    assert_eq!(host.allocate("a", &set).unwrap(), ip("10.1.0.2"));
    host.write("10.1.0.3", "foreign\r\neth0");
    assert_eq!(host.allocate("b", &set).unwrap(), ip("10.1.0.4"));
    host.assert_agrees();
    assert_eq!(host.release("foreign"), [ip("10.1.0.3")]);
}

#[test]
fn a_foreign_release_is_noticed() {
    let host = Host::new();
    let set = set(&["10.1.0.0/29"]);
    for name in ["a", "b", "c", "d", "e"] {
        host.allocate(name, &set).unwrap();
    }
    fs::remove_file(host.path("10.1.0.4")).unwrap();
    assert_eq!(host.allocate("f", &set).unwrap(), ip("10.1.0.4"));
    assert!(host.release("c").is_empty());
    assert_eq!(host.release("f"), [ip("10.1.0.4")]);
}

#[test]
fn an_address_that_changed_hands_meanwhile_is_not_given_back_for_its_old_owner() {
    let host = Host::new();
    let set = set(&["10.1.0.0/29"]);
    host.allocate("a", &set).unwrap();
    host.assert_agrees();
    // In place: the one foreign change that a directory's times don't show.
    host.write("10.1.0.2", "b\r\neth0");
    assert!(host.release("a").is_empty());
    assert_eq!(host.release("b"), [ip("10.1.0.2")]);
}

#[test]
fn the_old_format_counts_for_the_container() {
    let host = Host::new();
    let set = set(&["10.1.0.0/29"]);
    host.write("10.1.0.2", "old\n");
    assert!(host.store.holds(&owner("old"), ip("10.1.0.2")).unwrap());
    let error = host.allocate("old", &set).unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to allocate for range 0: 10.1.0.2 has been allocated to old, duplicate allocation \
         is not allowed"
    );
    host.write("10.1.0.3", "old\r\neth1");
    assert_eq!(
        host.session(|s| s.release(&Owner::new("old", "eth1"))).0,
        [ip("10.1.0.3")]
    );
    assert_eq!(
        host.session(|s| s.release(&Owner::new("old", "eth1"))).0,
        [ip("10.1.0.2")]
    );
}

#[test]
fn what_else_lies_in_the_directory_stays_there() {
    let host = Host::new();
    let set = set(&["10.1.0.0/29"]);
    host.write("010.1.0.2", "x");
    host.write("2001:DB8::1", "x");
    host.write("notes", "a\r\neth0");
    fs::create_dir(host.path("10.1.0.2")).unwrap();
    fs::create_dir(host.path("more")).unwrap();
    assert_eq!(host.allocate("a", &set).unwrap(), ip("10.1.0.3"));
    host.session(|session| session.collect(&HashSet::new()));
    let left = [
        "010.1.0.2",
        "10.1.0.2",
        "2001:DB8::1",
        "last_reserved_ip.0",
        "lock",
        "more",
        "notes",
    ];
    assert_eq!(names(&host.path("")), left);
}

#[test]
fn threads_get_different_addresses() {
    let host = Host::new();
    let set = set(&["10.1.0.0/22"]);
    let allocate = |thread: usize| {
        let (host, set) = (&host, &set);
        move || {
            let names = (0..20).map(|number| format!("{thread}-{number}"));
            let made: Vec<_> = names
                .map(|name| host.allocate(&name, set).unwrap())
                .collect();
            (0..10).for_each(|number| drop(host.release(&format!("{thread}-{number}"))));
            made[10..].to_vec()
        }
    };
    let held: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..32)
            .map(|thread| scope.spawn(allocate(thread)))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let mut expected: Vec<_> = held.iter().map(ToString::to_string).collect();
    expected.sort();
    assert_eq!(expected.len(), 320);
    expected.dedup();
    assert_eq!(host.leases(), expected);
    host.assert_agrees();
}

#[test]
fn a_lock_is_waited_for() {
    let host = Host::new();
    let lock = fs::File::create(host.path("lock")).unwrap();
    lock.lock().unwrap();
    let begin = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(50));
            drop(lock);
        });
        host.store.locked(LIMIT, |_| Ok(())).unwrap();
    });
    assert!(begin.elapsed() >= Duration::from_millis(50));
}

#[test]
fn a_lock_is_not_waited_for_for_ever() {
    let host = Host::new();
    let lock = fs::File::create(host.path("lock")).unwrap();
    lock.lock().unwrap();
    let error = host
        .store
        .locked(Duration::from_millis(100), |_| Ok(()))
        .unwrap_err();
    let path = host.path("lock");
    let expected = format!(
        "lock {} is held by another process: gave up after 0.1 s",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_lock_that_was_removed_while_it_was_waited_for_does_not_count() {
    let host = Host::new();
    let old = fs::File::create(host.path("lock")).unwrap();
    old.lock().unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| host.store.locked(LIMIT, |_| Ok(host.path("lock").exists())));
        thread::sleep(Duration::from_millis(50));
        fs::remove_file(host.path("lock")).unwrap();
        drop(old);
        assert!(waiting.join().unwrap().unwrap());
    });
}

#[test]
fn a_network_cannot_leave_its_directory() {
    let host = Host::new();
    for name in ["", ".", "..", "../net", "a/b", "/etc", "net/", ".podwire"] {
        let store = Store::new(host.dir.path(), name, super::this_boot());
        assert!(matches!(store, Err(Error::Network(_))), "{name:?}");
    }
}
