//! Proxies and certificates of HTTPS connections: the environment variables that other tools honour.
//!
//! `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either case, have curl's meaning. `SSL_CERT_FILE` and `SSL_CERT_DIR` replace
//! the machine's root certificates. `AWS_CA_BUNDLE` replaces them for calls to AWS (AWS SDKs and Tools reference guide, "General
//! configuration settings"), and adds to them elsewhere.

use std::sync::LazyLock;

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use miette::Diagnostic;
use rustls::{RootCertStore, pki_types::CertificateDer};
use thiserror::Error;
use url::{Host, Url};

use crate::surroundings;

/// The variable that names a file of root certificates.
const BUNDLE_VARIABLE: &str = "AWS_CA_BUNDLE";
/// The variables that name a proxy for HTTPS.
const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The root certificates cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[error("failed to read the root certificates in {path}: {reason}; no request was sent")]
#[diagnostic(help("set {BUNDLE_VARIABLE} to a PEM file of root certificates, or unset it"))]
pub struct NetworkError {
    path: String,
    reason: String,
}

/// Which servers a client talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Servers {
    /// AWS: `AWS_CA_BUNDLE` replaces the machine's root certificates.
    Aws,
    /// Any other: `AWS_CA_BUNDLE` adds to them.
    Other,
}

/// Returns whether a server is this machine, or answers only this machine: an emulator, or the credentials of a container or an instance.
/// A proxy would ask another machine.
pub(crate) fn is_near(url: &str) -> bool {
    let url = Url::parse(url).ok();
    match url.as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_link_local(),
        // `fd00:ec2::/32` has the addresses of instance and container metadata (EC2 user guide, "Access instance metadata").
        Some(Host::Ipv6(address)) => {
            address.is_loopback() || address.is_unicast_link_local() || address.segments().starts_with(&[0xfd00, 0xec2])
        }
        None => false,
    }
}

/// The name of the variable that names a proxy for HTTPS, if one is set.
pub(crate) fn proxy_variable() -> Option<&'static str> {
    PROXY_VARIABLES.into_iter().find(|name| surroundings::variable(name).is_some())
}

/// Returns the trusted certificates.
///
/// # Errors
///
/// When `AWS_CA_BUNDLE` names a file without certificates.
pub(crate) fn tls(servers: Servers) -> Result<TlsContext, NetworkError> {
    let bundle = surroundings::variable(BUNDLE_VARIABLE).map(|path| certificates(&path)).transpose()?;
    let replaces = servers == Servers::Aws && bundle.is_some();
    let mut store = TrustStore::empty().with_native_roots(!replaces && *HAS_NATIVE_ROOTS);
    for certificate in bundle.into_iter().flatten() {
        store.add_pem_certificate(certificate);
    }
    // It has nothing that could be invalid.
    Ok(TlsContext::builder().with_trust_store(store).build().unwrap_or_default())
}

/// Whether the machine has a root certificate: the client panics without one, even if it only speaks HTTP.
static HAS_NATIVE_ROOTS: LazyLock<bool> = LazyLock::new(|| {
    let (valid, _) = RootCertStore::empty().add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    valid > 0
});

/// Reads the certificates of a PEM file, each as a PEM of its own. Leaves out those that are no root certificates, as for the machine's.
fn certificates(path: &str) -> Result<Vec<String>, NetworkError> {
    let failed = |reason: String| NetworkError { path: path.to_owned(), reason };
    let text = fs_err::read_to_string(path).map_err(|error| failed(crate::error::one_line(&error)))?;
    let valid: Vec<_> = pems(&text).filter(|pem| is_root(pem)).map(str::to_owned).collect();
    if valid.is_empty() { Err(failed("the file has no root certificate".to_owned())) } else { Ok(valid) }
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The certificates in a text, with their first and last lines.
fn pems(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices(BEGIN).filter_map(|(start, _)| {
        let pem = &text[start..];
        Some(&pem[..pem.find(END)? + END.len()])
    })
}

fn is_root(pem: &str) -> bool {
    let base64: String = pem.trim_start_matches(BEGIN).trim_end_matches(END).split_whitespace().collect();
    let Ok(der) = BASE64_STANDARD.decode(base64) else { return false };
    RootCertStore::empty().add(CertificateDer::from(der)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_called_without_a_proxy() {
        for near in [
            "http://127.0.0.1:4566/bucket",
            "http://localhost:4566",
            "http://bucket.localhost:4566",
            "http://[::1]:4566",
            "http://169.254.169.254/latest/meta-data",
            "http://[fd00:ec2::23]/v1/credentials",
        ] {
            assert!(is_near(near), "{near}");
        }
        for far in ["https://sts.eu-west-1.amazonaws.com", "https://10.0.0.7", "http://localhost.example.com", "x"] {
            assert!(!is_near(far), "{far}");
        }
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let path = file.path().to_str().expect("UTF-8");
        for text in ["", "no PEM", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            fs_err::write(path, text).expect("written");
            let error = certificates(path).expect_err("no certificate").to_string();
            assert!(error.contains(path) && error.contains("no root certificate"), "{error}");
        }
        let error = certificates("/nowhere.pem").expect_err("no file").to_string();
        assert!(error.contains("/nowhere.pem"), "{error}");
    }

    #[test]
    fn each_certificate_of_a_file_is_found() {
        let one = format!("{BEGIN}\nAAAA\n{END}");
        let text = format!("# a comment\n{one}\n\n{one}\n{BEGIN}\ncut off");
        assert_eq!(pems(&text).collect::<Vec<_>>(), [one.as_str(), &one]);
    }
}
