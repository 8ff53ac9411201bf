//! What the host and the first process of the guest say to each other: see [`protocol`].

pub mod protocol;
