//! Access and refresh tokens, signed with HS256.
