//! Puts the parts together and owns their shutdown.
