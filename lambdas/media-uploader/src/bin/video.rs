//! video

fn main() {}
