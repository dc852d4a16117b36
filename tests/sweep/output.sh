# SPDX-License-Identifier: MIT
# ripcord sweep: what it finds, options, formats, exit statuses, one stop again. More of what it says: tests/sweep/told.sh.
. tests/tap.bash
. tests/sweep/exact.bash
needs_plugin
cd "$work" || exit 1
"$ripcord" cc -O1 -g -I"$top/include" -shared "$top/tests/sweep/leaky_data.c" -o leaky.so || exit 1
sweep() { "$ripcord" sweep "$@"; }
found() { json 'join "\n", sort map { "$_->{function} $_->{stop} $_->{found} $_->{what}" } @{$d->{findings}}' | sort -u; }

# --- What is found
is "leaks are found" "$(status sweep --json leaky.so)" 1
found <out >found
expect() { ok "$1" grep -qx "$2" found; }
expect "memory by a kill" 'leaks_memory kill reclaimed 1 memory'
expect "memory by a fault in what it calls" 'read_it fault reclaimed 1 memory'
expect "a lock by a kill" 'leaks_lock kill reclaimed 1 mutex'
expect "a lock by a fault" 'leaks_lock fault reclaimed 1 mutex'
expect "a descriptor that is closed twice" 'closes_twice kill released twice descriptor that is not open'
expect "a kind of its own, by a kill" 'leaks_own kill leaked session 7'
expect "the same by a fault" 'leaks_own fault leaked session 7'
expect "the host's invariant" 'breaks_check kill check failed ripcord_check()'
is "no kill in what is safe" "$(grep -c '^safe kill' found)" 0
is "nor a fault outside of its cleanups" "$(sweep --kind fault leaky.so safe | grep '^safe' | grep -vc 'cleanup\.h')" 0
is "a clean guest" "$(status sweep --kind kill leaky.so safe)" 0
is "says so" "$(grep -c '^nothing was found$' out)" 1
is "what the ledger takes back may be wanted" "$(status sweep --json --ledger leaky.so; found <out | grep -c reclaimed)" '1
0'
is "a cleanup that does not end" "$(status sweep --json --kind kill --limit 300 leaky.so hang; found <out)" '1
hangs kill hung not over in time'
is "the guest's own output is not shown" "$(sweep --kind kill leaky.so | grep -cx '[0-9]*')" 0

# --- A cleanup that faults: on its way out of a scope the guest must not go on behind it
cat >faults.c <<'E1'
#include <stdlib.h>
#include <unistd.h>
static int *bad = (int *)8;
static inline void drop(int **p) { *bad = 1; free(*p); }
__attribute__((noinline)) int leave(int n) { __attribute__((cleanup(drop))) int *p = malloc(8); *p = n; return *p; }
int main(void) { static int n; leave(8); if (n++ < 3) write(1, "went on\n", 8); return n; }
E1
for level in -O0 -O1 -O2 -O3 -Os; do
	"$ripcord" cc $level -g -w -shared faults.c -o faults.so
	is "$level: a fault in a cleanup stops the guest" "$(status "$ripcord" run faults.so; cat out)" 139
done

# --- One stop again
command=$(sweep --kind fault leaky.so | sed -n '/^leaks_own/,/replay/p' | sed -n 's/^    \(ripcord sweep --replay .*\)/\1/p' | head -1)
is "its command" "$(echo "$command" | sed 's/[0-9][0-9]*/N/')" 'ripcord sweep --replay N:fault leaky.so'
is "does it again" "$(PATH=$build/bin:$PATH status $command; cat out)" '1
leaked: session 7'
is "an instruction that there is not" "$(status sweep --replay 99999999:kill leaky.so)" 2
is "one that is clean" "$(status sweep --replay 0:kill leaky.so safe; tail -1 out)" '0
nothing was found'
if command -v gdb >/dev/null && gdb -batch -ex run --args true >/dev/null 2>&1; then
	is "under gdb from the start: refused" "$(PATH=$build/bin:$PATH gdb -batch -ex run --args $command 2>&1 </dev/null | grep -c 'not under a debugger')" 1
	mkfifo waiting
	PATH=$build/bin:$PATH ${command/--replay/--wait --replay} >replayed 2>waiting &
	exec 3<waiting # open until it has said all
	read -r attach <&3
	eval "$attach -batch -ex backtrace -ex 'handle SIGSEGV nostop noprint pass' -ex continue" >gdb.out 2>&1 </dev/null
	wait
	ok "--wait: gdb sees the guest right before the stop" eval 'grep -q "ripcord_sweep_here" gdb.out && grep -q " leaks_own " gdb.out'
	is "and the stop is found as without" "$(cat replayed)" 'leaked: session 7'
	is "and reported" "$(grep -c '^ripcord: guest stopped by a fault: SIGSEGV' <&3)" 1
	exec 3<&-
fi

# --- How many
number() { json "\$d->{stops}{$1}"; }
sweep --json --kind kill,fault leaky.so >all.json
kills=$(number kill <all.json) faults=$(number fault <all.json)
is "every instruction is killed at" "$kills" "$(json '$d->{instructions}' <all.json)"
is "--every 7" "$(sweep --json --every 7 --kind fault leaky.so | number fault)" $(((faults + 6) / 7))
is "--random 10" "$(sweep --json --random 10 --kind kill,fault leaky.so | json '"$d->{stops}{kill} $d->{stops}{fault}"')" '10 10'
sweep --random 10 --seed 5 --kind fault leaky.so >first
sweep --random 10 --seed 5 --kind fault --jobs 1 leaky.so >second
ok "the same seed: the same stops, whatever the number of processes" diff first second
is "--in" "$(sweep --json --in leaks_own --kind fault leaky.so | found | cut -d' ' -f1 | sort -u)" leaks_own
is "--in: no such function" "$(status sweep --in nothing leaky.so; cat err)" '2
ripcord: sweep: --in: leaky.so has no function nothing'
ok "--any-fault: more of them" test "$(sweep --json --any-fault --kind fault leaky.so safe | number fault)" -gt \
	"$(sweep --json --kind fault leaky.so safe | number fault)"
