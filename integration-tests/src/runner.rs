// SPDX-License-Identifier: Apache-2.0
//! A small runtime: it executes the plugins of a network for a pod, in order and in reverse,
//! hands on results and remembers them, as specification 1.1.0, section 3 demands.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use crate::binaries;
use crate::execution::{Execution, Outcome};
use crate::network::Network;
use crate::node::Node;
use crate::place::Place;
use crate::pod::Pod;

/// An attachment: network, container ID, interface name.
type Key = (String, String, String);

/// The runtime of one node.
#[derive(Debug)]
pub struct Runner {
    node: Place,
    path: PathBuf,
    args: String,
    capability_args: Map<String, Value>,
    results: Mutex<BTreeMap<Key, Value>>,
}

/// A plugin of a network that did not do what it was told.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The plugin's name and the verb.
    pub call: String,
    /// How it ended.
    pub outcome: Outcome,
}

impl Failure {
    /// Code and text of the error object; see [`Outcome::error`].
    ///
    /// # Panics
    /// When the plugin printed none.
    pub fn error(&self) -> (u64, String) {
        self.outcome.error()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.outcome)
    }
}

impl std::error::Error for Failure {}

impl Runner {
    /// A runtime that executes Podwire's plugins on `node`.
    pub fn new(node: &Node) -> Self {
        Self::with_plugins(node, binaries::plugins())
    }

    /// A runtime that executes the plugins in any directory, which becomes CNI_PATH.
    pub fn with_plugins(node: &Node, directory: impl Into<PathBuf>) -> Self {
        Self {
            node: (**node).clone(),
            path: directory.into(),
            args: String::new(),
            capability_args: Map::new(),
            results: Mutex::default(),
        }
    }

    /// Sets CNI_ARGS for every call.
    #[must_use]
    pub fn with_args(mut self, args: &str) -> Self {
        args.clone_into(&mut self.args);
        self
    }

    /// Hands one capability's argument to the plugins that declare it: their `runtimeConfig`.
    #[must_use]
    pub fn with_capability(mut self, name: &str, argument: Value) -> Self {
        self.capability_args.insert(name.to_owned(), argument);
        self
    }

    /// Attaches a pod and returns the last plugin's result.
    ///
    /// # Errors
    /// The first plugin that failed. As the specification leaves it to the runtime, nothing is
    /// taken back here: call [`Runner::del`] as a runtime would.
    pub fn add(&self, network: &Network, pod: &Pod, interface: &str) -> Result<Value, Failure> {
        Ok(self.add_hearing(network, pod, interface)?.0)
    }

    /// As [`Runner::add`], and what the plugins said besides, on standard error.
    ///
    /// # Errors
    /// See [`Runner::add`].
    pub fn add_hearing(
        &self,
        network: &Network,
        pod: &Pod,
        interface: &str,
    ) -> Result<(Value, String), Failure> {
        let (mut previous, mut said) = (None, String::new());
        for plugin in network.plugins() {
            let call = self.call("ADD", network, plugin, previous.as_ref());
            let outcome = run(plugin, "ADD", &attachment(call, pod, interface), &self.node)?;
            said.push_str(&outcome.stderr);
            previous = Some(outcome.json());
        }
        let result = previous.expect("a network has a plugin");
        self.results()
            .insert(key(network, pod.name(), interface), result.clone());
        Ok((result, said))
    }

    /// Asks every plugin whether the attachment is as ADD made it.
    ///
    /// # Errors
    /// The first plugin that says no.
    pub fn check(&self, network: &Network, pod: &Pod, interface: &str) -> Result<(), Failure> {
        let result = self.result(network, pod.name(), interface);
        for plugin in network.plugins() {
            let call = self.call("CHECK", network, plugin, result.as_ref());
            silent(
                plugin,
                "CHECK",
                &attachment(call, pod, interface),
                &self.node,
            )?;
        }
        Ok(())
    }

    /// Takes an attachment away and forgets its result.
    ///
    /// # Errors
    /// The first plugin, from the last, that failed; the result is kept then.
    pub fn del(&self, network: &Network, pod: &Pod, interface: &str) -> Result<(), Failure> {
        let netns = pod.netns().display().to_string();
        self.del_with(network, pod.name(), &netns, interface)
    }

