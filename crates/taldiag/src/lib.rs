//! taldiag
