//! retrieve

fn main() {}
