// SPDX-License-Identifier: Apache-2.0
//! A change of the nf_tables ruleset as one atomic transaction.

mod error;
pub mod masquerade;
pub mod reference;
pub mod spoof;

pub use error::Error;

/// A connection to nf_tables of one network namespace.
#[derive(Debug)]
pub struct Nft {
    _socket: netlink_sys::Socket,
}

impl Nft {
    /// Connects to nf_tables of the calling thread's network namespace.
    pub fn open() -> Result<Nft, Error> {
        let socket = netlink_sys::Socket::new(netlink_sys::protocols::NETLINK_NETFILTER)
            .map_err(|e| Error::io("connect to nf_tables", &e))?;
        Ok(Nft { _socket: socket })
    }
}
