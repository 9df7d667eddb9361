//! The functions, called as the gateway calls them, with tables in memory.

mod authorizer;
mod downloads;
mod files;
mod jobs;
mod keys;
mod operations;
mod search;
mod sources;
mod world;
