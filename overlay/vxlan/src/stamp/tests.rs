// SPDX-License-Identifier: Apache-2.0

use super::*;

fn node(name: String, families: &str) -> Node {
    let underlay = match families {
        "4" => r#""192.0.2.1""#,
        "6" => r#""2001:db8::1""#,
        _ => r#"["192.0.2.1", "2001:db8::1"]"#,
    };
    let json = format!(r#"{{"name": "{name}", "underlay": {underlay}}}"#);
    serde_json::from_str(&json).unwrap()
}

fn head(counts: [usize; 3]) -> Head {
    Head {
        fingerprint: "print".to_owned(),
        place: "here".to_owned(),
        network: "pods".to_owned(),
        settings: Settings::default(),
        own: node("own".to_owned(), "46"),
        surroundings: "s".repeat(10_000),
        mtu: 1450,
        underlays: vec![2],
        counts,
    }
}

fn peers(counts: [usize; 3]) -> Vec<Node> {
    let of = |(count, families): (usize, &'static str)| {
        (0..count).map(move |index| node(format!("{families}-{index}"), families))
    };
    counts
        .into_iter()
        .zip(["4", "46", "6"])
        .flat_map(of)
        .collect()
}

fn written(counts: [usize; 3]) -> (tempfile::TempDir, Stamp) {
    let directory = tempfile::tempdir().unwrap();
    assert!(Stamp::read(directory.path()).is_none());
    write(directory.path(), &head(counts), &peers(counts)).unwrap();
    let stamp = Stamp::read(directory.path()).unwrap();
    assert_eq!(stamp.head, head(counts));
    (directory, stamp)
}

#[test]
fn each_peer_is_read_as_it_was_written() {
    let counts = [3, 2, 4];
    let (_directory, stamp) = written(counts);
    for (index, peer) in peers(counts).into_iter().enumerate() {
        assert_eq!(stamp.peer(index), Some(peer));
    }
    assert_eq!(stamp.peer(9), None);
}

#[test]
fn a_ruleset_is_known_when_it_has_been_noted() {
    let (directory, stamp) = written([1, 0, 0]);
    for generation in [0, 1, u32::MAX] {
        assert!(!stamp.knows_ruleset(generation));
    }
    stamp.note_ruleset(7);
    let stamp = Stamp::read(directory.path()).unwrap();
    assert!(stamp.knows_ruleset(7) && !stamp.knows_ruleset(8));
    assert_eq!(stamp.head, head([1, 0, 0]));
}

#[test]
fn both_families_are_sampled_and_in_time_all_peers() {
    for counts in [
        [0, 0, 0],
        [1, 0, 0],
        [30, 0, 0],
        [0, 30, 0],
        [30, 0, 2],
        [2, 1, 30],
    ] {
        let (_directory, stamp) = written(counts);
        let [v4, both, v6] = counts;
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let samples = stamp.samples().unwrap();
            let families = |node: &Node| node.name.split('-').next().unwrap().to_owned();
            let with = |family| {
                samples
                    .iter()
                    .filter(|it| families(it).contains(family))
                    .count()
            };
            assert!(with('4') >= SAMPLES.min(v4 + both), "{counts:?}");
            assert!(with('6') >= SAMPLES.min(v6 + both), "{counts:?}");
            assert!(samples.len() <= 2 * SAMPLES);
            seen.extend(samples.into_iter().map(|node| node.name));
        }
        assert_eq!(seen.len(), v4 + both + v6);
    }
}

#[test]
fn garbage_is_no_stamp() {
    let (directory, stamp) = written([2, 0, 0]);
    let path = directory.path().join(NAME);
    let whole = fs::read(&path).unwrap();
    for end in [0, 4, 8, 100, 9000] {
        fs::write(&path, &whole[..end]).unwrap();
        assert!(Stamp::read(directory.path()).is_none(), "{end}");
    }
    fs::write(&path, [0xff; 64]).unwrap();
    assert!(Stamp::read(directory.path()).is_none());
    let places = usize::try_from(stamp.places).unwrap();
    fs::write(&path, &whole[..places + 12]).unwrap();
    assert_eq!(Stamp::read(directory.path()).unwrap().samples(), None);
    remove(directory.path()).unwrap();
    remove(directory.path()).unwrap();
    assert!(Stamp::read(directory.path()).is_none());
}
