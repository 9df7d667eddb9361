//! The five functions of the Media Uploader. The binaries in `src/bin` only start them.

pub mod dispatcher;
#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
pub mod image;
pub(crate) mod job;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod manifest;
pub(crate) mod ownership;
pub(crate) mod profile;
pub(crate) mod quota;
pub(crate) mod request;
pub mod retrieve;
pub(crate) mod sniff;
pub(crate) mod storage;
pub mod upload;
pub mod video;

#[cfg(test)]
mod testing;
