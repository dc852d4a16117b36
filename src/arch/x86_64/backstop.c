/* SPDX-License-Identifier: MIT
 * arch: the personality of a backstop's frame: what any unwinder of the system asks when an exception gets
 * there.
 *
 * An exception is stopped in the search phase, before a frame is unwound: so what threw it can be looked at,
 * and its frames are unwound as after any stop. Another's forced unwind (pthread_cancel, pthread_exit) has no
 * such phase, and has unwound the guest's frames by now: it is passed on to the host, whose frames come next.
 * A segment's end has no pad, as the frames beyond are on the same stack. */
#include <unwind.h>

#include "arch.h"
#include "layout.h"

_Unwind_Reason_Code rip_arch_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
					 struct _Unwind_Exception *exception,
					 struct _Unwind_Context *context);

_Unwind_Reason_Code rip_arch_personality(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
					 struct _Unwind_Exception *exception,
					 struct _Unwind_Context *context)
{
	struct rip_switch *const *slot = (struct rip_switch *const *)_Unwind_GetCFA(context);
	uint32_t pad;

	(void)version, (void)class;
	if (!(actions & _UA_FORCE_UNWIND))
		slot[1]->thrown(slot[1], exception);
	rip_copy(&pad, (const char *)_Unwind_GetLanguageSpecificData(context) + RIP_BACKSTOP_TABLE_PAD,
		 sizeof pad);
	if (pad == 0)
		return _URC_CONTINUE_UNWIND;
	_Unwind_SetGR(context, __builtin_eh_return_data_regno(0), (uintptr_t)exception);
	_Unwind_SetIP(context, _Unwind_GetRegionStart(context) + pad);
	return _URC_INSTALL_CONTEXT;
}
