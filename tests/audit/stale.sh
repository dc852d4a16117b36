# ripcord audit: landing pads that take a value from before the call that leads to them. Each rule that tells what the
# compiler read too early from what the source kept on purpose has a case on both of its sides.
. tests/tap.bash
cd "$work" || exit 1

# A function whose frame has 4 slots, at 0, 8, 16 and 24 of the stack pointer: BEFORE a call whose landing pad begins with
# PAD, and BEHIND it.
function_of() { # BEFORE BEHIND PAD [CALLS]: CALLS stand for the one call
	cat "$top/tests/audit/macros.s" - >code.s <<E1
	.globl f
	.type f, @function
f:	.cfi_startproc
	guarded
	save rbx
	save rbp
	sub \$32, %rsp
	.cfi_adjust_cfa_offset 32
	$1
1:	mov (%rsi), %eax
	${4:-call change}
2:	$2
	.cfi_remember_state
	add \$32, %rsp
	.cfi_adjust_cfa_offset -32
	restore rbp
	restore rbx
	ret
	.cfi_restore_state
3:	mov %rax, %rbp
	$3
	mov %rbp, %rdi
	call _Unwind_Resume
4:	.cfi_endproc
	.size f, . - f
	.section .gcc_except_table, "a"
lsda:	.byte 0xff, 0xff, 1, 12
	.uleb128 0, 1b - f, 0, 0
	.uleb128 1b - f, 2b - 1b, 3b - f, 0
	.uleb128 2b - f, 4b - 2b, 0, 0
	.data
	.hidden personality
personality: .quad 0
	.section .rodata
fixed:	.quad 1
	.data
shared:	.quad 1
E1
	gcc -c code.s -o code.o && gcc -shared -nostdlib code.o -o code.so -Wl,--unresolved-symbols=ignore-all
}
stale() { "$ripcord" audit --all "$1" | sed -n 's/^  stale  *f+\(0x[0-9a-f]*\) .*/\1/p' | tr '\n' ' '; }
is_stale() { # NAME BEFORE BEHIND PAD: at the call in the middle, and nowhere else
	function_of "$2" "$3" "$4"
	is "stale: $1" "$(stale code.so)" "$(objdump -d code.so | sed -n 's/^ *\([0-9a-f]*\):.*call .*<change.*/0x\1/p' | head -1 |
		{ read -r at && printf '%#x ' $((at - 0x$(nm code.so | sed -n 's/ T f$//p'))); })"
}
is_not() { # NAME BEFORE BEHIND PAD [CALLS]
	function_of "$2" "$3" "$4" "$5"
	is "not stale: $1" "$(stale code.so)" ''
}
load='lea 8(%rsp), %rdi; mov 8(%rsp), %rbx'
behind='mov 8(%rsp), %rdi; test %rdi, %rdi; je 44f; call free; 44: nop'
pad='test %rbx, %rbx; je 5f; mov %rbx, %rdi; call free; 5: nop'

is_stale 'a copy that only the pad reads, of what is read again behind the call' "$load" "$behind" "$pad"
is "it is named" "$("$ripcord" audit --all code.so | sed -n 's/^  stale  *f.*: //p' | sed 's/+0x[0-9a-f]* /+X /')" \
	'the landing pad at +X takes rbx, a copy of what was at CFA-48 before this call (of change), which may have changed it'
is "it counts as a call, and as a verdict of its own" \
	"$("$ripcord" audit code.so | awk 'NF == 10 && ($1 == "stale" || $1 == "pad") { print $1, $8 }' | xargs)" 'pad 0 stale 1'
is "--fail-on stale" "$(status "$ripcord" audit --fail-on stale code.so)" 1
is "the same in an object file" "$(stale code.o)" "$(stale code.so)"
is "in JSON" "$("$ripcord" audit --json code.so | perl -MJSON::PP -0777 -ne 'my $f = decode_json($_)->{files}[0];
	print "$f->{calls}{stale} $f->{findings}[0]{kind}"')" '1 stale'
