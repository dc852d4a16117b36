/* SPDX-License-Identifier: MIT
 * eh: the personality of C with cleanups, and which personalities need not be asked. */
#include "eh/eh.h"

#define EXPORT __attribute__((visibility("default")))

/* C has cleanups only. The frame's tables were decoded when its site was asked for. */
EXPORT _Unwind_Reason_Code __gcc_personality_v0(int version, _Unwind_Action actions,
						_Unwind_Exception_Class class,
						struct _Unwind_Exception *exception,
						struct _Unwind_Context *context);

static _Unwind_Reason_Code ask_others(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
				      struct _Unwind_Exception *exception, struct _Unwind_Context *context)
{
	_Unwind_Personality_Fn others = (_Unwind_Personality_Fn)rip_eh_others(context, "__gcc_personality_v0");

	return others ? others(version, actions, class, exception, context) : _URC_FATAL_PHASE1_ERROR;
}

EXPORT _Unwind_Reason_Code __gcc_personality_v0(int version, _Unwind_Action actions,
						_Unwind_Exception_Class class,
						struct _Unwind_Exception *exception,
						struct _Unwind_Context *context)
{
	struct rip_cursor *cursor = &context->cursor;

	if (context->maker != rip_eh_maker)
		return ask_others(version, actions, class, exception, context);
	if (version != 1)
		return _URC_FATAL_PHASE1_ERROR;
	if (!(actions & _UA_CLEANUP_PHASE) || context->at_end)
		return _URC_CONTINUE_UNWIND;
	rip_cursor_site(cursor);
	if (cursor->frame.site != RIP_ROW_SITE_CLEANUP)
		return _URC_CONTINUE_UNWIND;
	_Unwind_SetGR(context, __builtin_eh_return_data_regno(0), (uintptr_t)exception);
	_Unwind_SetGR(context, __builtin_eh_return_data_regno(1), 0);
	_Unwind_SetIP(context, cursor->frame.function + (uint64_t)(int64_t)cursor->frame.pad);
	return _URC_INSTALL_CONTEXT;
}

/* --- Known personalities --- */

enum { REMEMBERED = 16 };

/* Bit 0 of a remembered address says whether it is known: functions are aligned. Racing writers at worst
 * forget what the other has found out. */
static uintptr_t remembered[REMEMBERED];

/* libc's own personality only goes on to __gcc_personality_v0, for which it opens libgcc_s.so.1: not in the
 * middle of a throw, if it can be helped. */
static bool find_out(uint64_t personality)
{
	return rip_port_exports(personality, "__gxx_personality_v0") ||
	       rip_port_exports(personality, "__gcc_personality_v0") || rip_port_in_libc(personality);
}

bool rip_eh_personality_known(uint64_t personality)
{
	uintptr_t *place = &remembered[(personality >> 4) % REMEMBERED];
	uintptr_t found = __atomic_load_n(place, __ATOMIC_RELAXED);

	if ((found & ~(uintptr_t)1) == personality)
		return found & 1;
	if (personality & 1)
		return false;
	bool known = find_out(personality);
	__atomic_store_n(place, personality | known, __ATOMIC_RELAXED);
	return known;
}
