# ripcord cc: GCC's command line. What comes out of each way to call it, and that it runs by itself.
. tests/tap.bash
cd "$work" || exit 1
mkdir 'a dir' && cd 'a dir' || exit 1

cat >main.c <<'EOF'
#include <stdio.h>
#include <math.h>
int part(int);
int main(int argc, char **argv)
{
	(void)argv;
	printf("%d %.3f\n", part(argc), sqrt(argc + 1.0));
	return 3;
}
EOF
cat >part.c <<'EOF'
int part(int n)
{
	return n + 41;
}
EOF
runs() { # NAME FILE: it prints what it should and is a shared object that can be executed
	is "$1: output" "$("./$2" 2>&1)" "42 1.414"
	is "$1: status" "$(status "./$2")" 3
	is "$1: as a guest" "$("$ripcord" run "./$2" 2>&1; echo $?)" $'42 1.414\n3'
	ok "$1: a shared object" grep -q 'DYN (Shared object file)' <(readelf -h "$2")
	ok "$1: marked as a guest" grep -q '^  Ripcord ' <(readelf -n "$2")
}

for n in main part; do ok "-c $n" "$ripcord" cc -O2 -Wall -Werror -c $n.c -o $n.o; done
ok "-c makes an object" grep -q 'REL (Relocatable file)' <(readelf -h main.o)
ok "link" "$ripcord" cc main.o part.o -lm -o two; runs "two objects" two
ok "many sources" "$ripcord" cc -O1 main.c part.c -o many -lm; runs "sources" many
ok "-l in front of the sources" "$ripcord" cc -Wl,--no-as-needed -lm main.c part.c -o early; runs "-l first" early
ok "-lc before the rest" "$ripcord" cc main.c part.c -lc -lm -o withc; runs "-lc" withc

ok "-S" "$ripcord" cc -S part.c -o part.s
ok "-S writes assembly with a call-site table where it is needed" test -s part.s
ok "-E" "$ripcord" cc -E part.c -o part.i
ok "-E writes C" grep -q 'return n + 41' part.i
ok "-M" "$ripcord" cc -M part.c -MF part.d
ok "-fsyntax-only writes nothing" "$ripcord" cc -fsyntax-only main.c
is "no a.out from any of them" "$(ls a.out 2>&1 | grep -c 'No such')" 1
ok "a.out" "$ripcord" cc main.c part.c -lm; runs a.out a.out
ok "precompiled header" bash -c 'echo "int x;" >h.h; "$1" cc h.h && test -s h.h.gch' - "$ripcord"
ok "-x c -" bash -c 'cat main.c part.c | "$1" cc -x c - -o stdin -lm' - "$ripcord"; runs "from standard input" stdin
ok "-x c FILE" bash -c 'cat main.c part.c >both.txt; "$1" cc -xc both.txt -o both -lm' - "$ripcord"; runs "-xc" both
ok "-r" "$ripcord" cc -r main.o part.o -o rel.o
ok "-r makes an object" grep -q 'REL (Relocatable file)' <(readelf -h rel.o)

linkers=
for name in gold lld; do
	! command -v ld.$name >/dev/null || linkers+=" -fuse-ld=$name"
done
for flags in -pie -no-pie '-fPIE -pie' -static -static-pie -fno-PIC -fno-exceptions \
	'-fno-asynchronous-unwind-tables -fno-unwind-tables' '-flto' '-fno-plt' '-rdynamic' '-s' \
	'-Wl,--gc-sections -ffunction-sections' '-fvisibility=hidden' '-O3 -march=native' '-fno-builtin' \
	'-std=c99 -D_POSIX_C_SOURCE=200809L' '-D_FORTIFY_SOURCE=2 -O2' '-pthread' '-pg' '--coverage' \
	-g3 '-g3 -O2 -save-temps' $linkers; do
	rm -f it
	ok "$flags" "$ripcord" cc $flags main.c part.c -lm -o it
	runs "$flags" it
done

printf 'RIP_NO_POLL static int s(void) { return 41; }\n#pragma ripcord off\nint part(int n) { return n + s(); }\n' >poll.c
for pair in "c cpp-output" "c++ c++-cpp-output"; do # as ccache does it
	set -- $pair
	ok "preprocess $1" "$ripcord" cc -include ripcord/poll.h -x $1 -E poll.c -o poll.i
	ok "compile $2" "$ripcord" cc -x $2 -O2 -c poll.i -o poll.o
done

"$ripcord" cc -c part.c && ar rcs libpart.a part.o
ok "a static library" "$ripcord" cc main.c -L. -lpart -lm -o static; runs "static library" static
ok "-shared" "$ripcord" cc -shared part.c -o libdyn.so
ok "a library has no interpreter" bash -c '! readelf -lW libdyn.so | grep -q INTERP'
ok "link with it" "$ripcord" cc main.c -L. -ldyn -lm -Wl,-rpath,'$ORIGIN' -o dynamic; runs "shared library" dynamic
printf '%s\n' '-static "main.c"' "'part.c'" '-o from\_file -lm' >args
ok "response file" "$ripcord" cc @args; runs "response file" from_file
printf '%s\n' '-c part.c' >args2
ok "response file with -c" "$ripcord" cc @args2 -o resp.o
ok "-c in a response file is seen" grep -q 'REL (Relocatable file)' <(readelf -h resp.o)
echo 'int main(void) { return nowhere(); }' >undef.c
is "an undefined function fails the link" "$(status "$ripcord" cc -w undef.c -o undef)" 1
ok "and the linker names it" grep -q nowhere "$work/err"

is "--version" "$("$ripcord" cc --version)" "$(gcc --version)"
is "-dumpmachine" "$("$ripcord" cc -dumpmachine)" "$(gcc -dumpmachine)"
is "-print-file-name" "$("$ripcord" cc -print-file-name=libc.so.6)" "$(gcc -print-file-name=libc.so.6)"
is "no input: GCC's own words" "$("$ripcord" cc -O2 2>&1)" "$(gcc -O2 2>&1)"
is "no input: GCC's status" "$(status "$ripcord" cc)" 1
is "an unknown option: GCC's status" "$(status "$ripcord" cc --no-such-option main.c)" 1
is "compiler not found" "$(RIPCORD_CC=/no/such/gcc status "$ripcord" cc main.c)" 127
is "and named in one line" "$(cat "$work/err")" "ripcord: /no/such/gcc: No such file or directory"
is "compiler cannot be executed" "$(RIPCORD_CC=./main.c status "$ripcord" cc main.c)" 126

printf '#include <cstdio>\nstruct S { ~S() { std::puts("end"); } } s;\nint main() { std::puts("main"); }\n' >m.cc
ok "c++" "$ripcord" c++ m.cc -o cpp
is "C++ statics" "$(./cpp | tr '\n' ' ')" "main end "
ok "the public headers are found" bash -c 'echo "#include <ripcord/status.h>" | "$1" cc -x c -c - -o /dev/null' - "$ripcord"
finish
