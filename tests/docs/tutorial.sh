# SPDX-License-Identifier: MIT
# The tutorial: each command prints what the page says, each change applies, and the result is the example. Numbers may differ,
# but for the program's lines. UPDATE=1 writes what is printed to the page instead.
. tests/tap.bash
needs_plugin
page=$top/docs/tutorial.md
cp "$top"/examples/tutorial/* "$work"
cd "$work" || exit 1
PATH=$build/bin:$PATH

# Code blocks become files: NUMBER.diff, NUMBER.console.
awk '/^```[a-z]/ { kind = substr($0, 4); file = sprintf("%02d.%s", ++n, kind); printf "" >file; next }
	/^```$/ { file = ""; next } file { print >file }' "$page"
ok "there are changes and commands" test "$(ls ./*.diff | wc -l)/$(ls ./*.console | wc -l)" = 5/7

same_but_for_numbers() {
	perl -pe 's{(tally\.c:\d+)|\d+}{$1 // "N"}ge; s/ +/ /g' "$1"
}
run_commands() { # a block, to $1.got
	local line
	grep '^\$ ' "$1" | while IFS= read -r line; do
		echo "$line"
		bash -c "${line#??}" 2>&1 </dev/null
	done >"$1.got"
}
update() { # BLOCK: its text in the page
	perl -0777 -i -pe 'BEGIN { local $/; open A, shift; $old = <A>; open B, shift; $new = <B> }
		s/(?<=```console\n)\Q$old\E(?=```)/$new/' "$1" "$1.got" "$page"
}
for block in $(ls ./*.diff ./*.console | sort); do
	case $block in
	*.diff) ok "$block applies" patch -s tally.c "$block" ;;
	*) run_commands "$block"
		[ -z "$UPDATE" ] || update "$block"
		is "$block prints what the page says" "$(same_but_for_numbers "$block.got")" \
			"$(same_but_for_numbers "$([ -z "$UPDATE" ] && echo "$block" || echo "$block.got")")" ;;
	esac
done
finish
