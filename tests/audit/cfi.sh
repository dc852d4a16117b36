# ripcord audit: wrong CFI of each kind is found at the instruction where it begins, and right CFI is not spoken of.
. tests/tap.bash
cd "$work" || exit 1

assemble() { # the body of a function on standard input; `bad` marks where the CFI begins to be wrong
	{ cat "$top/tests/audit/macros.s"; printf '.globl f\n.type f, @function\nf:\n.cfi_startproc\n'; cat; printf '.cfi_endproc\n.size f, . - f\n'; } >f.s
	gcc -c f.s -o f.o && gcc -shared -nostdlib f.o -o f.so -Wl,--unresolved-symbols=ignore-all
}
found() { # FILE: where each finding of CFI begins, as an offset into f
	"$ripcord" audit --all "$1" | sed -n 's/^  cfi  *f+\(0x[0-9a-f]*\|0\) .*/\1/p'
}
bad() { # where it should
	nm f.o | sed -n 's/^0*\([0-9a-f]\+\) . bad$/0x\1/p'
}
wrong() { # NAME: found in the object file and in the shared object, at `bad`, once
	assemble
	is "$1" "$(found f.o)" "$(bad)"
	is "$1 (linked)" "$(found f.so)" "$(bad)"
}
right() { # NAME
	assemble
	is "$1" "$(found f.o)$(found f.so)" ""
}

wrong 'an offset that does not follow a push' <<'E1'
	push %rbx
bad:	nop
	pop %rbx
	ret
E1
right 'an offset that follows a push and a pop' <<'E1'
	save rbx
	xor %ebx, %ebx
	restore rbx
	ret
E1
right 'a popped register whose slot is still whole' <<'E1'
	save rbx
	xor %ebx, %ebx
	popped rbx
	ret
E1
wrong 'an offset that is too large' <<'E1'
	sub $24, %rsp
	.cfi_adjust_cfa_offset 32
bad:	nop
	add $24, %rsp
	.cfi_def_cfa_offset 8
	ret
E1
wrong 'a register overwritten, but not said to be saved' <<'E1'
	pushed rbx
	xor %ebx, %ebx
bad:	nop
	popped rbx
	ret
E1
wrong 'a register said to be saved in the wrong slot' <<'E1'
	pushed rbx
	pushed r12
	.cfi_offset rbx, -24
bad:	.cfi_offset r12, -16
	xor %ebx, %ebx
	xor %r12d, %r12d
	popped r12
	pop %rbx
	.cfi_def_cfa_offset 8
	.cfi_restore rbx
	.cfi_restore r12
	ret
E1
wrong 'a register said to be saved before it is' <<'E1'
	sub $8, %rsp
	.cfi_adjust_cfa_offset 8
	.cfi_offset rbx, -16
bad:	mov %rbx, (%rsp)
	xor %ebx, %ebx
	mov (%rsp), %rbx
	add $8, %rsp
	.cfi_def_cfa_offset 8
	.cfi_restore rbx
	ret
E1
right 'a register saved by a store' <<'E1'
	sub $8, %rsp
	.cfi_adjust_cfa_offset 8
	mov %rbx, (%rsp)
	.cfi_offset rbx, -16
	xor %ebx, %ebx
	mov (%rsp), %rbx
	add $8, %rsp
	.cfi_def_cfa_offset 8
	.cfi_restore rbx
	ret
E1
wrong 'a missing restore: the slot is used again' <<'E1'
	save rbx
	popped rbx
	push %rdi
bad:	.cfi_adjust_cfa_offset 8
	popped rdi
	ret
E1
wrong 'a missing restore: the slot is below the red zone' <<'E1'
	sub $200, %rsp
	.cfi_adjust_cfa_offset 200
	mov %rbx, (%rsp)
	.cfi_rel_offset rbx, 0
	mov (%rsp), %rbx
	add $200, %rsp
bad:	.cfi_adjust_cfa_offset -200
	ret
E1
wrong 'a missing restore: a call has been made since' <<'E1'
	save rbx
	popped rbx
	call other
bad:	ret
E1
right 'a store through a pointer that seems to lead to a saved register' <<'E1'
	save rbx
	xor %ebx, %ebx
	mov %rsp, %r8
	mov %rax, (%r8)
	restore rbx
	ret
E1
wrong 'the wrong register as CFA' <<'E1'
	save rbp
	mov %rsp, %rbp
	.cfi_def_cfa_register rbx
bad:	nop
	leave
	.cfi_def_cfa rsp, 8
	.cfi_restore rbp
	ret
E1
wrong 'rbp as CFA before it is set' <<'E1'
	push %rbp
	.cfi_def_cfa rbp, 16
	.cfi_offset rbp, -16
bad:	mov %rsp, %rbp
	leave
	.cfi_def_cfa rsp, 8
	.cfi_restore rbp
	ret
