// SPDX-License-Identifier: MIT
// A host in Rust: std gives each thread an alternate stack of 8 KiB or so, with a guard below, and has a handler of
// SIGSEGV on it that tells of overflows. Guests run on such threads, and all of that is as it was.
use std::os::raw::{c_int, c_void};

#[repr(C)]
#[derive(Clone, Copy, PartialEq, Debug)]
struct Stack { sp: *mut c_void, flags: c_int, size: usize }

extern "C" {
    fn sigaltstack(new: *const Stack, old: *mut Stack) -> c_int;
    // rust_host_lib.c: runs each guest some times; how many ended otherwise than they should.
    fn run_guests(times: c_int) -> c_int;
}

fn now() -> Stack {
    let mut stack = Stack { sp: std::ptr::null_mut(), flags: 0, size: 0 };
    unsafe { sigaltstack(std::ptr::null(), &mut stack) };
    stack
}

fn check(name: &str) -> bool {
    let before = now();
    let wrong = unsafe { run_guests(5) };
    let good = wrong == 0 && before == now() && before.flags == 0;
    println!("{}: {} wrong, {} bytes, {}", name, wrong, before.size, if good { "good" } else { "bad" });
    good
}

#[inline(never)]
fn deep(n: u64) -> u64 {
    let room = [n; 100];
    std::hint::black_box(&room);
    if n == 0 { 0 } else { deep(n - 1) + std::hint::black_box(room[50]) }
}

fn main() {
    let mut good = check("main");
    for _ in 0..3 {
        let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(|| check("thread"))).collect();
        for thread in threads {
            good &= thread.join().unwrap();
        }
    }
    if std::env::args().count() > 1 {
        std::thread::spawn(|| { check("thread"); println!("{}", deep(1 << 40)) }).join().unwrap();
    }
    std::process::exit(if good { 0 } else { 1 });
}

