// SPDX-License-Identifier: Apache-2.0
//! The files: their form, and what is made of those of others.

use super::*;

fn attachment(container_id: &str) -> Attachment {
    Attachment {
        container_id: container_id.to_owned(),
        ifname: "eth0".to_owned(),
    }
}

fn of(directory: &Path, container_id: &str) -> Backup {
    Backup::of(directory, "net", &attachment(container_id))
}

fn mtu(mtu: u32) -> Attributes {
    Attributes {
        mtu: Some(mtu),
        ..Attributes::default()
    }
}

#[test]
fn a_backup_is_read_as_it_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().join("new");
    let backup = of(&directory, "a");
    assert_eq!(backup.read(), Ok(None));
    let all = Attributes {
        mac: Some("02:00:00:00:00:01".parse().unwrap()),
        mtu: Some(1500),
        promisc: Some(false),
        allmulti: Some(true),
        tx_queue_len: Some(0),
    };
    assert_eq!(backup.keep(all), Ok(None));
    assert_eq!(backup.read(), Ok(Some(all)));
    let text = fs::read_to_string(directory.join("a_eth0.json")).unwrap();
    let text: String = text.split_whitespace().collect();
    assert_eq!(
        text,
        concat!(
            r#"{"mac":"02:00:00:00:00:01","promisc":false,"mtu":1500,"allmulti":true,"txQLen":0,"#,
            r#""podwire":{"network":"net","containerID":"a","ifname":"eth0"}}"#
        )
    );
    assert_eq!(backup.remove(), Ok(()));
    assert_eq!(backup.remove(), Ok(()));
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
}

#[test]
fn what_the_same_attachment_has_kept_already_stays_and_what_others_have_goes() {
    let directory = tempfile::tempdir().unwrap();
    let backup = of(directory.path(), "a");
    let file = directory.path().join("a_eth0.json");
    for foreign in [r#"{"mtu": 9000}"#, "{", r#"{"mtu": "9000"}"#] {
        fs::write(&file, foreign).unwrap();
        let earlier = backup.keep(mtu(1500)).unwrap();
        assert_eq!(backup.read(), Ok(Some(mtu(1500))), "{foreign}");
        backup.put_back(earlier.as_deref()).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), foreign);
    }
    backup.put_back(None).unwrap();
    backup.keep(mtu(1500)).unwrap();
    let more = Attributes {
        tx_queue_len: Some(5),
        ..mtu(1400)
    };
    let earlier = backup.keep(more).unwrap();
    let both = Attributes {
        mtu: Some(1500),
        ..more
    };
    assert_eq!(backup.read(), Ok(Some(both)));
    backup.put_back(earlier.as_deref()).unwrap();
    assert_eq!(backup.read(), Ok(Some(mtu(1500))));
}

#[test]
fn what_cannot_be_read_restores_nothing_and_can_be_removed() {
    let directory = tempfile::tempdir().unwrap();
    let backup = of(directory.path(), "a");
    fs::write(directory.path().join("a_eth0.json"), "\0").unwrap();
    assert_eq!(backup.read(), Ok(Some(Attributes::default())));
    assert_eq!(backup.remove(), Ok(()));
    let long = of(directory.path(), &"x".repeat(300));
    assert_eq!((long.read(), long.remove()), (Ok(None), Ok(())));
}

#[test]
fn stale_backups_of_the_network_are_collected_and_no_others() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    for (network, id) in [("net", "a"), ("net", "b"), ("other", "c")] {
        let backup = Backup::of(path, network, &attachment(id));
        backup.keep(mtu(1500)).unwrap();
    }
    fs::write(path.join("d_eth0.json"), r#"{"mtu": 1500}"#).unwrap();
    fs::write(path.join("garbage"), "{").unwrap();
    collect(path, "net", &[attachment("b"), attachment("c")]).unwrap();
    let mut left: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(
        left,
        ["b_eth0.json", "c_eth0.json", "d_eth0.json", "garbage"]
    );
    assert_eq!(collect(&path.join("none"), "net", &[]), Ok(()));
}
