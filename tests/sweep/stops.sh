# SPDX-License-Identifier: MIT
# ripcord sweep: each stop is one that can be, at the instruction that it is told of; and it comes back to the guest's own
# code from wherever that is called.
. tests/tap.bash
. tests/sweep/exact.bash
needs_plugin
cd "$work" || exit 1
build() { "$ripcord" cc -w -g -I"$top/include" "$@" -pthread || ok "$* is built" false; }
sweep() { "$ripcord" sweep "$@"; }

# --- Back from other code
build -O1 -shared "$top/tests/sweep/outside_guest.c" -o outside.so
places() { json 'join " ", sort map { $_->{what} =~ /^(\w+) 1$/ } @{$d->{findings}}'; }
sweep --json --kind fault outside.so >json
is "returns, callbacks, jumps, signals, children, exit handlers: each is come back from" "$(places <json)" \
	"callback exit handler jump parent raised return"
# Stepped all the way from then on; whether up to its exit handlers, too, depends on where it was.
is "with a thread that runs the guest's code too" "$(sweep --json --kind fault outside.so threads | places | sed 's/ exit//')" \
	"callback handler joined jump parent raised return"
instructions=$(json '$d->{instructions}' <json)
is "the same instructions each time" "$(for i in 1 2 3; do sweep --json --kind fault --jobs $i outside.so |
	json '"$d->{instructions} "'; done)" "$(printf "$instructions %.0s" 1 2 3)"

# --- Overflows: an access to the stack that is deeper than those before it, and no other
cat >frames.c <<'E1'
#include <ripcord/sweep.h>
__attribute__((noinline)) void stores(volatile int *p)
{
	volatile int room[64];
	room[0] = 1;
	room[1] = 2;
	*p = room[0] + room[1];
}
__attribute__((noinline)) void far(volatile char *p)
{
	volatile char room[20000];
	room[10000] = *p;
	room[10001] = *p;
	*p = room[10000];
}
int main(void)
{
	volatile int x; volatile char c = 1;
	stores(&x);
	far(&c);
	return 0;
}
E1
build -O1 frames.c -o frames
sweep --json --kind overflow --in stores frames >json
is "of two stores to a frame only the first overflows" "$(json '"$d->{stops}{overflow} " . @{$d->{findings}}' <json)" "1 0"
sweep --json --kind overflow --in far frames >json
is "a large frame: each page that is probed, and the first access" "$(json '"$d->{stops}{overflow} " . @{$d->{findings}}' <json)" "4 0"

# --- Mutexes that know who holds them
cat >mutexes.c <<'E2'
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <ripcord/cleanup.h>
static pthread_mutex_t lock;
static volatile int value, *volatile place = &value;
static void unlock(pthread_mutex_t **lock)
{
	if (*lock)
		pthread_mutex_unlock(*lock);
}
__attribute__((noinline)) static int nested(int depth)
{
	pthread_mutex_t *own __attribute__((cleanup(unlock))) = NULL;
	pthread_mutex_lock(&lock);
	own = &lock;
	for (int i = 0; i < 3; i++)
		*place += i;
	return depth ? nested(depth - 1) + *place : *place;
}
int main(int argc, char **argv)
{
	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, atoi(argv[1]));
	if (argv[2])
		pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&lock, &attributes);
	return nested(atoi(argv[1]) == PTHREAD_MUTEX_RECURSIVE ? 3 : 0);
}
E2
build -O1 mutexes.c -o mutexes
# What a cleanup was about to release is lost.
others() { json 'join "; ", map { "$_->{stop} $_->{found} $_->{what} $_->{audit}" } grep { $_->{audit} ne 'masked' } @{$d->{findings}}'; }
for arguments in "1 " "2 " "1 inherit" "2 inherit"; do
	is "recursive or checking, $arguments: the copy's thread holds them" \
		"$(sweep --json --kind kill,fault,exit,overflow mutexes $arguments | others)" ""
done

# --- Chosen at random
{
	echo '#include <stdlib.h>
volatile int n, *volatile p = &n; int main(void) { void *volatile lost = malloc(8);'
	for line in $(seq 40); do echo "*p = $line;"; done
	echo 'free(lost); }'
} >lines.c
build -O1 -shared lines.c -o lines.so
lines() { sweep --json --random 10 --seed "$1" --kind fault lines.so | json 'join " ", sort { $a <=> $b } map { $_->{line} } @{$d->{findings}}'; echo; }
for seed in $(seq 24); do lines "$seed"; done >chosen
is "ten are chosen of forty, each time" "$(awk '{ print NF }' chosen | sort | uniq -c | sed 's/^ *//')" "24 10"
is "no seed chooses as another does" "$(sort -u chosen | wc -l)" 24
is "each of the forty is chosen now and then" "$(tr ' ' '\n' <chosen | sort -un | tr '\n' ' ')" "$(seq 3 42 | tr '\n' ' ')"
finish
