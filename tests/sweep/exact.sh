# SPDX-License-Identifier: MIT
# ripcord sweep over the guests of the exactness tests: all kills, all faults.
. tests/tap.bash
. tests/sweep/exact.bash
needs_plugin

for language in c cxx; do
	build_exact $language -O2 "$work/$language.so" || ok "$language is built" false
	kills_are_clean "$language" "$work/$language.so"
	"$ripcord" sweep --json --kind fault --entry entry "$work/$language.so" >"$work/json" 2>"$work/err"
	is "$language: all faults: done" "$(json '($d->{stops}{fault} == $d->{candidates}{fault}) . " $d->{left}"' <"$work/json")" '1 0'
	ok "$language: more than a hundred" test "$(json '$d->{stops}{fault}' <"$work/json")" -gt 100
	echo "# $language: $(json '"$d->{stops}{fault} faults, $d->{instructions} instructions, findings at " . @{$d->{findings}} . " lines"' <"$work/json")"
done
finish
