//! A file that is read in ranges: an object in S3, or bytes in a test.

use std::ops::Range;

use crate::{
    manifest::{Failure, FailureCode},
    storage::{StorageError, Store},
};

/// The size of reads while only headers are needed.
const WINDOW: u64 = 64 * 1024;

/// Why a video could not be analyzed.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The object could not be read. A retry may succeed.
    Storage(StorageError),
    /// The file is invalid. A retry cannot succeed.
    Media(Failure),
}

impl From<StorageError> for ReadError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<Failure> for ReadError {
    fn from(failure: Failure) -> Self {
        Self::Media(failure)
    }
}

/// The origin of a video's bytes.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// An object in S3.
    Object { store: Store, key: String },
    /// Bytes in memory.
    #[cfg(test)]
    Bytes(Vec<u8>),
}

/// A video and the range that was read last.
#[derive(Debug)]
pub(crate) struct Source {
    origin: Origin,
    size: u64,
    window_start: u64,
    window: Vec<u8>,
}

/// The failure of a damaged or truncated file.
pub(crate) fn corrupt(message: impl Into<String>) -> Failure {
    Failure::new(FailureCode::Corrupt, message)
}

impl Source {
    pub(crate) fn object(store: Store, key: &str, size: u64) -> Self {
        Self { origin: Origin::Object { store, key: key.to_owned() }, size, window_start: 0, window: Vec::new() }
    }

    #[cfg(test)]
    pub(crate) fn bytes(bytes: &[u8]) -> Self {
        let size = bytes.len() as u64;
        Self { origin: Origin::Bytes(bytes.to_vec()), size, window_start: 0, window: Vec::new() }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Reads exactly the bytes of `range`, whose length the caller limits.
    pub(crate) async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, ReadError> {
        if range.start > range.end || range.end > self.size {
            return Err(corrupt("the file ends too early").into());
        }
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let bytes = match &self.origin {
            Origin::Object { store, key } => store.get_range(key, range.start, range.end - 1).await?,
            #[cfg(test)]
            Origin::Bytes(bytes) => bytes[index(range.start)..index(range.end)].to_vec(),
        };
        if bytes.len() as u64 != range.end - range.start {
            return Err(corrupt("the file ends too early").into());
        }
        Ok(bytes)
    }

    /// Reads `length` bytes from `start`, or fewer at the file's end. Reads ahead.
    pub(crate) async fn peek(&mut self, start: u64, length: u64) -> Result<&[u8], ReadError> {
        let start = start.min(self.size);
        let end = start.saturating_add(length).min(self.size);
        if start < self.window_start || end > self.window_start + self.window.len() as u64 {
            let ahead = start.saturating_add(length.max(WINDOW)).min(self.size);
            self.window = self.read(start..ahead).await?;
            self.window_start = start;
        }
        let offset = index(start - self.window_start);
        Ok(self.window.get(offset..offset + index(end - start)).unwrap_or_default())
    }
}

/// Converts a size that was checked to fit in memory.
pub(crate) fn index(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}
