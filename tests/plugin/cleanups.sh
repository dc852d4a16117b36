# SPDX-License-Identifier: MIT
# Cleanups that call functions of other files: a fault in one, on the normal way out of its scope, stops the guest: it does
# not run on, and all other cleanups run, once.
. tests/tap.bash
. tests/plugin/exact.bash
needs_plugin

cat > "$work/other.c" <<'END'
extern int *volatile nowhere;
int fails;
void other(int *held) { if (*held == fails) *nowhere = *held; }
END
cat > "$work/guest.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
int *volatile nowhere;
extern int fails;
void other(int *held);
static void say(int *held) { printf("%d ", *held); }
#define OTHER __attribute__((cleanup(other)))
#define SAY __attribute__((cleanup(say)))
__attribute__((noinline)) static void one(void)
{
	int a SAY = 1;
	{ int b OTHER = 10; printf("in "); }
	printf("RAN-ON ");
}
__attribute__((noinline)) static void two(void)
{
	int a SAY = 1, b OTHER = 11, c SAY = 2, d OTHER = 20;
	printf("in ");
}
static inline void loop(void)
{
	for (int i = 28; i < 40; i++) {
		int a SAY = i, b OTHER = i;
		if (i == 29)
			continue;
		printf("in ");
	}
	printf("RAN-ON ");
}
int main(int argc, char **argv)
{
	int all SAY = 100;
	setvbuf(stdout, NULL, _IONBF, 0);
	fails = atoi(argv[1]);
	if (fails == 10)
		one();
	else if (fails < 30)
		two();
	else
		loop();
	if (argc > 1)
		printf("RAN-ON ");
	return 0;
}
END
for options in -O0 -O1 -O2 -O3 -Os '-O2 -flto'; do
	"$ripcord" cc $options -w "$work/guest.c" "$work/other.c" -o "$work/guest" || ok "$options is built" false
	said=
	for fails in 10 20 11 30; do
		said="$said$("$ripcord" run "$work/guest" $fails 2>"$work/report"): "
		grep -q 'fault: SIGSEGV' "$work/report" || said="$said not stopped"
	done
	is "$options" "$said" 'in 1 100 : in 2 1 100 : in 2 1 100 : in 28 29 in 30 100 : '
done
finish