E1
wrong 'rbp as CFA after leave' <<'E1'
	push %rbp
	.cfi_def_cfa_offset 16
	.cfi_offset rbp, -16
	mov %rsp, %rbp
	.cfi_def_cfa_register rbp
	leave
bad:	ret
E1
right 'rbp as CFA' <<'E1'
	push %rbp
	.cfi_def_cfa_offset 16
	.cfi_offset rbp, -16
	mov %rsp, %rbp
	.cfi_def_cfa_register rbp
	sub %rdi, %rsp
	and $-32, %rsp
	push %rbx
	.cfi_escape 0x2e, 0
	call other
	lea (%rbp), %rsp
	pop %rbp
	.cfi_def_cfa rsp, 8
	ret
E1
wrong 'an epilogue in mid-function without remember and restore' <<'E1'
	save rbx
	test %edi, %edi
	je 1f
	restore rbx
	ret
bad:
1:	xor %ebx, %ebx
	pop %rbx
	ret
E1
right 'an epilogue in mid-function with remember and restore' <<'E1'
	save rbx
	test %edi, %edi
	je 1f
	pop %rbx
	.cfi_remember_state
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbx
	ret
1:	.cfi_restore_state
	xor %ebx, %ebx
	popped rbx
	ret
E1
wrong 'only one of two paths is wrong' <<'E1'
	test %edi, %edi
	je 1f
	save rbx
bad:
1:	nop
	restore rbx
	ret
E1
wrong 'the return address said to be elsewhere' <<'E1'
	nop
	.cfi_offset rip, -16
bad:	nop
	.cfi_offset rip, -8
	ret
E1
wrong 'a return with the wrong stack pointer' <<'E1'
	pushed rax
	ud2
bad:	ret
E1
wrong 'a tail call from a frame that is still there' <<'E1'
	pushed rax
bad:	jmp g
	.cfi_endproc
	.globl g
g:	.cfi_startproc
	ret
E1
wrong 'a restore that is said and not done' <<'E1'
	save r15
	xor %r15d, %r15d
	.cfi_restore r15
bad:	nop
	popped r15
	ret
E1
wrong 'registers restored in the wrong order' <<'E1'
	pushed rbx
	.cfi_offset rbx, -16
	pushed r12
	.cfi_offset r12, -24
	popped rbx
	.cfi_restore r12
	popped r12
	.cfi_restore rbx
bad:	ret
E1
wrong 'a landing pad with the stack pointer of its call' <<'E1'
	guarded
	pushed rax
	pushed rdi
1:	call other
2:	add $8, %rsp
	.cfi_adjust_cfa_offset -8
	popped rax
	ret
	.cfi_adjust_cfa_offset 8
bad:
3:	pad_of_1_to_2
E1
right 'a landing pad that drops what was pushed (DW_CFA_GNU_args_size)' <<'E1'
	guarded
	pushed rax
	pushed rdi
	.cfi_escape 0x2e, 8
1:	call other
2:	add $8, %rsp
	.cfi_adjust_cfa_offset -8
	.cfi_escape 0x2e, 0
	popped rax
	ret
	.cfi_adjust_cfa_offset 8
3:	pad_of_1_to_2
E1
right 'probes page by page, then a stack pointer that is known again' <<'E1'
	lea -0x5000(%rsp), %r11
	.cfi_def_cfa r11, 0x5008
1:	sub $4096, %rsp
	orq $0, (%rsp)
	cmp %r11, %rsp
	jne 1b
	.cfi_def_cfa_register rsp
	sub $0x100, %rsp
	.cfi_def_cfa_offset 0x5108
	add $0x5100, %rsp
	.cfi_def_cfa_offset 8
	ret
E1
right 'a realigned stack, whose CFA is found through memory' <<'E1'
	lea 8(%rsp), %r10
	.cfi_def_cfa r10, 0
	and $-32, %rsp
	push -8(%r10)
	push %rbp
	mov %rsp, %rbp
	.cfi_escape 0x10, 6, 2, 0x76, 0
	push %r10
	.cfi_escape 0x0f, 3, 0x76, 0x78, 6
	sub $0x28, %rsp
	call other
	add $0x28, %rsp
	pop %r10
	.cfi_def_cfa r10, 0
	pop %rbp
	.cfi_restore rbp
	lea -8(%r10), %rsp
	.cfi_def_cfa rsp, 8
	ret
E1
right 'a call that does not come back' <<'E1'
	test %edi, %edi
	jne 1f
	pushed rax
	call gone
	nopl (%rax, %rax)
	.cfi_adjust_cfa_offset -8
1:	ret
E1
right 'a switch' <<'E1'
	pushed rbx
	.cfi_offset rbx, -16
	cmp $2, %edi
	ja 4f
	lea table(%rip), %rdx
	movslq (%rdx, %rdi, 4), %rax
	add %rdx, %rax
	jmp *%rax
1:	xor %ebx, %ebx
	pop %rbx
	.cfi_remember_state
	.cfi_adjust_cfa_offset -8
	ret
