// SPDX-License-Identifier: Apache-2.0
//! A TCP connection that is held open while a test does something to the path below it.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::beginning::PATIENCE;
use crate::place::Place;
use crate::progress::Progress;

/// Between an answer and the next question: a test counts on, it does not load the machine.
const PACE: Duration = Duration::from_millis(1);

/// A client that asks and a server that answers, without end, by one connection.
#[derive(Debug)]
pub struct Conversation {
    seen: SocketAddr,
    progress: Progress,
    ends: [TcpStream; 2],
    threads: Vec<JoinHandle<()>>,
}

impl Conversation {
    /// Connects `client` to one of the server's addresses.
    ///
    /// # Panics
    /// When the server has no such address, or can't be reached.
    pub fn start(client: &Place, server: &Place, address: IpAddr, port: u16) -> Self {
        let address = SocketAddr::new(address, port);
        let connected = || -> io::Result<_> {
            let listener = server.run(|| TcpListener::bind(address))?;
            let asking = client.run(|| TcpStream::connect_timeout(&address, PATIENCE))?;
            let (answering, seen) = listener.accept()?;
            asking.set_nodelay(true)?;
            answering.set_nodelay(true)?;
            Ok((asking, answering, seen))
        };
        let (asking, answering, seen) =
            connected().unwrap_or_else(|error| panic!("no conversation with {address}: {error}"));
        let progress = Progress::new();
        let ends = [&asking, &answering].map(|end| end.try_clone().expect("it can be doubled"));
        let steps = progress.clone();
        // A connection that breaks is seen by its count, which stands still.
        let threads = vec![
            thread::spawn(move || ask(asking, &steps).unwrap_or_default()),
            thread::spawn(move || answer(answering).unwrap_or_default()),
        ];
        Self {
            seen,
            progress,
            ends,
            threads,
        }
    }

    /// The client's address as the server sees it.
    pub fn seen(&self) -> SocketAddr {
        self.seen
    }

    /// How many questions have been answered.
    pub fn exchanged(&self) -> u64 {
        self.progress.count()
    }

    /// Whether `more` questions are answered from now on within `limit`.
    #[must_use]
    pub fn wait_for(&self, more: u64, limit: Duration) -> bool {
        self.progress.wait_for(more, limit)
    }

    /// The longest time that an answer took to come.
    pub fn longest_pause(&self) -> Duration {
        self.progress.longest_pause()
    }

    /// Ends the connection and says how many questions were answered in all.
    pub fn end(self) -> u64 {
        self.exchanged()
    }
}

impl Drop for Conversation {
    /// Both ends are told, as the path between them may be cut.
    fn drop(&mut self) {
        for end in &self.ends {
            end.shutdown(Shutdown::Both).ok();
        }
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

fn ask(mut stream: TcpStream, progress: &Progress) -> io::Result<()> {
    loop {
        stream.write_all(b"still there?")?;
        stream.read_exact(&mut [0; 12])?;
        progress.step();
        thread::sleep(PACE);
    }
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut question = [0; 12];
    loop {
        stream.read_exact(&mut question)?;
        stream.write_all(&question)?;
    }
}
