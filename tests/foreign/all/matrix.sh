# SPDX-License-Identifier: MIT
# The same at all levels, with the runtimes linked in, with libc++, and over the other unwinders of the machine.
. tests/tap.bash
. tests/foreign/build.bash

tests='uncaught handlers forced'
for level in -O0 -O1 -O2 -O3 -Os; do
	compile g++$level g++ $level
	compile clang++$level clang++ $level
	wait
	run g++$level
	run clang++$level
done
run g++-O2 LD_PRELOAD="$build/lib/libripcord-unwind.so"
compile static-libgcc g++ -O2 -static-libgcc
wait
run static-libgcc
# glibc cancels threads with libgcc_s: pads with another one's accessors are not its own.
tests='uncaught handlers'
for unwinder in /usr/lib/x86_64-linux-gnu/libunwind.so.[18]; do
	[ ! -e "$unwinder" ] || run g++-O2 LD_PRELOAD="$unwinder"
done
compile static-runtime g++ -O2 -static-libgcc -static-libstdc++
compile static g++ -O2 -static
wait
run static-runtime
run static

for root in "$build/../libc++" "$build/libc++" ''; do
	libcxx=$(ls -d "$root"/usr/lib/llvm-*/include/c++/v1 2>"$work/none" | tail -1)
	[ -z "$libcxx" ] || break
done
if [ -n "$libcxx" ]; then
	libraries=/usr/lib/x86_64-linux-gnu
	for level in -O0 -O2; do
		compile libc++$level clang++ $level -nostdinc++ -isystem "$libcxx" -nostdlib++ $libraries/libc++.so.1 \
			$libraries/libc++abi.so.1
		wait
		run libc++$level
	done
	run libc++-O2 LD_PRELOAD="$build/lib/libripcord-unwind.so"
	[ ! -e $libraries/libunwind.so.1 ] || run libc++-O2 LD_PRELOAD=$libraries/libunwind.so.1
fi
finish