is "in HTML" "$("$ripcord" audit --html code.so | grep -c '<tr class="f-stale"><td class="gone">stale')" 1
is_stale 'of 4 bytes, made another way' 'lea 8(%rsp), %rdi; mov 8(%rsp), %eax; and $7, %edx; mov %eax, %ebx' \
	'movslq 8(%rsp), %rdx; mov %edx, %edi; call free' "$pad"
is_stale 'what was stored there' 'lea 8(%rsp), %rdi; call make; mov %rax, 8(%rsp); mov %rax, %rbx; lea 8(%rsp), %rdi' "$behind" "$pad"
is_stale 'a constant, where the register is loaded behind the call' 'xor %ebx, %ebx; movq $0, 8(%rsp); lea 8(%rsp), %rdi' \
	'mov 8(%rsp), %rbx; mov %rbx, %rdi; call free' "$pad"
is_stale 'the address has been taken in another register' 'lea 8(%rsp), %rbp; mov %rbp, %rdi; mov (%rbp), %rbx' \
	'mov (%rbp), %rdi; call free' "$pad"
is_stale 'a field behind the address that is taken' 'mov %rsp, %rdi; mov 8(%rsp), %rbx' "$behind" "$pad"
is_stale 'a global' 'mov shared(%rip), %rbx' 'mov shared(%rip), %rdi; call free' "$pad"
is_stale 'a spilled copy' 'lea 8(%rsp), %rdi; mov 8(%rsp), %rax; mov %rax, (%rsp)' "$behind" \
	'cmpq $0, (%rsp); je 5f; mov (%rsp), %rdi; call free; 5: nop'
is_stale 'behind a branch that comes from there alone' \
	'lea 8(%rsp), %rdi; mov 8(%rsp), %rbx; test %esi, %esi; je 6f; mov %rbx, %rax; jmp 7f; 6: nop' \
	'7: mov 8(%rsp), %rdi; call free' "$pad"
is_stale 'where one way behind the call ends without reading it' "$load" 'test %eax, %eax; je 44f; mov 8(%rsp), %rdi; call free; 44: nop' "$pad"

is_not 'the copy is read behind the call' "$load" "mov %rbx, %rsi; $behind" "$pad"
is_not '... on one of two ways' "$load" 'mov 8(%rsp), %rdi; test %rdi, %rdi; je 44f; mov %rbx, %rdi; call free; 44: nop' "$pad"
is_not '... by the pad of another call' "$load" "$behind" "$pad" 'call change; mov (%rsi), %eax; call change'
is_not 'the place is not read any more' "$load" 'nop' "$pad"
is_not '... or only when it has got another value' "$load" "movq \$0, 8(%rsp); $behind" "$pad"
is_not 'nobody has the address of the place' 'mov 8(%rsp), %rbx' "$behind" "$pad"
is_not '... only that of what lies behind it' 'lea 16(%rsp), %rdi; mov 8(%rsp), %rbx' "$behind" "$pad"
is_not 'the place cannot be written' 'mov fixed(%rip), %rbx' 'mov fixed(%rip), %rdi; call free' "$pad"
is_not 'the place got another value before the call' "$load; mov %rsi, 8(%rsp)" "$behind" "$pad"
is_not 'the copy got another value before the call' "$load; add \$1, %rbx" "$behind" "$pad"
is_not 'the pad looks at the place, too' "$load" "$behind" "cmp 8(%rsp), %rbx; je 5f; mov %rbx, %rdi; call free; 5: nop"
is_not 'the pad puts the old value back' "$load" "$behind" 'mov %rbx, 8(%rsp)'
is_not 'the pad does not read the copy' "$load" "$behind" 'mov 8(%rsp), %rdi; call free'
is_not 'a constant, and the register is free behind the call' 'xor %ebx, %ebx; movq $0, 8(%rsp); lea 8(%rsp), %rdi' "$behind" "$pad"
is_not 'a spilled copy that is read behind the call' 'lea 8(%rsp), %rdi; mov 8(%rsp), %rax; mov %rax, (%rsp)' "$behind; mov (%rsp), %rdi" \
	'cmpq $0, (%rsp); je 5f; mov (%rsp), %rdi; call free; 5: nop'
finish
