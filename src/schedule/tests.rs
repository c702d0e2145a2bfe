//! The scheduler against a real database, with a clock that the tests set.
