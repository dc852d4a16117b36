/* SPDX-License-Identifier: MIT
 * arch: the head of each _Unwind_Resume of ours, for assembly: a landing pad that was entered for a stop goes straight back
 * to the engine (see struct rip_exception in arch.h). What else calls it goes to \other. */
#ifndef RIPCORD_RESUME_H
#define RIPCORD_RESUME_H

#include "layout.h"

.macro BACK_TO_ENGINE_OR other
	endbr64
	movabsq	$RIP_EXCEPTION_CLASS_WORD, %rax
	cmpq	%rax, (%rdi)
	jne	\other
	jmp	*RIP_EXCEPTION_ENTRY(%rdi)
.endm

#endif
