# The hidden stubs: alone (run directly, no library) they do what libc's functions do, and the user's own
# functions of the same names win.
. tests/tap.bash
cd "$work" || exit 1

cat >end.c <<'EOF'
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <error.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <unistd.h>
static void one(void) { puts("one"); }
static void two(void) { puts("two"); }
static void quick(void) { puts("quick"); fflush(stdout); }
__attribute__((destructor)) static void last(void) { puts("destructor"); }
int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "return";
	atexit(one); atexit(two); at_quick_exit(quick);
	printf("main ");
	errno = ENOENT;
	if (!strcmp(how, "exit")) exit(300);
	if (!strcmp(how, "_exit")) _exit(4);
	if (!strcmp(how, "_Exit")) _Exit(5);
	if (!strcmp(how, "quick_exit")) quick_exit(6);
	if (!strcmp(how, "abort")) abort();
	if (!strcmp(how, "err")) err(7, "bad %d", 1);
	if (!strcmp(how, "errx")) errx(8, "bad %d", 2);
	if (!strcmp(how, "error")) { error(0, 0, "go on"); error(9, ENOENT, "bad %d %u", 3, error_message_count); }
	if (!strcmp(how, "error_at_line")) error_at_line(10, 0, "f.c", 11, "bad");
	if (!strcmp(how, "pthread_exit")) pthread_exit(NULL);
	if (!strcmp(how, "thrd_exit")) thrd_exit(3);
	return 11;
}
EOF
ok "build" "$ripcord" cc end.c -o prog
mkdir plain && gcc end.c -o plain/prog
for how in return exit _exit _Exit quick_exit abort err errx error error_at_line pthread_exit thrd_exit; do
	want=$(cd plain; status ./prog $how) want_text=$(cat out err 2>/dev/null)
	want_text=$(cat "$work/out" "$work/err")
	is "$how: status" "$(status ./prog $how)" "$want"
	is "$how: output" "$(cat "$work/out" "$work/err")" "$want_text"
done

cat >own.c <<'EOF'
#include <stdio.h>
void err(int a, const char *b, ...) { printf("my err %d %s\n", a, b); }
void error(void) { puts("my error"); }
void errx(int, const char *, ...);
int main(int argc, char **argv) { (void)argv; err(1, "x"); error(); if (argc > 1) errx(3, "y"); return 0; }
EOF
ok "own functions of those names" "$ripcord" cc -w own.c -o own
is "the user's functions win" "$(./own | tr '\n' '|')" "my err 1 x|my error|"
is "the others are still there" "$(status ./own x)" 3

printf 'exported { global: part; local: *; };' >map
printf '#include <stdlib.h>\nint part(int n) { if (n) exit(n); return 1; }\n' >part.c
ok "a library with a version script" "$ripcord" cc -shared part.c -Wl,--version-script=map -o libpart.so
is "exports what it says" "$(nm -D --defined-only libpart.so | grep -v ' A ' | sed 's/.* //' | cut -d@ -f1)" part
ok "is marked as a guest all the same" grep -q Ripcord <(readelf -n libpart.so)
ok "stubs are hidden" bash -c '! nm -D --defined-only prog | grep -wE "exit|abort|atexit|__cxa_atexit|error"'
finish
