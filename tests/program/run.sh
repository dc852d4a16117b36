# ripcord run: how each way to end comes out, beside what the same file does when it is executed.
. tests/tap.bash
cd "$work" || exit 1

cat >end.c <<'EOF'
#define _GNU_SOURCE
#include <assert.h>
#include <err.h>
#include <errno.h>
#include <error.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static void one(void) { puts("one"); }
static void again(void) { puts("again"); exit(21); }
static void fault(void) { puts("in a handler"); *(volatile int *)8 = 1; }
static void quick(void) { puts("quick"); fflush(stdout); }
__attribute__((destructor)) static void last(void) { puts("destructor"); }
static void release(int *n) { if (*n) { dprintf(2, "released\n"); } }
__attribute__((noinline)) int deep(int n) { volatile char page[512]; page[0] = (char)n; return deep(n + 1) + page[0]; }
static int end(const char *how, int argc)
{
	if (!strcmp(how, "exit")) exit(300);
	if (!strcmp(how, "_exit")) _exit(4);
	if (!strcmp(how, "_Exit")) _Exit(5);
	if (!strcmp(how, "quick_exit")) quick_exit(6);
	if (!strcmp(how, "err")) { errno = EACCES; err(7, "bad %d", 1); }
	if (!strcmp(how, "errx")) errx(8, "bad %d", 2);
	if (!strcmp(how, "error")) { error(0, 0, "go on"); error(9, ENOENT, "bad %d", 3); }
	if (!strcmp(how, "pthread_exit")) pthread_exit(NULL);
	if (!strcmp(how, "again")) { atexit(again); exit(20); }
	if (!strcmp(how, "fork")) { fflush(stdout); int s; pid_t child = fork(); if (!child) exit(3); waitpid(child, &s, 0); return WEXITSTATUS(s) + 40; }
	if (!strcmp(how, "fork_exit")) { fflush(stdout); int s; pid_t child = fork(); if (!child) _exit(3); waitpid(child, &s, 0); return WEXITSTATUS(s) + 50; }
	if (!strcmp(how, "system")) { fflush(stdout); return WEXITSTATUS(system("exit 3")) + 60; }
	if (!strcmp(how, "abort")) abort();
	if (!strcmp(how, "assert")) assert(argc == 0);
	if (!strcmp(how, "null")) *(volatile int *)0 = 1;
	if (!strcmp(how, "divide")) return *(volatile int *)&argc / (argc - argc);
	if (!strcmp(how, "trap")) __builtin_trap();
	if (!strcmp(how, "overflow")) return deep(0);
	if (!strcmp(how, "free")) { void *volatile p = malloc(8); free(p); free(p); }
	if (!strcmp(how, "handler_fault")) { atexit(fault); return 0; }
	return 11;
}
int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "return";
	__attribute__((cleanup(release))) int held = getenv("HOLD") != NULL;
	atexit(one); at_quick_exit(quick);
	printf("main\n");
	return end(how, argc);
}
int other(int argc, char **argv) { printf("other %d %s\n", argc, argv[1]); return 12; }
int number = 5;
EOF
ok "build" "$ripcord" cc -g -O1 -w end.c -o end
mkdir plain && gcc -w end.c -o plain/end

for how in return exit _exit _Exit quick_exit err errx error pthread_exit again fork fork_exit system; do
	want=$(cd plain && status ./end $how); cp "$work/out" want.out; cp "$work/err" want.err
	is "$how: status" "$(status "$ripcord" run ./end $how)" "$want"
	ok "$how: output" diff want.out "$work/out"
	[ -n "$SAN" ] || ok "$how: messages" diff want.err "$work/err" # AddressSanitizer adds its own
done
free=free
[ -z "$SAN" ] || free= # AddressSanitizer ends the process
for how in exit _exit quick_exit err pthread_exit abort assert null divide $free; do
	HOLD=1 status "$ripcord" run ./end $how >status
	is "$how: the cleanup of its frame ran once" "$(grep -c '^released$' "$work/err")" 1
