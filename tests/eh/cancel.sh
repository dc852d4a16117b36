# Threads that are cancelled or exit, with the drop-in under each name.
. tests/tap.bash
. tests/eh/dropin.bash
. tests/eh/cxx.bash

# A C program has no unwinder until glibc opens one: in_use names it at the end.
for flags in '-O0' '-O2' '-O0 -fexceptions' '-O2 -fexceptions'; do
	gcc $flags -D_GNU_SOURCE "$programs/cancel.c" -o "$work/cancel" -pthread
	WAYS=libgcc same "C $flags" "$work/cancel"
	is "C $flags: cleanups ran" "$(grep -c 'deferred: cancelled, cleanups 11' "$work/plain")" 20
	# Preloaded, the landing pads' _Unwind_Resume is the drop-in's, and the rest libgcc_s's.
	RUN_LIMIT=20 run preload "$work/cancel"
	ok "C $flags: each takes over from the other" diff "$work/plain" "$work/preload"
	WAYS=libgcc same "C $flags: the first thread exits" "$work/cancel" exit
done
for cxx in g++ clang++; do
	build "$work/cancel_cxx" $cxx -O2 "$programs/cancel.cc" -pthread
	same "C++, $cxx" "$work/cancel_cxx"
	says "C++, $cxx: destructors ran" '^destroyed 90, passed 80'
done
finish
