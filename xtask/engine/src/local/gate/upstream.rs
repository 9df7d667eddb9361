//! The connection from one client's connection to the emulator, over its Unix socket. It is kept for the client's next request.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use camino::Utf8PathBuf;
use http_body_util::{Either, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// A body that is forwarded as it comes, or one that was read.
pub(super) type Body = Either<Incoming, Full<Bytes>>;
/// Why the emulator does not respond.
pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long an idle connection is kept: less than the emulator keeps it, which would close it during a request.
const IDLE: Duration = Duration::from_secs(60);

/// A connection to the emulator, opened when it is first used.
#[derive(Debug)]
pub(super) struct Upstream {
    socket: Utf8PathBuf,
    idle: Mutex<Option<(SendRequest<Body>, Instant)>>,
}

impl Upstream {
    /// A connection to the emulator that listens at `socket`.
    pub(super) fn new(socket: Utf8PathBuf) -> Self {
        Self { socket, idle: Mutex::default() }
    }

    /// Sends a request unchanged.
    ///
    /// # Errors
    ///
    /// When the emulator does not listen, or closes the connection.
    pub(super) async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, Failure> {
        let mut sender = self.sender().await?;
        let response = sender.send_request(request).await?;
        // A following request waits until this response was read.
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some((sender, Instant::now()));
        Ok(response)
    }

    async fn sender(&self) -> Result<SendRequest<Body>, Failure> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((mut sender, since)) = idle
            && since.elapsed() < IDLE
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        let stream = UnixStream::connect(&self.socket).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends when the sender is dropped, or with the emulator.
        tokio::spawn(connection.with_upgrades());
        Ok(sender)
    }
}

/// A body without content.
pub(super) fn empty() -> Body {
    Either::Right(Full::default())
}
