# SPDX-License-Identifier: MIT
# ripcord cc: whatever linker, and whatever is done to the file after it, the table of killable code and its note survive: a
# deadline stops the guest softly. Where they are gone, `ripcord run` says so.
. tests/tap.bash
cd "$work" || exit 1
needs_plugin

cat >main.c <<'END'
#include <ripcord/cleanup.h>
#include <unistd.h>
int part(volatile int *), same(volatile int *), other(volatile int *);
static void drop(int *held) { if (*held) (void)!write(1, "released\n", 9); }
int main(int argc, char **argv)
{
	(void)argv;
	int held RIP_CLEANUP(drop) = argc;
	volatile int n = argc;
	for (;;)
		n += part(&n) + same(&n) + other(&n);
}
END
cat >part.c <<'END'
int nowhere(int);
int part(volatile int *n) { int s = 0; for (int i = 0; i < *n; i++) s += n[0] ^ i; return s; }
int same(volatile int *n) { int s = 1; for (int i = 0; i < *n; i++) s += n[0] & i; return s; }
int other(volatile int *n) { int s = 1; for (int i = 0; i < *n; i++) s += n[0] & i; return s; }
END
# Functions that nobody calls, one of which calls what is nowhere: --gc-sections takes them away.
cat >unused.c <<'END'
int nowhere(int);
int unused(volatile int *n) { int s = 0; while (*n) s += *n; return s; }
int unused_too(int n) { return nowhere(n); }
END
soft() { # NAME FILE
	is "$1: killed softly" "$("$ripcord" run --deadline 20ms --grace 30s "./$2" 2>&1 | sed 's/^  *cleanups run: 1,.*/1/' |
		grep -E '^released|stopped by|^1$|killable' | tr '\n' ' ')" 'released ripcord: guest stopped by its deadline 1 '
}
linked() { # NAME WORDS...
	local name=$1; shift
	rm -f it
	ok "$name: links" "$ripcord" cc -w "$@" -o it
	soft "$name" it
}

for level in -O0 -O1 -O2 -O3 -Os '-O2 -flto'; do
	linked "$level --gc-sections" $level -ffunction-sections -Wl,--gc-sections main.c part.c
done
linkers=
for name in bfd gold lld; do
	! command -v ld.$name >/dev/null || linkers+=" -fuse-ld=$name"
done
for linker in '' $linkers; do
	linked "$linker" $linker -Os main.c part.c
	linked "$linker --gc-sections" $linker -Os -ffunction-sections -Wl,--gc-sections main.c part.c
	linked "$linker -z now -z relro, -Xlinker" $linker -O1 -Wl,-z,now,-z,relro,--as-needed -Xlinker --gc-sections main.c part.c
	case $linker in *gold | *lld)
		linked "$linker --icf" $linker -O1 -ffunction-sections -Wl,--icf=all,--gc-sections main.c part.c ;;
	esac
done
for linker in '' -fuse-ld=bfd -fuse-ld=lld; do
	[[ " $linkers " == *" $linker "* || -z $linker ]] || continue
	linked "$linker --gc-sections: what nobody calls" $linker -Os -ffunction-sections -fvisibility=hidden -Wl,--gc-sections \
		main.c part.c unused.c
	ok "$linker: is not there" bash -c '! nm it | grep unused'
	is "$linker: nor in the table" $((0x$(readelf -SW it | sed -n 's/.* ripcord_killable *PROGBITS *[0-9a-f]* [0-9a-f]* \([0-9a-f]*\).*/\1/p'))) 32
done

# --- Objects on the way ---
for n in main part; do "$ripcord" cc -O2 -c $n.c -o $n.o; done
for how in '-r' '-Wl,-r -nostdlib' '-Wl,--relocatable -nostdlib' '-Xlinker -r -nostdlib'; do
	rm -f both.o
	ok "$how: links" "$ripcord" cc $how main.o part.o -o both.o
	ok "$how: makes an object" grep -q 'REL (Relocatable file)' <(readelf -h both.o)
	linked "$how, then --gc-sections" both.o -Wl,--gc-sections
done
ar rcs libpart.a part.o
linked 'a static archive, --gc-sections' main.o -L. -lpart -Wl,--gc-sections
ok 'a library with a version script' "$ripcord" cc -shared part.o -Wl,--gc-sections,--version-script=<(
	echo '{ global: part; same; other; local: *; };') -o libpart.so
