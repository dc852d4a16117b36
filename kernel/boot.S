/* SPDX-License-Identifier: MIT
 * boot: from the loader to C. The loader enters by the PVH protocol ("x86/HVM direct boot ABI"): 32-bit
 * protected mode, paging off, interrupts off, ebx the physical address of the start info.
 *
 * The first GiB of memory is mapped three times by the same table of 2 MiB pages: where it lies (until C
 * runs), at DIRECT_MAP, and at KERNEL_BASE. paging.c puts a stricter map in its place. */
#include "layout.h"

#define NOTE_PHYS32_ENTRY 18
#define PRESENT_WRITABLE 3
#define LARGE 0x80
#define CR4_PAE (1 << 5)
#define CR0_PROTECTED (1 << 0)
#define CR0_WRITE_PROTECT (1 << 16)
#define CR0_PAGING (1 << 31)
#define MSR_EFER 0xc0000080
#define EFER_LONG_MODE (1 << 8)
#define EFER_NO_EXECUTE (1 << 11)

	.section .note.Xen, "a", @note
	.balign 4
	.long	4, 4, NOTE_PHYS32_ENTRY
	.asciz	"Xen"
	.long	boot

	.section .boot, "awx", @progbits
	.code32
	.globl	boot
	.type	boot, @function
boot:
	movl	$pdpt_low + PRESENT_WRITABLE, pml4
	movl	$pdpt_low + PRESENT_WRITABLE, pml4 + 8 * DIRECT_MAP_SLOT
	movl	$pdpt_high + PRESENT_WRITABLE, pml4 + 8 * 511
	movl	$pd + PRESENT_WRITABLE, pdpt_low
	movl	$pd + PRESENT_WRITABLE, pdpt_high + 8 * 510
	movl	$LARGE + PRESENT_WRITABLE, %eax
	xorl	%ecx, %ecx
1:	movl	%eax, pd(, %ecx, 8)
	addl	$0x200000, %eax
	incl	%ecx
	cmpl	$512, %ecx
	jne	1b
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	%cr4, %eax
	orl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LONG_MODE + EFER_NO_EXECUTE, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$CR0_PAGING + CR0_WRITE_PROTECT + CR0_PROTECTED, %eax
	movl	%eax, %cr0
	lgdt	gdt_pointer
	ljmp	$CODE_SELECTOR, $boot_long

	.code64
boot_long:
	movabsq	$start, %rax
	jmp	*%rax

	.balign 8
gdt:	.quad	0, 0x00af9a000000ffff, 0x00cf92000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

	.balign 4096
pml4:	.skip	4096
pdpt_low: .skip 4096
pdpt_high: .skip 4096
pd:	.skip	4096

/* In the upper half. The outermost frame: its return address is none. */
	.text
	.type	start, @function
start:
	.cfi_startproc
	.cfi_undefined %rip
	movl	$DATA_SELECTOR, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	leaq	boot_stack_end(%rip), %rsp
	xorl	%ebp, %ebp
	movl	%ebx, %edi
	call	kernel_main
	ud2
	.cfi_endproc
	.size	start, . - start

	.bss
	.balign	16
	.globl	boot_stack, boot_stack_end
boot_stack:
	.skip	BOOT_STACK_SIZE
boot_stack_end:

	.section .note.GNU-stack, "", @progbits
