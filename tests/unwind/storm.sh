# Backtraces from 5 kHz timer signals, while threads throw, and load and unload modules. STORM_SECONDS says how long.
. tests/tap.bash
[ -z "$SAN" ] || skip_all "the sanitizers' runtime is not made for signals in it"

seconds=${STORM_SECONDS:-5} modules=()
for variant in 1 2 3; do
	for how in "" "-Wl,--build-id=none" "-Wl,--no-eh-frame-hdr"; do
		module=$work/module$variant${how##*-}.so
		g++ -O1 -shared -fPIC -DVARIANT=$variant $how tests/unwind/storm_module.cxx -o "$module" || exit
		modules+=("$module")
	done
done
g++ -std=gnu++17 -O2 -g -Wall -Wextra -D_GNU_SOURCE tests/unwind/storm_lib.cxx -o "$work/storm" -pthread || exit
storm() { # NAME MODULE...
	local name=$1; shift
	ok "$name, $seconds seconds: complete backtraces only" \
		limit $((seconds + 30)) env LD_PRELOAD="${STORM_PRELOAD-$build/lib/libripcord-unwind.so}" "$work/storm" "$seconds" "$@"
	[ "$failed" != 0 ] || cat "$work/ok.log"
}
storm "two threads throw"
storm "two threads throw, one loads and unloads" "${modules[@]}"
finish
