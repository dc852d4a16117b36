/* SPDX-License-Identifier: MIT
 * core: where landing pads end. One that was entered for a stop goes back to the engine (see struct
 * rip_exception in arch.h). There is no other unwinder: anything else is a fault of the code that calls, at
 * the caller's own frame.
 *
 * void _Unwind_Resume(struct _Unwind_Exception *exception); */
#include "resume.h"

	.text
	.hidden	_Unwind_Resume
	UNWIND_RESUME_OR 1f
1:	ud2
	UNWIND_RESUME_END

	.section .note.GNU-stack, "", @progbits
