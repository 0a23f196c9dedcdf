// SPDX-License-Identifier: Apache-2.0
//! The certificate authority of a control plane.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};

/// A certificate or a key may be used from a while before it was made, whatever the clocks say.
const MARGIN: Duration = Duration::from_secs(60);
/// Longer than any test.
const DAY: Duration = Duration::from_secs(86_400);

/// A certificate authority that is made with each control plane.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its private key, both in PEM.
#[derive(Clone, Debug)]
pub struct Certified {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// When there is no randomness.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "laboratory");
        let issuer = CertifiedIssuer::self_signed(params, key());
        Self {
            issuer: issuer.expect("an authority can sign itself"),
        }
    }

    /// Its own certificate in PEM, by which the others are proved.
    pub fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for a server at these addresses.
    ///
    /// # Panics
    /// When it can't be signed.
    pub fn server(&self, addresses: &[IpAddr]) -> Certified {
        let names: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
        let params = CertificateParams::new(names).expect("addresses are names of a server");
        self.issue(params, ExtendedKeyUsagePurpose::ServerAuth, DAY)
    }

    /// A certificate by which a client is a user of these groups, for so long.
    ///
    /// # Panics
    /// When it can't be signed.
    pub fn client(&self, user: &str, groups: &[&str], lifetime: Duration) -> Certified {
        let mut params = CertificateParams::default();
        for group in groups {
            params
                .distinguished_name
                .push(DnType::OrganizationName, *group);
        }
        params.distinguished_name.push(DnType::CommonName, user);
        self.issue(params, ExtendedKeyUsagePurpose::ClientAuth, lifetime)
    }

    fn issue(
        &self,
        mut params: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
        lifetime: Duration,
    ) -> Certified {
        params.extended_key_usages = vec![usage];
        params.not_before = (SystemTime::now() - MARGIN).into();
        params.not_after = (SystemTime::now() + lifetime).into();
        let key = key();
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("an authority can sign");
        Certified {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// A new private key, on the curve P-256.
pub(crate) fn key() -> KeyPair {
    KeyPair::generate().expect("the kernel has randomness")
}
