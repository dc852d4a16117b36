# SPDX-License-Identifier: MIT
# As tests/sweep/exact.sh, at all levels; and how the sweep's faults and the audit's windows fit together.
. tests/tap.bash
. tests/sweep/exact.bash
has_plugin || exit 77

for language in c cxx; do
	for options in -O0 -O1 -O2 -O3 -Os '-O2 -flto'; do
		build_exact $language "$options" "$work/guest.so" || ok "$language $options is built" false
		kills_are_clean "$language $options" "$work/guest.so"
		"$ripcord" sweep --json --kind fault --entry entry "$work/guest.so" >"$work/json"
		is "$language $options: no fault hangs, ends the process or stays on its stack" \
			"$(json 'scalar grep { $_->{found} =~ /hung|died|not unwound/ } @{$d->{findings}}' <"$work/json")" 0
		echo "# $language $options: stops by fault that left something, by what the audit says: $(json 'my %h; $h{$_->{audit} // "unknown"} += $_->{times}
			for @{$d->{findings}}; join ", ", map { "$_ $h{$_}" } sort keys %h' <"$work/json")"
	done
done
"$ripcord" sweep --json --kind exit,overflow --entry entry "$work/guest.so" >"$work/json"
is "exits and overflows: none hangs or ends the process" \
	"$(json 'scalar grep { $_->{found} =~ /hung|died/ } @{$d->{findings}}' <"$work/json")" 0
finish
