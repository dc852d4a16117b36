/* SPDX-License-Identifier: MIT
 * arch: each _Unwind_Resume of ours, for assembly: a landing pad that was entered for a stop goes straight
 * back to the engine (see struct rip_exception in arch.h). What else calls it goes to \other. */
#ifndef RIPCORD_RESUME_H
#define RIPCORD_RESUME_H

#include "layout.h"

.macro UNWIND_RESUME_OR other
	.globl	_Unwind_Resume
	.type	_Unwind_Resume, @function
	.p2align 4
_Unwind_Resume:
	.cfi_startproc
	endbr64
	movabsq	$RIP_EXCEPTION_CLASS_WORD, %rax
	cmpq	%rax, (%rdi)
	jne	\other
	jmp	*RIP_EXCEPTION_ENTRY(%rdi)
.endm

.macro UNWIND_RESUME_END
	.cfi_endproc
	.size	_Unwind_Resume, . - _Unwind_Resume
.endm

#endif
