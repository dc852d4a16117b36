# The documents: links lead somewhere, folders exist, and nothing in them is bound to one machine.
. tests/tap.bash

documents=$(ls ./*.md docs/*.md docs/design/*.md tests/fixtures/*.md)

broken_links() {
	local document link
	for document in $documents; do
		grep -o '](\([^)#]*\)[^)]*)' "$document" | sed 's/^](//; s/[#)].*//' | while read -r link; do
			[ -z "$link" ] || [ -e "$(dirname "$document")/$link" ] || echo "$document: $link"
		done
	done
}
is "links lead to files" "$(broken_links)" ""

# The overview stays one: what a part needs more room for goes to its page.
ok "ARCHITECTURE.md has at most 200 lines" test "$(wc -l <ARCHITECTURE.md)" -le 200
unlisted_pages() {
	local page
	for page in docs/design/*.md; do
		[ "$page" = docs/design/README.md ] || grep -q "](${page#docs/design/})" docs/design/README.md || echo "$page"
	done
}
is "each page of the design is in its list" "$(unlisted_pages)" ""

# The layer list: exactly what is there, and what is not is marked as planned.
layers() {
	sed -n '/^## Layers/,/^## /p' ARCHITECTURE.md | sed -n 's/^    \([a-z0-9_\/]*\)\/  .*/\1 &/p'
}
wrong_layers() {
	local folder line
	layers | while read -r folder line; do
		case $line in
		*'(planned)'*) [ ! -e "$folder" ] || echo "$folder exists: it is not planned any more" ;;
		*) [ -d "$folder" ] || echo "$folder does not exist" ;;
		esac
	done
	for folder in $(ls -d src/*/ tools/*/ | grep -v -e src/arch/) src/arch/*/ src/port/*/; do
		layers | grep -q "^${folder%/} " || echo "$folder is not in the list"
	done
}
ok "the layer list was found" test "$(layers | wc -l)" -gt 20
is "the layer list is true" "$(wrong_layers)" ""

missing_files() {
	local name
	grep -oh '`\(src\|tests\|examples\|scripts\|include\|man\|tools\|build\)/[A-Za-z0-9_./-]*`' $documents | tr -d '`' | sort -u |
		while read -r name; do
			case $name in build/* | tests/AREA/*) continue ;; esac
			[ -e "$name" ] || echo "$name"
		done
}
is "files that are named are there" "$(missing_files)" ""
is "no address of a registry, no path of one machine" \
	"$(grep -nE 'registry\.|https?://|/(home|tmp|work|root)/' $documents)" ""
is "lines are not too long" "$(awk 'length > 120 && !/\|/ { print FILENAME ": " FNR }' $documents)" ""
finish
