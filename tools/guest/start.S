/* SPDX-License-Identifier: MIT
 * start: makes a guest an ordinary program as well, one that the system can execute.
 *
 * A shared object with a PT_INTERP and an entry point runs like any program; libc.so.6 itself does.
 * Stack at entry: psABI 3.4.1. `main` goes through the GOT: the linker takes no direct reference to a
 * symbol that is exported.
 *
 *   int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv,
 *                         void (*init)(void), void (*fini)(void), void (*rtld_fini)(void),
 *                         void *stack_end);
 *
 * Since glibc 2.34 it runs the constructors itself where init is NULL. */
	.section .interp, "a", @progbits
interpreter:
	.asciz "/lib64/ld-linux-x86-64.so.2" /* psABI 5.2.1, "Program Interpreter" */

	.section ripcord_parts, "ax", @progbits /* ripcord/killable.h */
	.globl _start
	.hidden _start
	.type _start, @function
_start:
	.cfi_startproc
	.cfi_undefined %rip
	/* References without effect: --gc-sections keeps what _start refers to, and a guest gets its
	 * struct rip_link even if it uses none of the stubs. */
	.hidden rip_link
	.reloc ., R_X86_64_NONE, interpreter
	.reloc ., R_X86_64_NONE, rip_link
	endbr64
	xorl %ebp, %ebp
	movq %rdx, %r9
	popq %rsi
	movq %rsp, %rdx
	andq $-16, %rsp
	pushq %rax
	pushq %rsp
	xorl %r8d, %r8d
	xorl %ecx, %ecx
	movq main@GOTPCREL(%rip), %rdi
	call *__libc_start_main@GOTPCREL(%rip)
	hlt
	.cfi_endproc
	.size _start, . - _start

	.section .note.GNU-stack, "", @progbits
