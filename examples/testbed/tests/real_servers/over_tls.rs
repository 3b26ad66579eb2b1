pub(crate) const CASES: &[testbed::harness::Case] = &[];
