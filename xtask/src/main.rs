//! Parses, runs, prints the chain of causes, and exits.

fn main() {}