linked 'a shared library' main.o ./libpart.so -Wl,--as-needed
for how in 'strip --strip-unneeded' 'strip --strip-debug' 'objcopy --strip-unneeded'; do
	cp main.o stripped.o
	[[ $how != *objcopy* ]] || how="$how stripped.o"
	ok "$how: an object" $how stripped.o
	linked "$how: an object" stripped.o part.o -Wl,--gc-sections
done

# --- Files ---
"$ripcord" cc -O2 -g main.c part.c -o whole
for how in strip 'strip --strip-all' 'strip --strip-debug' 'strip --strip-unneeded' 'strip -x' 'objcopy -S' 'objcopy -g' \
	'objcopy --strip-all --remove-section=.comment' 'objcopy --add-gnu-debuglink=whole'; do
	cp whole stripped
	[[ $how != objcopy* ]] || how="$how stripped"
	[[ $how != strip* ]] || how="$how stripped"
	ok "$how" $how
	soft "$how" stripped
done

# --- What is not killable is said to be so: all of it, part of it, what was taken out ---
for n in main part; do
	gcc -O2 -fPIC -I"$build/include" -c $n.c -o plain_$n.o
	gcc -O2 -fPIC -fexceptions -I"$build/include" -c $n.c -o unwound_$n.o
done
run() { # FILE: what is said of it
	"$ripcord" run --deadline 20ms --grace 100ms "./$1" 2>&1 | grep -a killable | sed 's/0x[0-9a-f]*/ADDRESS/g'
}
ok 'two plain objects' "$ripcord" cc plain_main.o plain_part.o -o none
is 'are not killable' "$(run none | sed 's/ (built.*//; s/, of which.*//')" 'ripcord: none: not killable: it has no table of killable code
  not killable: main in none'
ok 'and that is said without a deadline too' grep -q 'none: not killable' <("$ripcord" run --entry same ./none 2>&1)
ok 'a plain main' "$ripcord" cc plain_main.o part.o -o half
is 'is waited for in vain' "$(run half | sed 's/ (built.*//')" 'ripcord: half: 1 of 4 functions are not killable, the first at ADDRESS
  not killable: main in half, which was waited for'
ok 'a main of another compiler, with -fexceptions' "$ripcord" cc unwound_main.o part.o -o half
is 'is unwound from where it has called' "$("$ripcord" run --deadline 20ms --grace 30s --report json ./half 2>&1 |
	grep -o '^released\|"rung":"[a-z]*"\|"not_killable":null' | tr '\n' ' ')" 'released "rung":"soft" "not_killable":null '
ok 'a plain part' "$ripcord" cc main.o plain_part.o -o half
is 'is named' "$(run half | head -n 1 | sed 's/ (built.*//')" 'ripcord: half: 3 of 5 functions are not killable, the first at ADDRESS'
ok 'the report has it, in JSON' grep -q '"rung":"firm".*"not_killable":{.*"function":"main"' <("$ripcord" run --deadline 20ms \
	--grace 100ms --report json ./none 2>&1)
ok 'and else has nothing' grep -q '"rung":"soft".*"not_killable":null' <("$ripcord" run --deadline 20ms --report json ./whole 2>&1)
for how in 'strip -R .note.ripcord.killable' 'objcopy --remove-section=.note.ripcord.*able' \
	'objcopy --remove-section=ripcord_killable'; do
	cp whole taken
	ok "$how" $how taken
	ok "$how: said" grep -q 'ripcord: taken: not killable: ' <(run taken)
done
printf '#include <ripcord/poll.h>\nRIP_NO_POLL int f(int n) { return n * 3; }\nint main(int c, char **v) { return f(c) == 3 && v ? 0 : 1; }\n' >own.c
ok 'a function that says so itself' "$ripcord" cc own.c -o own
is 'is not complained of' "$("$ripcord" run --deadline 1s ./own 2>&1; echo $?)" 0
printf 'int main(int c, char **v) { return (int)((__int128)c * 7 / (c + 1)) == 3 && v ? 0 : 1; }\n' >wide.c
ok "libgcc's arithmetic" "$ripcord" cc wide.c -o wide
is 'is not, where no kill may come' "$("$ripcord" run ./wide 2>&1; echo $?)" 0
is 'mold is refused' "$(status "$ripcord" cc -fuse-ld=mold main.c part.c -o none; cat err)" "2
ripcord: -fuse-ld=mold: mold does not tell libc's malloc from a guest's own, and cannot link guests"
finish
