# ripcord cc: each call below stands in a frame with a cleanup, and must have a landing pad there.
. tests/tap.bash
cd "$work" || exit 1

pad() { # NAME STATEMENT [FLAGS]: the function's call-site table has an entry with a landing pad
	cat >pad.c <<-EOF
	#include <assert.h>
	#include <err.h>
	#include <pthread.h>
	#include <setjmp.h>
	#include <stdlib.h>
	#include <string.h>
	#include <unistd.h>
	void release(int *);
	jmp_buf there;
	char text[8];
	void frame(int n, char *p)
	{
		__attribute__((cleanup(release))) int held = n;
		$2;
	}
	EOF
	for level in -O0 -O1 -O2 -O3 -Os '-O2 -flto -ffat-lto-objects'; do
		ok "$1 $level" bash -c '"$@" | grep -q "call.*_Unwind_Resume"' - \
			"$ripcord" cc -w $level $3 -S pad.c -o -
	done
}
pad exit 'exit(1)'
pad _exit '_exit(1)'
pad _Exit '_Exit(1)'
pad quick_exit 'quick_exit(1)'
pad abort 'abort()'
pad err 'err(1, "x")'
pad pthread_exit 'pthread_exit(0)'
pad assert 'assert(n)'
pad longjmp 'longjmp(there, 1)'
pad free 'free(p)'
pad malloc '*(char *volatile *)&text = malloc(n)'
pad strcpy 'strcpy(text, p)'
pad strcmp 'if (strcmp(p, "abc")) text[0] = 1'
pad atoi 'text[0] = atoi(p)'
pad getpid 'getpid()'
pad 'a store' '*p = 1'
pad 'a division' '*(volatile int *)text = 1 / n'
pad 'exit with -fno-exceptions' 'exit(1)' '-fno-exceptions -fno-non-call-exceptions'
finish