2:	.cfi_restore_state
	inc %ebx
	jmp 1b
4:	jmp 1b
	.section .rodata
table:	.long 1b - table, 2b - table, 4b - table
	.text
E1
wrong 'a switch, one of whose targets is wrong' <<'E1'
	pushed rbx
	.cfi_offset rbx, -16
	cmp $1, %edi
	ja 4f
	lea table(%rip), %rdx
	movslq (%rdx, %rdi, 4), %rax
	add %rdx, %rax
	jmp *%rax
4:	popped rbx
	ret
bad:
2:	ud2
	.section .rodata
table:	.long 2b - table, 4b - table
	.text
E1
wrong 'the cold part of a function, with another offset' <<'E1'
	pushed rax
	test %edi, %edi
bad:	jne cold
	popped rax
	ret
	.cfi_endproc
cold:	.cfi_startproc
	.cfi_def_cfa_offset 32
	ud2
E1
right 'the cold part of a function' <<'E1'
	pushed rax
	test %edi, %edi
	jne cold
	popped rax
	ret
	.cfi_endproc
	.cfi_startproc
	nop
	.cfi_def_cfa_offset 16
cold:	ud2
E1
right 'data behind a breakpoint' <<'E1'
	nop
	int3
	.skip 6, 0xcc
	.byte 0x58, 0xc3, 0x53, 0x5b, 0x58, 0x58, 0xc3, 0
E1
right 'a jump behind a lock prefix' <<'E1'
	test %edi, %edi
	je 1f
	lock
1:	cmpxchg %esi, (%rdx)
	ret
E1
right 'a fence on the return address, an exchange with itself' <<'E1'
	lock orq $0, (%rsp)
	nop
	xchg %rbx, %rbx
	nop
	ret
E1
wrong 'an `or` that changes the return address' <<'E1'
	orq $1, (%rsp)
bad:	nop
	ret
E1
right 'a probe that keeps rax' <<'E1'
	mov $0x5000, %eax
	call probestack
	sub %rax, %rsp
	.cfi_adjust_cfa_offset 0x5000
	nop
	add $0x5000, %rsp
	.cfi_adjust_cfa_offset -0x5000
	ret
E1
right 'a CFA that is pushed from memory' <<'E1'
	mov %rsp, %rax
	.cfi_def_cfa rax, 8
	sub $0x40, %rsp
	mov %rax, 0x38(%rsp)
	.cfi_escape 0x0f, 6, 0x77, 0x38, 0x06, 0x23, 0x08, 0x96
	lea -0x40(%rsp), %rsp
	.cfi_escape 0x0f, 7, 0x77, 0xf8, 0x00, 0x06, 0x23, 0x08, 0x96
	push 0x78(%rsp)
	.cfi_escape 0x0f, 5, 0x77, 0x00, 0x06, 0x23, 0x08
	xor %eax, %eax
	mov (%rsp), %rsp
	.cfi_def_cfa rsp, 8
	ret
E1
right 'a switch whose default cannot be: it leads to the part of another function' <<'E1'
	cmp $3, %edi
	ja part
	ret
	.cfi_endproc
	.globl g
g:	.cfi_startproc
	pushed rax
	test %edi, %edi
	je part
	popped rax
	ret
	.cfi_endproc
	.cfi_startproc
	nop
	.cfi_def_cfa_offset 16
part:	ud2
E1
wrong 'a jump to the part of a function from another place of it, with another offset' <<'E1'
	pushed rax
	test %edi, %edi
	je part
	popped rax
	test %esi, %esi
bad:	je part
	ret
	.cfi_endproc
	.cfi_startproc
	nop
	.cfi_def_cfa_offset 16
part:	ud2
E1
right 'a call that the compiler holds not to throw, with arguments on the stack, in an entry with a landing pad' <<'E1'
	guarded
	pushed rax
1:	call other
	pushed rdi
here:	call another
	popped rdi
2:	popped rax
	ret
	.cfi_adjust_cfa_offset 8
3:	pad_of_1_to_2
E1
is 'is transient, where it stands' "$("$ripcord" audit f.o | sed -n 's/^  transient *f+\(0x[0-9a-f]*\).*/\1/p')" \
	"$(nm f.o | sed -n 's/^0*\([0-9a-f]*\) t here/0x\1/p')"
assemble 2>/dev/null <<'E1'
	ret
	.section .eh_frame, "a"
9:	.long 8f - 7f
7:	.long 0
	.byte 1
	.asciz "zR"
	.uleb128 1
	.sleb128 -8
	.byte 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1
	.balign 8
8:	.long 6f - 5f
5:	.long 5b - 9b, f - ., 1, 0
	.balign 8
6:	.text
E1
is 'two entries for one function' "$("$ripcord" audit f.o | sed -n 's/^  table *//p')" \
	': .eh_frame: two entries cover the same code'
finish
