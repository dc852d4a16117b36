# ripcord audit: verdicts against what the compiler wrote in its assembly, and windows against what a run leaks.
. tests/tap.bash
cd "$work" || exit 1
cat >code.c <<'E1'
#include <unistd.h>
__attribute__((noinline)) void release(int *held) { (void)!write(1, "released\n", 9); *held = 0; }
__attribute__((noinline)) void acquire(int *held) { *held = 1; __asm__ volatile("" ::: "memory"); }
__attribute__((noinline)) void other(void) { __asm__ volatile(""); }

__attribute__((noinline)) void between(int *p, int *q)
{
	__attribute__((cleanup(release))) int held = 1;
	acquire(&held);
	*p = 1;
	__asm__ volatile("between_here: movl $0, (%0)" :: "r"(q) : "memory");
	*p = 2;
	other();
}
__attribute__((noinline)) void at_end(int *p, int *q)
{
	__attribute__((cleanup(release))) int held = 1;
	acquire(&held);
	*p = 1;
	__asm__ volatile("at_end_here: movl $0, (%0)" :: "r"(q) : "memory");
}
__attribute__((noinline)) void trap(int *p, int *q)
{
	__attribute__((cleanup(release))) int held = 1;
	*p = 2;
	if (!q)
		__builtin_trap();
	*p = 3;
}
__attribute__((noinline)) int covered(int *p, int *q)
{
	__attribute__((cleanup(release))) int held = 1;
	*p = 8;
	return *p / *q;
}
__attribute__((noinline)) void after(int *p, int *q)
{
	{
		__attribute__((cleanup(release))) int held = 1;
		*p = 1;
	}
	*q = 1;
}
int main(int argc, char **argv)
{
	int here = 0;
	(void)argc;
	switch (argv[1][0]) {
	case 'b': between(&here, 0); break;
	case 'e': at_end(&here, 0); break;
	case 't': trap(&here, 0); break;
	case 'c': covered(&here, 0); break;
	case 'a': after(&here, 0); break;
	}
	return 0;
}
E1

# Instructions between the labels of call-site entries with a landing pad, by the compiler's own assembly; but for those
# entries in which it marks a call as part of a cleanup.
in_pads() {
	awk '/^\.LEHB[0-9]+:/ { region = substr($1, 6) + 0 }
	/^\.LEHE[0-9]+:/ { region = "" }
	/^\t[a-z]/ && region != "" { count[region]++ }
	/^\tnopl\t0x52/ { cleanup[region] = 1 }
	/^\.LLSDACSB/ { table = 1; n = 0 }
	/^\.LLSDACSE/ { table = 0 }
	table && /uleb128/ { n++; if (n % 4 == 1) { split($2, a, "[B-]"); entry = a[2] + 0 }
		if (n % 4 == 3 && $2 != "0" && !cleanup[entry]) sum += count[entry] }
	END { print sum + 0 }' code.s
}
# Instructions of a verdict, of those in all (2) or those that can fault (5).
verdict() { # NAME COLUMN
	"$ripcord" audit code.o | awk -v name="$1" -v column="$2" '$1 == name && NF > 6 { print $column }'
}
windows() { "$ripcord" audit --all code.o | sed -n 's/^  window *\([a-z_]*\)[.+].*/\1/p' | sort | tr '\n' ' '; }
at() { # SYMBOL: whether a window begins there; the first section of code lies at 0x10000 or behind it
	local found symbol
	symbol=$(nm guest | sed -n "s/^0*\([0-9a-f]*\) . $1\$/0x\1/p")
	"$ripcord" audit --all guest | grep -c "^  window .*($symbol-"
}
released() { "$ripcord" run guest "$1" 2>/dev/null | grep -c released; }

for level in -O0 -O1 -O2 -O3 -Os; do
	"$ripcord" cc $level -S code.c -o code.s && "$ripcord" cc -c code.s -o code.o && "$ripcord" cc code.o -o guest
	is "$level: instructions with a landing pad, as the assembly has them" "$(verdict pad 2)" "$(in_pads)"
	ok "$level: there are some" test "$(in_pads)" -gt 5
	is "$level: no CFI is wrong" "$("$ripcord" audit --fail-on cfi,table guest >/dev/null; echo $?)" 0
	is "$level: three windows" "$(windows)" 'at_end between trap '
	is "$level: one stands at the end of a scope, before the cleanup" "$(at at_end_here)" 1
	is "$level: and it leaks" "$(released e)" 0
	is "$level: a trap in a scope leaks" "$(released t)" 0
	is "$level: one is inline assembly in mid-scope" "$(at between_here)" 1
	is "$level: and it leaks" "$(released b)" 0
	is "$level: a division does not leak" "$(released c)" 1
	is "$level: a store behind a scope leaks nothing" "$(released a)" 1
	is "$level: --fail-on window" "$("$ripcord" audit --fail-on=window guest >/dev/null; echo $?)" 1
