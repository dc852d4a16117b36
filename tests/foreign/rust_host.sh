# SPDX-License-Identifier: MIT
# A host in Rust, whose threads have small alternate stacks, and a handler of their own for overflows.
. tests/tap.bash

needs rustc
needs_plugin
here=tests/foreign
"$build/bin/ripcord" cc -O2 -Iinclude -shared -fPIC $here/rust_host_lib.c -o "$work/libguests.so" \
	-L"$build/lib" -lripcord || exit 1
rustc -A warnings -O --crate-type bin $here/rust_host.rs -o "$work/host" -L "$work" -l guests \
	-C link-arg=-Wl,-rpath-link,"$build/lib" || exit 1
export LD_LIBRARY_PATH=$work:$build/lib

"$work/host" >"$work/out" 2>"$work/err"
is "on each thread each stop, and its alternate stack is Rust's" "$? $(grep -c good "$work/out") $(grep bad "$work/out")" "0 10 "
"$work/host" overflow >"$work/out" 2>"$work/err"
is "an overflow of Rust's own ends the process" "$?" 134
ok "and is told by Rust" grep -q "has overflowed its stack" "$work/err"
finish
