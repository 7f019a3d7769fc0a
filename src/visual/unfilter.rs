//! PNG row filters, undone in place.
//!
//! Source: PNG specification (third edition), section 9 "Filtering".

/// Undoes the filter of one row, given the finished row above (all zero for the first row).
///
/// Returns `None` when the filter does not exist.
pub(super) fn unfilter(filter: u8, channels: usize, above: &[u8], row: &mut [u8]) -> Option<()> {
    match (filter, channels) {
        (0, _) => {}
        (1, 3) => sub::<3>(row),
        (1, _) => sub::<4>(row),
        (2, _) => up(above, row),
        (3, 3) => average::<3>(above, row),
        (3, _) => average::<4>(above, row),
        (4, 3) => paeth::<3>(above, row),
        (4, _) => paeth::<4>(above, row),
        _ => return None,
    }
    Some(())
}

/// True when a row with this filter can be undone without the row above.
pub(super) fn stands_alone(filter: u8) -> bool {
    filter <= 1
}

fn sub<const N: usize>(row: &mut [u8]) {
    let mut left = [0; N];
    for pixel in row.as_chunks_mut::<N>().0 {
        for (value, left) in pixel.iter_mut().zip(left) {
            *value = value.wrapping_add(left);
        }
        left = *pixel;
    }
}

fn up(above: &[u8], row: &mut [u8]) {
    for (value, above) in row.iter_mut().zip(above) {
        *value = value.wrapping_add(*above);
    }
}

fn average<const N: usize>(above: &[u8], row: &mut [u8]) {
    let mut left = [0; N];
    for (pixel, above) in row.as_chunks_mut::<N>().0.iter_mut().zip(above.as_chunks::<N>().0) {
        for ((value, left), above) in pixel.iter_mut().zip(left).zip(above) {
            *value = value.wrapping_add(u8::midpoint(left, *above));
        }
        left = *pixel;
    }
}

fn paeth<const N: usize>(above: &[u8], row: &mut [u8]) {
    let (mut left, mut corner) = ([0_i16; N], [0_i16; N]);
    for (pixel, above) in row.as_chunks_mut::<N>().0.iter_mut().zip(above.as_chunks::<N>().0) {
        let up = above.map(i16::from);
        for (((value, left), up), corner) in pixel.iter_mut().zip(&mut left).zip(up).zip(&corner) {
            let (from_left, from_up) = (up - corner, *left - corner);
            let from_corner = (from_left + from_up).abs();
            let (from_left, from_up) = (from_left.abs(), from_up.abs());
            // Written as selections: a branch here is a coin toss.
            let other = if from_up <= from_corner { up } else { *corner };
            let nearest = if from_left <= from_up.min(from_corner) { *left } else { other };
            *value = value.wrapping_add(nearest.to_le_bytes()[0]);
            *left = i16::from(*value);
        }
        corner = up;
    }
}

/// The neighbour nearest to `left + up - corner`, in this order on ties.
pub(super) fn predict(left: u8, up: u8, corner: u8) -> u8 {
    let (a, b, c) = (i16::from(left), i16::from(up), i16::from(corner));
    let (from_left, from_up) = ((b - c).abs(), (a - c).abs());
    let from_corner = (a + b - c - c).abs();
    if from_left <= from_up && from_left <= from_corner {
        left
    } else if from_up <= from_corner {
        up
    } else {
        corner
    }
}
