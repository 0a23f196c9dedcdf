// SPDX-License-Identifier: Apache-2.0
//! Answers that a kernel does not give on demand.

use super::*;

/// Plays readings of a list, and counts how many were taken.
fn played(readings: &[(&[u32], bool)]) -> (Result<Vec<u32>, Cause>, usize) {
    let mut taken = 0;
    let result = steady(|| {
        let (objects, interrupted) = readings[taken % readings.len()];
        taken += 1;
        Ok(Answer {
            objects: objects.to_vec(),
            interrupted,
        })
    });
    (result, taken)
}

#[test]
fn an_interrupted_dump_is_read_again() {
    let (result, taken) = played(&[(&[1], true), (&[1, 3], true), (&[1, 2, 3], false)]);
    assert_eq!((result.unwrap(), taken), (vec![1, 2, 3], 3));
}

#[test]
fn what_is_read_twice_the_same_is_believed() {
    let (result, taken) = played(&[(&[1, 2], true), (&[1, 2], true), (&[3], false)]);
    assert_eq!((result.unwrap(), taken), (vec![1, 2], 2));
}

#[test]
fn a_list_that_never_holds_still_is_an_error() {
    let (result, taken) = played(&[(&[1], true), (&[2], true)]);
    assert!(matches!(result, Err(Cause::Unsteady)));
    assert_eq!(taken, DUMP_ATTEMPTS);
}

const RTM_NEWNEIGH: u16 = 28;

/// `struct nlmsghdr` and a payload.
fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + payload.len()).unwrap();
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    message.extend([0; 4]);
    message.extend(payload);
    message.resize(message.len().next_multiple_of(4), 0);
    message
}

/// The answer, its objects being the payloads, if the datagrams end it.
fn heard(datagrams: &[Vec<u8>]) -> Result<Option<Answer<Vec<u8>>>, Cause> {
    let mut answer = Answer {
        objects: Vec::new(),
        interrupted: false,
    };
    for datagram in datagrams {
        if answer.add(datagram, |payload| [payload.to_vec()])? {
            return Ok(Some(answer));
        }
    }
    Ok(None)
}

fn done(flags: u16) -> Vec<u8> {
    message(NLMSG_DONE, flags, SEQUENCE, &[0; 4])
}

#[test]
fn a_datagram_holds_many_messages_and_the_last_one_ends_the_list() {
    let one = message(RTM_NEWNEIGH, 0, SEQUENCE, &[1; 5]);
    let other = message(RTM_NEWNEIGH, 0, SEQUENCE, &[2; 8]);
    let datagrams = [[one, other.clone()].concat(), other, done(0)];
    let answer = heard(&datagrams).unwrap().unwrap();
    assert_eq!(answer.objects, [vec![1; 5], vec![2; 8], vec![2; 8]]);
    assert!(!answer.interrupted);
    assert!(heard(&datagrams[..2]).unwrap().is_none());
}

#[test]
fn answers_to_others_are_left_out() {
    let stray = message(RTM_NEWNEIGH, NLM_F_DUMP_INTR, SEQUENCE + 1, &[1; 8]);
    let answer = heard(&[stray, done(0)]).unwrap().unwrap();
    assert!(answer.objects.is_empty() && !answer.interrupted);
}

#[test]
fn the_interruption_may_be_told_at_the_end_only() {
    let answer = heard(&[done(NLM_F_DUMP_INTR)]).unwrap().unwrap();
    assert!(answer.interrupted);
}

#[test]
fn a_dump_that_fails_says_so_at_its_end() {
    let text = b"No such thing\0";
    let attribute = [&18_u16.to_ne_bytes()[..], &1_u16.to_ne_bytes(), text].concat();
    let payload = [&(-95_i32).to_ne_bytes()[..], &attribute].concat();
    let cause = heard(&[message(NLMSG_DONE, 0, SEQUENCE, &payload)]).unwrap_err();
    assert_eq!(cause.to_string(), "Operation not supported (No such thing)");
}

#[test]
fn what_is_cut_off_is_no_answer() {
    let mut cut = message(RTM_NEWNEIGH, 0, SEQUENCE, &[1; 8]);
    cut.truncate(20);
    assert!(matches!(heard(&[cut]), Err(Cause::Silent)));
}
