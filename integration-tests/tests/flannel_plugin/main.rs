// SPDX-License-Identifier: Apache-2.0
//! The plugin `flannel`, with Podwire's `bridge` and `host-local` as its delegates and with the Go
//! ones.

mod attachments;
mod bad;
mod failures;
mod life;
mod records;
mod site;
