# Whole builds with CC="ripcord cc": a makefile with a static and a shared library, and a configure script that
# compiles, runs and greps. The result runs by itself and as a guest, alike.
. tests/tap.bash
cd "$work" && mkdir "my project" && cd "my project" || exit 1

cat >configure <<'EOF'
#!/bin/sh
# As autoconf's checks do it: compile, link, run, preprocess and grep.
: "${CC:=cc}"
says() { printf '%s\n' "$1" >>config.h; }
>config.h
echo 'int main(void) { return 0; }' >conftest.c
$CC conftest.c -o conftest || { echo "cannot compile"; exit 77; }
./conftest || { echo "cannot run what it compiles"; exit 77; }
for function in strtol no_such_function; do
	printf 'char %s(void);\nint main(void) { return %s(); }\n' $function $function >conftest.c
	$CC -w -o conftest conftest.c 2>/dev/null && says "#define HAVE_$function 1"
done
echo 'char floor(); int main(void) { return floor(); }' >conftest.c
$CC -w -o conftest conftest.c -lm && says '#define HAVE_LIBM 1'
$CC -w -o conftest conftest.c -lno_such_library 2>/dev/null && says '#define HAVE_NOTHING 1'
printf '#include <stdio.h>\nint main(void) { FILE *f = fopen("conftest.val", "w"); return fprintf(f, "%%d", (int)sizeof(long)) < 0 || fclose(f); }\n' >conftest.c
$CC -o conftest conftest.c && ./conftest && says "#define SIZEOF_LONG $(cat conftest.val)"
echo '#include <stdint.h>' | $CC -E -x c - 2>/dev/null | grep -q 'typedef .*uint8_t;' && says '#define HAVE_UINT8 1'
echo 'int main(void) { return *(char *)0; }' >conftest.c
$CC -o conftest conftest.c && (ulimit -c 0; ./conftest) 2>/dev/null || says '#define NULL_FAULTS 1'
rm -f conftest*
EOF
cat >Makefile <<'EOF'
CFLAGS = -O2 -Wall -Werror
program: main.o libs.a libd.so
	$(CC) $(LDFLAGS) -o $@ main.o libs.a -L. -ld -Wl,-rpath,'$$ORIGIN'
main.o: config.h
libs.a: s.o
	ar rcs $@ s.o
libd.so: d.c
	$(CC) $(CFLAGS) -shared -fPIC -o $@ d.c
EOF
cat >main.c <<'EOF'
#include <stdio.h>
#include <stdlib.h>
#include "config.h"
void s(void), d(int);
static void bye(void) { puts("main's handler"); }
static void release(int *n) { printf("release %d\n", *n); }
int main(int argc, char **argv)
{
	__attribute__((cleanup(release))) int held = argc;
	atexit(bye);
	s();
	printf("%d %d arguments, the last \"%s\"\n", SIZEOF_LONG, argc - 1, argv[argc - 1]);
	if (argc > 1)
		d(atoi(argv[1]));
	return 4;
}
EOF
echo '#include <stdio.h>
void s(void); void s(void) { puts("static"); }' >s.c
echo '#include <stdio.h>
#include <stdlib.h>
static void bye(void) { puts("the library'"'"'s handler"); }
void d(int); void d(int n) { atexit(bye); puts("dynamic"); exit(n); }' >d.c

export CC="$work/bin/ripcord cc"
mkdir "$work/bin" && ln -s "$ripcord" "$work/bin/ripcord"
case $work in *' '*) # a makefile's CC is split at spaces, so the command itself must be found by PATH
	PATH=$work/bin:$PATH CC="ripcord cc" ;;
esac
ok "configure" sh ./configure
is "what configure found" "$(grep -o ' .*' config.h | tr '\n' ';')" \
	" HAVE_strtol 1; HAVE_LIBM 1; SIZEOF_LONG 8; HAVE_UINT8 1; NULL_FAULTS 1;"
ok "make" make CC="$CC"
is "by itself: status" "$(status ./program)" 4
is "by itself: output" "$(tr '\n' ';' <"$work/out")" \
	'static;8 0 arguments, the last "./program";release 1;main'"'"'s handler;'
is "as a guest: status" "$(cp "$work/out" want; status "$ripcord" run ./program)" 4
ok "as a guest: the same output" diff want "$work/out"
is "nothing on stderr" "$(cat "$work/err")" ""
is "exit in the library, by itself" "$(status ./program 9)" 9
grep -v release "$work/out" >want
is "as a guest: status" "$(status "$ripcord" run ./program 9)" 9
is "its cleanups, then the handlers" "$(tr '\n' ';' <"$work/out")" \
	'static;8 1 arguments, the last "9";dynamic;release 2;the library'"'"'s handler;main'"'"'s handler;'
is "the same without the cleanup" "$(grep -v release "$work/out")" "$(cat want)"
finish
