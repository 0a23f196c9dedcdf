// SPDX-License-Identifier: Apache-2.0
//! Questions to a server, one after the other and each by a new flow: so each one is translated, or
//! not, by the rules of that moment.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::echo::{Echo, ask_udp};
use crate::place::Place;

/// The server's port.
const PORT: u16 = 70;

/// Somebody who asks as whom a server sees them, again and again.
#[derive(Debug)]
pub struct Inquirer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Answers>>,
    _server: Echo,
}

/// How many questions there were, and what was wrong with answers.
type Answers = (u64, Vec<String>);

impl Inquirer {
    /// Has `client` ask `server` at one of its addresses, which is to see it as `as_whom`.
    ///
    /// # Panics
    /// When the server has no such address.
    pub fn start(client: &Place, server: &Place, address: IpAddr, as_whom: IpAddr) -> Self {
        let server = Echo::start(server, address, PORT);
        let (to, client) = (server.address(), client.clone());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let ask = move || {
            let (mut asked, mut wrong) = (0, Vec::new());
            while !stopped.load(Ordering::Relaxed) {
                asked += 1;
                match ask_udp(&client, to) {
                    Ok(seen) if seen.ip() == as_whom => {}
                    other => wrong.push(format!("question {asked}: {other:?}")),
                }
            }
            (asked, wrong)
        };
        Self {
            stop,
            thread: Some(std::thread::spawn(ask)),
            _server: server,
        }
    }

    /// Ends it, and says how many questions there were.
    ///
    /// # Panics
    /// When one was not answered, or came from another address.
    pub fn end(mut self) -> u64 {
        let (asked, wrong) = self.stop().expect("it ends once");
        assert!(wrong.is_empty(), "of {asked} questions: {wrong:?}");
        asked
    }

    fn stop(&mut self) -> Option<Answers> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take()?.join().ok()
    }
}

impl Drop for Inquirer {
    /// The server stays for as long as there are questions.
    fn drop(&mut self) {
        self.stop();
    }
}
