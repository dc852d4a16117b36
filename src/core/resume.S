/* SPDX-License-Identifier: MIT
 * core: where landing pads end. One that was entered for a stop goes back to the engine (see struct rip_exception in
 * arch.h). There is no other unwinder: anything else is a fault of the code that calls, at the caller's own frame.
 *
 * void _Unwind_Resume(struct _Unwind_Exception *exception); */
#include "resume.h"

	.text
	.globl	_Unwind_Resume
	.hidden	_Unwind_Resume
	.type	_Unwind_Resume, @function
	.p2align 4
_Unwind_Resume:
	.cfi_startproc
	BACK_TO_ENGINE_OR 1f
1:	ud2
	.cfi_endproc
	.size	_Unwind_Resume, . - _Unwind_Resume

	.section .note.GNU-stack, "", @progbits
