# SPDX-License-Identifier: MIT
# 192 random programs in C and 8 in C++, a fixed set, at random levels and flags: they print what gcc's build prints, and
# what is stopped at any of their instructions leaves nothing and releases nothing twice, but for the caveats that the
# search knows by rule (docs/exactness.md). `make fuzz-exact` goes on from here.
. tests/tap.bash
needs_plugin

export RIPCORD=$ripcord TOP=$top
GENERATE=$(realpath "$build/fuzz/exact/generate")
export GENERATE
search() { perl "$top/tests/fuzz/exact/search.pl" --small --no-reduce --kinds kill,fault "$@"; }

{
	search --c --first 100 --count 96
	search --cxx --first 1 --count 4
} >"$work/1" 2>&1 &
{
	search --c --first 196 --count 96
	search --cxx --first 5 --count 4
} >"$work/2" 2>&1 &
wait
# The sum of what stands before or behind a word in the lines of totals.
number() {
	sed -n "s/^programs.* $1 \([0-9]*\).*/\1/p; s/^$1 \([0-9]*\),.*/\1/p" "$work"/[12] | awk '{ n += $1 } END { print n }'
}
is "so many programs were built, run and stopped" "$(number programs)" 200
is "nothing was found" "$(number findings)" 0
cat "$work"/[12] | sed 's/^/# /'
ok "they were stopped a hundred thousand times" test "$(number stops)" -gt 100000
finish
