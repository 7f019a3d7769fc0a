//! The store's own byte forms: numbers, records of the ingest log, metric chunks.
//!
//! Main types: [`Writer`] and [`Reader`]. Parquet and SQLite have their forms; none is made here.

mod chunk;
mod record;
mod samples;
mod summary;
mod wire;

pub(super) use chunk::{Chunk, Point};
pub(super) use record::{LogChange, Record};
pub(super) use samples::{Sample, SeriesNumber};
pub use wire::Fault;
pub(super) use wire::{Reader, Writer};
