// SPDX-License-Identifier: Apache-2.0
//! Somebody between clients and the API server who disturbs what they say, and counts it.

mod answer;
mod connection;
mod tally;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::watch;

use crate::control_plane::ControlPlane;
use crate::kubeconfig::{Kubeconfig, User};
use connection::{Secrets, serve};
use tally::Tally;

pub use tally::Asked;

/// The port of the control plane's host at which the API server is heard through a meddler.
const PORT: u16 = 7443;

/// What is done to a request or its answer.
#[derive(Clone, Debug)]
pub enum Mischief {
    /// The API server never hears of it; the answer is an error of this code.
    Refuse(u16),
    /// The API server never hears of it; the answer is a success with this content.
    Garble(&'static str),
    /// The API server hears of it so much later.
    Delay(Duration),
    /// The API server never hears of it, and there is no answer.
    Swallow,
    /// The connection ends after so many octets of the answer's content.
    CutAfter(usize),
}

/// A proxy with a certificate of the control plane's authority, on the control plane's host. It
/// ends when it is dropped.
#[derive(Debug)]
pub struct Meddler {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    address: SocketAddr,
}

/// What the connections and the test have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    rules: Mutex<Vec<(String, Mischief)>>,
    pub(crate) tally: Tally,
    /// Its value changes with each order to cut the connections, and there is none at the end.
    orders: watch::Sender<Order>,
}

/// An order to all connections that are open when it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Go on.
    None,
    /// The nth order to end at once.
    Cut(u32),
    /// The nth order to end in the middle of the next piece of an answer.
    CutWithin(u32),
    /// The meddler ends.
    End,
}

impl Meddler {
    /// Starts to pass on everything as it is.
    ///
    /// # Panics
    /// When there is one on this control plane already.
    pub fn start(control_plane: &ControlPlane) -> Self {
        let address = SocketAddr::new(control_plane.address().ip(), PORT);
        let upstream = control_plane.address();
        let secrets = Secrets::new(&control_plane.authority, address.ip());
        let shared = Arc::new(Shared::new());
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let listener = control_plane
            .host
            .run(|| runtime.block_on(TcpListener::bind(address)));
        let listener = listener.unwrap_or_else(|error| panic!("{address}: {error}"));
        let thread = control_plane.host.spawn({
            let shared = Arc::clone(&shared);
            move || runtime.block_on(serve(&listener, upstream, &secrets, &shared))
        });
        Self {
            shared,
            thread: Some(thread),
            address,
        }
    }

    /// What a client has to read to talk through this meddler.
    pub fn kubeconfig(&self, control_plane: &ControlPlane, user: User) -> Kubeconfig {
        Kubeconfig {
            server: format!("https://{}", self.address),
            ..control_plane.kubeconfig(user)
        }
    }

    /// From now on does something to each request of which the first line, for example
    /// `GET /api/v1/nodes?watch=1`, contains `part`. What was said last about a request counts.
    pub fn meddle(&self, part: &str, mischief: Mischief) {
        self.shared.rules().insert(0, (part.to_owned(), mischief));
    }

    /// From now on passes on everything as it is. What is swallowed stays so.
    pub fn behave(&self) {
        self.shared.rules().clear();
    }

    /// Ends all connections at once.
    pub fn cut(&self) {
        self.order(Order::Cut);
    }

    /// Ends each connection in the middle of the next piece of an answer, which in a watch is an
    /// event: half of it arrives.
    pub fn cut_within(&self) {
        self.order(Order::CutWithin);
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.tally.asked()
    }

    /// How many requests have had a first line with `part` in it.
    pub fn count(&self, part: &str) -> usize {
        let asked = self.asked();
        asked
            .iter()
            .filter(|asked| asked.line.contains(part))
            .count()
    }

    /// Waits until more than `before` requests have had a first line with `part` in it, and says
    /// whether they have.
    #[must_use]
    pub fn is_asked(&self, part: &str, before: usize, limit: Duration) -> bool {
        self.shared.tally.wait(part, before, limit)
    }

    /// The octets that have gone to clients, all of the connections' content: TLS, headers, bodies.
    pub fn octets_to_clients(&self) -> u64 {
        self.shared.tally.sent()
    }

    /// The octets that have come from clients.
    pub fn octets_from_clients(&self) -> u64 {
        self.shared.tally.received()
    }

    fn order(&self, order: impl FnOnce(u32) -> Order) {
        self.shared.orders.send_modify(|last| {
            let number = match *last {
                Order::Cut(number) | Order::CutWithin(number) => number + 1,
                Order::None | Order::End => 1,
            };
            *last = order(number);
        });
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.shared.orders.send_replace(Order::End);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Shared {
    fn new() -> Self {
        Self {
            rules: Mutex::default(),
            tally: Tally::default(),
            orders: watch::Sender::new(Order::None),
        }
    }

    fn rules(&self) -> MutexGuard<'_, Vec<(String, Mischief)>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be done to a request with this first line.
    pub(crate) fn mischief(&self, line: &str) -> Option<Mischief> {
        let rules = self.rules();
        let rule = rules.iter().find(|(part, _)| line.contains(part));
        rule.map(|(_, mischief)| mischief.clone())
    }

    pub(crate) fn orders(&self) -> watch::Receiver<Order> {
        let mut orders = self.orders.subscribe();
        orders.mark_unchanged();
        orders
    }
}
