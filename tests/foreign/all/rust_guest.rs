// SPDX-License-Identifier: MIT
// Rust as a guest and as hostcalls: what tests/foreign/all/rust.c calls, and what it counts.
use std::ffi::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};
use std::sync::Mutex;

static ALIVE: AtomicI32 = AtomicI32::new(0);
static CAUGHT: AtomicI32 = AtomicI32::new(0);
static PANICKING: AtomicI32 = AtomicI32::new(0);
static PAYLOADS: AtomicI32 = AtomicI32::new(0);
static LOCK: Mutex<i32> = Mutex::new(0);

struct Held;
impl Held { fn new() -> Held { ALIVE.fetch_add(1, SeqCst); Held } }
impl Drop for Held {
	fn drop(&mut self) {
		ALIVE.fetch_sub(1, SeqCst);
		if std::thread::panicking() { PANICKING.fetch_add(1, SeqCst); }
	}
}

struct Payload(#[allow(dead_code)] [u64; 5]);
impl Drop for Payload { fn drop(&mut self) { PAYLOADS.fetch_sub(1, SeqCst); } }

type Call = extern "C-unwind" fn(*mut c_void);

#[no_mangle] pub extern "C" fn rust_alive() -> i32 { ALIVE.swap(0, SeqCst) }
#[no_mangle] pub extern "C" fn rust_caught() -> i32 { CAUGHT.load(SeqCst) }
#[no_mangle] pub extern "C" fn rust_payloads() -> i32 { PAYLOADS.load(SeqCst) }
#[no_mangle] pub extern "C" fn rust_panicking_drops() -> i32 { PANICKING.swap(0, SeqCst) }
#[no_mangle] pub extern "C" fn rust_panicking() -> i32 { std::thread::panicking() as i32 }
#[no_mangle] pub extern "C" fn rust_lock_state() -> i32 {
	match LOCK.try_lock() {
		Ok(_) => 0,
		Err(std::sync::TryLockError::Poisoned(_)) => { LOCK.clear_poison(); 1 }
		Err(std::sync::TryLockError::WouldBlock) => 2,
	}
}

/// Calls with a value that is dropped and a lock held.
#[no_mangle] #[inline(never)] pub extern "C-unwind" fn rust_holds(call: Call, argument: *mut c_void) {
	let _held = Held::new();
	let mut guard = LOCK.lock().unwrap_or_else(|p| p.into_inner());
	let _vector = vec![Held::new(), Held::new()];
	*guard += 1;
	call(argument);
	*guard += 1;
}

/// catch_unwind is for panics: a stop passes it.
#[no_mangle] #[inline(never)] pub extern "C-unwind" fn rust_catches(call: Call, argument: *mut c_void) {
	let _held = Held::new();
	let result = catch_unwind(AssertUnwindSafe(|| { let _inner = Held::new(); call(argument); }));
	if result.is_err() { CAUGHT.fetch_add(1, SeqCst); }
}

/// A function that may not unwind: what goes through it has to abort, but for a stop.
#[no_mangle] #[inline(never)] pub extern "C" fn rust_may_not_unwind(call: Call, argument: *mut c_void) {
	let _held = Held::new();
	call(argument);
}
#[no_mangle] #[inline(never)] pub extern "C-unwind" fn rust_calls_border(call: Call, argument: *mut c_void) {
	let _held = Held::new();
	rust_may_not_unwind(call, argument);
}

/// A drop that calls: during a panic its own unwinding would abort.
struct Calls(Call, *mut c_void);
impl Drop for Calls { fn drop(&mut self) { let _held = Held::new(); (self.0)(self.1); } }
#[no_mangle] #[inline(never)] pub extern "C-unwind" fn rust_calls_in_drop(call: Call, argument: *mut c_void) {
	let _held = Held::new();
	let _calls = Calls(call, argument);
}
#[no_mangle] #[inline(never)] pub extern "C-unwind" fn rust_panics(what: *mut c_void) {
	let _held = Held::new();
	match what as usize {
		0 => panic!("a literal"),
		1 => panic!("formatted: {}", 1 + 1),
		2 => { PAYLOADS.fetch_add(1, SeqCst); std::panic::panic_any(Payload([1; 5])) }
		3 => { let v: Vec<i32> = Vec::new(); let i = what as usize; println!("{}", v[i]); }
		4 => std::panic::resume_unwind(Box::new("resumed")),
		_ => std::panic::panic_any("long ".repeat(200)),
	}
}

/// The host: throws a panic on and catches it.
#[no_mangle] pub extern "C" fn rust_catch_and_tell(call: Call, argument: *mut c_void) -> i32 {
	match catch_unwind(AssertUnwindSafe(|| call(argument))) {
		Ok(_) => 0,
		Err(payload) => match payload.downcast_ref::<&str>() {
			Some(text) if *text == "a literal" => 1,
			_ => 2,
		},
	}
}

#[cfg(catcher)]
#[no_mangle]
pub extern "C" fn rip_catch_panic(throw_on: extern "C-unwind" fn(*mut c_void), panic: *mut c_void) {
	let _ = catch_unwind(AssertUnwindSafe(|| throw_on(panic)));
}

/// No messages in the test's output.
#[no_mangle] pub extern "C" fn rust_quiet() { std::panic::set_hook(Box::new(|_| {})); }
