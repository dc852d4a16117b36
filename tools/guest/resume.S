/* SPDX-License-Identifier: MIT
 * resume: each guest's own _Unwind_Resume. A landing pad that was entered for a stop goes straight back to
 * the engine (see struct rip_exception in arch.h); all others go on to libgcc_s or what stands in for it.
 *
 * void _Unwind_Resume(struct _Unwind_Exception *exception); */
#include "resume.h"

	.symver	libgcc_Unwind_Resume, _Unwind_Resume@GCC_3.0

	.text
	.hidden	_Unwind_Resume
	UNWIND_RESUME_OR 1f
1:	jmp	*libgcc_Unwind_Resume@GOTPCREL(%rip)
	UNWIND_RESUME_END

	.section .note.GNU-stack, "", @progbits
