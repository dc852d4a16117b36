# SPDX-License-Identifier: MIT
# Programs that nobody stops print what gcc's build of them prints, by themselves and as guests: random ones,
# and some of csmith's, where that is installed. And the comparison sees a difference. `make fuzz-plain` goes on.
. tests/tap.bash
needs_plugin
export RIPCORD=$ripcord GENERATE=$(realpath "$build/fuzz/exact/generate") TOP=$top
plain() { # OPTIONS...: the total's line
	perl "$top/tests/fuzz/exact/plain.pl" "$@" >"$work/log" 2>&1
	sed 's/^/# /' "$work/log" >&2
	tail -n 1 "$work/log"
}
n=${PLAIN_PROGRAMS:-6}
is "C and C++" "$(plain --first 4000 --count "$n" 2>&1 | tail -n 1)" \
	"programs $n, left out 0, not as a guest 0, findings 0"
if command -v csmith >"$work/ok.log"; then
	is "csmith" "$(plain --csmith --first 4000 --count $((n / 2)) 2>&1 | tail -n 1 |
		grep -o 'findings .*')" "findings 0"
fi

# These two ended in an internal error of GCC's: values left loops otherwise than by phis.
is "C, -O2, vectorized" "$(plain --c --first 1000725 --count 1 --options -O2 2>/dev/null | grep -o 'findings .*')" \
	"findings 0"
is "C, -Ofast" "$(plain --c --first 1000683 --count 1 --options -Ofast 2>/dev/null | grep -o 'findings .*')" "findings 0"

# A command that compiles otherwise is found out: by its output, its status, its errors.
mkdir "$work/programs"
echo '#include <stdio.h>
#ifndef WHAT
#define WHAT 1
#endif
int main(void) { return printf("%d\n", WHAT) != 2; }' >"$work/programs/a.c"
cat >"$work/other" <<'END'
#!/bin/sh
case $1 in
cc) shift; exec gcc -DWHAT=$WHAT "$@" ;;
run) shift; exec "$@" ;;
esac
END
chmod +x "$work/other"
for what in 10 2 no_such_thing; do
	[ "$what" = no_such_thing ] && findings=1 || findings=2
	is "$what: is found" \
		"$(RIPCORD=$work/other WHAT=$what plain --run --options -O0 "$work/programs" 2>/dev/null |
		grep -o 'findings .*')" "findings $findings"
done
finish
