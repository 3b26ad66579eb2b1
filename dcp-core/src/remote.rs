//! A port over HTTP.