done
cat >plain.c <<'E1'
int sum(const int *from, int n) { int s = 0; for (int i = 0; i < n; i++) s += from[i]; return s; }
E1
"$ripcord" cc -O2 -c plain.c -o code.o
is "a function without cleanups is plain" "$(verdict plain 2) $(verdict pad 2) $(verdict window 2)" \
	"$(objdump -d code.o | grep -c '^ .*:	.*	') 0 0"
printf 'f: nop\nmov (%%rdi), %%eax\ncall f\nret\n' >code.s
gcc -c code.s -o code.o
is "code without unwind information" "$(verdict none 2) $(verdict none 5)" "3 1"
# What the compiler says of cleanups: a pad that only hands the exception on, and a call with the plugin's mark.
covered() { # CODE PAD: a function whose CODE has a landing pad
	cat "$top/tests/audit/macros.s" - >code.s <<E1
f:	.cfi_startproc
	guarded
	pushed rbx
1:	$1
2:	popped rbx
	ret
	.cfi_adjust_cfa_offset 8
3:	$2
	pad_of_1_to_2
	.cfi_endproc
E1
	gcc -c code.s -o code.o
}
covered 'mov (%rdi), %eax' nop
is "what a pad covers that does nothing is masked" "$(verdict pad 5) $(verdict masked 5)" '0 1'
covered 'mov (%rdi), %eax' 'incl (%rbx)'
is "what one covers that does something is not" "$(verdict pad 5)" 1
covered 'call other' 'call release'
is "a call with a pad" "$(verdict pad 8)" 1
covered 'call other; nopl 0x52(%rax)' 'call release'
is "with the mark, it is masked" "$(verdict pad 8)" 0
covered 'movzbl %fs:0, %eax; call other; nopl 0x52(%rax)' 'call release'
is "so it is beside a poll, whose pad is one" "$(verdict pad 8) $(verdict pad 2)" '0 2'
for poll in 'movzbl %fs:0, %r9d' 'movb %fs:0, %al' 'movb %fs:0, %r9b' 'movb %fs:0, %sil' 'movzbl %fs:0, %esi'; do
	covered "$poll; call other; nopl 0x52(%rax)" 'call release'
	is "... also $poll" "$(verdict pad 8) $(verdict pad 2)" '0 2'
done
# A page of a variable-length array is touched where it is made. Nothing else is written so.
faulting() { covered "$1" 'incl (%rbx)'; verdict pad 5; }
is "a probe through a register that was made of rsp" "$(faulting 'add %rsp, %rax; mov %rax, %rcx; orq $0, (%rcx)')" 0
is "... made of something else" "$(faulting 'add %rdi, %rax; orq $0, (%rax)')" 1
is "... that a branch may have changed" "$(faulting 'add %rsp, %rax; test %rdi, %rdi; je 4f; mov %rdi, %rax
4:	orq $0, (%rax)')" 1
is "no probe: locked, or not of 0, or a load" "$(for code in 'lock orq $0, (%rax)' 'orq $1, (%rax)' 'mov (%rax), %rax'; do
	faulting "add %rsp, %rax; $code"; done | tr '\n' ' ')" '1 1 1 '
# C++: what a function has acquired lies in a register only until its first call that is covered.
cat >code.cc <<'E1'
struct thing { thing(int); ~thing(); int v; };
int use(int *);
__attribute__((noinline)) int f(int *p) { thing *t = new thing(*p); int r = use(p); delete t; return r; }
E1
g++ -O1 -c code.cc -o code.o
is "C++: a load between new and the constructor" \
	"$("$ripcord" audit --all code.o | sed -n 's/^  window *\(_Z1fPi+[0-9a-fx]*\).*/\1/p')" \
	"_Z1fPi+0x$(objdump -d code.o | sed -n 's/^ *\([0-9a-f]*\):.*mov .*(%r[a-z0-9]*),%esi/\1/p')"
finish
