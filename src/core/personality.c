/* SPDX-License-Identifier: MIT
 * core: the personality that GCC's tables of C code name. The engine reads those tables itself and never
 * calls it: its address says what language a frame is of. */
#include <unwind.h>

#include "stop/foreign.h"

typedef _Unwind_Reason_Code personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
					struct _Unwind_Exception *exception, struct _Unwind_Context *context);
__attribute__((visibility("hidden"))) personality __gcc_personality_v0, rip_arch_personality;

/* What another unwinder has to know: C has no handlers, and here nobody can be let into a landing pad. */
static _Unwind_Reason_Code answer(_Unwind_Action actions)
{
	return actions & _UA_SEARCH_PHASE ? _URC_CONTINUE_UNWIND : _URC_FATAL_PHASE2_ERROR;
}

_Unwind_Reason_Code __gcc_personality_v0(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
					 struct _Unwind_Exception *exception, struct _Unwind_Context *context)
{
	(void)version, (void)class, (void)exception, (void)context;
	return answer(actions);
}

/* Of the backstop's frame, beyond which no exception may get. */
_Unwind_Reason_Code rip_arch_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
					 struct _Unwind_Exception *exception, struct _Unwind_Context *context)
{
	(void)version, (void)class, (void)exception, (void)context;
	return actions & _UA_SEARCH_PHASE ? _URC_END_OF_STACK : _URC_FATAL_PHASE2_ERROR;
}

bool rip_foreign_is_c(uint64_t personality)
{
	return personality == (uintptr_t)__gcc_personality_v0;
}
