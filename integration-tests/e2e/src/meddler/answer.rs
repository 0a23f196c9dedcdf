// SPDX-License-Identifier: Apache-2.0
//! The content of an answer on its way through a meddler.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming};
use tokio::sync::watch;

use super::Order;

/// A content, the API server's or the meddler's own.
#[derive(Debug)]
pub(crate) enum Answer {
    Own(Full<Bytes>),
    Passed(Passed),
}

/// A content of the API server's that may be cut off.
#[derive(Debug)]
pub(crate) struct Passed {
    body: Incoming,
    /// How many octets may still pass.
    left: Option<usize>,
    orders: watch::Receiver<Order>,
    end: End,
}

/// How far the cut has come.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Open,
    /// What may pass has passed; it is not sent before the next question for more.
    Passing,
    Cut,
}

impl Passed {
    pub(crate) fn new(body: Incoming, left: Option<usize>, orders: watch::Receiver<Order>) -> Self {
        Self {
            body,
            left,
            orders,
            end: End::Open,
        }
    }

    /// What may pass of a piece.
    fn shorten(&mut self, mut piece: Bytes) -> Bytes {
        let ordered = self.orders.has_changed().unwrap_or(false);
        if ordered && matches!(*self.orders.borrow(), Order::CutWithin(_)) {
            self.left = Some(piece.len() / 2);
        }
        if let Some(left) = &mut self.left {
            if piece.len() >= *left {
                piece.truncate(*left);
                self.end = End::Passing;
            }
            *left -= piece.len();
        }
        piece
    }

    fn poll_piece(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.end {
            End::Open => {}
            End::Passing => {
                self.end = End::Cut;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            End::Cut => return Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
        }
        Pin::new(&mut self.body).poll_frame(context).map(|frame| {
            Some(match frame? {
                Ok(frame) => Ok(frame.map_data(|piece| self.shorten(piece))),
                Err(error) => Err(io::Error::other(error)),
            })
        })
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Own(body) => Pin::new(body)
                .poll_frame(context)
                .map_err(|never| match never {}),
            Self::Passed(passed) => passed.poll_piece(context),
        }
    }
}
