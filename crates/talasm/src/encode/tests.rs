//! Tests of the encoder: against GNU as, against iced's decoder, and of its messages.

mod build;
mod gas;
mod layout;
mod messages;
