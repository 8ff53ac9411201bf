//! tal-testkit
