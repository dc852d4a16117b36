# SPDX-License-Identifier: MIT
# As tests/sweep/exact.sh, for one language at some levels. After tests/tap.bash and tests/sweep/exact.bash.
sweep_levels() { # LANGUAGE OPTIONS...
	local language=$1 options
	shift
	for options; do
		build_exact $language "$options" "$work/guest.so" || ok "$language $options is built" false
		kills_are_clean "$language $options" "$work/guest.so"
		"$ripcord" sweep --json --kind fault --entry entry "$work/guest.so" >"$work/json"
		is "$language $options: no fault hangs, ends the process or stays on its stack" \
			"$(json 'scalar grep { $_->{found} =~ /hung|died|not unwound/ } @{$d->{findings}}' <"$work/json")" 0
	done
}
