// SPDX-License-Identifier: Apache-2.0
//! Another plugin called in a call's name, as the specification's section "Plugin Delegation" has
//! it: found in `CNI_PATH`, with the same environment but for the verb, and the same stdin.

use std::env;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::thread;

mod running;

use serde::Deserialize;
use serde_json::{Map, Value};

pub use self::running::{FailedAdd, RunningAdd};

use crate::environment::{self, Environment};
use crate::network;
use crate::verb::Verb;
use crate::{AddResult, Attachment, Code, Error, Network, OrCode, Version, fold};

/// What a pipe takes at least without being read (`PIPE_BUF` of `linux/limits.h`).
const PIPE_BUF: usize = 4096;

/// How many octets of what a plugin said, the last ones, a message repeats.
const SAID_MAX: usize = 1000;

const PREV_RESULT: &str = "prevResult";

/// What a runtime adds to a configuration for a single call, apart from what the specification has
/// a plugin declare as capabilities.
const RUNTIME_KEYS: [&str; 3] = [
    PREV_RESULT,
    "cni.dev/valid-attachments",
    "cni.dev/attachments",
];

/// A plugin that does a part of this call's work, such as the IPAM plugin.
#[derive(Clone, Debug)]
pub struct Delegate {
    plugin: String,
    executable: PathBuf,
    environment: Environment,
    stdin: Arc<[u8]>,
    version: Version,
}

impl Delegate {
    pub(crate) fn find(plugin: &str, network: &Network, missing: Code) -> Result<Self, Error> {
        let invalid = |msg| Err(Error::new(Code::INVALID_CONFIG, msg));
        if plugin.is_empty() {
            return invalid("no plugin name provided".to_owned());
        }
        if plugin.contains('/') {
            return invalid(format!("invalid plugin name: {plugin}"));
        }
        // It would get the same configuration and call itself in turn, without end.
        if network.plugin_type() == Some(plugin) {
            return invalid(format!("plugin {plugin:?} can't be its own delegate"));
        }
        let path = network
            .environment
            .get(environment::PATH)
            .unwrap_or_default();
        let executable = env::split_paths(path)
            .filter(|directory| !directory.as_os_str().is_empty())
            .map(|directory| directory.join(plugin))
            .find(|candidate| candidate.is_file())
            .ok_or_else(|| {
                let msg = format!("failed to find plugin {plugin:?} in path {path:?}");
                Error::new(missing, msg)
            })?;
        Ok(Self {
            plugin: plugin.to_owned(),
            executable,
            environment: network.environment.clone(),
            stdin: network.shared_stdin(),
            version: network.version,
        })
    }

    /// The plugin with a configuration of the caller's, and with it what the runtime sent along
    /// with the network's: `prevResult` only where that is of the same version.
    pub(crate) fn configured(
        self,
        network: &Network,
        mut configuration: Map<String, Value>,
    ) -> Result<Self, Error> {
        let version = network::version_of(&configuration)?;
        for key in RUNTIME_KEYS {
            let sent = fold::occurrences(network.document(), key).last();
            if let Some(sent) = sent.filter(|_| key != PREV_RESULT || version == network.version) {
                configuration.insert(key.to_owned(), sent.clone());
            }
        }
        let stdin = serde_json::to_vec(&configuration);
        let stdin = stdin.or_code(Code::INTERNAL, "cannot write JSON")?;
        Ok(Self {
            stdin: stdin.into(),
            version,
            ..self
        })
    }

    /// The same for another attachment than the call's, one whose sandbox is gone.
    #[must_use]
    pub fn for_attachment(mut self, attachment: &Attachment) -> Self {
        self.environment.set_attachment(attachment);
        self
    }

    /// Starts the plugin's ADD, which runs while the caller goes on.
    ///
    /// # Errors
    /// [`Code::DELEGATE`] when the executable cannot be started, [`Code::TRY_AGAIN_LATER`] when it
    /// is just being replaced.
    pub fn start_add(&self) -> Result<RunningAdd, Error> {
        let child = self.start(Verb::Add)?;
        Ok(RunningAdd {
            delegate: self.clone(),
            child: Some(child),
        })
    }

    /// The plugin's ADD from start to end.
    ///
    /// # Errors
    /// As [`Self::start_add`] and [`RunningAdd::finish`].
    pub fn add(&self) -> Result<AddResult, Error> {
        self.start_add()?.finish()
    }

