// SPDX-License-Identifier: Apache-2.0
//! Answers that a kernel does not give on demand.

use netlink_packet_core::{ErrorMessage, NetlinkHeader};
use netlink_packet_route::link::LinkMessage;

use super::*;

fn link(index: u32) -> RouteNetlinkMessage {
    let mut link = LinkMessage::default();
    link.header.index = index;
    RouteNetlinkMessage::NewLink(link)
}

/// Plays readings of a list, and counts how many were taken.
fn read(readings: &[(&[u32], bool)]) -> (Result<Vec<RouteNetlinkMessage>, Cause>, usize) {
    let mut taken = 0;
    let result = steady(|| {
        let (indices, interrupted) = readings[taken % readings.len()];
        taken += 1;
        Ok(Answer {
            messages: indices.iter().copied().map(link).collect(),
            interrupted,
        })
    });
    (result, taken)
}

#[test]
fn an_interrupted_dump_is_read_again() {
    let (result, taken) = read(&[(&[1], true), (&[1, 3], true), (&[1, 2, 3], false)]);
    assert_eq!(
        (result.unwrap(), taken),
        (vec![link(1), link(2), link(3)], 3)
    );
}

#[test]
fn what_is_read_twice_the_same_is_believed() {
    let (result, taken) = read(&[(&[1, 2], true), (&[1, 2], true), (&[3], false)]);
    assert_eq!((result.unwrap(), taken), (vec![link(1), link(2)], 2));
}

#[test]
fn a_list_that_never_holds_still_is_an_error() {
    let (result, taken) = read(&[(&[1], true), (&[2], true)]);
    assert!(matches!(result, Err(Cause::Unsteady)));
    assert_eq!(taken, DUMP_ATTEMPTS);
}

fn message(
    flags: u16,
    payload: NetlinkPayload<RouteNetlinkMessage>,
) -> NetlinkMessage<RouteNetlinkMessage> {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    NetlinkMessage::new(header, payload)
}

#[test]
fn the_interruption_may_be_told_at_the_end_only() {
    let mut answer = Answer::default();
    let done = NetlinkPayload::Done(Default::default());
    answer.add(message(NLM_F_DUMP_INTR, done)).unwrap();
    assert!(answer.interrupted);
}

#[test]
fn a_dump_that_fails_says_so_at_its_end() {
    let mut done = netlink_packet_core::DoneMessage::default();
    done.code = -95;
    done.extended_ack = attribute(b"No such thing\0");
    let cause = Answer::default()
        .add(message(0, NetlinkPayload::Done(done)))
        .unwrap_err();
    assert_eq!(cause.to_string(), "Operation not supported (No such thing)");
}

/// `struct nlattr` with a text.
fn attribute(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + text.len()).unwrap();
    [&length.to_ne_bytes(), &ATTR_MSG.to_ne_bytes(), text].concat()
}

#[test]
fn the_text_is_only_looked_for_where_the_kernel_says_there_is_one() {
    let refusal = || {
        let mut error = ErrorMessage::default();
        error.code = std::num::NonZero::new(-17);
        error.header = [&[0; 16], &attribute(b"Taken\0")[..]].concat();
        NetlinkPayload::Error(error)
    };
    let text = |flags| {
        Answer::default()
            .add(message(flags, refusal()))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(text(NLM_F_ACK_TLVS), "File exists (Taken)");
    assert_eq!(text(0), "File exists");
}
