// SPDX-License-Identifier: Apache-2.0
//! The connections of a meddler: one from each client, and one to the API server for each request.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::answer::{Answer, Passed};
use super::tally::Asked;
use super::{Mischief, Order, Shared};
use crate::authority::Authority;

/// By what a meddler is an API server to clients, and a client to the API server.
pub(crate) struct Secrets {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

impl Secrets {
    pub(crate) fn new(authority: &Authority, address: IpAddr) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let own = authority.server(&[address]);
        let certificate = CertificateDer::from_pem_slice(own.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("ring has TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.expect("it was issued")],
                key.expect("it was made"),
            );
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(authority.certificate().as_bytes());
        roots
            .add(root.expect("it was issued"))
            .expect("an authority is a root");
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has TLS 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            acceptor: TlsAcceptor::from(Arc::new(server.expect("the key is the certificate's"))),
            connector: TlsConnector::from(Arc::new(client)),
        }
    }
}

/// Serves clients until the meddler ends.
pub(crate) async fn serve(
    listener: &TcpListener,
    upstream: SocketAddr,
    secrets: &Secrets,
    shared: &Arc<Shared>,
) {
    let mut orders = shared.orders();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                let (acceptor, connector) = (secrets.acceptor.clone(), secrets.connector.clone());
                let shared = Arc::clone(shared);
                tokio::spawn(converse(client, upstream, acceptor, connector, shared));
            }
            changed = orders.wait_for(|order| *order == Order::End) => {
                drop(changed);
                return;
            }
        }
    }
}

/// Serves one client until it goes or the connection is to be cut.
async fn converse(
    client: TcpStream,
    upstream: SocketAddr,
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    shared: Arc<Shared>,
) {
    let mut orders = shared.orders();
    let before = *orders.borrow();
    let cut = async {
        let ended =
            |order: &Order| *order != before && matches!(*order, Order::Cut(_) | Order::End);
        orders.wait_for(ended).await.is_ok()
    };
    let served = async {
        let client = acceptor.accept(shared.tally.counting(client)).await?;
        let service = service_fn(|request| answer(request, upstream, &connector, &shared));
        let connection = hyper::server::conn::http1::Builder::new();
        let connection = connection.serve_connection(TokioIo::new(client), service);
        connection.await.map_err(io::Error::other)
    };
    // Whoever goes away has a reason, or was cut off.
    tokio::select! {
        _ = served => {}
        _ = cut => {}
    }
}

/// The answer to one request.
async fn answer(
    request: Request<Incoming>,
    upstream: SocketAddr,
    connector: &TlsConnector,
    shared: &Shared,
) -> io::Result<Response<Answer>> {
    let line = format!("{} {}", request.method(), request.uri());
    let mischief = shared.mischief(&line);
    // Whoever sees the request can give an order that means it.
    let orders = shared.orders();
    shared.tally.add(Asked {
        line,
        headers: headers(&request),
    });
    let left = match mischief {
        None => None,
        Some(Mischief::Refuse(code)) => return Ok(refusal(code)),
        Some(Mischief::Garble(text)) => return Ok(own(200, text.to_owned())),
        Some(Mischief::Swallow) => std::future::pending().await,
        Some(Mischief::Delay(delay)) => {
            tokio::time::sleep(delay).await;
            None
        }
        Some(Mischief::CutAfter(octets)) => Some(octets),
    };
    let answer = pass_on(request, upstream, connector).await?;
    Ok(answer.map(|body| Answer::Passed(Passed::new(body, left, orders))))
}

async fn pass_on(
    request: Request<Incoming>,
    upstream: SocketAddr,
    connector: &TlsConnector,
) -> io::Result<Response<Incoming>> {
    let stream = TcpStream::connect(upstream).await?;
    let name = ServerName::from(upstream.ip());
    let stream = TokioIo::new(connector.connect(name, stream).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(io::Error::other)
}

fn headers(request: &Request<Incoming>) -> Vec<String> {
    let headers = request.headers().iter();
    let told = headers.filter(|(name, _)| **name != AUTHORIZATION);
    told.map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect()
}

fn refusal(code: u16) -> Response<Answer> {
    let status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "the laboratory refuses",
        "code": code,
    });
    own(code, status.to_string())
}

fn own(code: u16, content: String) -> Response<Answer> {
    let mut answer = Response::builder()
        .status(code)
        .header(CONTENT_TYPE, "application/json");
    if code == 429 {
        answer = answer.header(RETRY_AFTER, "1");
    }
    let body = Answer::Own(Full::new(Bytes::from(content)));
    answer.body(body).expect("the headers are well-formed")
}
