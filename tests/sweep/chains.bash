# SPDX-License-Identifier: MIT
# For chains.sh here and below all/: sweeps of what C++'s handlers make of a stop.
[ -z "$SAN" ] || skip_all "built without the sanitizers"
[ -f "$build/lib/ripcord/ripcord_plugin.so" ] || skip_all "the plugin is not built"
tool=$build/bin/ripcord

# Each of the levels, for the KINDs of stops: nothing is found.
sweep_guest() { # NAME KINDS LEVEL...
	local name=$1 kinds=$2 level; shift 2
	for level in "$@"; do
		"$tool" c++ -std=gnu++20 -g "-$level" "tests/sweep/${name}_guest.cc" -o "$work/$name-$level" 2> "$work/$level.log" &
	done
	wait
	for level in "$@"; do
		"$tool" sweep --kind "$kinds" "$work/$name-$level" > "$work/out" 2>&1
		is "$name -$level: $(sed -n '1s/^[^:]*: //p' "$work/out")" "$(grep -x 'nothing was found' "$work/out" || tail -1 "$work/out")" \
			"nothing was found"
	done
}
