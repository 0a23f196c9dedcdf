// SPDX-License-Identifier: Apache-2.0
//! What comes when.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const MILLISECOND: Duration = Duration::from_millis(1);
const ALL: Look = Look {
    scope: Scope::Everything,
    cause: Cause::Notification,
};
const RULES: Look = Look {
    scope: Scope::Guard,
    cause: Cause::Notification,
};

fn agenda() -> (Agenda, Instant) {
    let now = Instant::now();
    let mut agenda = Agenda::new(now, MINUTE);
    assert!(agenda.take_reading(now));
    (agenda, now)
}

#[test]
fn the_list_is_read_first() {
    let now = Instant::now();
    let mut agenda = Agenda::new(now, MINUTE);
    assert_eq!((agenda.next(), agenda.take_look(now)), (now, None));
    assert!(agenda.take_reading(now) && !agenda.take_reading(now));
}

#[test]
fn the_first_look_comes_at_once_and_the_next_after_a_pause() {
    let (mut agenda, now) = agenda();
    agenda.look_soon(now, ALL);
    assert_eq!(agenda.take_look(now), Some(ALL));
    let done = now + MILLISECOND;
    agenda.has_looked(now, done, Scope::Everything, false);
    for _ in 0..1000 {
        agenda.look_soon(done, ALL);
    }
    assert_eq!(agenda.take_look(done), None);
    assert_eq!(agenda.next(), done + PAUSE);
    assert_eq!(agenda.take_look(done + PAUSE), Some(ALL));
    assert_eq!(agenda.take_look(done + PAUSE), None);
}

#[test]
fn long_looks_are_followed_by_longer_pauses() {
    let (mut agenda, now) = agenda();
    let done = now + Duration::from_secs(1);
    agenda.has_looked(now, done, Scope::Everything, false);
    agenda.look_soon(done, ALL);
    assert_eq!(agenda.next(), done + Duration::from_secs(1));
}

#[test]
fn of_two_looks_the_one_that_takes_in_more_is_taken() {
    let (mut agenda, now) = agenda();
    for (first, second) in [(RULES, ALL), (ALL, RULES)] {
        agenda.look_soon(now, first);
        agenda.look_soon(now, second);
        assert_eq!(agenda.take_look(now), Some(ALL));
        assert_eq!(agenda.take_look(now), None);
    }
}

#[test]
fn an_audit_comes_after_every_quiet_interval() {
    let (mut agenda, now) = agenda();
    assert_eq!(agenda.next(), now + MINUTE);
    let audit = Look {
        cause: Cause::Audit,
        ..ALL
    };
    assert_eq!(agenda.take_look(now + MINUTE), Some(audit));
    let later = now + MINUTE + MILLISECOND;
    agenda.has_looked(now + MINUTE, later, Scope::Everything, false);
    assert_eq!(agenda.next(), later + MINUTE);
    agenda.has_looked(later, later + MINUTE / 2, Scope::Guard, false);
    assert_eq!(
        agenda.next(),
        later + MINUTE,
        "the ruleset is not everything"
    );
}

#[test]
fn retries_come_ever_later_until_one_succeeds() {
    let (mut agenda, mut now) = agenda();
    let mut distances = Vec::new();
    for _ in 0..10 {
        agenda.has_looked(now, now, Scope::Everything, true);
        distances.push((agenda.next() - now).as_millis());
        now = agenda.next();
        let retry = Look {
            cause: Cause::Retry,
            ..ALL
        };
        assert_eq!(agenda.take_look(now), Some(retry));
    }
    let expected = [
        200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000,
    ];
    assert_eq!(distances, expected);
    agenda.has_looked(now, now, Scope::Guard, false);
    agenda.has_looked(now, now, Scope::Everything, true);
    assert_eq!(
        agenda.next(),
        now + RETRIES.1,
        "the ruleset is not everything"
    );
    agenda.take_any_look();
    agenda.has_looked(now, now, Scope::Everything, false);
    agenda.has_looked(now, now, Scope::Everything, true);
    assert_eq!(agenda.next(), now + RETRIES.0);
}

#[test]
fn a_list_that_changes_all_the_time_is_read_now_and_then() {
    let (mut agenda, now) = agenda();
    let done = now + MILLISECOND;
    agenda.has_read(now, done);
    agenda.read_soon(done);
    agenda.read_at(done + MINUTE);
    assert_eq!(agenda.next(), done + READING_PAUSE);
    assert!(!agenda.take_reading(done) && agenda.take_reading(done + READING_PAUSE));
}

#[test]
fn glances_at_the_host_are_not_taken_for_each_change_of_many() {
    let (mut agenda, now) = agenda();
    agenda.glance_soon(now);
    assert_eq!(agenda.next(), now);
    assert!(agenda.take_glance(now) && !agenda.take_any_glance());
    let done = now + MILLISECOND;
    agenda.has_glanced(now, done);
    for _ in 0..1000 {
        agenda.glance_soon(done);
    }
    assert_eq!(agenda.next(), done + PAUSE);
    assert!(!agenda.take_glance(done));
    assert!(agenda.take_glance(done + PAUSE));
    agenda.glance_soon(done);
    assert!(agenda.take_any_glance());
}