done
HOLD=1 status "$ripcord" run ./end fork >status
is "fork: the child is a process of its own, the cleanup is the parent's" "$(grep -c '^released$' "$work/err")" 1
ok "with the user's own -lc" "$ripcord" cc -w -lc end.c -lc -o end_lc
HOLD=1 status "$ripcord" run ./end_lc exit >status
is "exit still ends the guest" "$(cat status; grep -c '^released$' "$work/err")" $'44\n1'

said() { # on standard error, but for AddressSanitizer's remarks on a strange stack
	[ -n "$SAN" ] || cat "$work/err"
}
stop() { # HOW STATUS WORDS: a stop, its status, and words of its report
	is "$1: status" "$(status "$ripcord" run ./end $1)" $2
	ok "$1: said" grep -q -- "$3" "$work/err"
	is "$1: no handler runs" "$(grep -c one "$work/out")" 0
	is "$1: what was printed is there" "$(head -1 "$work/out")" main
}
stop abort 134 aborted
stop assert 134 aborted
stop null 139 'write of address 0x0'
stop divide 136 SIGFPE
stop trap 132 SIGILL
stop overflow 139 overflow
[ -z "$free" ] || stop free 134 aborted
ok "the frames have names and lines" bash -c '"$1" run ./end null 2>&1 | grep -q "main+0x.* at end.c:"' - "$ripcord"

is "a fault in a handler: status" "$(status "$ripcord" run ./end handler_fault)" 139
ok "the report speaks of it" grep -q 'fault+0x.* at end.c' "$work/err"
is "the other handlers do not run" "$(grep -c one "$work/out")" 0
is "no destructor after a stop" "$(grep -c destructor "$work/out")" 0

is "--entry" "$(status "$ripcord" run --entry other ./end x)" 12
is "its output" "$(head -1 "$work/out")" "other 2 x"
is "--entry=" "$(status "$ripcord" run --entry=other ./end x)" 12
is "a bare name is a file here" "$(status "$ripcord" run end)" 11
is "an absolute path" "$(status "$ripcord" run "$PWD/end")" 11
is "-- ends the options" "$(status "$ripcord" run -- ./end exit)" 44
is "options behind the guest are its own" "$(status "$ripcord" run ./end --help)" 11
is "standard input passes through" "$(cat >cat.c <<<'#include <stdio.h>
int main(void) { int c; while ((c = getchar()) != EOF) putchar(c); return 0; }'
	"$ripcord" cc cat.c -o cat && echo text | "$ripcord" run ./cat)" text
for size in 16K 16384 1M 1G 300k; do
	is "--stack $size" "$(status "$ripcord" run --stack $size ./end)" 11
done

status "$ripcord" run --report json ./end null >/dev/null
ok "JSON report" perl -MJSON::PP -ne '$last = $_; END { exit decode_json($last)->{cause} ne "fault" }' "$work/err"
status "$ripcord" run --report none ./end null >/dev/null
is "--report none is silent" "$(said)" ""
status "$ripcord" run --report-file r.txt ./end null >/dev/null
is "--report-file: stderr is free" "$(said)" ""
ok "--report-file: it is there" grep -q SIGSEGV r.txt
status "$ripcord" run --report=json --report-file=r.json ./end exit >/dev/null
ok "--report-file: also after a plain end" grep -q '"cause":"exited"' r.json
is "a report that cannot be opened" "$(status "$ripcord" run --report-file /no/such/file ./end)" 125
is "a report that cannot be written" "$(status "$ripcord" run --report-file /dev/full ./end)" 125
is "is said in one line" "$(wc -l <"$work/err")" 1

printf '#include <cstdio>\nstruct S { const char *n; ~S() { std::puts(n); } } s{"static"};\nint main(int c, char **) { S a{"local"}; if (c > 1) throw 1; *(volatile int *)0 = 1; }\n' >m.cc
ok "C++" "$ripcord" c++ -w m.cc -o m
is "C++: status" "$(status "$ripcord" run --report none ./m)" 139
is "C++: the destructor of a local, not of a static" "$(cat "$work/out")" local
finish
