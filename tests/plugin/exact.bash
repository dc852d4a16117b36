# SPDX-License-Identifier: MIT
# Builds the guests of the exactness tests, and sweeps them. After tests/tap.bash.
sweep=$build/tests/plugin/exact/sweep
guests=$top/tests/plugin/exact
export GLIBC_TUNABLES=glibc.malloc.tcache_count=0

build_guest() { # LANGUAGE OPTIONS INTO
	local command=cc source=guests.c
	[ "$1" = c ] || command=c++ source=guests.cc
	"$ripcord" "$command" $2 -g -w -shared -Wl,-z,undefs "$guests/$source" -o "$3"
}

field() { # NAME LINE: the number that follows the name
	sed -n "s/.*\<$1 \([0-9]*\).*/\1/p" <<<"$2"
}

# Every kill finds its place, and leaves nothing behind.
sweep_clean() { # NAME GUEST LANDINGS_MIN [MODE]
	local line
	line=$(VERBOSE=1 limit 500 "$sweep" "$2" $4 2>"$work/trouble")
	head -n 5 "$work/trouble" | sed 's/^/# /'
	echo "# $1: $line"
	is "$1: held, twice, trouble, other; ended well" \
		"$(field held "$line") $(field twice "$line") $(field trouble "$line") $(field other "$line") $(field whole "$line")" \
		'0 0 0 0 1'
	ok "$1: at least $3 kills landed" test "$(field landings "$line")" -ge "$3"
}
