# SPDX-License-Identifier: MIT
# As tests/sweep/exact.sh, at all levels.
. tests/tap.bash
. tests/sweep/exact.bash
. tests/sweep/levels.bash
needs_plugin

sweep_levels c -O0 -O1 -O2 -O3 -Os '-O2 -flto'
"$ripcord" sweep --json --kind exit,overflow --entry entry "$work/guest.so" >"$work/json"
is "exits and overflows: none hangs or ends the process" \
	"$(json 'scalar grep { $_->{found} =~ /hung|died/ } @{$d->{findings}}' <"$work/json")" 0
finish
