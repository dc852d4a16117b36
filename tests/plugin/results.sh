# SPDX-License-Identifier: MIT
# A function that returns a structure in memory releases what it holds, also where its caller wants the structure at a
# place that faults. GCC has the callee write there by itself, and takes that for what cannot trap.
. tests/tap.bash
needs_plugin
guest=$top/tests/plugin/results_guest.cc
cd "$work" || exit 1

g++ -w -O1 "$guest" -o plain
for options in -O0 -O1 -O2 -O3 -Os '-O2 -flto'; do
	ok "$options: is built" "$ripcord" c++ -w -g $options "$guest" -o guest
	for which in 0 1 2 3 4 5; do
		expected=released
		[ "$which" = 4 ] && expected='released released'
		is "$options: $which: what was held is released" \
			"$("$ripcord" run --report none ./guest "$which" 2>&1 | xargs)" "$expected"
		is "$options: $which: where nothing faults it is g++'s" "$(./guest "$which" x 2>&1)" "$(./plain "$which" x 2>&1)"
	done
done
finish
