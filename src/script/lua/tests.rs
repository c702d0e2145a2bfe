//! Tests of the Lua engine as a whole.
