//! Tests of the model through the SDK's client.
