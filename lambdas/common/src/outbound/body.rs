//! Response bodies in chunks, limited in time and size.

use std::{collections::VecDeque, io::Write, time::Duration};

use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use axum::body::Bytes;
use flate2::write::MultiGzDecoder;

use super::{Get, OutboundError};

/// The number of encoded bytes that are decoded at once. DEFLATE expands a byte to at most 1032
/// (<https://zlib.net/zlib_tech.html>), so this limits a decoded chunk to about a mebibyte.
const DECODED_AT_ONCE: usize = 1024;

/// A body that is read chunk by chunk. Once it has failed, it must not be read again.
#[derive(Debug)]
pub struct Body {
    stream: ByteStream,
    decoder: Option<Decoder>,
    idle_timeout: Duration,
    /// The bytes that may still follow, after decoding.
    remaining: u64,
}

#[derive(Debug)]
struct Decoder {
    decoder: MultiGzDecoder<Vec<u8>>,
    /// Received and not decoded yet.
    encoded: VecDeque<Bytes>,
}

impl Body {
    pub(super) fn new(body: SdkBody, get: &Get<'_>, is_encoded: bool) -> Self {
        let decoder =
            is_encoded.then(|| Decoder { decoder: MultiGzDecoder::new(Vec::new()), encoded: VecDeque::new() });
        Self { stream: ByteStream::new(body), decoder, idle_timeout: get.idle_timeout, remaining: get.max_bytes }
    }

    pub(super) fn empty() -> Self {
        Self { stream: ByteStream::default(), decoder: None, idle_timeout: Duration::ZERO, remaining: 0 }
    }

    /// Returns the next chunk, or `None` at the end of a complete body.
    ///
    /// # Errors
    /// When the body ends early, exceeds its limit, cannot be decoded, or pauses for too long.
    pub async fn next(&mut self) -> Result<Option<Bytes>, OutboundError> {
        let Some(chunk) = self.next_decoded().await? else { return Ok(None) };
        self.remaining = self.remaining.checked_sub(chunk.len() as u64).ok_or(OutboundError::TooLarge)?;
        Ok(Some(chunk))
    }

    /// Reads the rest.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn collect(mut self) -> Result<Vec<u8>, OutboundError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.next().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    async fn next_decoded(&mut self) -> Result<Option<Bytes>, OutboundError> {
        loop {
            if let Some(decoder) = &mut self.decoder
                && let Some(chunk) = decoder.decode()?
            {
                return Ok(Some(chunk));
            }
            let received = tokio::time::timeout(self.idle_timeout, self.stream.next()).await;
            let received = received.map_err(|_| OutboundError::Timeout)?;
            match (received.transpose().map_err(|_| OutboundError::Interrupted)?, &mut self.decoder) {
                (Some(chunk), Some(decoder)) => decoder.encoded.push_back(chunk),
                (Some(chunk), None) => return Ok(Some(chunk)),
                (None, None) => return Ok(None),
                (None, Some(decoder)) => return decoder.finish(),
            }
        }
    }
}

impl Decoder {
    /// Decodes until there is a chunk, or returns `None` when more bytes are needed.
    fn decode(&mut self) -> Result<Option<Bytes>, OutboundError> {
        while let Some(mut chunk) = self.encoded.pop_front() {
            let part = chunk.split_to(chunk.len().min(DECODED_AT_ONCE));
            if !chunk.is_empty() {
                self.encoded.push_front(chunk);
            }
            self.decoder.write_all(&part).map_err(|_| OutboundError::Unreadable)?;
            if let Some(decoded) = self.take() {
                return Ok(Some(decoded));
            }
        }
        Ok(None)
    }

    /// Returns the last decoded bytes. A missing end is an error.
    fn finish(&mut self) -> Result<Option<Bytes>, OutboundError> {
        self.decoder.try_finish().map_err(|_| OutboundError::Interrupted)?;
        Ok(self.take())
    }

    fn take(&mut self) -> Option<Bytes> {
        let decoded = std::mem::take(self.decoder.get_mut());
        (!decoded.is_empty()).then(|| Bytes::from(decoded))
    }
}
