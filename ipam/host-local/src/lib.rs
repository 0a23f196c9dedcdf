// SPDX-License-Identifier: Apache-2.0
//! Addresses of one host: which ones a network may hand out ([`ranges`], pure) and which attachment
//! holds which ([`store`], one directory and one lock).
//!
//! The directory is the reference `host-local` plugin's, byte for byte, so that both programs can
//! work on it at the same time and a node can be switched from one to the other with its containers
//! running.

#![forbid(unsafe_code)]

pub mod ranges;
pub mod store;
