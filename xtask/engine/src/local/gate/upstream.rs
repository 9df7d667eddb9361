//! The connection from one client's connection to the emulator, over its Unix socket. It is kept for the client's next request.

use std::{
    io,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use backon::{ExponentialBuilder, Retryable};
use camino::{Utf8Path, Utf8PathBuf};
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

/// How long a connection waits until the emulator accepts those before it.
const PATIENCE: Duration = Duration::from_secs(30);

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
        let stream = connect(&self.socket).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends when the sender is dropped, or with the emulator.
        tokio::spawn(connection.with_upgrades());
        Ok(sender)
    }
}

/// Connects to a Unix socket. If its queue is full, the operating system refuses at once, and no event announces free space; a TCP
/// client would wait.
async fn connect(socket: &Utf8Path) -> io::Result<UnixStream> {
    let waits = ExponentialBuilder::default().with_min_delay(Duration::from_millis(1));
    let waits = waits.with_max_delay(Duration::from_millis(50)).without_max_times().with_total_delay(Some(PATIENCE));
    (|| UnixStream::connect(socket)).retry(waits).when(|error| error.kind() == io::ErrorKind::WouldBlock).await
}

/// A body without content.
pub(super) fn empty() -> Body {
    Either::Right(Full::default())
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixSocket;

    use super::*;

    #[tokio::test]
    async fn a_connection_waits_while_the_queue_is_full() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = Utf8PathBuf::from_path_buf(folder.path().join("s")).expect("UTF-8");
        let socket = UnixSocket::new_stream().expect("a socket");
        socket.bind(&path).expect("bound");
        let listener = socket.listen(1).expect("a listener");
        let mut queued = Vec::new();
        while let Ok(stream) = UnixStream::connect(&path).await {
            queued.push(stream);
        }
        let (connected, accepted) = tokio::join!(connect(&path), async {
            for _ in &queued {
                listener.accept().await.expect("a connection");
            }
        });
        connected.expect("a connection");
        let () = accepted;
    }
}
