use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use bytes::{Buf, Bytes};
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{KeyValue, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::ColumnPath;

use super::columns::Column;
use super::objects::Objects;
use super::parts::{self, Part, Span};
use crate::store::catalog::SegmentRow;
use crate::store::codec::Fault;
use crate::store::error::ReadError;

/// How the rows of one signal become columns and back.
pub(in crate::store) trait Table: 'static {
    /// One row.
    type Row: Send + 'static;
    /// The table's name: a folder of segments, and what the catalog calls it.
    const NAME: &'static str;
    /// A row group ends at this many rows.
    const ROWS_MAX: usize;
    /// A row group ends at this many bytes, so that reading one stays cheap.
    const BYTES_MAX: usize = 4 * 1024 * 1024;
    /// Columns whose values hardly ever repeat.
    const UNIQUE_COLUMNS: &'static [&'static str];

    /// Where a row stands. Rows of a segment are sorted by key, then by first instant.
    fn span(row: &Self::Row) -> Span;
    /// About how many bytes a row takes unencoded.
    fn bytes(row: &Self::Row) -> usize;
    /// Rows to columns.
    fn columns(rows: &[Self::Row]) -> Vec<Column>;
    /// Further columns, made of all rows of a segment at once; any of their values may be null.
    fn derived(_rows: &[Self::Row]) -> Vec<(Field, ArrayRef)> {
        Vec::new()
    }
    /// Columns to rows.
    fn rows(batch: &RecordBatch) -> Result<Vec<Self::Row>, Fault>;
}

/// A segment that was encoded and not written yet.
#[derive(Debug)]
pub(in crate::store) struct Encoded {
    pub(in crate::store) file: Bytes,
    pub(in crate::store) footer: Vec<u8>,
    pub(in crate::store) parts: Vec<Part>,
    pub(in crate::store) raw_bytes: u64,
}

/// Encodes rows, which are sorted, into one Parquet file; `None` when there is no row.
pub(in crate::store) fn encode<T: Table>(rows: &[T::Row]) -> ParquetResult<Option<Encoded>> {
    let Some(first) = rows.first() else { return Ok(None) };
    let derived = T::derived(rows);
    let schema = schema(&T::columns(std::slice::from_ref(first)), &derived);
    let properties = properties::<T>(&derived);
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))?;
    let (mut parts, mut at) = (Vec::new(), 0);
    for group in groups::<T>(rows) {
        let own = T::columns(group).into_iter().map(|(_, array)| array);
        let slices = derived.iter().map(|(_, array)| array.slice(at, group.len()));
        let columns = own.chain(slices).collect();
        at += group.len();
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
        writer.write(&batch)?;
        writer.flush()?;
        parts.extend(part::<T>(group));
    }
    let kind = KeyValue::new("coalmine.table".to_owned(), format!("{} 1", T::NAME));
    writer.append_key_value_metadata(kind);
    let metadata = writer.finish()?;
    let file = std::mem::take(writer.inner_mut());
    let footer = footer(&file).ok_or(ParquetError::EOF("no footer".to_owned()))?.to_vec();
    for (part, group) in parts.iter_mut().zip(metadata.row_groups()) {
        let ranges = group.columns().iter().map(|column| column.byte_range());
        let (start, end) = ranges
            .map(|(offset, length)| (offset, offset + length))
            .fold((u64::MAX, 0), |all, one| (all.0.min(one.0), all.1.max(one.1)));
        let bytes = slice(&file, start, end).ok_or(ParquetError::EOF("row group".to_owned()))?;
        part.offset = start;
        part.length = end - start;
        part.checksum = crc32c::crc32c(bytes);
    }
    let raw_bytes = parts.iter().map(|part| part.raw_bytes).sum();
    Ok(Some(Encoded { file: file.into(), footer, parts, raw_bytes }))
}

fn slice(bytes: &[u8], start: u64, end: u64) -> Option<&[u8]> {
    bytes.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}

fn schema(columns: &[Column], derived: &[(Field, ArrayRef)]) -> Arc<Schema> {
    let field =
        |(name, array): &Column| Field::new(*name, array.data_type().clone(), is_nullable(name));
    let derived = derived.iter().map(|(field, _)| field.clone());
    Arc::new(Schema::new(columns.iter().map(field).chain(derived).collect::<Vec<_>>()))
}

/// Columns that may be empty in a row; every other one is required.
fn is_nullable(name: &str) -> bool {
    matches!(name, "end_time" | "trace_header" | "username" | "access_key_id")
}

