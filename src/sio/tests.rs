//! Tables of declarations, of input and of output.
