// SPDX-License-Identifier: Apache-2.0
//! The loop in figures. docs/metrics.md has a row for each.

use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};

use dataplane::Action;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use topology::Complaint;

use crate::agenda::Cause;
use crate::overlay::NodeOverlay;
use crate::standing::{Outcome, SET_RULES, Standing};

/// A metric with one label.
type Labels = [(&'static str, String); 1];
type Counters = Family<Labels, Counter>;

/// Upper bounds in seconds: a look at one peer takes a millisecond, one at 65,000 a second.
const SECONDS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// What came of a reading of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It is followed.
    Believed,
    /// It is read again before it is believed.
    Doubted,
    /// It cannot be used.
    Unusable,
}

/// All figures.
#[derive(Debug)]
pub(crate) struct Figures {
    turns: Counter,
    readings: Counters,
    last_reading: Gauge<f64, AtomicU64>,
    partial: Gauge,
    complaints: Family<Labels, Gauge>,
    wished: Gauge,
    programmed: Gauge,
    differing: Gauge,
    errors: Gauge,
    foreign: Gauge,
    converged: Gauge,
    seconds: Family<Labels, Histogram, fn() -> Histogram>,
    operations: Counters,
    repairs: Counters,
}

impl Figures {
    /// All zero; what can be is there from the beginning.
    pub(super) fn new() -> Self {
        let figures = Self {
            turns: Counter::default(),
            readings: Counters::default(),
            last_reading: Gauge::default(),
            partial: Gauge::default(),
            complaints: Family::default(),
            wished: Gauge::default(),
            programmed: Gauge::default(),
            differing: Gauge::default(),
            errors: Gauge::default(),
            foreign: Gauge::default(),
            converged: Gauge::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            operations: Counters::default(),
            repairs: Counters::default(),
        };
        for reading in [Reading::Believed, Reading::Doubted, Reading::Unusable] {
            figures.reading(reading, 0);
        }
        figures.complains(&[]);
        for cause in Cause::ALL {
            drop(
                figures
                    .seconds
                    .get_or_create(&[("cause", cause.to_string())]),
            );
            if cause != Cause::List {
                count(&figures.repairs, "cause", &cause.to_string(), 0);
            }
        }
        for action in Action::ALL {
            count(
                &figures.operations,
                "operation",
                &label(&action.to_string()),
                0,
            );
        }
        count(&figures.operations, "operation", &label(SET_RULES), 0);
        figures
    }

    pub(super) fn turns(&self) {
        self.turns.inc();
    }

    pub(super) fn has_read(&self, reading: Reading) {
        self.reading(reading, 1);
        if reading == Reading::Believed {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            self.last_reading
                .set(since.unwrap_or_default().as_secs_f64());
        }
    }

    fn reading(&self, reading: Reading, more: u64) {
        let outcome = match reading {
            Reading::Believed => "believed",
            Reading::Doubted => "doubted",
            Reading::Unusable => "unusable",
        };
        count(&self.readings, "outcome", outcome, more);
    }

    pub(super) fn looked(&self, cause: Cause, took: Duration, outcome: &Outcome) {
        let labels = [("cause", cause.to_string())];
        self.seconds
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
        let operations = outcome.operations();
        if cause != Cause::List && !operations.is_empty() {
            self.repairs.get_or_create(&labels).inc();
        }
        for (operation, times) in operations.kinds() {
            let times = u64::try_from(times).unwrap_or(u64::MAX);
            count(&self.operations, "operation", &label(operation), times);
        }
        if let Some(foreign) = &outcome.foreign {
            set(&self.foreign, foreign.len());
        }
    }

    pub(super) fn stands(&self, overlay: &NodeOverlay, standing: &Standing) {
        set(&self.errors, standing.errors().count());
        set(&self.converged, usize::from(standing.converged()));
        let Some(believed) = overlay.believed() else {
            return;
        };
        let wished = believed.cluster.peers().len();
        set(&self.wished, wished);
        set(&self.programmed, standing.programmed);
        set(&self.differing, wished.saturating_sub(standing.programmed));
        set(&self.partial, usize::from(believed.partial));
    }

    pub(super) fn complains(&self, of: &[Complaint]) {
        for (consequence, kept) in [("kept", true), ("left_out", false)] {
            let these = of.iter().filter(|complaint| complaint.kept == kept);
            let number = these.count();
            let labels = [("consequence", consequence.to_owned())];
            set(&self.complaints.get_or_create(&labels), number);
        }
    }

    /// Has them exposed.
    pub(crate) fn register(&self, to: &mut Registry) {
        let build: Family<Labels, Gauge> = Family::default();
        let version = [("version", env!("CARGO_PKG_VERSION").to_owned())];
        build.get_or_create(&version).set(1);
        to.register("build_info", "The version of podwired", build);
        let help = "Turns of the agent's loop";
        to.register("loop_turns", help, self.turns.clone());
        self.register_list(to);
        self.register_kernel(to);
        self.register_looks(to);
    }

    fn register_list(&self, to: &mut Registry) {
        let help = "Readings of the list of nodes, by what came of them";
        to.register("list_readings", help, self.readings.clone());
        let help = "When a list that is followed was last read, in seconds since 1970";
        let name = "list_reading_timestamp_seconds";
        to.register(name, help, self.last_reading.clone());
        let help = "Whether the list is one of an earlier time, which may lack nodes";
        to.register("list_partial", help, self.partial.clone());
        let help = "Entries of the list that are wrong, by what becomes of their nodes";
        to.register("list_complaints", help, self.complaints.clone());
    }

    fn register_kernel(&self, to: &mut Registry) {
        let help = "Peers of the list, without those that are left out";
        to.register("peers_wished", help, self.wished.clone());
        let help = "Peers that the kernel holds completely";
        to.register("peers_programmed", help, self.programmed.clone());
        let help = "Peers that the kernel does not hold completely";
        to.register("peers_differing", help, self.differing.clone());
        let help = "Things that could not be done at the last look";
        to.register("errors", help, self.errors.clone());
        let help = "Routes of other programs that keep the overlay's from working";
        to.register("foreign_routes", help, self.foreign.clone());
        let help = "Whether the kernel held all that it should at the last look";
        to.register("converged", help, self.converged.clone());
    }

    fn register_looks(&self, to: &mut Registry) {
        let help = "What looks at the kernel took, with the changes that they made, by cause";
        to.register("reconcile_duration_seconds", help, self.seconds.clone());
        let help = "Changes to the kernel";
        to.register("operations", help, self.operations.clone());
        let help = "Looks that found something to be made right, by cause";
        to.register("repairs", help, self.repairs.clone());
    }
}

fn count(counters: &Counters, label: &'static str, value: &str, more: u64) {
    let counter = counters.get_or_create(&[(label, value.to_owned())]);
    counter.inc_by(more);
}

fn set(gauge: &Gauge, value: usize) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

fn label(text: &str) -> String {
    text.replace(' ', "_").to_ascii_lowercase()
}
