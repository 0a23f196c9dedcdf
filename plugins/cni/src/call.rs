// SPDX-License-Identifier: Apache-2.0
//! The five calls that reach a plugin's code, each with what the specification lets it rely on.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::environment::{self, Environment};
use crate::sandbox::Sandbox;
use crate::{AddResult, Code, Delegate, Error, Network, fold};

/// What identifies an attachment within its network.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
pub struct Attachment {
    /// `CNI_CONTAINERID`.
    #[serde(rename = "containerID")]
    pub container_id: String,
    /// `CNI_IFNAME`, the interface's name inside the container.
    pub ifname: String,
}

/// ADD: attach the container, all of it or nothing.
#[derive(Debug)]
pub struct Add {
    /// The network to attach to.
    pub network: Network,
    /// What to attach.
    pub attachment: Attachment,
    /// `CNI_NETNS`; not the plugin's own namespace.
    pub netns: PathBuf,
    /// The result of the plugins before this one in the chain.
    pub prev_result: Option<AddResult>,
}

/// CHECK: compare what is there with what ADD made.
#[derive(Debug)]
pub struct Check {
    /// The network attached to.
    pub network: Network,
    /// What is attached.
    pub attachment: Attachment,
    /// `CNI_NETNS`; not the plugin's own namespace.
    pub netns: PathBuf,
    /// The result of the whole chain's ADD.
    pub prev_result: Option<AddResult>,
}

/// DEL: take away whatever is left of the attachment; nothing left is a success.
#[derive(Debug, PartialEq, Eq)]
pub struct Del {
    /// The network attached to.
    pub network: Network,
    /// What was attached.
    pub attachment: Attachment,
    /// `CNI_NETNS`; none when the namespace is gone: the variable is empty, nothing or something
    /// else is at the path, or the path leads to the plugin's own namespace because the number in
    /// it was given out again.
    pub netns: Option<PathBuf>,
    /// The result of the whole chain's ADD, if it came along and can be read.
    pub prev_result: Option<AddResult>,
}

/// GC: take away what belongs to none of the network's valid attachments.
#[derive(Debug)]
pub struct Gc {
    /// The network to clean.
    pub network: Network,
    /// The attachments that must stay; all others of this network are stale.
    pub valid: Vec<Attachment>,
}

/// STATUS: say whether an ADD would work. Runtimes ask every few seconds.
#[derive(Debug)]
pub struct Status {
    /// The network to attach to.
    pub network: Network,
}

/// What all calls have in common.
pub trait Call {
    /// The network that the call is about.
    fn network(&self) -> &Network;

    /// What it means for this call that a delegate is missing.
    fn code_without_delegate(&self) -> Code {
        Code::DELEGATE
    }

    /// The executable `plugin` in `CNI_PATH`, to be called in this call's name.
    ///
    /// # Errors
    /// [`Code::INVALID_CONFIG`] for what cannot be a plugin's name, [`Code::DELEGATE`] when no
    /// directory of `CNI_PATH` has it; [`Code::UNAVAILABLE`] instead of the latter on STATUS.
    fn delegate(&self, plugin: &str) -> Result<Delegate, Error> {
        Delegate::find(plugin, self.network(), self.code_without_delegate())
    }

    /// The same with a configuration that the caller has made. What the runtime sent for this call
    /// goes along: the attachments of GC, and `prevResult`, unless it is of another version.
    ///
    /// # Errors
    /// As [`Self::delegate`], and [`Code::INCOMPATIBLE_VERSION`].
    fn delegate_with(&self, plugin: &str, conf: Map<String, Value>) -> Result<Delegate, Error> {
        self.delegate(plugin)?.configured(self.network(), conf)
    }
}

impl Call for Add {
    fn network(&self) -> &Network {
        &self.network
    }
}

impl Call for Check {
    fn network(&self) -> &Network {
        &self.network
    }
}

impl Call for Del {
    fn network(&self) -> &Network {
        &self.network
    }
}

impl Call for Gc {
    fn network(&self) -> &Network {
        &self.network
    }
}

impl Call for Status {
    fn network(&self) -> &Network {
        &self.network
    }

    fn code_without_delegate(&self) -> Code {
        Code::UNAVAILABLE
    }
}

impl Add {
    pub(crate) fn new(network: Network, attachment: Attachment) -> Result<Self, Error> {
        network.ipam()?;
        let prev_result = prev_result(&network)?;
        Ok(Self {
            netns: sandbox(&network.environment)?,
            network,
            attachment,
            prev_result,
        })
    }

