//! The four functions, called as the gateway and the bus call them, with tables in memory.

mod aggregation;
mod figures;
mod reports;
mod world;
