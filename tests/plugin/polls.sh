# SPDX-License-Identifier: MIT
# Where the plugin puts polls and where it does not; what the module says of itself; what it warns of.
. tests/tap.bash
. tests/plugin/exact.bash
needs_plugin
cd "$work" || exit 1

polls() { # FUNCTION FILE: how many polls it has
	objdump -d --no-show-raw-insn "$2" | awk -v name="<$1>:" \
		'/>:$/ { inside = $2 == name } inside && /%fs:0x0,/ { n++ } END { print n + 0 }'
}
marks() { # FUNCTION FILE: how many of its calls are marked as masked
	objdump -d --no-show-raw-insn "$2" | awk -v name="<$1>:" \
		'/>:$/ { inside = $2 == name } inside && /nopl +0x52\(%rax\)/ { n++ } END { print n + 0 }'
}

# --- Where: one function a rule ---
cat > rules.c <<'END'
#include <ripcord/poll.h>
#include <setjmp.h>
#define HOLD __attribute__((cleanup(drop)))
void drop(int *);
int take(void), call(int);
static void own(int *p) { for (int i = 0; i < *p; i++) call(i); }
jmp_buf place;
void spin(void) { for (;;); }
void calls(int n) { for (int i = 0; i < n; i++) call(i); }
int scope(void) { int held HOLD = take(); return call(held); }
int straight(int n) { return call(n) + 1; }
int leaf(int n) { return n * 3; }
int chased(int *p) { int n = 0; while (*p) n += *p++; return n; }
int fewer(const int *p) { int n = 0; for (int i = 0; i < 100; i++) n += p[i]; return n; }
int nests(const int *p) { int n = 0; for (int i = 0; i < 20; i++) for (int j = 0; j < 20; j++) n ^= p[i + j]; return n; }
/* At -O1 GCC 12 has the poll's address in a register that happens to be 0. */
int zeros(const int *p, long n)
{
	int sum = 0;
	for (int i = 0; i < 30; i++)
		for (long j = 0; j < n && p[j] >= 0; j++)
			sum += p[j] ^ i;
	return sum;
}
int dispatch(const unsigned char *c)
{
	static void *const to[] = { &&one, &&two };
	goto *to[*c];
one:	call(1); goto *to[*++c];
two:	return 2;
}
void again(void) { if (setjmp(place) < 9) longjmp(place, 1); }
int recursive(int n) { return n < 2 ? n : recursive(n - 1) + recursive(n - 2); }
RIP_TAKES int takes(int n) { return n < 2 ? n : takes(n - 1) + takes(n - 2); }
int cleaned(int n) { int held __attribute__((cleanup(own))) = take(); return call(held + n); }
RIP_MASKED void masked(int n) { for (int i = 0; i < n; i++) call(i); }
RIP_NO_POLL void left_out(int n) { for (int i = 0; i < n; i++) call(i); RIP_POLL(); }
void by_hand(void) { call(1); RIP_POLL(); call(2); }
#pragma ripcord off
void in_pragma(int n) { for (int i = 0; i < n; i++) call(i); }
#pragma ripcord on
void behind_pragma(int n) { for (int i = 0; i < n; i++) call(i + 7); }
END
for level in -O0 -O1 -O2 -O3 -Os; do
	ok "$level compiles, without warnings" "$ripcord" cc $level -Wall -Wextra -Werror -Wno-unused-value -c rules.c -o rules.o
	for function in spin calls scope chased again recursive by_hand behind_pragma dispatch cleaned zeros; do
		ok "$level $function has polls" test "$(polls $function rules.o)" -gt 0
	done
	ok "$level each reads from 0" sh -c '! objdump -d rules.o | grep "%fs:[^0]"'
	for function in straight leaf masked left_out in_pragma takes; do
		is "$level $function has none" "$(polls $function rules.o)" 0
	done
	is "$level a masked function's call is marked" "$(marks masked rules.o)" 1
	ok "$level a foreign cleanup's call is marked" test "$(marks scope rules.o)" -gt 0
	is "$level no call of code that is left out is marked" "$(marks left_out rules.o)$(marks calls rules.o)" 00
	is "$level polls are loads of a byte that the runtime knows" "$(objdump -dw rules.o | grep '%fs:0x0,' |
		grep -v -E '	64 (4[04] )?(8a|0f b6) [0-3][4c] 25 00 00 00 00 *	mov')" ''
