// SPDX-License-Identifier: Apache-2.0
//! Framing: what is written is read back, and no input makes the reader fail.

use proptest::prelude::*;

use super::*;

const HEADER: Header = Header {
    kind: 0xa06,
    flags: ACK,
    sequence: 7,
    family: 1,
    resource: 0,
};

#[test]
fn a_message_is_framed() {
    let mut w = Writer::default();
    w.message(HEADER, |w| w.text(1, "ab"));
    let mut expected = vec![28, 0, 0, 0, 0x06, 0x0a, 0x05, 0, 7, 0, 0, 0, 0, 0, 0, 0];
    expected.extend([1, 0, 0, 0]);
    expected.extend([7, 0, 1, 0, b'a', b'b', 0, 0]);
    assert_eq!(w.as_bytes(), expected);
}

#[test]
fn attributes_are_read_back() {
    let mut w = Writer::default();
    w.message(HEADER, |w| {
        w.number(3, 0x0102_0304);
        w.nested(4, |w| w.text(1, "inside"));
    });
    w.message(HEADER, |_| {});
    let objects: Vec<_> = answers(w.as_bytes())
        .map(|answer| answer.content())
        .collect();
    let [Content::Object(first), Content::Object(second)] = objects[..] else {
        panic!("two objects")
    };
    assert_eq!(find(first, 3).and_then(number), Some(0x0102_0304));
    assert_eq!(
        find(first, 4)
            .and_then(|n| find(n, 1))
            .map(string)
            .as_deref(),
        Some("inside")
    );
    assert!(second.is_empty());
}

/// An `NLMSG_ERROR` of 36 bytes and its text.
fn refusal(flags: u16, refused_length: u32) -> Vec<u8> {
    let mut text = Writer::default();
    text.text(EXT_ACK_TEXT, "no such chain");
    let mut datagram = Vec::new();
    datagram.extend((36 + u32::try_from(text.len()).unwrap()).to_ne_bytes());
    datagram.extend(KIND_ERROR.to_ne_bytes());
    datagram.extend(flags.to_ne_bytes());
    datagram.extend([0; 8]);
    datagram.extend((-2i32).to_ne_bytes());
    datagram.extend(refused_length.to_ne_bytes());
    datagram.extend([0; 12]);
    datagram.extend(text.as_bytes());
    datagram
}

#[test]
fn the_extended_text_is_found_behind_the_refused_message() {
    for (flags, length) in [(ACK_TLVS | CAPPED, 500), (ACK_TLVS, 16)] {
        let datagram = refusal(flags, length);
        let Some(Content::End(Err((errno, text)))) =
            answers(&datagram).next().map(|answer| answer.content())
        else {
            panic!("a refusal")
        };
        assert_eq!(
            (errno, text.as_deref()),
            (Errno::ENOENT, Some("no such chain"))
        );
    }
}

#[test]
fn a_wish_is_contained_in_what_tells_more() {
    let write = |body: &dyn Fn(&mut Writer)| {
        let mut w = Writer::default();
        body(&mut w);
        w
    };
    let more = write(&|w| {
        w.number(1, 5);
        w.attribute(2, |w| {
            w.number(1, 6);
            w.number(9, 9);
        });
    });
    let wish = write(&|w| w.nested(2, |w| w.number(1, 6)));
    let other = write(&|w| w.nested(2, |w| w.number(1, 7)));
    assert!(contains(more.as_bytes(), wish.as_bytes()));
    assert!(!contains(more.as_bytes(), other.as_bytes()));
    assert!(!contains(wish.as_bytes(), more.as_bytes()));
}

proptest! {
    #[test]
    fn no_answer_makes_the_reader_fail(datagram in proptest::collection::vec(any::<u8>(), 0..200)) {
        for answer in answers(&datagram) {
            if let Content::Object(bytes) = answer.content() {
                attributes(bytes).for_each(drop);
                contains(bytes, bytes);
            }
        }
        crate::comment::decode(&datagram);
    }
}