    /// The values that `CNI_ARGS` gives the keys in `known`; others are an error unless the
    /// runtime also sends `IgnoreUnknown=1`. Only a plugin that uses some of them asks.
    ///
    /// # Errors
    /// [`Code::INVALID_ENVIRONMENT`] for what is not `KEY=VALUE;KEY=VALUE` or has other keys.
    pub fn args(&self, known: &[&str]) -> Result<BTreeMap<String, String>, Error> {
        self.network.environment.args(known)
    }

    /// The result of the plugins before this one, for a plugin that stands behind others.
    ///
    /// # Errors
    /// [`Code::INVALID_CONFIG`] when there is none.
    pub fn chained(&self) -> Result<&AddResult, Error> {
        self.prev_result.as_ref().ok_or_else(|| {
            Error::new(Code::INVALID_CONFIG, "must be called as chained plugin")
                .with_details("put it behind the plugin that makes the interface, such as bridge")
        })
    }

    /// The DEL that takes this ADD back.
    pub(crate) fn into_del(self) -> Del {
        let Self {
            network,
            attachment,
            netns,
            prev_result,
        } = self;
        Del {
            network,
            attachment,
            netns: Some(netns),
            prev_result,
        }
    }
}

impl Check {
    pub(crate) fn new(network: Network, attachment: Attachment) -> Result<Self, Error> {
        let Add {
            network,
            attachment,
            netns,
            prev_result,
        } = Add::new(network, attachment)?;
        Ok(Self {
            network,
            attachment,
            netns,
            prev_result,
        })
    }

    /// As [`Add::args`].
    ///
    /// # Errors
    /// As [`Add::args`].
    pub fn args(&self, known: &[&str]) -> Result<BTreeMap<String, String>, Error> {
        self.network.environment.args(known)
    }

    /// The result of ADD, without which there is nothing to compare with.
    ///
    /// # Errors
    /// [`Code::INVALID_CONFIG`] when the runtime has not sent it.
    pub fn required_prev_result(&self) -> Result<&AddResult, Error> {
        let missing = || Error::new(Code::INVALID_CONFIG, "Required prevResult missing");
        self.prev_result.as_ref().ok_or_else(missing)
    }
}

impl Del {
    pub(crate) fn new(network: Network, attachment: Attachment) -> Self {
        let environment = &network.environment;
        let netns = environment.get(environment::NETNS).map(PathBuf::from);
        let own_is_gone = !environment.allows_own_netns();
        let netns = netns.filter(|path| match Sandbox::at(path) {
            Sandbox::Gone => false,
            Sandbox::Own => !own_is_gone,
            Sandbox::Other => true,
        });
        let prev_result = prev_result(&network).ok().flatten();
        Self {
            network,
            attachment,
            netns,
            prev_result,
        }
    }
}

impl Gc {
    /// None when the runtime names no attachments at all, not even an empty list: that is a call
    /// outside the specification, and to take it for "none is valid" would take away all of them.
    pub(crate) fn new(network: Network) -> Result<Option<Self>, Error> {
        network.ipam()?;
        let mut valid: Option<Vec<Attachment>> = None;
        // libcni sends the list under both names; whatever is in either of them stays.
        for key in ["cni.dev/valid-attachments", "cni.dev/attachments"] {
            for list in fold::occurrences(network.document(), key) {
                let list: Vec<Attachment> = fold::from_value(list).map_err(|failure| {
                    let wish = format!("cannot read the attachments of network {:?}", network.name);
                    failure.within(key).into_error(wish)
                })?;
                valid.get_or_insert_default().extend(list);
            }
        }
        Ok(valid.map(|mut valid| {
            valid.sort();
            valid.dedup();
            Self { network, valid }
        }))
    }
}

impl Status {
    pub(crate) fn new(network: Network) -> Result<Self, Error> {
        network.ipam()?;
        Ok(Self { network })
    }
}

fn prev_result(network: &Network) -> Result<Option<AddResult>, Error> {
    let Some(value) = fold::field(network.document(), "prevResult") else {
        return Ok(None);
    };
    AddResult::parse(value, network.version)
        .map(Some)
        .map_err(|error| Error {
            msg: format!("could not parse prevResult: {}", error.msg),
            ..error
        })
}

/// `CNI_NETNS` of an ADD or CHECK. What is at the path is the plugin's business: an IPAM plugin
/// needs no namespace.
fn sandbox(environment: &Environment) -> Result<PathBuf, Error> {
    let path = PathBuf::from(environment.get(environment::NETNS).unwrap_or_default());
    if matches!(Sandbox::at(&path), Sandbox::Own) && !environment.allows_own_netns() {
        let msg = "plugin's netns and netns from CNI_NETNS should not be the same";
        let details = format!("CNI_NETNS is {:?}", path.display().to_string());
        return Err(Error::new(Code::INVALID_NETNS, msg).with_details(details));
    }
    Ok(path)
}
