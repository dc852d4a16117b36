# SPDX-License-Identifier: MIT
# Random programs in C, at random levels and flags: they print what gcc's build prints, and no kill at any of their
# instructions leaves anything or releases anything twice. `make fuzz-exact` goes on from here.
. tests/tap.bash
needs_plugin

RIPCORD=$ripcord GENERATE=$(realpath "$build/fuzz/exact/generate") TOP=$top \
	perl "$top/tests/fuzz/exact/search.pl" --c --first 100 --count 5 --kinds kill --no-reduce >"$work/found" 2>&1
is "nothing was found in 5 programs" "$? $(grep -o 'programs 5, .*findings [0-9]*' "$work/found" | sed 's/stops [0-9]*, //')" \
	"0 programs 5, findings 0"
sed 's/^/# /' "$work/found"
ok "they were stopped tens of thousands of times" test "$(sed -n 's/.*stops \([0-9]*\),.*/\1/p' "$work/found")" -gt 10000
finish
