// SPDX-License-Identifier: Apache-2.0
//! From the process's environment and stdin to one JSON document on stdout and an exit status.

use std::any::Any;
use std::io::{self, Read, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::environment::{self, Environment};
use crate::network::version_for_error;
use crate::verb::Verb;
use crate::wire::pretty;
use crate::{Add, AddResult, Check, Code, Del, Error, Gc, Network, OrCode, Status, Version, warn};

/// The release of the reference plugins whose configurations are understood.
const REFERENCE: &str = "1.9.1";

/// A plugin: what it does for each verb once the protocol's own checks have passed.
pub trait Plugin {
    /// The name that configurations call it by in `type`.
    fn name(&self) -> &'static str;

    /// The versions that it speaks, oldest first.
    fn versions(&self) -> &'static [Version] {
        &Version::ALL
    }

    /// Attaches: all of it, or an error and nothing.
    ///
    /// # Errors
    /// Whatever keeps the attachment from being complete.
    fn add(&self, call: &Add) -> Result<AddResult, Error>;

    /// Takes away what is left of an attachment.
    ///
    /// # Errors
    /// What could not be taken away, all of it; not what was gone already.
    fn del(&self, call: &Del) -> Result<(), Error>;

    /// Compares what is there with what ADD made.
    ///
    /// # Errors
    /// The difference.
    fn check(&self, call: &Check) -> Result<(), Error>;

    /// Takes away what belongs to no valid attachment.
    ///
    /// # Errors
    /// What could not be taken away, all of it.
    fn gc(&self, call: &Gc) -> Result<(), Error>;

    /// Says whether an ADD would work, without changing or waiting for anything.
    ///
    /// # Errors
    /// [`Code::UNAVAILABLE`] or [`Code::UNAVAILABLE_LIMITED`].
    fn status(&self, call: &Status) -> Result<(), Error>;
}

/// The whole `main` of a plugin. Nothing else may write to stdout.
pub fn run(plugin: &dyn Plugin) -> ExitCode {
    panic::set_hook(Box::new(|panic| {
        *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic.to_string());
    }));
    let outcome = invoke(plugin, &Environment::of_process(), &mut io::stdin().lock());
    if !outcome.stderr.is_empty() {
        warn(&outcome.stderr);
    }
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(outcome.stdout.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => ExitCode::from(outcome.exit),
        Err(error) => {
            warn(format_args!(
                "cannot write to stdout: {error}: {}",
                outcome.stdout
            ));
            if let Some(Err(error)) = outcome.undo.map(|del| plugin.del(&del)) {
                warn(format_args!("cannot take the attachment back: {error}"));
            }
            ExitCode::FAILURE
        }
    }
}

/// What the hook of [`run`] has heard of a panic: its place, which the payload doesn't have.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// What a process leaves behind.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    stdout: String,
    stderr: String,
    exit: u8,
    /// Takes back an attachment of which nobody can be told, as when the runtime was killed.
    undo: Option<Del>,
}

impl Outcome {
    fn failure(error: &Error, version: Version) -> Self {
        // Writing an object of strings and numbers does not fail.
        let stdout = pretty(&error.object(version)).unwrap_or_default();
        Self {
            stdout,
            exit: 1,
            ..Self::default()
        }
    }

    /// The answer to a human who just typed the plugin's name, and to nerdctl and Nomad, which read a
    /// version of the reference plugins in it and want one of 1.1.0 and 0.4.0 or newer.
    fn about(plugin: &dyn Plugin) -> Self {
        let versions: Vec<_> = plugin
            .versions()
            .iter()
            .map(|version| version.as_str())
            .collect();
        let stderr = format!(
            "CNI {} plugin v{REFERENCE}+podwire.{}\nCNI protocol versions supported: {}",
            plugin.name(),
            env!("CARGO_PKG_VERSION"),
            versions.join(", ")
        );
        Self {
            stderr,
            ..Self::default()
        }
    }

    /// The answer to VERSION. stdin would say which version to answer in, but runtimes leave it
    /// open or closed as they like, and take this one.
    fn versions(plugin: &dyn Plugin) -> Result<Self, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Versions {
            cni_version: Version,
            supported_versions: &'static [Version],
        }
        let supported_versions = plugin.versions();
        let cni_version = supported_versions
            .last()
            .copied()
            .unwrap_or(Version::NEWEST);
        let answer = serde_json::to_string(&Versions {
            cni_version,
            supported_versions,
        });
        let answer = answer.or_code(Code::INTERNAL, "cannot write JSON")?;
        Ok(Self {
            stdout: answer + "\n",
            ..Self::default()
        })
    }
}

