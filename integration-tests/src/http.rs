// SPDX-License-Identifier: Apache-2.0
//! A client of HTTP as small as can be: one request, one answer, one connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::place::Place;

/// Between two requests for the same: nobody tells when there is another answer.
const PACE: Duration = Duration::from_millis(50);

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The head, status line included.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The value of the first sample whose line in a metrics' exposition begins so: a name, and
    /// labels if there are any.
    pub fn sample(&self, series: &str) -> Option<f64> {
        let values = self
            .body
            .lines()
            .filter_map(|line| line.strip_prefix(series));
        let mut values = values.filter_map(|rest| rest.strip_prefix(' ')?.parse().ok());
        values.next()
    }
}

/// Asks for a path again and again until the answer is one that is wanted, and returns it.
///
/// # Panics
/// When that takes longer than `limit`.
pub fn until(
    from: &Place,
    server: SocketAddr,
    path: &str,
    limit: Duration,
    mut wanted: impl FnMut(&Answer) -> bool,
) -> Answer {
    let end = Instant::now() + limit;
    loop {
        let answer = get(from, server, path, limit);
        if let Ok(answer) = &answer
            && wanted(answer)
        {
            return answer.clone();
        }
        assert!(Instant::now() < end, "{path}: {answer:?}");
        thread::sleep(PACE);
    }
}

/// Asks a server for a path, from a place.
///
/// # Errors
/// When there is no connection, or no whole answer within `limit`.
pub fn get(from: &Place, server: SocketAddr, path: &str, limit: Duration) -> io::Result<Answer> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\n\r\n");
    request_raw(from, server, request.as_bytes(), limit)
}

/// Sends any octets, and reads what the server says until it closes the connection.
///
/// # Errors
/// As for [`get`]; `InvalidData` when it said nothing that could be understood.
pub fn request_raw(
    from: &Place,
    server: SocketAddr,
    request: &[u8],
    limit: Duration,
) -> io::Result<Answer> {
    let text = from.run(|| {
        let mut stream = TcpStream::connect_timeout(&server, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(request)?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok::<_, io::Error>(text)
    })?;
    parse(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, text))
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.get(2..5)?;
    Some(Answer {
        status: status.parse().ok()?,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}
