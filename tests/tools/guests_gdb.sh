# SPDX-License-Identifier: MIT
# guests_gdb: gdb's `info guests` finds every guest, in pools of all kinds, and says what is true of it; `guest N` stands
# where a suspended one does, with its frames, lines and locals, and changes nothing; the same from a core file.
build=${BUILD:-build}
program=$build/tests/tools/guests
command -v gdb >/dev/null || { echo "1..0 # SKIP there is no gdb here"; exit 77; }
[ -z "$SAN" ] || { echo "1..0 # SKIP the sanitizers' own runtime is in the way"; exit 77; }
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
script=$build/lib/libripcord.so-gdb.py
debug() { # ARGUMENT...
	gdb -batch -nx -ex 'set debuginfod enabled off' -ex 'set width 0' "$@" 2>&1
}
out=$(debug -x "$script" -ex 'handle SIGSEGV nostop noprint pass' -ex 'echo @0\n' -ex 'info guests' \
	-ex 'break here' -ex run -ex continue -ex 'echo @1\n' -ex 'info guests' \
	-ex 'echo @2\n' -ex 'guest 1' -ex bt -ex 'frame function fisher' -ex 'info locals' -ex guest \
	-ex 'echo @3\n' -ex 'guest 2' -ex bt -ex 'info locals' \
	-ex 'echo @4\n' -ex 'guest 8' -ex bt \
	-ex 'echo @5\n' -ex 'guest 7' -ex bt -ex 'thread' \
	-ex 'echo @6\n' -ex 'thread 1' -ex 'guest 5' -ex 'bt -no-filters' \
	-ex 'echo @7\n' -ex 'guest 4' -ex 'guest 99' -ex 'guest x' \
	-ex 'echo @8\n' -ex 'guest 1' -ex 'guest 0' -ex bt -ex guest \
	-ex 'echo @9\n' -ex 'guest 2' \
	-ex continue -ex 'echo @10\n' -ex guest -ex 'info guests' "$program")
case $out in
*ptrace*) echo "1..0 # SKIP gdb may not trace here"; exit 77 ;;
esac

number=0
in_part() { # PLACE
	echo "$out" | awk -v place="@$1" '/^@/ { on = $0 == place; next } on'
}
verdict() { # STATUS NAME PLACE
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		in_part "$3" | sed 's/^/# /'
	fi
}
has() { # PLACE NAME LINE...: each a whole line, as an extended regular expression
	place=$1 name=$2 status=0
	shift 2
	for line; do
		in_part "$place" | grep -q -x -E -e "$line" || { status=1; echo "# without: $line"; }
	done
	verdict $status "$name" "$place"
}
frames() { # PLACE NAME FUNCTIONS: all of them, in this order, but for the library's
	found=$(in_part "$1" | grep '^#' | sed -E 's/^#[0-9]+ +(0x[0-9a-f]+ in )?([^ ]+) .*/\2/' |
		grep -v -E '^rip_(yield|stop_yield)$' | tr '\n' ' ')
	[ "$found" = "$3 " ]
	verdict $? "$2: $found" "$1"
}
at() { # TEXT: the line of the test program that it stands in
	grep -n -F -e "$1" tests/tools/guests.c | head -n 1 | cut -d: -f1
}

has 0 "before the program runs" 'The program is not being run\.'
has 1 "all guests, in all pools, in all states" \
	" +1 +yielded +wait_for_fish at tests/tools/guests.c:$(at 'rip_yield(NULL, caught')" \
	" +2 +stopped +fault +break_cup at tests/tools/guests.c:$(at '*null_pointer = left')" \
	' +3 +new *' ' +4 +ended +returned *' \
	" +5 +running +1 +nester at tests/tools/guests.c:$(at 'rip_run(inner, looker')" \
	" +6 +running +1 +here at tests/tools/guests.c:$(at 'sink++')" ' +7 +running +2 .*' ' +8 +yielded +wait_for_fish .*'
[ "$(in_part 1 | wc -l)" = 9 ]
verdict $? "and no others" 1
has 2 "where a yielded guest stands" '\[Guest 1: yielded\]' 'boat = 20' '\[Standing in guest 1\]'
frames 2 "its frames, and one that was chosen" "wait_for_fish fisher rip_arch_enter fisher"
has 3 "a stopped one" '\[Guest 2: stopped fault\]' 'left = 7' '#1 .* break_cup \(pieces=pieces@entry=7\) .*'
frames 3 "its frames" "break_cup break_cup breaker rip_arch_enter"
frames 4 "a large stack's frames" "wait_for_fish fisher rip_arch_enter"
has 5 "one that runs on another thread" '\[Guest 7: running\]' '\[Current thread is 2 .*'
in_part 5 | grep -q -E '^#[0-9]+ .*runner'
verdict $? "its frames" 5
has 6 "one that waits for another" '\[Guest 5: running\]' '#[0-9]+ .* nester .*' '#[0-9]+ +main .*'
has 7 "what cannot be" 'Guest 4 is ended: it stands nowhere\.' 'There is no guest 99; see info guests\.' \
	'guest N, or guest 0 for the thread\.'
has 8 "back to the thread" '#0 +here .*' '\[Standing in no guest\]'
has 10 "the program went on, undisturbed" '\[Standing in no guest\]' 'No guests\.'

# gdb's own gcore ends a mapping at its first page that cannot be read, so there are no guard markers in this one. The
# kernel writes both kinds.
debug -x "$script" -ex 'handle SIGSEGV nostop noprint pass' -ex 'break main' -ex run \
	-ex 'set var *(char *)&rip_stack_no_markers = 1' -ex 'break here' -ex continue -ex continue -ex "gcore $dir/core" \
	"$program" > "$dir/log"
if [ -s "$dir/core" ]; then
	out=$(debug -x "$script" -ex 'echo @1\n' -ex 'info guests' -ex 'echo @2\n' -ex 'guest 1' -ex bt \
		-ex 'frame function fisher' -ex 'info locals' -ex 'guest 0' "$program" "$dir/core")
	has 1 "a core file: all guests" ' +1 +yielded +wait_for_fish .*' ' +2 +stopped +fault +break_cup .*' \
		' +5 +running +[12] .*' ' +6 +running +[12] +here .*' ' +8 +yielded +wait_for_fish .*'
	frames 2 "a core file: one's frames" "wait_for_fish fisher rip_arch_enter fisher here"
	has 2 "a core file: one's locals, and back" 'boat = 20' '#0 +here .*'
else
	echo "# no core file could be written"
fi

out=$(debug -iex "add-auto-load-safe-path $(realpath "$build")/lib" -ex 'break main' -ex run -ex 'echo @1\n' \
	-ex 'info guests' --args "$build/bin/ripcord")
has 1 "loaded with the library" 'No guests\.'
echo "1..$number"
