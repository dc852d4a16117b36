# ripcord run with limits: each way in which a guest does not end by itself, and what the command says then.
. tests/tap.bash
needs_plugin
cd "$work" || exit 1

cat >endless.c <<'EOF'
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <ripcord/poll.h>
static void bye(int *p) { dprintf(1, "released %d\n", *p); }
static volatile int go = 1, *volatile where = &go;
/* Without a landing pad of its own, which would count as a cleanup that ran. */
__attribute__((noinline)) RIP_NO_POLL static void loops(volatile int **p) { while (**p) ; }
static volatile double sum;
static int by(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
static void handler(void) { for (;;) sum += 1; }
int main(int argc, char **argv)
{
	__attribute__((cleanup(bye))) int held = argc;
	const char *how = argv[1];
	if (!strcmp(how, "loop")) for (;;) ;
	if (!strcmp(how, "read")) { char c; int ends[2]; if (pipe(ends)) return 1; for (;;) if (read(ends[0], &c, 1) == 0) break; }
	if (!strcmp(how, "memset")) { static char big[1 << 20]; for (;;) memset(big, argc, sizeof big); }
	if (!strcmp(how, "printf")) { FILE *null = fopen("/dev/null", "w"); for (;;) fprintf(null, "%f %d\n", sum, argc); }
	if (!strcmp(how, "qsort")) { static int n[50000]; for (;;) { for (int i = 0; i < 50000; i++) n[i] = i * 7919 % 50021; qsort(n, 50000, sizeof *n, by); } }
	if (!strcmp(how, "cleanup")) { __attribute__((cleanup(loops))) volatile int *stuck = where; for (;;) ; }
	if (!strcmp(how, "atexit")) { atexit(handler); return 0; }
	if (!strcmp(how, "ready")) { dprintf(1, "ready\n"); for (;;) ; }
	return 3;
}
EOF
is "the guest is built" "$(status "$ripcord" cc -O2 -g endless.c -o endless.so)" 0

for how in loop read memset printf qsort; do
	is "$how: its deadline" "$(status limit 20 "$ripcord" run --deadline 50ms ./endless.so $how)" 124
	is "$how: its cleanup has run" "$(cat out)" "released 2"
	ok "$how: the report" grep -q '^ripcord: guest stopped by its deadline$' err
done
is "processor time" "$(status limit 20 "$ripcord" run --cpu 20ms ./endless.so loop)" 124
ok "... the report" grep -q '^ripcord: guest stopped: its processor time is used up' err
is "... and a read uses none" "$(status limit 20 "$ripcord" run --cpu 20s --deadline 200ms ./endless.so read)" 124
ok "... so that is a deadline" grep -q 'stopped by its deadline' err
is "a cleanup that does not end" \
	"$(status limit 20 "$ripcord" run --deadline 50ms --grace 300ms ./endless.so cleanup)" 124
ok "... is counted as failed" grep -q 'cleanups run: 1, failed: 1' err
is "... and the next one has run" "$(cat out)" "released 2"
is "an atexit handler that does not end" "$(status limit 20 "$ripcord" run --deadline 50ms ./endless.so atexit)" 124
is "a guest that ends in time" "$(status "$ripcord" run --deadline 20s --cpu 20s ./endless.so other)" 3

# killed SIGNAL STATUS: the signal is sent when the guest says that it is ready.
killed() {
	mkfifo ready
	"$ripcord" run --kill-on INT,SIGTERM,USR1 --report json --report-file report ./endless.so ready >ready 2>err &
	local command=$! line
	exec 5<ready
	read -r line <&5
	kill -"$1" "$command"
	wait "$command"
	is "SIG$1: status" $? "$2"
	is "SIG$1: the cleanup has run" "$line, $(cat <&5)" "ready, released 2"
	exec 5<&-
	rm ready
	ok "SIG$1: the report" grep -q '"cause":"killed","value":0,"rung":"soft"' report
}
killed TERM 143
killed USR1 138

misuse() { # OPTION VALUE
	is "$1 $2" "$(status "$ripcord" run "$1" "$2" ./endless.so loop)" 2
	is "... one line names it" "$(grep -c "^ripcord: $1: \"$2\"" err)" 1
}
misuse --deadline 5
misuse --deadline -1s
misuse --deadline 0s
misuse --deadline 1e400s
misuse --cpu soon
misuse --grace 1x
misuse --kill-on SEGV
misuse --kill-on KILL
misuse --kill-on ""
finish