done
for level in -O1 -O2 -O3 -Os; do
	"$ripcord" cc $level -c rules.c -o rules.o
	for function in fewer nests; do
		is "$level $function ends soon: none" "$(polls $function rules.o)" 0
	done
	is "$level no call is left in what was inlined into a cleanup that could be killed" \
		"$(polls own rules.o)" 0
done
all=-fplugin-arg-ripcord_plugin-keep-polls
"$ripcord" cc -O2 $all -c rules.c -o rules.o
ok 'keep-polls: all stay' test "$(polls fewer rules.o)$(polls nests rules.o)" = 11 -o "$(polls nests rules.o)" -ge 2

# --- Loops that are vectorized stay so ---
cat > vectors.c <<'END'
void axpy(float *restrict y, const float *restrict x, float a, int n) { for (int i = 0; i < n; i++) y[i] += a * x[i]; }
int sum(const int *p, int n) { int s = 0; for (int i = 0; i < n; i++) s += p[i]; return s; }
int million(const int *p) { int s = 0; for (int i = 0; i < 1 << 20; i++) s += p[i]; return s; }
END
said=$("$ripcord" cc -O3 -fopt-info-vec -c vectors.c -o vectors.o 2>&1)
for line in 1 2 3; do
	ok "-O3: loop $line is vectorized" grep -q "vectors.c:$line:.*loop vectorized" <<<"$said"
done
ok '-O2: a loop of a known length is vectorized' grep -q 'vectors.c:3:.*loop vectorized' \
	<<<"$("$ripcord" cc -O2 -fopt-info-vec -c vectors.c -o vectors.o 2>&1)"
for function in axpy sum million; do
	is "and $function has its poll" "$(polls $function vectors.o)" 1
done

# --- What it computes stays the same: strips at their edges ---
cat > edges.c <<'END'
#include <stdio.h>
static unsigned char data[20000];
__attribute__((noipa)) unsigned up(unsigned n) { unsigned h = 1; for (unsigned i = 0; i < n; i++) h = h * 31 + data[i]; return h; }
__attribute__((noipa)) unsigned down(long n) { unsigned h = 1; while (n-- > 0) h = h * 31 + data[n]; return h; }
__attribute__((noipa)) unsigned by3(int from, int to) { unsigned h = 1; for (int i = from; i < to; i += 3) h = h * 31 + data[i]; return h; }
__attribute__((noipa)) unsigned until(const unsigned char *p, const unsigned char *end) { unsigned h = 1; while (p < end && *p != 255) h = h * 31 + *p++; return h; }
__attribute__((noipa)) unsigned bytes(unsigned char from) { unsigned h = 1; do h = h * 31 + data[from]; while (++from); return h; }
__attribute__((noipa)) unsigned scoped(unsigned n) { int held __attribute__((cleanup(scoped_drop))) = 1; unsigned h = held; for (unsigned i = 0; i < n; i++) h = h * 33 + i; return h; }
int main(void)
{
	static const unsigned sizes[] = { 0, 1, 2, 3, 63, 64, 65, 511, 512, 513, 1023, 1024, 1025, 1537, 12289, 19999 };
	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)((i * 7919u >> 3) % 255);
	data[15000] = 255;
	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		unsigned n = sizes[i];
		printf("%x %x %x %x %x %x\n", up(n), down(n), by3((int)i, (int)n), until(data, data + n), bytes((unsigned char)n),
			scoped(n));
	}
	return 0;
}
END
sed -i 's/^static unsigned char data/static void scoped_drop(int *p) { *(volatile int *)p = 0; }\n&/' edges.c
gcc -O1 -w edges.c -o edges.plain && ./edges.plain > plain.out
for options in -O0 -O1 -O2 -O3 -Os '-O2 -flto' '-O3 -march=native -funroll-loops' "-O2 $all"; do
	"$ripcord" cc $options -w -fchecking edges.c -o edges 2>edges.err && ./edges > edges.out
	ok "$options: the same results" cmp plain.out edges.out
done

