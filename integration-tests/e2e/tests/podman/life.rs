// SPDX-License-Identifier: Apache-2.0
//! What becomes of a container's attachment when the container ends, in each way that it can.

use std::net::IpAddr;

use e2e_tests::PATIENCE;
use integration_tests::{BRIEFLY, Outside};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::site::{NETWORK, SUBNETS, Site, page, seen};

const OPTIONS: &str = "--network own -p 8081:80";

/// The container's port leads to it, and nowhere when it does not run.
fn assert_runs(site: &Site<'_>, runs: bool) {
    for (node, outside) in [
        (Outside::NODE_V4, Outside::V4),
        (Outside::NODE_V6, Outside::V6),
    ] {
        let expected: Option<IpAddr> = runs.then_some(outside);
        let limit = if runs { PATIENCE } else { BRIEFLY };
        assert_eq!(page(&site.outside, node, 8081, limit), expected);
    }
}

pub(crate) fn stopped_and_started(site: &Site<'_>) {
    site.create(NETWORK, SUBNETS);
    drop(site.podman.run("server", OPTIONS));
    assert_runs(site, true);
    for _ in 0..2 {
        site.podman.say("stop --time 0 server");
        assert_runs(site, false);
        site.assert_no_attachment();
        site.podman.start("server");
        assert_runs(site, true);
    }
    site.podman.say("stop --time 0 server");
    site.podman.say("rm server");
    site.assert_no_attachment();
    site.podman.say("network rm own");
}

/// conmon sees the end of a container, and has podman clean up after it.
pub(crate) fn killed(site: &Site<'_>) {
    site.create(NETWORK, SUBNETS);
    drop(site.podman.run("server", OPTIONS));
    let pid = Pid::from_raw(site.podman.pid("server"));
    kill(pid, Signal::SIGKILL).expect("the container's process is there");
    let cleaned = site
        .node
        .eventually(PATIENCE, || site.attachments().is_empty());
    assert!(cleaned.is_some(), "left: {:#?}", site.attachments());
    assert_runs(site, false);
    site.podman.start("server");
    assert_runs(site, true);
    site.end_last("server");
    site.podman.say("network rm own");
}

pub(crate) fn removed_by_force(site: &Site<'_>) {
    site.create(NETWORK, SUBNETS);
    for name in ["one", "two"] {
        drop(site.podman.run(name, "--network own"));
    }
    let server = site.podman.run("server", OPTIONS);
    let refused = site.podman.outcome("network rm own");
    assert!(
        !refused.success() && refused.stderr.contains("own"),
        "{refused}"
    );
    seen(site.node, server.ipv4("eth0"), 80);
    drop(server);
    // A network that is removed by force takes its containers along.
    site.podman.say("rm --force --time 0 one");
    site.podman.say("network rm --force --time 0 own");
    assert_eq!(site.podman.say("ps --all --quiet"), "");
    assert_runs(site, false);
}
