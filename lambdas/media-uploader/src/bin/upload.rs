//! upload

fn main() {}
