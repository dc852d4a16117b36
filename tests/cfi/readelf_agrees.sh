# SPDX-License-Identifier: MIT
# readelf_agrees: every row of the C and C++ libraries is what readelf's own interpreter prints.
build=${BUILD:-build}
command -v readelf >/dev/null || { echo "1..0 # SKIP there is no readelf here"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

${CC:-gcc} -std=gnu11 -g -D_GNU_SOURCE ${SAN:+-fsanitize=$SAN} -Iinclude -Isrc tests/cfi/rows_lib.c \
	"$build/lib/libripcord.a" -o "$work/rows" || exit 1

# readelf's tables as `function row CFA column=rule...`; of rows at one place the last counts.
canonical='
function flush() { if (row != "") print row; row = "" }
$4 == "FDE" { flush(); split($0, part, "pc="); function_start = substr(part[2], 1, 16); next }
$4 == "CIE" { flush(); function_start = ""; next }
$1 == "LOC" { flush(); columns = NF; for (i = 3; i <= NF; i++) name[i] = $i; next }
function_start != "" && $1 ~ /^[0-9a-f]+$/ && length($1) == 16 && NF == columns {
	if ($1 "" != place "") flush() # as strings: 0e0120 is not 0
	place = $1
	row = function_start " " $1 " " $2
	for (i = 3; i <= NF; i++) if ($i != "u" && $i != "s") row = row " " name[i] "=" $i
}
END { flush() }'

# readelf prints no row for a function that has only its CIE's: such functions must have one row here.
compare='
NR == FNR { shown[$1] = 1; next }
$1 in shown || /^failed/ { print; next }
++alone[$1] > 1 { print "more than one row, unlike readelf: " $0 }'

number=0
for file in "$(${CC:-gcc} -print-file-name=libc.so.6)" "$(${CC:-gcc} -print-file-name=libstdc++.so.6)" \
	"$(${CC:-gcc} -print-file-name=libgcc_s.so.1)"; do
	[ -f "$file" ] || continue
	number=$((number + 1))
	# A register stands as `r1 (rdx)`.
	readelf --debug-dump=frames-interp "$file" 2>/dev/null |
		sed -E 's/ r[0-9]+ \((\w+)\)/ \1/g' | awk "$canonical" >"$work/theirs"
	"$work/rows" "$file" >"$work/ours" || echo "failed" >>"$work/ours"
	awk "$compare" "$work/theirs" "$work/ours" >"$work/compared"
	if [ "$(wc -l <"$work/theirs")" -gt 1000 ] &&
		diff <(sort "$work/theirs") <(sort "$work/compared") >"$work/diff"; then
		echo "ok $number - $(wc -l <"$work/theirs") rows of $(basename "$file")"
	else
		echo "not ok $number - rows of $(basename "$file")"
		head -20 "$work/diff" | sed 's/^/# /'
	fi
done
echo "1..$number"
