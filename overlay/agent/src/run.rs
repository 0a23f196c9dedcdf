// SPDX-License-Identifier: Apache-2.0
//! `podwired run`: everything that has to be there before the loop can begin.

use std::io;
use std::path::absolute;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use kubernetes::Nodes;
use net::Rtnl;
use nft::Nft;
use nix::unistd::gethostname;
use tracing::{info, warn};

use crate::agenda::Agenda;
use crate::agent::Agent;
use crate::belief::Belief;
use crate::cli::Run;
use crate::conflist::Conflist;
use crate::error::Error;
use crate::kernel::Kernel;
use crate::lock::Lock;
use crate::log;
use crate::overlay::{NodeOverlay, Wishes};
use crate::publication::Publication;
use crate::signals::Signals;
use crate::source::{ClusterNodes, Host, NodesFile, Source};
use crate::state_file::{self, StateFile};

pub(crate) fn run(options: Run) -> Result<ExitCode, Error> {
    log::begin(options.log_format, options.log_level);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(agent(options))?;
    Ok(ExitCode::SUCCESS)
}

async fn agent(options: Run) -> Result<(), Error> {
    let signals = Signals::catch()?;
    let state = absolute(&options.state.state)?;
    let _lock = Lock::take(&state)?;
    let state = StateFile::open(&state, state_file::boot_id()?);
    let conflist = conflist(&options)?;
    if let (None, Some(conflist)) = (state.last(), &conflist)
        && let Err(error) = conflist.withdraw()
    {
        warn!("{error}");
    }
    match &options.source.nodes {
        Some(path) => follow(&options, NodesFile::new(path)?, state, conflist, signals).await?,
        None => follow(&options, cluster(&options)?, state, conflist, signals).await?,
    }
    info!("podwired ends; the overlay stays as it is");
    Ok(())
}

/// Has the overlay follow a source until the end.
async fn follow<S: Source>(
    options: &Run,
    source: S,
    state: StateFile,
    conflist: Option<Conflist>,
    signals: Signals,
) -> Result<(), Error> {
    let publication = Publication::new(state, conflist, source.file());
    // Subscribed before the first look, so that nothing is missed between the two.
    let kernel = Kernel::subscribe()?;
    let overlay = NodeOverlay::new(Rtnl::open()?, Nft::open()?, wishes(options)?);
    let audit_interval = Duration::from_secs(options.audit_interval);
    let agenda = Agenda::new(Instant::now(), audit_interval);
    let belief = Belief::new(Duration::from_secs(options.confirm_after));
    let file = options.source.nodes.as_ref();
    info!(
        version = env!("CARGO_PKG_VERSION"),
        nodes = file.map_or_else(
            || "kubernetes".to_owned(),
            |path| path.display().to_string()
        ),
        vni = overlay.wishes().settings.vni.get(),
        "podwired begins"
    );
    Agent::new(source, overlay, agenda, belief, publication)
        .run(kernel, signals)
        .await;
    Ok(())
}

fn wishes(options: &Run) -> io::Result<Wishes> {
    let node = match options.source.kubernetes {
        true => Some(node_name(options)?),
        false => options.node.clone(),
    };
    Ok(Wishes {
        settings: options.settings(),
        origin: options.overlay.origin(),
        node,
        hostname: hostname()?,
    })
}

fn hostname() -> io::Result<String> {
    Ok(gethostname()?.to_string_lossy().into_owned())
}

/// The name of this node's Node object.
fn node_name(options: &Run) -> io::Result<String> {
    let named = options
        .node
        .clone()
        .or_else(|| std::env::var("NODE_NAME").ok());
    // A kubelet's own choice is the host name in small letters.
    named.map_or_else(|| Ok(hostname()?.to_lowercase()), Ok)
}

/// The cluster whose Nodes are to be followed.
fn cluster(options: &Run) -> Result<ClusterNodes, Error> {
    let settings = options.settings();
    if settings.network.is_empty() {
        return Err(Error::NoNetwork);
    }
    let name = node_name(options)?;
    let cache = absolute(options.cluster.cache())?;
    let prefix = options
        .cluster
        .annotation_prefix
        .clone()
        .unwrap_or_default();
    let nodes = Nodes::start(kubernetes::Options {
        kubeconfig: options.cluster.kubeconfig.clone(),
        prefix: prefix.clone(),
        node: name.clone(),
        cache: Some(cache.clone()),
        start_jitter: options.cluster.start_jitter(),
    })?;
    let host = Host {
        rtnl: Rtnl::open()?,
        name,
        settings,
        origin: options.overlay.origin(),
        cache,
        taints: options.cluster.remove_taint.clone(),
        prefix,
    };
    Ok(ClusterNodes::new(nodes, host))
}

/// The conflist that is to be written. A template that is none is refused at once.
fn conflist(options: &Run) -> Result<Option<Conflist>, Error> {
    let Some(path) = &options.conflist else {
        return Ok(None);
    };
    let conflist = Conflist {
        path: absolute(path)?,
        template: options.conflist_template.clone(),
    };
    conflist.template()?;
    Ok(Some(conflist))
}
