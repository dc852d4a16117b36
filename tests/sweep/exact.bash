# SPDX-License-Identifier: MIT
# Builds the guests of the exactness tests for `ripcord sweep`. After tests/tap.bash.
guests=$top/tests/plugin/exact

gcc -shared -fPIC -O1 -fexceptions -I"$top/include" "$top/tests/sweep/exact_lib.c" -o "$work/libexact.so" || exit 1

build_exact() { # LANGUAGE OPTIONS INTO
	local command=cc source=guests.c
	[ "$1" = c ] || command=c++ source=guests.cc
	"$ripcord" "$command" $2 -g -w -shared "$guests/$source" -o "$3" -L"$work" -lexact -Wl,-rpath,"$work"
}

json() { # EXPRESSION: of $d, the object on standard input
	perl -MJSON::PP -e 'local $/; my $d = decode_json(<STDIN>); print eval $ARGV[0]' "$1"
}

# All kills, counted by what they say of themselves.
kills_are_clean() { # NAME GUEST
	limit 500 "$ripcord" sweep --json --kind kill --entry entry "$2" >"$work/json" 2>"$work/err"
	is "$1: exit status of all kills" $? 0
	head -c 600 "$work/err" | sed 's/^/# /'
	is "$1: each instruction was killed at, nothing was found" \
		"$(json '($d->{stops}{kill} == $d->{instructions}) . " " . @{$d->{findings}} . " $d->{left} $d->{ended}"' <"$work/json")" \
		'1 0 0 returned'
	ok "$1: at least 40 places where they land, at most a thousand instructions after the last" \
		test "$(json '$d->{places} >= 40 && $d->{after_last_place} < 1000 ? 1 : 0' <"$work/json")" = 1
}
