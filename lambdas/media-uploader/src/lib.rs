//! The Media Uploader: what its five functions share and do. The binaries in `src/bin` only start them.

pub mod keys;
pub mod manifest;
pub mod profile;
pub mod storage;
