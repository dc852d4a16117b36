# SPDX-License-Identifier: MIT
# ripcord sweep: names, counts, and what it says of the audit's windows.
. tests/tap.bash
. tests/sweep/exact.bash
needs_plugin
cd "$work" || exit 1
sweep() { "$ripcord" sweep "$@"; }

# --- Names, and counts in one row
cat >rows.c <<'E1'
#include <stdlib.h>
#include "ripcord/poll.h"
static inline __attribute__((always_inline)) void expanded(int **at)
{
	for (int i = 0; i < 5; i++) {
		at[i] = malloc(8);
		RIP_POLL();
	}
}
int main(void) { int *at[5]; expanded(at); for (int i = 0; i < 5; i++) free(at[i]); return 0; }
E1
"$ripcord" cc -O1 -g -I"$top/include" -shared rows.c -o rows.so
is "a function that was expanded in line, by its name; findings that differ in numbers, in one row" \
	"$(sweep --json --kind kill rows.so | json 'join ",", map { "$_->{what}" } grep { $_->{function} eq "expanded" } @{$d->{findings}}')" \
	'1 to 4 memory'
command=$(sweep --kind kill rows.so | grep -A3 '^expanded' | sed -n 's/^    \(ripcord sweep --replay .*\)/\1/p')
is "its command does the first of them" "$(PATH=$build/bin:$PATH $command 2>/dev/null)" 'reclaimed: 1 memory'

# --- Held against the audit
cat >cross.c <<'E1'
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ripcord/sweep.h"
static int here, *volatile where = &here; /* an address that nobody is sure of */
static void release(int *held) { if (*held) rip_sweep_release("thing", 1); }
__attribute__((noinline)) void other(void) { __asm__ volatile(""); }
__attribute__((noinline)) static void hold(int *held, int really)
{
	if (really)
		rip_sweep_acquire("thing", 1);
	*held = really;
}
#define SKIPPED __asm__ volatile("movl $0, (%0)" :: "r"(where) : "memory"); other(); here = 2
__attribute__((noinline)) void leaks(int *p) { __attribute__((cleanup(release))) int held; hold(&held, 1); *p = 1; SKIPPED; }
__attribute__((noinline)) void empty(int *p) { __attribute__((cleanup(release))) int held; hold(&held, 0); *p = 1; SKIPPED; }
__attribute__((noinline)) void never(int *p) { __attribute__((cleanup(release))) int held; hold(&held, 0); *p = 1; SKIPPED; }
long unrecorded(long number, long fd);
__attribute__((noinline)) void bare(int *p) { int fd = (int)unrecorded(SYS_dup, 0); *p = 1; unrecorded(SYS_close, fd); }
static void again(int *unused) { (void)unused; rip_sweep_release("twice", 4); }
__attribute__((noinline)) int twice(volatile int *p)
{
	__attribute__((cleanup(again))) int held;
	hold(&held, 0);
	rip_sweep_acquire("twice", 4);
	int by = *p;
	rip_sweep_release("twice", 4);
	held = 7 / by;
	rip_sweep_acquire("twice", 4);
	return held;
}
static void take_late(int *unused) { (void)unused; rip_sweep_acquire("late", 3); }
__attribute__((noinline)) void late(int *p) { __attribute__((cleanup(take_late))) int held; hold(&held, 0); *p = 1; }
__attribute__((noinline)) int *flight(int **to) { rip_sweep_acquire("flying", 2); *to = &here; rip_sweep_release("flying", 2); return *to; }
int main(int argc, char **argv) { int *at; leaks(&here); empty(&here); if (argc > 2) bare(&here), twice(&here), late(&here); if (argc > 1) never(&here); return *flight(&at) == 9; }
E1
# Code that was not built by `ripcord cc`.
echo '#include <unistd.h>
long unrecorded(long number, long fd) { return syscall(number, fd); }' | gcc -shared -fPIC -D_GNU_SOURCE -O1 -x c - -o libunrecorded.so
"$ripcord" cc -O1 -g -I"$top/include" -shared cross.c -o cross.so -L. -lunrecorded -Wl,-rpath,.
sweep --json --kind fault cross.so >cross.json
is "windows: left something, nothing, and were not reached" \
	"$(json 'join " ", sort map { "$_->{function}:$_->{faults}" } @{$d->{windows}}' <cross.json)" \
	'empty:left nothing leaks:left something never:not reached'
is "with every second fault: not tried" "$(sweep --json --random 1 --seed 1 --kind fault cross.so |
	json 'scalar grep { $_->{faults} eq "not tried" } @{$d->{windows}}')" 2
is "a finding in a window; one in flight" \
	"$(json 'join ", ", sort map { "$_->{function} $_->{audit}" } @{$d->{findings}}' <cross.json | grep -o -e 'leaks window' -e 'flight in flight' | sort | tr '\n' ' ')" \
	'flight in flight leaks window '
is "a descriptor that the ledger does not know" \
	"$(sweep --json --in bare --kind fault cross.so 1 2 | json 'join " ", map { "$_->{found} $_->{what}" =~ s/[0-9]+/N/r } grep { $_->{function} eq "bare" } @{$d->{findings}}')" 'leaked descriptor N'
is "a resource of its own that is released twice" \
	"$(sweep --json --in twice --kind fault cross.so 1 2 | json 'join " ", grep { /again|released/ } map { "$_->{found}: $_->{what}" } @{$d->{findings}}')" \
	'released twice: twice 4'
command=$(sweep --in twice --kind fault cross.so 1 2 | grep -A3 '^twice' | sed -n 's/^    \(ripcord sweep --replay .*\)/\1/p' | head -1)
is "a division faults as divisions do" "$(PATH=$build/bin:$PATH $command 2>&1 | grep -c '^ripcord: guest stopped by a fault: SIGFPE')" 1
is "what a cleanup acquires is not in flight" \
	"$(sweep --json --in late --kind fault cross.so 1 2 | json 'join " ", map { "$_->{what} $_->{audit}" } grep { $_->{function} eq "late" } @{$d->{findings}}')" 'late 3 pad'
is "both are counted" "$(json 'join " ", map { $d->{faults_by_audit}{$_} } "window", "in flight"' <cross.json)" '1 1'
is "and said" "$(sweep --kind fault cross.so | tail -2)" \
	"findings of faults, by what the audit says of the place: $(json 'join ", ", map { "$_ $d->{faults_by_audit}{$_}" } grep { $d->{faults_by_audit}{$_} } qw(window masked), "in flight", qw(pad plain)' <cross.json)
windows that the audit names, by what faults there left: left something 1, left nothing 1, not reached 1"
is "the frames of a finding, each with its verdict" "$(json 'join " ", map { $_->{audit} } @{(grep { $_->{audit} eq "window" } @{$d->{findings}})[0]{frames}}' <cross.json)" \
	'window plain'

finish
