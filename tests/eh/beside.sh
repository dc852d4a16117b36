# The drop-in beside yet another unwinder: LLVM's and nongnu's libunwind, where they are installed, and one that must not
# be called. glibc opens libgcc_s.so.1 for threads that are cancelled or exit, whatever else there is.
. tests/tap.bash
. tests/eh/dropin.bash
. tests/eh/cxx.bash

gcc -shared -fPIC -w "$programs/stranger.c" -o "$work/libstranger.so" || exit 1
installed() { # NAME: where the loader finds it, if it does
	ldconfig -p 2>"$work/none" | sed -n "s|^[[:space:]]*$1 .*x86-64.* => ||p" | head -n 1
}
# with PRELOADS COMMAND...
with() {
	local preloads=$1; shift
	{ limit 100 env "LD_PRELOAD=$preloads" "$@" >"$work/out" 2>&1; echo "status $?" >>"$work/out"; } 2>"$work/none"
	diff "$work/plain" "$work/out"
}
gcc -O2 -fexceptions -D_GNU_SOURCE "$programs/cancel.c" -o "$work/cancel" -pthread
g++ -O2 "$programs/cancel.cc" -o "$work/cancel_cxx" -pthread
export LD_LIBRARY_PATH=$work # it may hold blanks, and what is preloaded may not
for other in libstranger.so "$(installed libunwind.so.8)" "$(installed libunwind.so.1)"; do
	[ -n "$other" ] || continue
	name=${other##*/}
	for program in cancel cancel_cxx; do
		{ limit 100 "$work/$program"; echo "status $?"; } >"$work/plain" 2>&1
		ok "$program: preloaded before $name" with "$unwind:$other" "$work/$program"
		ok "$program: as libgcc_s.so.1 and preloaded, before $name" \
			with "$unwind:$other" env "LD_LIBRARY_PATH=$as_libgcc:$work" "$work/$program"
		[ "$other" = libstranger.so ] || ok "$program: as libgcc_s.so.1, behind $name" \
			with "$other" env "LD_LIBRARY_PATH=$as_libgcc" "$work/$program"
	done
	g++ -O2 "$programs/cancel.cc" -Wl,--no-as-needed "-L$build/lib" -lripcord-unwind "-L$work" \
		-l:"$name" -lgcc_s -Wl,--as-needed "-Wl,-rpath,$build/lib" -o "$work/linked" -pthread
	ok "linked before $name" with '' "$work/linked"
done

# What another unwinder raises goes on there from each landing pad, and what is ours goes on here.
g++ -O1 "$programs/raised.cc" -o "$work/raised" -ldl
for i in 1 2 3; do
	printf 'raised: destroyed 16, caught\ndeleted\nraised by ours: destroyed 16, caught\ndeleted\n'
done >"$work/plain"
printf 'forced: destroyed 16, caught\nthe end, destroyed 16\nstatus 0\n' >>"$work/plain"
for other in "$(gcc -print-file-name=libgcc_s.so.1)" "$(installed libunwind.so.8)" "$(installed libunwind.so.1)"; do
	[ -n "$other" ] || continue
	ok "raised by ${other##*/}: preloaded" with "$unwind" "$work/raised" "$other"
	ok "raised by ${other##*/}: as libgcc_s.so.1" with '' env "LD_LIBRARY_PATH=$as_libgcc" "$work/raised" "$other"
done
finish