/// [`run`] without the process.
fn invoke(plugin: &dyn Plugin, environment: &Environment, stdin: &mut dyn Read) -> Outcome {
    let mut document = Vec::new();
    let answer = || answer(plugin, environment, stdin, &mut document);
    panic::catch_unwind(AssertUnwindSafe(answer))
        .unwrap_or_else(|payload| Err(panicked(&*payload)))
        .unwrap_or_else(|error| Outcome::failure(&error, version_for_error(&document)))
}

fn panicked(payload: &(dyn Any + Send)) -> Error {
    let heard = LAST_PANIC
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    let text = heard
        .or_else(|| payload.downcast_ref::<&str>().map(|&text| text.to_owned()))
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    Error::new(
        Code::INTERNAL,
        format!("internal error: {}", text.replace('\n', " ")),
    )
}

fn answer(
    plugin: &dyn Plugin,
    environment: &Environment,
    stdin: &mut dyn Read,
    document: &mut Vec<u8>,
) -> Result<Outcome, Error> {
    let Some(command) = environment.get(environment::COMMAND) else {
        return Ok(Outcome::about(plugin));
    };
    let verb: Verb = command.to_string_lossy().parse()?;
    let mut network = || {
        stdin
            .read_to_end(document)
            .or_code(Code::IO, "error reading from stdin")?;
        // A refused DEL would keep the runtime from the DEL of the plugins before this one.
        let versions = match verb {
            Verb::Del => &Version::ALL,
            _ => plugin.versions(),
        };
        let network = Network::of_call(document, versions, environment.clone())?;
        verb.demand(network.version).map(|()| network)
    };
    match verb {
        Verb::Version => Outcome::versions(plugin),
        Verb::Add => {
            let attachment = environment.attachment(&SANDBOXED)?;
            add(plugin, Add::new(network()?, attachment)?)
        }
        Verb::Check => {
            let attachment = environment.attachment(&SANDBOXED)?;
            plugin
                .check(&Check::new(network()?, attachment)?)
                .map(silent)
        }
        Verb::Del => {
            let attachment = environment.attachment(&ATTACHED)?;
            plugin.del(&Del::new(network()?, attachment)).map(silent)
        }
        Verb::Gc => {
            environment.require(&[environment::PATH])?;
            gc(plugin, network()?)
        }
        Verb::Status => {
            environment.require(&[environment::PATH])?;
            plugin.status(&Status::new(network()?)?).map(silent)
        }
    }
}

/// What ADD and CHECK cannot do without, in the order in which the reference names it.
const SANDBOXED: [&str; 4] = [
    environment::CONTAINER_ID,
    environment::NETNS,
    environment::IFNAME,
    environment::PATH,
];

/// What DEL cannot do without. The reference demands `CNI_PATH` too, the specification does not.
const ATTACHED: [&str; 2] = [environment::CONTAINER_ID, environment::IFNAME];

fn silent((): ()) -> Outcome {
    Outcome::default()
}

/// A plugin should have found out before its work that the version cannot express the result; when
/// it has not, the work is undone.
fn add(plugin: &dyn Plugin, call: Add) -> Result<Outcome, Error> {
    let result = plugin.add(&call)?;
    match result.to_json(call.network.version) {
        Ok(stdout) => Ok(Outcome {
            stdout,
            undo: Some(call.into_del()),
            ..Outcome::default()
        }),
        Err(error) => {
            let undone = plugin.del(&call.into_del());
            let errors = [Err(error), undone].into_iter().filter_map(Result::err);
            Error::join(errors.collect()).map(silent)
        }
    }
}

fn gc(plugin: &dyn Plugin, network: Network) -> Result<Outcome, Error> {
    let name = network.name.clone();
    match Gc::new(network)? {
        Some(call) => plugin.gc(&call).map(silent),
        None => {
            let stderr = format!("GC of network {name:?} names no attachments: nothing is changed");
            Ok(Outcome {
                stderr,
                ..Outcome::default()
            })
        }
    }
}

#[cfg(test)]
mod tests;
