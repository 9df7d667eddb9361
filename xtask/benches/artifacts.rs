//! Zips and hashes artifacts of the sizes that functions have.

use divan::{Bencher, counter::BytesCount};
use engine::artifacts::{Entry, pack};
use sha2::{Digest, Sha256};

const SIZES: [usize; 3] = [1_000_000, 5_000_000, 20_000_000];

fn main() {
    divan::main();
}

/// Bytes that compress about as well as a stripped binary: repeated words between noise.
fn binary(size: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut bytes = Vec::with_capacity(size + 16);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(if state.is_multiple_of(3) { state.to_le_bytes() } else { (state % 64).to_le_bytes() });
    }
    bytes.truncate(size);
    bytes
}

#[divan::bench(args = SIZES)]
fn zip(bencher: Bencher<'_, '_>, size: usize) {
    let entries = [Entry { name: "bootstrap".to_owned(), executable: true, content: binary(size) }];
    bencher.counter(BytesCount::new(size)).bench(|| pack(&entries).expect("packed"));
}

#[divan::bench(args = SIZES)]
fn hash(bencher: Bencher<'_, '_>, size: usize) {
    let bytes = binary(size);
    bencher.counter(BytesCount::new(size)).bench(|| Sha256::digest(&bytes));
}
