//! tallink
