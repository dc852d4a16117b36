# SPDX-License-Identifier: MIT
# tags: one name is one thing. No two headers of the library define a struct, union or enum of the same name, and no
# source file defines one that a header has. src/core/stop/ is a twin of parts of src/stop/ on purpose: it stands in for
# them where there are no other languages. A tag inside of another structure is one, too.
. tests/tap.bash

# Lines "TAG FILE" of what the files define.
defined() {
	grep -HoE '^\s*(static |typedef )*(struct|union|enum) [a-z_0-9]+ \{' "$@" |
		sed -E 's/^([^:]*):.*(struct|union|enum) ([a-z_0-9]+) \{/\3 \1/' | sort -u
}
# The tags that stand in more than one of those lines.
twice() {
	awk '{ where[$1] = where[$1] " " $2; count[$1]++ } END { for (tag in count) if (count[tag] > 1) print tag where[tag] }' | sort
}
headers=$(find src include -name '*.h' -not -path 'src/core/stop/*')
sources=$(find src -name '*.c' -not -path 'src/core/*')

defined $headers >"$work/headers"
ok "tags are found" grep -qx 'rip_cfi_row src/cfi/cfi.h' "$work/headers"
is "no two headers define one tag" "$(twice <"$work/headers")" ''
defined $sources | awk 'NR == FNR { header[$1] = $2; next } $1 in header { print $1, header[$1], $2 }' "$work/headers" - >"$work/both"
is "no source defines one that a header has" "$(cat "$work/both")" ''
printf 'struct other {\n\tstruct rip_cfi_row {\n\t} row;\n};\n' >"$work/other.h"
is "a second one would be seen" "$(defined $headers "$work/other.h" | twice | cut -d' ' -f1)" rip_cfi_row
finish