# --- What a module says of itself ---
"$ripcord" cc -O2 -shared -Wl,-z,undefs rules.c -o rules.so
ok 'readelf -n shows the note' grep -Eq '^ *Ripcord +0x00000018' <<<"$(readelf -nW rules.so)"
table=$(readelf -SW rules.so | sed -n 's/.* ripcord_killable *PROGBITS *[0-9a-f]* [0-9a-f]* \([0-9a-f]*\).*/\1/p')
ok 'the table of killable code has entries of 8 bytes' test $((0x$table)) -gt 0 -a $((0x$table % 8)) = 0
echo 'void foreign(void) { }' > foreign.c && gcc -fPIC -c foreign.c -o foreign.o
"$ripcord" cc -O2 -shared -Wl,-z,undefs foreign.o -o foreign.so
ok 'a module of other code only has none' test -z "$(readelf -SW foreign.so | grep ripcord_killable)"
"$ripcord" cc -O2 -ffunction-sections -Wl,--gc-sections -fvisibility=hidden -shared vectors.c -o collected.so
ok 'code that the linker drops leaves no entries' test -z "$(readelf -SW collected.so | grep ripcord_killable)"
"$ripcord" cc -O2 -c rules.c -o a.o && "$ripcord" cc -O2 -c vectors.c -o b.o
ok 'ld -r' "$ripcord" cc -r a.o b.o -o both.o

# --- Link-time optimization, with a unit that is not killable ---
printf 'int work(int); int other(int n) { int s = 0; for (int i = 0; i < n; i++) s += work(i); return s; }\n' > other.c
printf 'int other(int); int work(int n) { while (n > 5) n -= other(1); return n; } void entry(void) { other(3); }\n' > mine.c
gcc -O2 -flto -fPIC -c other.c -o other.o && "$ripcord" cc -O2 -flto -c mine.c -o mine.o
ok 'a killable unit with one that is not' "$ripcord" cc -O2 -flto -shared mine.o other.o -o mixed.so
ok 'without the plugin at the link the module claims nothing' bash -c \
	'gcc -O2 -flto -shared -fPIC mine.o other.o -o unplugged.so && ! readelf -SW unplugged.so | grep -q ripcord_killable'

# --- Another GCC, wrong words, warnings ---
mkdir lib && cp "$build/lib/ripcord/ripcord_plugin.so" lib
gcc -fplugin=lib/ripcord_plugin.so -c foreign.c -o foreign.o 2>other.err
is 'another GCC: it compiles' $? 0
is 'another GCC: one line' "$(wc -l < other.err)" 1
ok 'another GCC: which says so' grep -q 'no plugin for GCC [0-9.]*' other.err
ok 'an unknown option is named' grep -q "no option .wrong" \
	<<<"$("$ripcord" cc -fplugin-arg-ripcord_plugin-wrong -c foreign.c -o foreign.o 2>&1)"
ok 'a wrong pragma' grep -q 'expects' <<<"$(printf '#pragma ripcord of\n' | "$ripcord" cc -Wall -x c -c - -o p.o 2>&1)"
ok 'an attribute in a wrong place' grep -q 'applies to functions only' \
	<<<"$(printf '__attribute__((ripcord_masked)) int n;\n' | "$ripcord" cc -x c -c - -o p.o 2>&1)"
cat > warned.c <<'END'
#include <setjmp.h>
void drop(int *);
jmp_buf place;
int call(int (*)(int));
int store(int *p)
{
	__attribute__((cleanup(drop))) int held = 1;
	__asm__ volatile("movl $1, %0" : "=m"(*p));
	return held;
}
void jump(void)
{
	longjmp(place, 1);
}
int nested(int n)
{
	int inner(int m) { return n + m; }
	return call(inner);
}
int harmless(int *p)
{
	__asm__ volatile("" ::: "memory");
	__asm__ volatile("movl $1, %0" : "=m"(*p));
	return *p;
}
END
"$ripcord" cc -Wripcord -c warned.c -o warned.o 2>warned.err
is 'it warns where it should' "$(sed -n 's/^warned.c:\([0-9]*\):.*warning.*Wripcord.*/\1/p' warned.err | sort -n | tr '\n' ' ')" '8 13 15 '
is 'and only where it is asked to' "$("$ripcord" cc -c warned.c -o warned.o 2>&1)" ''
finish
