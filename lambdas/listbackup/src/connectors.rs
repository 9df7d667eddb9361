//! Connectors list and fetch the files of a source.
