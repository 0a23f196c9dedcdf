// SPDX-License-Identifier: Apache-2.0
//! What a node's kernel tells of its routes, and when.

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use integration_tests::Member;

use crate::PATIENCE;

/// The routes that a node's kernel tells of.
pub(crate) struct Routes {
    monitor: Child,
    lines: Receiver<(Instant, String)>,
    seen: RefCell<Vec<(Instant, String)>>,
}

impl Routes {
    pub(crate) fn of(member: &Member) -> Self {
        let mut command = Command::new("ip");
        command.args(["monitor", "route"]).stdout(Stdio::piped());
        let mut monitor = member.node.run(|| command.spawn()).expect("ip is there");
        let output = monitor.stdout.take().expect("it is piped");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send((Instant::now(), line)).is_err() {
                    return;
                }
            }
        });
        // What it is told first shows that it listens.
        let routes = Self {
            monitor,
            lines,
            seen: RefCell::default(),
        };
        let begun = Instant::now();
        while routes.lines.try_recv().is_err() {
            assert!(begun.elapsed() < PATIENCE, "nothing is heard of routes");
            member.node.ip("route add 198.51.100.1/32 dev lo");
            member.node.ip("route del 198.51.100.1/32 dev lo");
            thread::yield_now();
        }
        routes
    }

    /// When the route was told of.
    pub(crate) fn wait_for(&self, destination: &str) -> Instant {
        let mut seen = self.seen.borrow_mut();
        let is_it = |line: &str| line.starts_with(destination);
        if let Some((when, _)) = seen.iter().find(|(_, line)| is_it(line)) {
            return *when;
        }
        loop {
            let told = self.lines.recv_timeout(PATIENCE);
            let (when, line) = told.unwrap_or_else(|_| panic!("no route to {destination}"));
            let found = is_it(&line);
            seen.push((when, line));
            if found {
                return when;
            }
        }
    }
}

impl Drop for Routes {
    fn drop(&mut self) {
        self.monitor.kill().ok();
        self.monitor.wait().ok();
    }
}
