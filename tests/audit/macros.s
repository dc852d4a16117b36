/* What bodies of functions are made of: pushes and pops with their CFI, and with what they save; a function with a
 * landing pad, which is at 3 and covers 1 to 2. */
	.macro pushed reg
	push %\reg
	.cfi_adjust_cfa_offset 8
	.endm
	.macro popped reg
	pop %\reg
	.cfi_adjust_cfa_offset -8
	.endm
	.macro save reg
	pushed \reg
	.cfi_rel_offset \reg, 0
	.endm
	.macro restore reg
	popped \reg
	.cfi_restore \reg
	.endm
	.macro guarded
	.cfi_personality 0x9b, personality
	.cfi_lsda 0x1b, lsda
	.endm
	.macro pad_of_1_to_2
	mov %rax, %rdi
	call _Unwind_Resume
	.section .gcc_except_table, "a"
lsda:	.byte 0xff, 0xff, 1, 4
	.uleb128 1b - f, 2b - 1b, 3b - f, 0
	.data
	.hidden personality
personality: .quad 0
	.text
	.endm