fn properties<T: Table>(derived: &[(Field, ArrayRef)]) -> WriterProperties {
    let zstd = Compression::ZSTD(ZstdLevel::try_new(1).unwrap_or_default());
    let mut builder = WriterProperties::builder()
        .set_created_by("coalmine".to_owned())
        .set_compression(zstd)
        .set_max_row_group_row_count(Some(usize::MAX))
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for name in T::UNIQUE_COLUMNS {
        builder = builder.set_column_dictionary_enabled(ColumnPath::from(*name), false);
    }
    for (field, _) in derived {
        // A name with a dot is one column, not a path of two.
        let column = ColumnPath::new(vec![field.name().clone()]);
        let encoding = match field.data_type() {
            DataType::Utf8 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
            _ => continue,
        };
        builder = builder
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, encoding);
    }
    builder.build()
}

/// The rows in runs that each become one row group.
fn groups<T: Table>(rows: &[T::Row]) -> impl Iterator<Item = &[T::Row]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let mut fits = |row: &T::Row| {
            bytes += T::bytes(row);
            bytes <= T::BYTES_MAX
        };
        let length = rest.iter().take(T::ROWS_MAX).take_while(|row| fits(row)).count().max(1);
        let (group, later) = rest.split_at_checked(length)?;
        rest = later;
        Some(group)
    })
}

fn part<T: Table>(group: &[T::Row]) -> Option<Part> {
    let (lo, hi) = (T::span(group.first()?), T::span(group.last()?));
    let spans = || group.iter().map(T::span);
    Some(Part {
        offset: 0,
        length: 0,
        checksum: 0,
        rows: group.len() as u64,
        raw_bytes: group.iter().map(|row| T::bytes(row) as u64).sum(),
        key_lo: lo.key,
        key_hi: hi.key,
        first: spans().map(|span| span.first).min()?,
        last: spans().map(|span| span.last).max()?,
    })
}

/// The footer's own bytes, between the last row group and the length at the file's end.
///
/// Source: Parquet format, "File format": footer, its length, `PAR1`.
fn footer(file: &[u8]) -> Option<&[u8]> {
    let (rest, _magic) = file.split_last_chunk::<4>()?;
    let (rest, length) = rest.split_last_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    rest.get(rest.len().checked_sub(length)?..)
}

/// One live segment.
#[derive(Debug)]
pub(in crate::store) struct Segment {
    pub(in crate::store) row: SegmentRow,
    pub(in crate::store) parts: Vec<Part>,
    metadata: OnceLock<ArrowReaderMetadata>,
    is_damaged: AtomicBool,
}

impl Segment {
    /// The segment of a catalog row.
    pub(in crate::store) fn new(row: SegmentRow) -> Result<Self, Fault> {
        let parts = parts::decode(&row.parts, &row.footer)?;
        Ok(Self { row, parts, metadata: OnceLock::new(), is_damaged: AtomicBool::new(false) })
    }

    /// What the catalog keeps of row groups.
    pub(in crate::store) fn encode_parts(parts: &[Part], footer: &[u8]) -> Vec<u8> {
        parts::encode(parts, footer)
    }

    pub(in crate::store) fn path(&self) -> Arc<str> {
        self.row.path.as_str().into()
    }

    /// Reads the rows of one row group.
    ///
    /// Errors: `Damaged` when the bytes are not those that were written; nothing of them is given.
    /// Cancel safety: yes; a decode that nobody waits for any more runs to its end.
    pub(in crate::store) async fn read<T: Table>(
        self: &Arc<Self>,
        objects: &Objects,
        row_group: usize,
    ) -> Result<Vec<T::Row>, ReadError> {
        self.decode(objects, row_group, |part| T::rows(&part.columns(None)?)).await
    }

    /// Fetches one row group and decodes of it what `decode` asks for, where blocking is right.
    ///
    /// Errors: as of `read`.
    pub(in crate::store) async fn decode<R: Send + 'static>(
        self: &Arc<Self>,
        objects: &Objects,
        row_group: usize,
        decode: impl FnOnce(PartReader) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, ReadError> {
        let part = self.parts.get(row_group);
        let part = part.ok_or_else(|| self.damaged(row_group, Fault::Truncated))?;
        let range = part.offset..part.offset + part.length;
        let bytes = objects
            .range(&self.row.path, range)
            .await
            .map_err(|source| ReadError::Segment { path: self.path(), source })?;
        let segment = Arc::clone(self);
        let work = move || segment.part(row_group, bytes).and_then(decode);
        let decoded =
            tokio::task::spawn_blocking(work).await.map_err(|_gone| ReadError::Stopped)?;
        decoded.map_err(|fault| self.damaged(row_group, fault))
    }

