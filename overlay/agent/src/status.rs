// SPDX-License-Identifier: Apache-2.0
//! `podwired status`: what the agent says of the overlay, held against the kernel as it is now.

mod live;
mod text;

use std::fs;
use std::io::{self, Write};
use std::path::absolute;
use std::process::ExitCode;
use std::time::SystemTime;

use ipnetwork::IpNetwork;
use serde_json::{Value, json};
use topology::State;

use crate::cli;
use crate::error::Error;
use crate::lock;
use crate::state_file::{boot_id, seconds};
use live::Live;

/// All that there is to say.
#[derive(Debug)]
struct Status {
    state: State,
    /// The process that holds the agent's lock, if that can be told.
    agent: io::Result<Option<String>>,
    live: Live,
    /// Why pods cannot use the overlay.
    not_ready: Option<String>,
    /// Seconds since 1970.
    now: u64,
}

pub(crate) fn status(options: &cli::Status) -> Result<ExitCode, Error> {
    let path = absolute(&options.state.state)?;
    let unreadable = |error: String| Error::State {
        path: path.clone(),
        error,
        agent: lock::holder(&path),
    };
    let content = fs::read(&path).map_err(|error| unreadable(error.to_string()))?;
    let state = State::parse(&content).map_err(|error| unreadable(error.to_string()))?;
    let agent = lock::holder(&path);
    let status = Status {
        live: Live::look(&state, matches!(agent, Ok(Some(_)))),
        agent,
        not_ready: state.ready(&boot_id()?).err().map(|why| why.to_string()),
        now: seconds(SystemTime::now()),
        state,
    };
    let text = if options.json {
        format!("{:#}\n", status.json())
    } else {
        status.text()
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(if status.usable() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Status {
    /// Whether pods can use it: the agent's word and the kernel agree.
    fn usable(&self) -> bool {
        self.not_ready.is_none() && self.live.differs.is_empty()
    }

    fn json(&self) -> Value {
        let Self { state, live, .. } = self;
        json!({
            "usable": self.usable(),
            "node": state.node,
            "devices": state.devices,
            "podMtu": state.pod_mtu,
            "network": texts(&state.settings.network),
            "podCIDRs": texts(&state.pod_cidrs),
            "nodesFile": state.nodes_file,
            "cacheFile": state.remembered.as_ref().map(|it| &it.cache_file),
            "peersWished": live.wished.unwrap_or(state.peers_wished),
            "peersProgrammed": live.programmed.unwrap_or(state.peers_programmed),
            "differs": live.differs,
            "complaints": live.complaints,
            "droppedOfStrangers": live.dropped.map(|it| it.strangers),
            "droppedOfPods": live.dropped.map(|it| it.pods),
            "converged": state.converged,
            "since": state.since,
            "written": state.written,
            "notReady": self.not_ready,
            "lastError": state.last_error,
            "agentRunning": self.agent.as_ref().ok().map(Option::is_some),
            "agentProcess": self.agent.as_ref().ok(),
        })
    }
}

fn texts(networks: &[IpNetwork]) -> Vec<String> {
    networks.iter().map(IpNetwork::to_string).collect()
}
