# SPDX-License-Identifier: MIT
# Rust as guests and hostcalls, at two levels of optimisation, in a static library and in a shared object of its own.
. tests/tap.bash

needs rustc
parts=tests/foreign/all
gcc -g -O1 -fexceptions -fnon-call-exceptions -Iinclude -Itests -c $parts/rust_guest.c -o "$work/c.o" || exit 1
g++ -O1 -c $parts/rust_guest.cc -o "$work/cc.o" || exit 1

# passes NAME COMMAND...: a TAP program passes.
passes() {
	local name=$1; shift
	local code
	"$@" >"$work/tap" 2>"$work/err"
	code=$?
	is "$name: $(grep -c '^ok' "$work/tap") checks" "$code $(grep '^not ok' "$work/tap" | head -3)" "0 "
}
for level in 0 3; do
	flags=(-A warnings -C opt-level=$level -C panic=unwind)
	rustc "${flags[@]}" --cfg catcher --crate-type staticlib $parts/rust_guest.rs -o "$work/libguest.a" || exit 1
	g++ "$work/c.o" "$work/cc.o" "$work/libguest.a" "$build/lib/libripcord.a" -o "$work/static" -pthread -ldl -lm || exit 1
	passes "level $level" "$work/static"
	rustc "${flags[@]}" --cfg catcher --crate-type cdylib $parts/rust_guest.rs -o "$work/libguest.so" || exit 1
	g++ "$work/c.o" "$work/cc.o" -L"$work" -lguest "$build/lib/libripcord.a" -o "$work/shared" -pthread -ldl -lm \
		-Wl,-rpath,"$work" || exit 1
	passes "level $level, in a shared object" "$work/shared"
	LD_PRELOAD=$build/lib/libripcord-unwind.so passes "level $level, over the drop-in" "$work/shared"
done
finish
