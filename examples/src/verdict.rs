//! The form of `verdict.json`.
