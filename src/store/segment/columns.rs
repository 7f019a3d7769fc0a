use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Float64Type, TimestampMillisecondType, UInt8Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, PrimitiveArray, RecordBatch, StringArray,
    TimestampMillisecondArray,
};

use crate::store::codec::Fault;
use crate::store::lsn::{Arrival, Lsn};
use crate::telemetry::{AccountId, Region, Scope};
use crate::time::Timestamp;

/// One column of a table on its way to Parquet.
pub(in crate::store) type Column = (&'static str, ArrayRef);

pub(super) fn texts<'a>(name: &'static str, values: impl Iterator<Item = &'a str>) -> Column {
    (name, Arc::new(StringArray::from_iter_values(values)))
}

pub(super) fn optional_texts<'a>(
    name: &'static str,
    values: impl Iterator<Item = Option<&'a str>>,
) -> Column {
    (name, Arc::new(values.collect::<StringArray>()))
}

pub(super) fn blobs<'a>(name: &'static str, values: impl Iterator<Item = &'a [u8]>) -> Column {
    (name, Arc::new(BinaryArray::from_iter_values(values)))
}

/// Instants in UTC, to the millisecond.
pub(super) fn times(name: &'static str, values: impl Iterator<Item = Timestamp>) -> Column {
    let values = TimestampMillisecondArray::from_iter_values(values.map(Timestamp::as_millis));
    (name, Arc::new(values.with_timezone("UTC")))
}

pub(super) fn numbers<T: ArrowPrimitiveType>(
    name: &'static str,
    values: impl Iterator<Item = T::Native>,
) -> Column {
    (name, Arc::new(PrimitiveArray::<T>::from_iter_values(values)))
}

pub(super) fn optional_floats(
    name: &'static str,
    values: impl Iterator<Item = Option<f64>>,
) -> Column {
    (name, Arc::new(values.collect::<PrimitiveArray<Float64Type>>()))
}

pub(super) fn scopes<'a>(scopes: impl Iterator<Item = &'a Scope> + Clone) -> [Column; 2] {
    [
        texts("account", scopes.clone().map(|scope| scope.account.as_str())),
        texts("region", scopes.map(|scope| scope.region.as_str())),
    ]
}

pub(super) fn arrivals(arrivals: impl Iterator<Item = Arrival> + Clone) -> [Column; 2] {
    [
        numbers::<UInt64Type>("lsn", arrivals.clone().map(|arrival| arrival.lsn.get())),
        numbers::<UInt32Type>("ordinal", arrivals.map(|arrival| arrival.ordinal)),
    ]
}

/// Columns of a batch that was read from Parquet, by name.
pub(super) struct Columns<'a>(pub(super) &'a RecordBatch);

impl<'a> Columns<'a> {
    fn get<T: Array + 'static>(&self, name: &str) -> Result<&'a T, Fault> {
        let column = self.0.column_by_name(name).ok_or(Fault::Value)?;
        column.as_any().downcast_ref().ok_or(Fault::Value)
    }

    pub(super) fn text(&self, name: &str) -> Result<impl Fn(usize) -> &'a str + use<'a>, Fault> {
        let column: &StringArray = self.get(name)?;
        Ok(move |row| column.value(row))
    }

    pub(super) fn optional_text(
        &self,
        name: &str,
    ) -> Result<impl Fn(usize) -> Option<&'a str> + use<'a>, Fault> {
        let column: &StringArray = self.get(name)?;
        Ok(move |row| column.is_valid(row).then(|| column.value(row)))
    }

    pub(super) fn blob(&self, name: &str) -> Result<impl Fn(usize) -> &'a [u8] + use<'a>, Fault> {
        let column: &BinaryArray = self.get(name)?;
        Ok(move |row| column.value(row))
    }

    pub(super) fn number<T: ArrowPrimitiveType>(
        &self,
        name: &str,
    ) -> Result<impl Fn(usize) -> T::Native + use<'a, T>, Fault> {
        let column: &PrimitiveArray<T> = self.get(name)?;
        Ok(move |row| column.value(row))
    }

    pub(super) fn optional_float(
        &self,
        name: &str,
    ) -> Result<impl Fn(usize) -> Option<f64> + use<'a>, Fault> {
        let column: &PrimitiveArray<Float64Type> = self.get(name)?;
        Ok(move |row| column.is_valid(row).then(|| column.value(row)))
    }

    pub(super) fn time(&self, name: &str) -> Result<impl Fn(usize) -> Timestamp + use<'a>, Fault> {
        let millis = self.number::<TimestampMillisecondType>(name)?;
        Ok(move |row| Timestamp::from_millis(millis(row)))
    }

    pub(super) fn flag(&self, name: &str) -> Result<impl Fn(usize) -> bool + use<'a>, Fault> {
        let number = self.number::<UInt8Type>(name)?;
        Ok(move |row| number(row) != 0)
    }

    /// The scope of each row; equal neighbours share one value.
    pub(super) fn scope(
        &self,
    ) -> Result<impl FnMut(usize) -> Result<Scope, Fault> + use<'a>, Fault> {
        let (account, region) = (self.text("account")?, self.text("region")?);
        let mut last: Option<Scope> = None;
        Ok(move |row| {
            let is_same = |scope: &&Scope| {
                scope.account.as_str() == account(row) && scope.region.as_str() == region(row)
            };
            if let Some(scope) = last.as_ref().filter(is_same) {
                return Ok(scope.clone());
            }
            let account = AccountId::new(account(row)).map_err(|_not_one| Fault::Value)?;
            let scope = Scope { account, region: Region::new(region(row)) };
            last = Some(scope.clone());
            Ok(scope)
        })
    }

    pub(super) fn arrival(&self) -> Result<impl Fn(usize) -> Arrival + use<'a>, Fault> {
        let (lsn, ordinal) =
            (self.number::<UInt64Type>("lsn")?, self.number::<UInt32Type>("ordinal")?);
        Ok(move |row| Arrival { lsn: Lsn::new(lsn(row)), ordinal: ordinal(row) })
    }
}

/// Hands out one shared text for equal neighbours: sorted columns repeat themselves.
#[derive(Debug, Default)]
pub(super) struct LastText(Option<Arc<str>>);

impl LastText {
    pub(super) fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(last) = self.0.as_ref().filter(|last| ***last == *text) {
            return Arc::clone(last);
        }
        let shared: Arc<str> = text.into();
        self.0 = Some(Arc::clone(&shared));
        shared
    }
}
