//! image

fn main() {}
