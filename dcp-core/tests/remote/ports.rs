//! The ports, each behind an endpoint.
