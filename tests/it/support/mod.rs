//! What the tests share: a server of the real binary, and peers.
