# SPDX-License-Identifier: MIT
# includes: each layer includes only what the design's layer list allows it, and what that may.
# One line a layer: NAME: the layers that it may include. Public headers (ripcord/) are open to all.
layers='
base:
cfi: base
lsda: cfi
arch: base
port: arch
unwind: cfi lsda arch port
eh: unwind lsda
stack: arch port
timer: port
fault: arch port
stop: unwind lsda stack fault
ledger: port
report: unwind
core: stop
kill: stop timer
guest: kill ledger report
supervise: base
keeper: guest supervise
program: guest
symbolize:
'
# No system header but these in the pure layers.
pure='base cfi lsda supervise'
pure_headers='stddef.h stdint.h stdbool.h'

src=${1:-src}
number=0
failed=0

check() { # WHAT OFFENDERS
	number=$((number + 1))
	if [ -n "$2" ]; then
		failed=1
		printf 'not '
	fi
	echo "ok $number - $1"
	[ -z "$2" ] || printf '%s\n' "$2" | sed 's/^/# /'
}

direct() { # LAYER: what its line allows
	echo "$layers" | sed -n "s/^$1: *//p"
}

allowed() { # LAYER: itself and everything below it
	local seen=" $1 " todo="$1" next below
	while [ -n "$todo" ]; do
		next=
		for below in $(for layer in $todo; do direct "$layer"; done); do
			case $seen in
			*" $below "*) ;;
			*) seen="$seen$below " next="$next $below" ;;
			esac
		done
		todo=$next
	done
	echo "$seen"
}

# The layer that an included file belongs to: "arch.h" and "layout.h" are found by -Isrc/arch/MACHINE, and a
# name without a folder next to the file that includes it.
layer_of() { # INCLUDED FILE
	case $1 in
	ripcord/*) echo public ;;
	*/*) echo "${1%%/*}" ;;
	*)
		if [ -e "$(dirname "$2")/$1" ]; then
			echo "$2" | sed "s|^$src/||; s|/.*||"
		elif ls "$src"/arch/*/"$1" >/dev/null 2>&1; then
			echo arch
		else
			echo unknown
		fi ;;
	esac
}

offenders() { # LAYER
	local may file included layer
	may=$(allowed "$1")
	grep -rn -E '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$src/$1" |
		sed -E 's/^([^:]*):([0-9]*):.*"([^"]*)".*/\1 \2 \3/' |
		while read -r file line included; do
			layer=$(layer_of "$included" "$file")
			case " public $may " in
			*" $layer "*) ;;
			*) echo "$file:$line: $included is of layer $layer" ;;
			esac
		done
}

foreign_headers() { # LAYER
	local pattern
	pattern=$(echo $pure_headers | sed 's/\./\\./g; s/ /|/g')
	grep -rn -E '^[[:space:]]*#[[:space:]]*include[[:space:]]*<' "$src/$1" | grep -v -E "<($pattern)>"
}

for path in "$src"/*/; do
	layer=$(basename "$path")
	if echo "$layers" | grep -q "^$layer:"; then
		check "$layer includes $(echo $(direct "$layer") | sed 's/^$/nothing/') and what that may" \
			"$(offenders "$layer")"
	else
		check "$layer is in the list of layers" "$path"
	fi
done
for layer in $pure; do
	check "$layer includes no header of the system but $pure_headers" "$(foreign_headers "$layer")"
done
echo "1..$number"
exit $failed
