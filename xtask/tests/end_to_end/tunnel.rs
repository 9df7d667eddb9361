//! Calls behind a proxy, which opens tunnels and signs connections with a certificate of its own, as companies' proxies do.

use std::{
    process::Output,
    sync::{Arc, Mutex},
};

use rcgen::{CertificateParams, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use crate::{cloud::Cloud, refusals::refused};

const IDENTITY: &str = r#"<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::444455556666:user/u</Arn><UserId>U</UserId><Account>444455556666</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"#;

/// A proxy that answers in the place of every server, and the root certificate that it signs with.
struct Interceptor {
    port: u16,
    folder: TempDir,
    asked: Arc<Mutex<Vec<String>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Interceptor {
    fn start(server: &str) -> Self {
        let (root_key, server_key) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
        let mut root = CertificateParams::new(Vec::new()).expect("parameters");
        root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = root.self_signed(&root_key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs_err::write(folder.path().join("root.pem"), certificate.pem()).expect("written");
        let leaf = CertificateParams::new(vec![server.to_owned()]).expect("parameters");
        let leaf = leaf.signed_by(&server_key, &Issuer::new(root, root_key)).expect("a certificate");
        let key = PrivateKeyDer::try_from(server_key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
        let config = config.with_single_cert(vec![leaf.der().clone()], key).expect("a configuration");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let (runtime, asked) = (runtime.expect("a runtime"), Arc::<Mutex<Vec<String>>>::default());
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let (acceptor, all) = (TlsAcceptor::from(Arc::new(config)), Arc::clone(&asked));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, all) = (acceptor.clone(), Arc::clone(&all));
                tokio::spawn(async move { tunnel(stream, acceptor, &all).await });
            }
        });
        Self { port, folder, asked, _runtime: runtime }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("requests"))
    }

    /// `status --stage dev` with these variables.
    fn run(&self, cloud: &Cloud, variables: &[(&str, &str)]) -> Output {
        let mut command = cloud.command(&["status", "--stage", "dev"]);
        command.env("HOME", self.folder.path()).env("AWS_ACCESS_KEY_ID", "AKIA").env("AWS_SECRET_ACCESS_KEY", "s");
        for name in [
            "HTTPS_PROXY",
            "https_proxy",
            "ALL_PROXY",
            "all_proxy",
            "NO_PROXY",
            "no_proxy",
            "AWS_CA_BUNDLE",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
        ] {
            command.env_remove(name);
        }
        for (name, value) in variables {
            let root = self.folder.path().join("root.pem");
            let value = value.replace("PROXY", &format!("http://127.0.0.1:{}", self.port));
            command.env(name, value.replace("ROOT", root.to_str().expect("UTF-8")));
        }
        command.output().expect("xtask starts")
    }
}

/// Reads a request's lines up to the empty one; returns the first.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut lines = BufReader::with_capacity(1, stream).lines();
    let first = lines.next_line().await.ok().flatten().unwrap_or_default();
    while lines.next_line().await.ok().flatten().is_some_and(|line| !line.is_empty()) {}
    first
}

async fn tunnel(mut stream: TcpStream, acceptor: TlsAcceptor, all: &Mutex<Vec<String>>) {
    let asked = head(&mut stream).await;
    all.lock().expect("requests").push(asked);
    if stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_err() {
        return;
    }
    // A client that does not trust the certificate ends the handshake.
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    head(&mut stream).await;
    let length = IDENTITY.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{IDENTITY}"
    );
    let _gone = stream.write_all(answer.as_bytes()).await;
    let _gone = stream.shutdown().await;
}

#[test]
fn calls_use_the_proxy_and_trust_the_certificate_that_the_environment_names() {
    let (cloud, proxy) = (Cloud::new(), Interceptor::start("sts.eu-central-1.amazonaws.com"));
    let tunnel = "CONNECT sts.eu-central-1.amazonaws.com:443 HTTP/1.1";
    for variables in [
        [("HTTPS_PROXY", "PROXY"), ("AWS_CA_BUNDLE", "ROOT")],
        [("https_proxy", "PROXY"), ("AWS_CA_BUNDLE", "ROOT")],
        [("ALL_PROXY", "PROXY"), ("SSL_CERT_FILE", "ROOT")],
    ] {
        refused(&proxy.run(&cloud, &variables), 1, &["the credentials are for account 444455556666"]);
        // The stage may be read meanwhile.
        let asked = proxy.asked();
        assert!(asked.iter().any(|asked| asked == tunnel), "{variables:?}: {asked:?}");
        assert!(
            asked.iter().all(|asked| asked.is_empty() || asked.starts_with("CONNECT ")),
            "{variables:?}: {asked:?}"
        );
    }
}

#[test]
fn a_certificate_that_is_not_trusted_names_the_variable() {
    let (cloud, proxy) = (Cloud::new(), Interceptor::start("sts.eu-central-1.amazonaws.com"));
    let nothing = proxy.folder.path().join("nothing.pem");
    let nothing = nothing.to_str().expect("UTF-8");
    let output = proxy.run(&cloud, &[("HTTPS_PROXY", "PROXY"), ("AWS_CA_BUNDLE", nothing)]);
    refused(&output, 1, &["failed to read the root certificates in", "nothing.pem", "set AWS_CA_BUNDLE"]);
    assert_eq!(proxy.asked(), Vec::<String>::new());
}
