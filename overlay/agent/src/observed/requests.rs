// SPDX-License-Identifier: Apache-2.0
//! What the source of the list has asked of the API server.

use std::fmt;
use std::time::SystemTime;

use kubernetes::Counters;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType::{Counter, Gauge};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::http::Counting;

/// The source's counters, asked for when they are exposed.
pub(crate) struct Requests(Counting);

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").finish_non_exhaustive()
    }
}

impl Requests {
    pub(crate) fn new(counting: Counting) -> Self {
        Self(counting)
    }
}

impl Collector for Requests {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counted = (self.0)();
        let mut to = Sheet(encoder);
        to.counts(&counted)?;
        to.number(
            "api_received_bytes",
            "Bytes from the API server",
            counted.bytes_received,
        )?;
        to.number(
            "api_sent_bytes",
            "Bytes to the API server",
            counted.bytes_sent,
        )?;
        to.number(
            "node_patches",
            "Changes to this node's Node object",
            counted.patches,
        )?;
        let nodes = [("nodes", "Nodes that are known", counted.nodes)];
        let unreadable = (
            "nodes_unreadable",
            "Nodes that cannot be understood",
            counted.unreadable,
        );
        for (name, help, number) in nodes.into_iter().chain([unreadable]) {
            to.value(name, help, u64::try_from(number).unwrap_or(u64::MAX))?;
        }
        let Some(synced) = counted.last_sync else {
            return Ok(());
        };
        let synced = synced.duration_since(SystemTime::UNIX_EPOCH);
        to.value(
            "api_sync_timestamp_seconds",
            "When the API server last told how all Nodes are, in seconds since 1970",
            synced.unwrap_or_default().as_secs(),
        )
    }
}

struct Sheet<'e>(DescriptorEncoder<'e>);

impl Sheet<'_> {
    fn counts(&mut self, counted: &Counters) -> fmt::Result {
        let requests = counted.requests.iter();
        let requests =
            requests.map(|((verb, code), count)| ([("verb", *verb), ("code", *code)], *count));
        self.labelled(
            "api_requests",
            "Requests to the API server, by verb and kind of answer",
            requests,
        )?;
        let errors = counted.errors.iter();
        let errors = errors.map(|(cause, count)| ([("cause", *cause)], *count));
        self.labelled(
            "api_errors",
            "Requests that failed and watches that were cut, by cause",
            errors,
        )?;
        let restarts = counted.watch_restarts.iter();
        let restarts = restarts.map(|(cause, count)| ([("cause", *cause)], *count));
        self.labelled(
            "watch_restarts",
            "Watches that ended and began anew, by cause",
            restarts,
        )
    }

    fn labelled<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        counts: impl Iterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let help = format!("{help}.");
        let mut metric = self.0.encode_descriptor(name, &help, None, Counter)?;
        for (labels, count) in counts {
            ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn number(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        let help = format!("{help}.");
        let metric = self.0.encode_descriptor(name, &help, None, Counter)?;
        ConstCounter::new(count).encode(metric)
    }

    fn value(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let help = format!("{help}.");
        let metric = self.0.encode_descriptor(name, &help, None, Gauge)?;
        ConstGauge::new(value).encode(metric)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    fn text() -> String {
        let counted = Counters {
            requests: BTreeMap::from([(("watch", "2xx"), 3)]),
            errors: BTreeMap::from([("unreachable", 2)]),
            watch_restarts: BTreeMap::from([("expired", 1)]),
            bytes_received: 5000,
            last_sync: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(7)),
            ..Counters::default()
        };
        let mut registry = Registry::with_prefix("podwire");
        let counting: Counting = Box::new(move || counted.clone());
        registry.register_collector(Box::new(Requests::new(counting)));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn counts_have_their_labels() {
        let text = text();
        for line in [
            "podwire_api_requests_total{verb=\"watch\",code=\"2xx\"} 3\n",
            "podwire_api_errors_total{cause=\"unreachable\"} 2\n",
            "podwire_watch_restarts_total{cause=\"expired\"} 1\n",
            "podwire_api_received_bytes_total 5000\n",
            "podwire_api_sync_timestamp_seconds 7\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }

    /// The document's second table.
    #[test]
    fn the_document_has_a_row_for_each() {
        let text = text();
        let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let kinds = kinds.map(|line| line.replace(" counter", "_total counter"));
        let document = include_str!("../../../../docs/metrics.md");
        let (_, second) = document.split_once("## Of the API server").unwrap();
        let rows = second.lines().filter_map(|row| row.strip_prefix("| `"));
        let rows = rows.map(|row| {
            let (name, rest) = row.split_once('`').unwrap();
            let name = name.split('{').next().unwrap();
            format!("{name} {}", rest.split('|').nth(1).unwrap().trim())
        });
        assert_eq!(
            rows.collect::<BTreeSet<_>>(),
            kinds.collect::<BTreeSet<_>>()
        );
    }
}
