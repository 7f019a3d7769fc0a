//! AWS wire protocols on one port.