    /// As [`Runner::del`], with any value for CNI_NETNS: empty, or a path that leads nowhere.
    ///
    /// # Errors
    /// See [`Runner::del`].
    pub fn del_with(
        &self,
        network: &Network,
        container: &str,
        netns: &str,
        interface: &str,
    ) -> Result<(), Failure> {
        let result = self.result(network, container, interface);
        for plugin in network.plugins().iter().rev() {
            let call = self.call("DEL", network, plugin, result.as_ref());
            let call = call
                .env("CNI_CONTAINERID", container)
                .env("CNI_NETNS", netns);
            silent(
                plugin,
                "DEL",
                &call.env("CNI_IFNAME", interface),
                &self.node,
            )?;
        }
        self.forget(network, container, interface);
        Ok(())
    }

    /// Tells every plugin which attachments are still wanted.
    ///
    /// # Errors
    /// The first plugin that failed.
    pub fn gc(&self, network: &Network, valid: &[(&str, &str)]) -> Result<(), Failure> {
        let valid = valid
            .iter()
            .map(|(id, name)| json!({"containerID": id, "ifname": name}));
        let valid: Value = valid.collect();
        for plugin in network.plugins() {
            let mut configuration = network.configuration(plugin, &Map::new());
            configuration["cni.dev/valid-attachments"] = valid.clone();
            configuration["cni.dev/attachments"] = valid.clone();
            silent(
                plugin,
                "GC",
                &self.execution("GC", plugin, &configuration),
                &self.node,
            )?;
        }
        Ok(())
    }

    /// Asks every plugin whether it could serve an ADD.
    ///
    /// # Errors
    /// The first plugin that says no.
    pub fn status(&self, network: &Network) -> Result<(), Failure> {
        for plugin in network.plugins() {
            let call = self.call("STATUS", network, plugin, None);
            silent(plugin, "STATUS", &call, &self.node)?;
        }
        Ok(())
    }

    /// The remembered result of an attachment.
    pub fn result(&self, network: &Network, container: &str, interface: &str) -> Option<Value> {
        self.results()
            .get(&key(network, container, interface))
            .cloned()
    }

    /// Loses the result of an attachment, as a runtime does whose cache was removed.
    pub fn forget(&self, network: &Network, container: &str, interface: &str) {
        self.results().remove(&key(network, container, interface));
    }

    /// One call as this runtime would make it, to be changed by a test before it runs. CNI_IFNAME,
    /// CNI_NETNS and CNI_CONTAINERID are empty, as libcni leaves them where they mean nothing.
    pub fn call(
        &self,
        verb: &str,
        network: &Network,
        plugin: &Value,
        previous: Option<&Value>,
    ) -> Execution {
        let mut configuration = network.configuration(plugin, &self.capability_args);
        if let Some(previous) = previous {
            configuration["prevResult"] = previous.clone();
        }
        self.execution(verb, plugin, &configuration)
    }

    fn execution(&self, verb: &str, plugin: &Value, configuration: &Value) -> Execution {
        let execution = Execution::new(self.path.join(name(plugin)))
            .env("CNI_COMMAND", verb)
            .env("CNI_PATH", self.path.display().to_string())
            .env("CNI_ARGS", &self.args);
        let attachment = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"];
        let execution = attachment
            .iter()
            .fold(execution, |call, variable| call.env(variable, ""));
        execution.stdin(configuration.to_string())
    }

    fn results(&self) -> MutexGuard<'_, BTreeMap<Key, Value>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn attachment(call: Execution, pod: &Pod, interface: &str) -> Execution {
    call.env("CNI_CONTAINERID", pod.name())
        .env("CNI_NETNS", pod.netns().display().to_string())
        .env("CNI_IFNAME", interface)
}

fn run(plugin: &Value, verb: &str, call: &Execution, node: &Place) -> Result<Outcome, Failure> {
    let outcome = call.run(node);
    if outcome.success() {
        return Ok(outcome);
    }
    Err(Failure {
        call: format!("{} {verb}", name(plugin)),
        outcome,
    })
}

fn silent(plugin: &Value, verb: &str, call: &Execution, node: &Place) -> Result<(), Failure> {
    run(plugin, verb, call, node)?.assert_silent();
    Ok(())
}

fn name(plugin: &Value) -> &str {
    plugin["type"].as_str().expect("a plugin has a type")
}

fn key(network: &Network, container: &str, interface: &str) -> Key {
    (
        network.name().to_owned(),
        container.to_owned(),
        interface.to_owned(),
    )
}
