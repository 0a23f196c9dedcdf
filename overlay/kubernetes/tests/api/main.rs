// SPDX-License-Identifier: Apache-2.0
//! Following Nodes at a server that speaks the API's protocol well, and badly.

mod cache;
mod credentials;
mod details;
mod following;
mod lab;
mod request;
mod server;
mod state;
mod trouble;
