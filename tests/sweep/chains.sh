# SPDX-License-Identifier: MIT
# Cleanups and handlers in one landing pad, in C++ at five levels: whatever stops there, and wherever, each resource
# is released once, and the guest does not go on.
. tests/tap.bash
[ -z "$SAN" ] || skip_all "built without the sanitizers"
[ -f "$build/lib/ripcord/ripcord_plugin.so" ] || skip_all "the plugin is not built"

tool=$build/bin/ripcord
for level in O0 O1 O2 O3 Os; do
	"$tool" c++ -std=gnu++17 -g -$level tests/sweep/chains_guest.cc -o "$work/$level" 2> "$work/$level.log" &
done
wait
for level in O0 O1 O2 O3 Os; do
	"$tool" sweep --kind kill,fault "$work/$level" > "$work/out" 2>&1
	is "-$level: $(sed -n '1s/^[^:]*: //p' "$work/out")" "$(tail -1 "$work/out")" "nothing was found"
done
finish
