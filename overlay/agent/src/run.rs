// SPDX-License-Identifier: Apache-2.0
//! `podwired run`: everything that has to be there before the loop can begin.

use std::io;
use std::path::absolute;
use std::process::ExitCode;
use std::time::{Duration, Instant};

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
use crate::source::{NodesFile, Source};
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
    let source = NodesFile::new(&options.nodes)?;
    let state = StateFile::open(&state, state_file::boot_id()?);
    let conflist = conflist(&options)?;
    if let (None, Some(conflist)) = (state.last(), &conflist)
        && let Err(error) = conflist.withdraw()
    {
        warn!("{error}");
    }
    let publication = Publication::new(state, conflist, source.file());
    // Subscribed before the first look, so that nothing is missed between the two.
    let kernel = Kernel::subscribe()?;
    let overlay = NodeOverlay::new(Rtnl::open()?, Nft::open()?, wishes(&options)?);
    let audit_interval = Duration::from_secs(options.audit_interval);
    let agenda = Agenda::new(Instant::now(), audit_interval);
    let belief = Belief::new(Duration::from_secs(options.confirm_after));
    info!(
        version = env!("CARGO_PKG_VERSION"),
        nodes = %options.nodes.display(),
        vni = overlay.wishes().settings.vni.get(),
        "podwired begins"
    );
    Agent::new(source, overlay, agenda, belief, publication)
        .run(kernel, signals)
        .await;
    info!("podwired ends; the overlay stays as it is");
    Ok(())
}

fn wishes(options: &Run) -> io::Result<Wishes> {
    Ok(Wishes {
        settings: options.settings(),
        origin: options.overlay.origin(),
        node: options.node.clone(),
        hostname: gethostname()?.to_string_lossy().into_owned(),
    })
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
