// SPDX-License-Identifier: Apache-2.0
//! What others see of the agent: its state file, the conflist, and the word to the service manager
//! that it is ready.

use std::io;
use std::path::PathBuf;

use topology::{Masquerade, Remembered, State};

use crate::cli;
use crate::conflist::{Conflist, Facts};
use crate::flannel::{SubnetEnv, SubnetEnvFile};
use crate::journal::Troubles;
use crate::notify;
use crate::overlay::{NodeOverlay, Wishes};
use crate::standing::Standing;
use crate::state_file::StateFile;

/// The files that are written, and what was said already.
#[derive(Debug)]
pub(crate) struct Publication {
    state: StateFile,
    conflist: Option<Conflist>,
    /// The file for the plugin flannel.
    subnet_env: Option<SubnetEnvFile>,
    /// Why the runtime does not have it.
    conflist_error: Option<String>,
    nodes_file: Option<PathBuf>,
    remembered: Option<Remembered>,
    ready: bool,
    troubles: Troubles,
}

impl Publication {
    pub(crate) fn new(
        state: StateFile,
        conflist: Option<Conflist>,
        subnet_env: Option<SubnetEnvFile>,
        nodes_file: Option<PathBuf>,
    ) -> Self {
        Self {
            state,
            conflist,
            subnet_env,
            conflist_error: None,
            nodes_file,
            remembered: None,
            ready: false,
            troubles: Troubles::grave("the agent's files"),
        }
    }

    /// What the state file says.
    pub(crate) fn last(&self) -> Option<&State> {
        self.state.last()
    }

    /// Where the list is remembered, from now on.
    pub(crate) fn remembers(&mut self, remembered: Option<Remembered>) {
        self.remembered = remembered;
    }

    /// Publishes how it stands, where that differs from what was published.
    pub(crate) fn publish(
        &mut self,
        overlay: &NodeOverlay,
        standing: &Standing,
        last_error: Option<String>,
    ) {
        let mut troubles = Vec::new();
        let mut put = self.put_state(overlay, standing, last_error.as_deref());
        if standing.converged() {
            // After the state, by which the plugin goes that the conflist names.
            let written = self.write_subnet_env(overlay, standing);
            let written = written.and_then(|()| self.write_conflist(overlay, standing));
            let error = written.err();
            if error != self.conflist_error {
                self.conflist_error = error;
                put = self.put_state(overlay, standing, last_error.as_deref());
            }
            troubles.extend(self.conflist_error.clone());
            troubles.extend(self.say_ready().err().map(|error| {
                format!("cannot tell the service manager that the overlay is ready: {error}")
            }));
        }
        troubles.extend(put.err());
        self.troubles.are(troubles);
    }

    /// Pods can use the overlay without the conflist; but it is the state that is asked when the
    /// runtime has none.
    fn put_state(
        &mut self,
        overlay: &NodeOverlay,
        standing: &Standing,
        last_error: Option<&str>,
    ) -> Result<(), String> {
        let errors = [last_error, self.conflist_error.as_deref()];
        let errors: Vec<_> = errors.into_iter().flatten().collect();
        let last_error = (!errors.is_empty()).then(|| errors.join("; "));
        let state = self.state_of(overlay, standing, last_error);
        let put = self.state.put(state);
        let path = self.state.path().display();
        put.map_err(|error| format!("cannot write the state file {path}: {error}"))
    }

    fn state_of(
        &self,
        overlay: &NodeOverlay,
        standing: &Standing,
        last_error: Option<String>,
    ) -> State {
        let wishes = overlay.wishes();
        // What an earlier run programmed is there still, whatever the list is like now.
        let before = self.state.last().cloned();
        let before = before.unwrap_or_else(|| nothing(wishes));
        // It is written once the overlay is usable; before that it may be flannel's own.
        let written = self.subnet_env.as_ref().filter(|_| standing.converged());
        let written = written.map(|file| file.0.clone());
        let common = State {
            last_error,
            nodes_file: self.nodes_file.clone(),
            remembered: self.remembered.clone(),
            subnet_env: written.or(before.subnet_env),
            ..before
        };
        let Some(believed) = overlay.believed() else {
            return common;
        };
        State {
            node: believed.cluster.own().to_owned(),
            devices: overlay.wished_devices(),
            pod_mtu: standing.pod_mtu.unwrap_or(common.pod_mtu),
            settings: believed.settings.clone(),
            takes_over: wishes.takes_over(),
            masquerade: masquerade(wishes),
            pod_cidrs: believed.own_pod_cidrs(),
            converged: standing.converged(),
            peers_wished: believed.cluster.peers().len(),
            peers_programmed: standing.programmed,
            differing: standing.errors().count(),
            ..common
        }
    }

    /// Before the conflist, whose plugins may read it.
    fn write_subnet_env(&self, overlay: &NodeOverlay, standing: &Standing) -> Result<(), String> {
        let (Some(file), Some(believed), Some(pod_mtu)) =
            (&self.subnet_env, overlay.believed(), standing.pod_mtu)
        else {
            return Ok(());
        };
        let (network, pod_cidrs) = (believed.cluster.network(), believed.own_pod_cidrs());
        let ip_masq = overlay.wishes().masquerade.is_some();
        let said = SubnetEnv::new(network, &pod_cidrs, pod_mtu, ip_masq);
        if file.ensure(&said)? {
            tracing::info!(path = %file.0.display(), "wrote subnet.env");
        }
        Ok(())
    }

    fn write_conflist(&self, overlay: &NodeOverlay, standing: &Standing) -> Result<(), String> {
        let (Some(conflist), Some(believed)) = (&self.conflist, overlay.believed()) else {
            return Ok(());
        };
        let Some(pod_mtu) = standing.pod_mtu else {
            return Ok(());
        };
        let state = self.state.path();
        let facts = Facts {
            pod_cidrs: &believed.own_pod_cidrs(),
            network: believed.cluster.network(),
            pod_mtu,
            state: (state != cli::STATE).then_some(state),
        };
        match conflist.ensure(&facts) {
            Ok(true) => tracing::info!(path = %conflist.path.display(), "wrote the conflist"),
            Ok(false) => {}
            Err(error) => return Err(error.to_string()),
        }
        Ok(())
    }

    fn say_ready(&mut self) -> io::Result<()> {
        if !self.ready {
            notify::ready()?;
            self.ready = true;
        }
        Ok(())
    }
}

fn masquerade(wishes: &Wishes) -> Option<Masquerade> {
    let exempt = wishes.masquerade.clone()?;
    Some(Masquerade { exempt })
}

/// What there is to say before anything is known. Nothing is made yet and nothing taken over, whatever is
/// wished: else the next run would skip what this one refuses, and a cleanup remove what is flannel's.
fn nothing(wishes: &Wishes) -> State {
    State {
        node: wishes.node.as_ref().unwrap_or(&wishes.hostname).clone(),
        devices: Vec::new(),
        pod_mtu: 0,
        settings: wishes.settings.clone(),
        takes_over: false,
        masquerade: None,
        nodes_file: None,
        remembered: None,
        subnet_env: None,
        pod_cidrs: Vec::new(),
        converged: false,
        since: 0,
        peers_wished: 0,
        peers_programmed: 0,
        differing: 0,
        last_error: None,
        written: 0,
        boot_id: String::new(),
    }
}
