// Panics: caught, dropped in order, nested, resumed, in threads, through C, in drops.
use std::panic::{self, AssertUnwindSafe};
use std::thread;

struct Noisy(&'static str, u32);
impl Drop for Noisy {
    fn drop(&mut self) {
        println!("  drop {} {} {}", self.0, self.1, thread::panicking());
    }
}

#[inline(never)]
fn descend(depth: u32) -> u32 {
    let _noisy = Noisy("frame", depth);
    let text = format!("depth {depth}");
    if depth == 0 {
        panic!("bottom");
    }
    descend(depth - 1) + text.len() as u32
}

struct CatchesInDrop;
impl Drop for CatchesInDrop {
    fn drop(&mut self) {
        let inner = panic::catch_unwind(|| {
            let _noisy = Noisy("inner", 0);
            panic!("in a drop");
        });
        println!("caught in a drop: {}", inner.is_err());
    }
}

type Callback = extern "C-unwind" fn(*const u8, *const u8) -> i32;
extern "C-unwind" {
    fn qsort(base: *mut u32, count: usize, size: usize, compare: Callback);
}

extern "C-unwind" fn compare(a: *const u8, b: *const u8) -> i32 {
    let _noisy = Noisy("compare", 0);
    if unsafe { *(a as *const u32) } == 7 || unsafe { *(b as *const u32) } == 7 {
        panic!("through C");
    }
    unsafe { *(a as *const u32) as i32 - *(b as *const u32) as i32 }
}

fn show(name: &str, result: thread::Result<u32>) {
    match result {
        Ok(value) => println!("{name}: {value}"),
        Err(payload) => match payload.downcast_ref::<&str>() {
            Some(text) => println!("{name}: panic {text}"),
            None => println!("{name}: panic {:?}", payload.downcast_ref::<String>()),
        },
    }
}

fn main() {
    if std::env::args().count() > 1 {
        descend(5);
    }
    for depth in [0, 3, 40] {
        show("descend", panic::catch_unwind(|| descend(depth)));
    }
    show("nested", panic::catch_unwind(|| {
        let _catches = CatchesInDrop;
        let _noisy = Noisy("outer", 1);
        descend(1)
    }));
    show("resumed", panic::catch_unwind(|| {
        let _noisy = Noisy("again", 2);
        match panic::catch_unwind(|| descend(1)) {
            Ok(value) => value,
            Err(payload) => panic::resume_unwind(payload),
        }
    }));
    show("index", panic::catch_unwind(|| {
        let empty: Vec<u32> = Vec::new();
        empty[std::env::args().count()]
    }));
    let threads: Vec<_> = (0..8)
        .map(|i| thread::spawn(move || {
            let mut caught = 0;
            for round in 0..50 {
                caught += panic::catch_unwind(|| {
                    let _kept = vec![round; 100];
                    if round % 2 == 0 {
                        panic::resume_unwind(Box::new(i));
                    }
                }).is_err() as u32;
            }
            caught
        }))
        .collect();
    for thread in threads {
        println!("thread: {}", thread.join().unwrap());
    }
    println!("joined: {}", thread::spawn(|| descend(2)).join().is_err());
    let mut values = [5u32, 3, 9, 7, 1, 2];
    show("qsort", panic::catch_unwind(AssertUnwindSafe(|| unsafe {
        qsort(values.as_mut_ptr(), 6, 4, compare);
        0
    })));
}
