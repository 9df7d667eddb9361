//! Small media files, made in memory: for unit tests, and for tests against a running cloud. Never part of a function.
#![expect(clippy::missing_panics_doc, reason = "builders panic only where they are themselves wrong")]

pub mod images;
pub mod isobmff;
pub mod matroska;
