//! One file per verb: its arguments, and the steps it is made of. No logic lives here.

pub mod schema;