is "exit: only at calls, and what is held is found" \
	"$(sweep --json --kind exit leaky.so | found | grep -cx 'leaks_memory exit reclaimed 1 memory')" 1
is "exit: what is safe leaves what a cleanup was releasing" \
	"$(sweep --json --kind exit leaky.so safe | json 'join " ", sort keys %{{map { ("$_->{found} $_->{audit}" => 1) } @{$d->{findings}}}}')" \
	'reclaimed masked'
is "overflow: it runs on to a poll, and what is held there is found" \
	"$(sweep --json --kind overflow leaky.so | found | grep -cx 'leaks_own overflow leaked session 7')" 1
is "overflow: in what is safe nothing is left" "$(status sweep --kind overflow leaky.so safe; tail -1 out)" '0
nothing was found'
command=$(sweep --kind overflow leaky.so | sed -n 's/^    \(ripcord sweep --replay .*\)/\1/p' | head -1)
is "the kernel makes it: the report has its address, right below the stack pointer" \
	"$(PATH=$build/bin:$PATH $command 2>&1 | grep -c -e '^ripcord: guest stopped by a stack overflow' -e 'of address 0x')" 2

is "--from: the same stops, counted from there" \
	"$(sweep --json --from leaks_own --kind fault leaky.so | found | cut -d' ' -f1 | sort -u | tr '\n' ' ')" 'breaks_check leaks_own '
is "--from: and one of them again" \
	"$(command=$(sweep --from leaks_own --kind fault leaky.so | sed -n 's/^    \(ripcord sweep --replay .*\)/\1/p' | head -1)
	echo "$command" | grep -c -- '--from leaks_own'; PATH=$build/bin:$PATH status $command; cat out)" '1
1
leaked: session 7'
is "--from: a function that is never called" "$(status sweep --from hangs leaky.so; cat err)" '125
ripcord: sweep: leaky.so: hangs was not called'
command=$(sweep --any-fault --kind fault --in leaks_own leaky.so | sed -n 's/^    \(ripcord sweep --replay .*\)/\1/p' | head -1)
is "--any-fault is in the command that does one again" "$(PATH=$build/bin:$PATH status $command)" 1

# --- Misuse
is "an unknown option" "$(status sweep --frob leaky.so)" 2
is "no guest" "$(status sweep)" 2
is "no such guest" "$(status sweep nothing.so)" 2
is "an unknown kind" "$(status sweep --kind kill,x leaky.so; cat err)" '2
ripcord: sweep: --kind: "x" is not kill, fault, overflow or exit'
is "a number that is none" "$(status sweep --every 0 leaky.so)" 2
is "a missing value" "$(status sweep --every)" 2
is "a replay that is none" "$(status sweep --replay 5 leaky.so)" 2
is "--json with --html" "$(status sweep --json --html leaky.so)" 2
is "--wait without --replay" "$(status sweep --wait leaky.so)" 2
is "a switch with a value" "$(status sweep --json=1 leaky.so)" 2
is "an option with =" "$(sweep --json --every=7 --kind=fault leaky.so | number fault)" $(((faults + 6) / 7))
is "--random with --every" "$(status sweep --random 5 --every 5 leaky.so)" 2
is "--help" "$(sweep --help | head -1)" 'usage: ripcord sweep [OPTION...] GUEST.so [ARGUMENT...]'
is "a result that cannot be written" "$(sweep --kind kill leaky.so >/dev/full 2>/dev/null; echo $?)" 125

# --- The page
sweep --html leaky.so >page.html
is "HTML needs nothing else" "$(grep -ciE 'src=|href=|url\(|@import|<script' page.html)" 0
line() { sed -n "s/<\/span>/&\n/g; s/<pre>/&\n/g; p" page.html | grep -F "$1" | sed 's/<span class="\([a-z]*\)".*/\1/' | head -1; }
is "a line that leaks by a kill" "$(line 'RIP_POLL();')" leak
is "one that does by a fault only" "$(line 'return *number;')" window
is "one that does not" "$(line '*number += read_it(number) + fd;')" safe

# --- On a terminal, and when interrupted
is "no progress when piped" "$(sweep --kind kill leaky.so 2>&1 >/dev/null | wc -c)" 0
is "on a terminal" "$(script -qec "'$ripcord' sweep --kind kill,fault leaky.so" /dev/null </dev/null | grep -c 'stops done, .* left')" 1
"$ripcord" sweep --kind kill --limit 600000 leaky.so hang >out 2>err &
sweeping=$!
until [ "$(readlink /proc/$sweeping/exe)" = "$(realpath "$ripcord")" ]; do :; done # the shell's copy would clean up
# The copies hang, so there is one as soon as stops are made: a child of a child.
children() { cat /proc/$1/task/$1/children 2>/dev/null; }
until for worker in $(children $sweeping); do children $worker; done | grep -q .; do :; done
kill -INT $sweeping
wait $sweeping
is "interrupted: it ends, with what it has" "$? $(grep -c '^interrupted: [0-9]* stops left$' out)" '130 1'

# --- The manual page's example
example=$(sed -n '/^\.Bd -literal/,/^\.Ed/p' "$top/man/ripcord-sweep.1" | grep -v '^\.' | head -2)
cp leaky.so guest.so
is "the manual's example" "$(PATH=$build/bin:$PATH; eval "$example" >out; echo $?)" 0
finish
