# SPDX-License-Identifier: MIT
# Structures by value, divisions of vectors, complex numbers: GCC makes several accesses and divisions of one
# statement, or takes a call for one that nothing stops. Each function of the guest gets a fault at every
# instruction that can have one, and the guest does what gcc's does.
. tests/tap.bash
. tests/plugin/exact.bash
needs_plugin
guest=$top/tests/plugin/values_guest.c
cd "$work" || exit 1

# A fault in a cleanup is what it is: the audit calls its place masked.
findings() {
	awk '/^[^ ]/ { where = $1 } /^    fault / && !/masked\)/ { print where $0 }'
}

gcc -w -O1 -I"$top/include" "$guest" -o plain -lm
right=$(./plain)
for options in -O0 -O1 -O2 '-O3 -march=x86-64-v3' -Os '-O2 -flto'; do
	ok "$options: is built" "$ripcord" cc -w -g $options "$guest" -o guest -lm
	[ "$options" = '-O3 -march=x86-64-v3' ] && ! grep -q avx2 /proc/cpuinfo && continue
	is "$options: its values" "$(./guest)" "$right"
	said=$("$ripcord" sweep --kind fault guest 2>&1)
	is "$options: each fault runs the cleanups" "$(findings <<<"$said")" ''
	ok "$options: it was swept" grep -q 'fault at' <<<"$said"
done
finish
