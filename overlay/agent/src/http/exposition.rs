// SPDX-License-Identifier: Apache-2.0
//! The metrics as text, made once in a second at most, however many ask.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::data_path::DataPath;
use super::{Counting, Error};
use crate::observed::{Observed, Requests};

/// The text is this old at most.
const AGE: Duration = Duration::from_secs(1);

/// All metrics.
#[derive(Debug)]
pub(super) struct Exposition {
    registry: Registry,
    last: Mutex<Option<(Instant, Exposed)>>,
}

/// The metrics at one moment, in both formats.
#[derive(Clone, Debug, Default)]
pub(super) struct Exposed {
    pub(super) open_metrics: Bytes,
    pub(super) plain: Bytes,
}

impl Exposition {
    pub(super) fn new(observed: &Observed, counting: Option<Counting>) -> Result<Self, Error> {
        let mut registry = Registry::with_prefix("podwire");
        observed.figures().register(&mut registry);
        registry.register_collector(Box::new(DataPath::new(observed.clone())?));
        if let Some(counting) = counting {
            registry.register_collector(Box::new(Requests::new(counting)));
        }
        Ok(Self {
            registry,
            last: Mutex::default(),
        })
    }

    /// The metrics now, or a moment ago.
    pub(super) fn at(&self, now: Instant) -> Exposed {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made, exposed)) = &*last
            && now.saturating_duration_since(*made) < AGE
        {
            return exposed.clone();
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string can be written to");
        let exposed = Exposed {
            plain: plain(&text).into(),
            open_metrics: text.into(),
        };
        *last = Some((now, exposed.clone()));
        exposed
    }
}

/// The text in the older format, which gives the type of a counter under its full name, with
/// `_total`, and has no mark of the end.
fn plain(text: &str) -> String {
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let counters: HashSet<_> = kinds
        .filter_map(|line| line.strip_suffix(" counter"))
        .collect();
    let line = |line| match named(line) {
        Some((kind, name, rest)) if counters.contains(name) => {
            Cow::Owned(format!("# {kind} {name}_total {rest}"))
        }
        _ => Cow::Borrowed(line),
    };
    let lines = text.lines().filter(|line| *line != "# EOF").map(line);
    lines.flat_map(|line| [line, Cow::Borrowed("\n")]).collect()
}

/// The parts of a line that says something of a metric.
fn named(line: &str) -> Option<(&str, &str, &str)> {
    let (kind, rest) = line.strip_prefix("# ")?.split_once(' ')?;
    let (name, rest) = rest.split_once(' ')?;
    Some((kind, name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_ask_it_is_made_once_in_a_second() {
        let now = Instant::now();
        let observed = Observed::new(now, AGE);
        let exposition = Exposition::new(&observed, None).unwrap();
        let turns = |at| {
            let text = exposition.at(at).plain;
            let text = String::from_utf8_lossy(&text).into_owned();
            text.contains("podwire_loop_turns_total 1\n")
        };
        assert!(!turns(now));
        observed.turns(now);
        assert!(!turns(now + AGE / 2));
        assert!(turns(now + AGE));
    }

    #[test]
    fn the_older_format_names_counters_in_full() {
        let text = "# HELP podwire_looks Looks.\n# TYPE podwire_looks counter\n\
            podwire_looks_total{cause=\"list\"} 3\n# HELP podwire_peers Peers.\n\
            # TYPE podwire_peers gauge\npodwire_peers 2\n# EOF\n";
        assert_eq!(
            plain(text),
            "# HELP podwire_looks_total Looks.\n# TYPE podwire_looks_total counter\n\
             podwire_looks_total{cause=\"list\"} 3\n# HELP podwire_peers Peers.\n\
             # TYPE podwire_peers gauge\npodwire_peers 2\n"
        );
    }
}
