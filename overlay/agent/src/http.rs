// SPDX-License-Identifier: Apache-2.0
//! Health and metrics over HTTP, for probes and for Prometheus.
//!
//! It runs on the loop's own thread, and is bounded in all that a client can make it do: so many
//! connections, each for one request and for so long, and one reading of the kernel in a second.

mod answer;
mod data_path;
mod exposition;
mod listen;
mod server;

use std::io;

use kubernetes::Counters;
use tokio::net::TcpListener;

use crate::observed::Observed;
use answer::Answers;
use exposition::Exposition;
pub(crate) use listen::Listen;

/// Says what has been counted of a source's requests.
pub(crate) type Counting = Box<dyn Fn() -> Counters + Send + Sync>;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot serve health and metrics at {listen}: {error}")]
    Bind { listen: Listen, error: io::Error },
    #[error(transparent)]
    Network(#[from] net::Error),
    #[error(transparent)]
    Ruleset(#[from] nft::Error),
}

/// A server that has its port.
#[derive(Debug)]
pub(crate) struct Server(TcpListener);

impl Server {
    /// Takes the port. Needs a tokio runtime.
    pub(crate) fn bind(listen: Listen) -> Result<Self, Error> {
        let listener = listen.bind();
        let listener = listener.map_err(|error| Error::Bind { listen, error })?;
        Ok(Self(listener))
    }

    /// Answers from now on, beside whatever else the thread does.
    pub(crate) fn start(self, observed: Observed, counting: Option<Counting>) -> Result<(), Error> {
        let exposition = Exposition::new(&observed, counting)?;
        let answers = Answers::new(observed, exposition);
        tokio::spawn(server::serve(self.0, answers));
        Ok(())
    }
}
