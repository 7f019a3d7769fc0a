//! Picture comparison: pixels in, verdict out.