    /// Notes that a row group is damaged, and says so once.
    pub(in crate::store) fn damaged(&self, row_group: usize, source: Fault) -> ReadError {
        if !self.is_damaged.swap(true, Ordering::Relaxed) {
            let path = &*self.row.path;
            tracing::error!(path, row_group, fault = %source, "segment is damaged");
        }
        ReadError::Damaged { path: self.path(), row_group, source }
    }

    /// Whether a row group of it was found damaged: such a segment is not rewritten, so that what
    /// is whole in it stays readable.
    pub(in crate::store) fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Relaxed)
    }

    fn part(&self, row_group: usize, bytes: Bytes) -> Result<PartReader, Fault> {
        let part = self.parts.get(row_group).ok_or(Fault::Truncated)?;
        if crc32c::crc32c(&bytes) != part.checksum {
            return Err(Fault::Checksum);
        }
        let rows = usize::try_from(part.rows).map_err(|_huge| Fault::Value)?;
        let window = Window { offset: part.offset, bytes };
        Ok(PartReader { window, metadata: self.metadata()?, row_group, rows })
    }

    fn metadata(&self) -> Result<ArrowReaderMetadata, Fault> {
        if let Some(metadata) = self.metadata.get() {
            return Ok(metadata.clone());
        }
        let footer = ParquetMetaDataReader::decode_metadata(&self.row.footer);
        let footer: Arc<ParquetMetaData> = Arc::new(footer.map_err(|_damaged| Fault::Magic)?);
        let metadata = ArrowReaderMetadata::try_new(footer, ArrowReaderOptions::new());
        let metadata = metadata.map_err(|_damaged| Fault::Magic)?;
        Ok(self.metadata.get_or_init(|| metadata).clone())
    }
}

/// One row group whose bytes were checked, to be decoded by column.
#[derive(Debug)]
pub(in crate::store) struct PartReader {
    window: Window,
    metadata: ArrowReaderMetadata,
    row_group: usize,
    pub(in crate::store) rows: usize,
}

impl PartReader {
    pub(in crate::store) fn schema(&self) -> &Schema {
        self.metadata.schema()
    }

    /// Decodes the columns of these names, or all.
    pub(in crate::store) fn columns(&self, names: Option<&[&str]>) -> Result<RecordBatch, Fault> {
        let fields = self.schema().fields().iter().enumerate();
        let wanted = fields
            .filter(|(_, field)| names.is_none_or(|names| names.contains(&field.name().as_str())));
        // Every column of ours is one leaf, so leaves and fields have the same numbers.
        let leaves = wanted.map(|(number, _)| number);
        let mask = ProjectionMask::leaves(self.metadata.parquet_schema(), leaves);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
            self.window.clone(),
            self.metadata.clone(),
        );
        let mut reader = builder
            .with_row_groups(vec![self.row_group])
            .with_batch_size(self.rows.max(1))
            .with_projection(mask)
            .build()
            .map_err(|_damaged| Fault::Compression)?;
        let batch = reader.next().ok_or(Fault::Truncated)?;
        batch.map_err(|_damaged| Fault::Compression)
    }
}

/// One row group's bytes, at the place they have in their file.
#[derive(Clone, Debug)]
struct Window {
    offset: u64,
    bytes: Bytes,
}

impl Window {
    fn slice(&self, start: u64, length: Option<usize>) -> ParquetResult<Bytes> {
        let out = || ParquetError::EOF("read outside the row group".to_owned());
        let from = start.checked_sub(self.offset).and_then(|from| usize::try_from(from).ok());
        let from = from.ok_or_else(out)?;
        let to = length.map_or(Some(self.bytes.len()), |length| from.checked_add(length));
        let to = to.filter(|to| from <= *to && *to <= self.bytes.len()).ok_or_else(out)?;
        Ok(self.bytes.slice(from..to))
    }
}

impl Length for Window {
    fn len(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

impl ChunkReader for Window {
    type T = Box<dyn Read + Send>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(Box::new(self.slice(start, None)?.reader()))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.slice(start, Some(length))
    }
}
