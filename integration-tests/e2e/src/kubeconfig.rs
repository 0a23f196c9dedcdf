// SPDX-License-Identifier: Apache-2.0
//! What a client reads to find the API server and to be known there.

use serde_json::{Value, json};

/// Who a client is.
#[derive(Clone, Debug)]
pub enum User {
    /// Whose token is in this file, which may be renewed.
    TokenFile(String),
    /// Whose token this is.
    Token(String),
    /// Whose certificate and key are in these files, which may be renewed.
    Certificate {
        /// The file of the certificate.
        certificate: String,
        /// The file of its private key.
        key: String,
    },
}

/// A kubeconfig: an address, the authority behind it, and a user.
#[derive(Clone, Debug)]
pub struct Kubeconfig {
    /// Where the API server is, for example `https://192.0.2.200:6443`.
    pub server: String,
    /// The certificate of its authority in PEM.
    pub authority: String,
    /// Who the client is.
    pub user: User,
}

impl Kubeconfig {
    /// The file's text: JSON, which is YAML as well.
    pub fn text(&self) -> String {
        let user = match &self.user {
            User::TokenFile(file) => json!({"tokenFile": file}),
            User::Token(token) => json!({"token": token}),
            User::Certificate { certificate, key } => {
                json!({"client-certificate": certificate, "client-key": key})
            }
        };
        self.with_user(&user).to_string()
    }

    fn with_user(&self, user: &Value) -> Value {
        let cluster = json!({
            "server": self.server,
            "certificate-authority-data": base64(self.authority.as_bytes()),
        });
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": "lab", "user": user}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
            "current-context": "lab",
        })
    }
}

/// RFC 4648, section 4.
fn base64(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in octets.chunks(3) {
        let bits = (0..3).fold(0, |bits, index| {
            bits << 8 | usize::from(chunk.get(index).copied().unwrap_or_default())
        });
        for index in 0..4 {
            let letter = char::from(ALPHABET[bits >> (18 - 6 * index) & 63]);
            text.push(if index <= chunk.len() { letter } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn octets_are_written_in_base64() {
        for (octets, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(base64(octets.as_bytes()), text);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfd, 0xfc]), "//79/A==");
    }
}
