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
use crate::flannel::{Here, Running, SubnetEnvFile};
use crate::http::Server;
use crate::kernel::Kernel;
use crate::lock::Lock;
use crate::log;
use crate::observed::Observed;
use crate::overlay::{NodeOverlay, Wishes};
use crate::publication::Publication;
use crate::signals::Signals;
use crate::source::{ClusterNodes, Host, NodesFile, Source};
use crate::state_file::{self, StateFile};

pub(crate) fn run(options: Run) -> Result<ExitCode, Error> {
    log::begin(options.service.log_format, options.service.log_level);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(agent(options))?;
    Ok(ExitCode::SUCCESS)
}

async fn agent(options: Run) -> Result<(), Error> {
    let options = options.with_net_conf()?;
    let signals = Signals::catch()?;
    let state = absolute(&options.state.state)?;
    let _lock = Lock::take(&state)?;
    let state = StateFile::open(&state, state_file::boot_id()?);
    let conflist = conflist(&options)?;
    let running = running(&options, &state, conflist.as_ref())?;
    // Flannel's pods have an overlay that works.
    if let (None, Some(conflist)) = (state.last(), &conflist)
        && !running.has_devices()
        && let Err(error) = conflist.withdraw()
    {
        warn!("{error}");
    }
    match &options.source.nodes {
        Some(path) => {
            follow(
                &options,
                NodesFile::new(path)?,
                state,
                conflist,
                running,
                signals,
            )
            .await?
        }
        None => {
            follow(
                &options,
                cluster(&options)?,
                state,
                conflist,
                running,
                signals,
            )
            .await?
        }
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
    running: Running,
    signals: Signals,
) -> Result<(), Error> {
    let http = options.service.http.map(Server::bind).transpose()?;
    let subnet_env = options.subnet_env().map(absolute).transpose()?;
    let subnet_env = subnet_env.map(SubnetEnvFile);
    let written = conflist.as_ref().map(|conflist| conflist.path.clone());
    let kept = subnet_env.iter().map(|file| file.0.clone()).chain(written);
    let kept = kept.collect();
    let publication = Publication::new(state, conflist, subnet_env, source.file());
    // Subscribed before the first look, so that nothing is missed between the two.
    let kernel = Kernel::subscribe(kept)?;
    let overlay = NodeOverlay::new(Rtnl::open()?, Nft::open()?, wishes(options, running)?);
    let audit_interval = Duration::from_secs(options.audit_interval);
    let agenda = Agenda::new(Instant::now(), audit_interval);
    let observed = Observed::new(Instant::now(), audit_interval);
    if let Some(http) = http {
        http.start(observed.clone(), source.counting())?;
    }
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
    Agent::new(source, overlay, agenda, belief, publication, observed)
        .run(kernel, signals)
        .await;
    Ok(())
}

fn wishes(options: &Run, running: Running) -> io::Result<Wishes> {
    let node = match options.source.kubernetes {
        true => Some(node_name(options)?),
        false => options.node.clone(),
    };
    Ok(Wishes {
        settings: options.settings(),
        origin: options.overlay.origin(),
        node,
        hostname: hostname()?,
        masquerade: options.masquerade(),
        running,
    })
}

/// What flannel has made of this node, if its place is to be taken and was not before. A take-over
/// that cannot be is refused here, before anything is changed.
fn running(
    options: &Run,
    state: &StateFile,
    conflist: Option<&Conflist>,
) -> Result<Running, Error> {
    let is_ours = state.last().is_some_and(|state| state.takes_over);
    if !options.overlay.take_over_flannel || is_ours {
        return Ok(Running::default());
    }
    let settings = options.settings();
    let directory = conflist.and_then(|conflist| conflist.path.parent());
    let (rtnl, mut nft) = (Rtnl::open()?, Nft::open()?);
    let subnet_env = options.subnet_env();
    let running = Running::look(&rtnl, &mut nft, settings.vni, subnet_env, directory)?;
    let template = conflist.map(|conflist| Ok::<_, Error>((conflist, conflist.template()?)));
    let template = template.transpose()?;
    running.agrees_with(&Here {
        settings: &settings,
        ip_masq: options.flannel.ip_masq,
        conflist: template.as_ref().map(|(of, it)| (of.path.as_path(), it)),
    })?;
    Ok(running)
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
