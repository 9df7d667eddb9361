//! The sign-in service: registration, sessions and second factors.
