// SPDX-License-Identifier: MIT
// Benchmark: a Rust panic through 10 frames with Drop, caught. Prints "rust_panic_10 ns".
use std::hint::black_box;
use std::time::Instant;

struct Guard<'a>(&'a mut u64);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        *self.0 = black_box(*self.0 + 1);
    }
}

#[inline(never)]
fn below(depth: u32, count: &mut u64) -> u32 {
    let guard = Guard(count);
    if depth == 0 {
        std::panic::resume_unwind(Box::new(1u32));
    }
    let mut inner = 0u64;
    let result = below(depth - 1, &mut inner);
    black_box(&guard.0);
    result + 1
}

fn main() {
    let mut times = Vec::new();
    for _ in 0..9 {
        let start = Instant::now();
        for _ in 0..5000 {
            let mut count = 0;
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| below(9, &mut count)));
            black_box(count);
        }
        times.push(start.elapsed().as_nanos() as f64 / 5000.0);
    }
    times.sort_by(|a, b| a.partial_cmp(b).unwrap());
    println!("rust_panic_10 {:.1}", times[4]);
}
