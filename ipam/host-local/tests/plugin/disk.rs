// SPDX-License-Identifier: Apache-2.0
//! File systems that refuse.

use std::fs;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::Value;

use crate::{Host, call};

/// A file system in the test's own mount namespace.
struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    fn new(path: &'a Path, options: &str) -> Self {
        fs::create_dir_all(path).unwrap();
        mount(
            None::<&str>,
            path,
            Some("tmpfs"),
            MsFlags::empty(),
            Some(options),
        )
        .unwrap();
        Self(path)
    }

    fn make_read_only(&self) {
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(None::<&str>, self.0, None::<&str>, flags, None::<&str>).unwrap();
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        umount2(self.0, MntFlags::MNT_DETACH).unwrap();
    }
}

#[track_caller]
fn assert_names(answer: crate::Answer, code: u64, path: &Path, cause: &str) {
    let (is, text) = answer.unwrap_err();
    assert_eq!(is, code, "{text}");
    assert!(
        text.contains(path.to_str().unwrap()) && text.contains(cause),
        "{text}"
    );
}

#[test]
fn a_read_only_directory_is_an_error_that_names_it() {
    let host = Host::new();
    let conf = host.one_subnet("10.1.0.0/24");
    let data_dir = host.data_dir();
    let mount = Mount::new(&data_dir, "size=1m");
    call("ADD", &conf, "a").unwrap();
    mount.make_read_only();
    assert_names(
        call("ADD", &conf, "b"),
        5,
        &data_dir,
        "Read-only file system",
    );
    assert_names(
        call("DEL", &conf, "a"),
        5,
        &data_dir.join("net/10.1.0.2"),
        "Read-only",
    );
    assert_names(
        call("STATUS", &conf, "a"),
        50,
        &data_dir,
        "Read-only file system",
    );
    assert_eq!(call("DEL", &conf, "unknown"), Ok(Value::Null));
    let result =
        serde_json::json!({ "cniVersion": "1.1.0", "ips": [{ "address": "10.1.0.2/24" }] });
    let mut check = conf.clone();
    check["prevResult"] = result;
    assert_eq!(call("CHECK", &check, "a"), Ok(Value::Null));
}

#[test]
fn a_full_directory_is_an_error_that_names_it_and_leaves_nothing() {
    let host = Host::new();
    let conf = host.one_subnet("10.1.0.0/24");
    let data_dir = host.data_dir();
    let _mount = Mount::new(&data_dir, "size=64k");
    call("ADD", &conf, "a").unwrap();
    let filler = data_dir.join("filler");
    // Up to 16 pages; a block of the index takes three of them.
    for room in 0..6 {
        let _full = fs::write(&filler, vec![1; 65_536]);
        let size = fs::metadata(&filler).unwrap().len();
        fs::File::options()
            .write(true)
            .open(&filler)
            .unwrap()
            .set_len(size - room * 4096)
            .unwrap();
        let before = host.files();
        match call("ADD", &conf, "b") {
            Err((code, text)) => {
                assert_eq!(code, 5, "{text}");
                assert!(
                    text.contains("No space left") && text.contains("networks"),
                    "{text}"
                );
                assert_eq!(host.files(), before);
            }
            Ok(_) => assert_eq!(call("DEL", &conf, "b"), Ok(Value::Null)),
        }
    }
    // DEL finds its way without room for an index.
    let _full = fs::write(&filler, vec![1; 65_536]);
    fs::remove_dir_all(data_dir.join(".podwire")).unwrap();
    let _full = fs::OpenOptions::new()
        .append(true)
        .open(&filler)
        .map(|mut file| {
            use std::io::Write as _;
            while file.write(&[1; 4096]).is_ok() {}
        });
    assert_eq!(call("DEL", &conf, "a"), Ok(Value::Null));
    assert_eq!(host.files(), ["last_reserved_ip.0", "lock"]);
}

#[test]
fn a_file_in_place_of_a_directory_is_an_error_that_names_it() {
    let host = Host::new();
    let conf = host.one_subnet("10.1.0.0/24");
    fs::write(host.data_dir(), "").unwrap();
    assert_names(
        call("ADD", &conf, "a"),
        5,
        &host.data_dir().join("net"),
        "directory",
    );
    assert_names(
        call("STATUS", &conf, "a"),
        50,
        &host.data_dir(),
        "directory",
    );
}
