//! Live updates: the progress of runs, sent to connected clients.