    /// The plugin's DEL.
    ///
    /// # Errors
    /// The plugin's own, with its code; [`Code::DELEGATE`] when it gives none or does not start.
    pub fn del(&self) -> Result<(), Error> {
        self.call(Verb::Del)
    }

    /// The plugin's CHECK.
    ///
    /// # Errors
    /// As [`Self::del`].
    pub fn check(&self) -> Result<(), Error> {
        self.call(Verb::Check)
    }

    /// The plugin's GC.
    ///
    /// # Errors
    /// As [`Self::del`].
    pub fn gc(&self) -> Result<(), Error> {
        self.call(Verb::Gc)
    }

    /// The plugin's STATUS.
    ///
    /// # Errors
    /// As [`Self::del`].
    pub fn status(&self) -> Result<(), Error> {
        self.call(Verb::Status)
    }

    fn call(&self, verb: Verb) -> Result<(), Error> {
        let child = self.start(verb)?;
        self.answer(verb, child).map(|_| ())
    }

    fn start(&self, verb: Verb) -> Result<Child, Error> {
        let child = Command::new(&self.executable)
            .envs(self.environment.iter())
            .env(environment::COMMAND, verb.as_str())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|error| {
            let code = match error.kind() {
                ErrorKind::ExecutableFileBusy => Code::TRY_AGAIN_LATER,
                _ => Code::DELEGATE,
            };
            Error::new(
                code,
                format!("cannot start plugin {:?}: {error}", self.executable),
            )
        })?;
        let mut stdin = child.stdin.take().expect("stdin was asked for as a pipe");
        let document = Arc::clone(&self.stdin);
        // A plugin may end without having read all of it; its answer tells what that means.
        let mut feed = move || stdin.write_all(&document).unwrap_or_default();
        if self.stdin.len() <= PIPE_BUF {
            feed();
        } else {
            thread::spawn(feed);
        }
        Ok(child)
    }

    /// Waits for the plugin to end and passes on what it said: stderr, and stdout of a success.
    fn answer(&self, verb: Verb, child: Child) -> Result<Vec<u8>, Error> {
        let output = child.wait_with_output().or_code(
            Code::IO,
            format_args!("cannot read the answer of plugin {:?}", self.plugin),
        )?;
        // Nobody but a curious operator reads it, so failing to pass it on is no failure.
        io::stderr().write_all(&output.stderr).unwrap_or_default();
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(self.failure(verb, &output))
    }

    fn failure(&self, verb: Verb, output: &Output) -> Error {
        let object = serde_json::from_slice(&output.stdout).ok();
        let object = object.and_then(|value| fold::from_value::<ErrorObject>(&value).ok());
        if let Some(ErrorObject {
            code: code @ 1..,
            msg,
            details,
        }) = object
        {
            // The reference's host-local names itself in some of its messages.
            let said_by = format!("{}: ", self.plugin);
            let msg = match msg.starts_with(&said_by) {
                true => msg,
                false => said_by + &msg,
            };
            return Error {
                code: Code(code),
                msg,
                details: details.filter(|d| !d.is_empty()),
            };
        }
        let said = [&output.stderr, &output.stdout].map(|said| String::from_utf8_lossy(said));
        let said = said.join(" ");
        let said = match said.trim() {
            "" => "it said nothing",
            said => &said[said.ceil_char_boundary(said.len().saturating_sub(SAID_MAX))..],
        };
        let msg = format!(
            "plugin {:?} failed {verb} without an error object",
            self.plugin
        );
        Error::new(Code::DELEGATE, format!("{msg} ({}): {said}", output.status))
    }

    fn result(&self, stdout: &[u8]) -> Result<AddResult, Error> {
        let wish = format!(
            "plugin {:?} answered ADD with something else than a result",
            self.plugin
        );
        let value = serde_json::from_slice(stdout).or_code(Code::DELEGATE, &wish)?;
        AddResult::parse_any(&value, self.version)
            .map_err(|error| Error::new(Code::DELEGATE, format!("{wish}: {}", error.msg)))
    }
}

/// The error object, as far as it is needed to pass it on.
#[derive(Deserialize)]
struct ErrorObject {
    code: u32,
    #[serde(default)]
    msg: String,
    details: Option<String>,
}

#[cfg(test)]
mod tests;
