//! The image function.
mod animation;
mod decode;
pub mod variants;
