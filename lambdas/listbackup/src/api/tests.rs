//! The functions, called as the gateway calls them, with tables in memory.

mod sources;
mod world;
