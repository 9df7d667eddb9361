//! dispatcher

fn main() {}
