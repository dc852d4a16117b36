# What level I and glibc's backtrace() say of each frame, and forced unwinding: the same as libgcc_s.
. tests/tap.bash
. tests/eh/dropin.bash
. tests/eh/cxx.bash

for flags in '-O0' '-O2' '-O2 -fno-omit-frame-pointer' '-Os'; do
	gcc -D_GNU_SOURCE $flags -fexceptions -fnon-call-exceptions -rdynamic "$programs/walk.c" -o "$work/walk" -pthread
	WAYS=preload same "walk $flags" "$work/walk"
	says 'frames before their instruction' '^#[0-9]* before ip'
	# glibc opens the library by its name, and at another address.
	normalise() { sed 's/ \[0x7[0-9a-f]*\]//'; }
	gcc $flags -rdynamic -no-pie "$programs/libc_backtrace.c" -o "$work/backtrace"
	WAYS=libgcc same "backtrace() $flags" "$work/backtrace"
	says 'backtrace() sees all frames' '^2[0-9], then 3 and 1'
done
for flags in -O0 -O2; do
	for cxx in g++ clang++; do
		build "$work/forced" $cxx -w $flags "$programs/forced.cc"
		same "forced unwinding, $cxx $flags" "$work/forced"
		same "a stop function that refuses late, $cxx $flags" "$work/forced" late
		says "it aborts, $cxx $flags" 'status 134'
		WAYS=preload same "forced unwinding again, $cxx $flags" "$work/forced"
		says "it goes to the end, $cxx $flags" 'to the end: ends 1'
	done
done
finish
