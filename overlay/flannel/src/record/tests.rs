// SPDX-License-Identifier: Apache-2.0
use std::fs::{File, FileTimes};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use serde_json::json;
use tempfile::TempDir;

use super::*;

fn records() -> (TempDir, Records) {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("cni/flannel");
    let conf = json!({"name": "cbr0", "dataDir": directory}).to_string();
    let records = Records::of(&Network::parse(conf.as_bytes()).unwrap()).unwrap();
    (scratch, records)
}

fn attachment(container_id: &str, ifname: &str) -> Attachment {
    Attachment {
        container_id: container_id.into(),
        ifname: ifname.into(),
    }
}

fn conf(network: &str, bridge: &str) -> Map<String, Value> {
    let conf = json!({"name": network, "type": "bridge", "bridge": bridge});
    conf.as_object().unwrap().clone()
}

/// The bridge that an attachment has on record.
fn bridge(records: &Records, network: &str, of: &Attachment) -> Option<String> {
    let record = records.find(network, of).unwrap()?;
    let configuration = record.configuration.unwrap();
    Some(configuration["bridge"].as_str().unwrap().to_owned())
}

fn names(records: &Records) -> Vec<String> {
    let entries = fs::read_dir(&records.directory).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn the_first_attachment_of_a_container_has_flannels_file_and_others_have_their_own() {
    let (_scratch, records) = records();
    let [first, second] = ["eth0", "eth1"].map(|name| attachment("c", name));
    records.keep("cbr0", &first, conf("cbr0", "a")).unwrap();
    records.keep("cbr0", &second, conf("cbr0", "b")).unwrap();
    let third = attachment("c", "eth2");
    records.keep("cbr1", &third, conf("cbr1", "c")).unwrap();
    assert_eq!(names(&records), ["c", "c:eth1", "c:eth2"]);
    for (network, of, expected) in [
        ("cbr0", &first, Some("a")),
        ("cbr0", &second, Some("b")),
        ("cbr1", &third, Some("c")),
        ("cbr1", &first, None),
        ("cbr0", &third, None),
    ] {
        assert_eq!(
            bridge(&records, network, of).as_deref(),
            expected,
            "{network} {of:?}"
        );
    }
    records
        .find("cbr0", &first)
        .unwrap()
        .unwrap()
        .remove()
        .unwrap();
    assert_eq!(bridge(&records, "cbr0", &second).as_deref(), Some("b"));
    assert_eq!(bridge(&records, "cbr0", &first), None);
}

#[test]
fn records_are_their_owners_alone_and_nothing_lies_beside_them() {
    let (_scratch, records) = records();
    // As long as a file's name can be.
    let of = attachment(&"c".repeat(255), "eth0");
    for content in ["a", "b"] {
        records.keep("cbr0", &of, conf("cbr0", content)).unwrap();
        assert_eq!(bridge(&records, "cbr0", &of).as_deref(), Some(content));
    }
    assert_eq!(names(&records), [&*of.container_id]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&records.directory.join(&of.container_id)), 0o600);
    assert_eq!(mode(&records.directory), 0o700);
    let too_long = attachment(&"c".repeat(256), "eth0");
    let refused = records
        .keep("cbr0", &too_long, conf("cbr0", "a"))
        .unwrap_err();
    assert_eq!(refused.code, Code::IO);
    assert_eq!(names(&records).len(), 1);
}

#[test]
fn flannels_records_are_any_interfaces_of_their_network() {
    let (_scratch, records) = records();
    fs::create_dir_all(&records.directory).unwrap();
    let text = Value::from(conf("cbr0", "a")).to_string();
    fs::write(records.directory.join("c"), text).unwrap();
    let of = attachment("c", "eth7");
    assert_eq!(bridge(&records, "cbr0", &of).as_deref(), Some("a"));
    assert_eq!(bridge(&records, "cbr1", &of), None);
    // It may be another interface's: it is not overwritten.
    records.keep("cbr0", &of, conf("cbr0", "b")).unwrap();
    assert_eq!(names(&records), ["c", "c:eth7"]);
    assert_eq!(bridge(&records, "cbr0", &of).as_deref(), Some("b"));
    let all = records.all("cbr0").unwrap();
    let mut whose: Vec<_> = all.into_iter().map(|(of, _)| of).collect();
    whose.sort();
    assert_eq!(whose, [attachment("c", ""), of]);
}

#[test]
fn what_cannot_be_read_is_found_and_replaced_and_of_no_network() {
    for garbage in [
        "",
        "{",
        "[]",
        "null",
        r#"{"name": "cbr0"}"#,
        r#"{"type": 5}"#,
    ] {
        let (_scratch, records) = records();
        fs::create_dir_all(&records.directory).unwrap();
        fs::write(records.directory.join("c"), garbage).unwrap();
        let of = attachment("c", "eth0");
        let found = records.find("cbr0", &of).unwrap().unwrap();
        assert_eq!(found.configuration, None, "{garbage}");
        assert_eq!(records.all("cbr0").unwrap(), []);
        records.keep("cbr0", &of, conf("cbr0", "a")).unwrap();
        assert_eq!(names(&records), ["c"], "{garbage}");
    }
}

#[test]
fn what_was_there_before_a_failed_add_is_put_back() {
    let (_scratch, records) = records();
    let of = attachment("c", "eth0");
    let kept = records.keep("cbr0", &of, conf("cbr0", "a")).unwrap();
    // Something is left of it, so it stays.
    kept.take_back(false).unwrap();
    assert_eq!(bridge(&records, "cbr0", &of).as_deref(), Some("a"));
    for undone in [false, true] {
        let again = records.keep("cbr0", &of, conf("cbr0", "b")).unwrap();
        again.take_back(undone).unwrap();
        assert_eq!(bridge(&records, "cbr0", &of).as_deref(), Some("a"));
    }
    kept.take_back(true).unwrap();
    assert_eq!(names(&records), [""; 0]);
}

#[test]
fn only_an_old_unfinished_file_is_removed() {
    let (_scratch, records) = records();
    assert_eq!(records.all("cbr0").unwrap(), []);
    records
        .keep("cbr0", &attachment("c", "eth0"), conf("cbr0", "a"))
        .unwrap();
    for (name, age) in [("old", 7200), ("new", 60)] {
        let file = File::create(records.directory.join(format!(".podwire-new-{name}"))).unwrap();
        let time = SystemTime::now() - Duration::from_secs(age);
        file.set_times(FileTimes::new().set_modified(time)).unwrap();
    }
    // A directory is no record, and no obstacle.
    fs::create_dir(records.directory.join("d")).unwrap();
    assert_eq!(records.all("cbr0").unwrap().len(), 1);
    assert_eq!(names(&records), [".podwire-new-new", "c", "d"]);
}
