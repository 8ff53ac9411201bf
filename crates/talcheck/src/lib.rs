//! talcheck
