//! The Media Uploader: what its five functions share and do. The binaries in `src/bin` only start them.

pub mod dispatcher;
#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
pub mod image;
pub mod job;
pub mod keys;
pub mod limits;
pub mod manifest;
pub mod profile;
pub mod request;
pub mod retrieve;
pub mod sniff;
pub mod storage;
pub mod upload;
pub mod video;

#[cfg(test)]
mod testing;
