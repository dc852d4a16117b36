/* SPDX-License-Identifier: MIT
 * eh: the context of level I: set up, load, step, install, and what personalities ask of it. */
#include "eh/eh.h"

#define EXPORT __attribute__((visibility("default")))

void rip_eh_init(struct _Unwind_Context *context, const struct rip_context *from)
{
	context->maker = rip_eh_maker;
	rip_cursor_init_here(&context->cursor, from);
	context->at_end = false;
}

/* An exact pc of 0 is a call of NULL that a signal has interrupted. */
bool rip_eh_load(struct _Unwind_Context *context)
{
	const struct rip_cursor *cursor = &context->cursor;

	if (context->at_end || (cursor->reg[RIP_REG_PC] == 0 && !cursor->exact) ||
	    rip_cursor_load(&context->cursor) != RIP_OK)
		context->at_end = true;
	return !context->at_end;
}

void rip_eh_step(struct _Unwind_Context *context)
{
	if (rip_cursor_step(&context->cursor) == RIP_OK)
		return;
	context->at_end = true;
	context->cursor.reg[RIP_REG_PC] = 0;
}

void rip_eh_install(struct _Unwind_Context *context)
{
	context->cursor.reg[RIP_REG_SP] += rip_cursor_args_size(&context->cursor);
	rip_arch_resume(context->cursor.reg);
}

/* --- Accessors (Itanium C++ ABI 1.4) --- */

/* Returns what the unwinder that made the context says, if that is another. */
#define IF_OTHERS(name, ...) do { \
	if (__builtin_expect(context->maker != rip_eh_maker, 0)) { \
		__typeof__(name) *others = (__typeof__(name) *)rip_eh_others(context, #name); \
		if (others) \
			return others(__VA_ARGS__); \
	} \
} while (0)

EXPORT _Unwind_Word _Unwind_GetGR(struct _Unwind_Context *context, int index)
{
	IF_OTHERS(_Unwind_GetGR, context, index);
	return index >= 0 && index < RIP_REGS ? context->cursor.reg[index] : 0;
}

/* The first register that a landing pad finds set is the exception. */
EXPORT void _Unwind_SetGR(struct _Unwind_Context *context, int index, _Unwind_Word value)
{
	if (context->maker != rip_eh_maker && index == __builtin_eh_return_data_regno(0))
		rip_eh_others_exception((const struct _Unwind_Exception *)value);
	IF_OTHERS(_Unwind_SetGR, context, index, value);
	if (index >= 0 && index < RIP_REGS)
		context->cursor.reg[index] = value;
}

EXPORT _Unwind_Ptr _Unwind_GetIP(struct _Unwind_Context *context)
{
	IF_OTHERS(_Unwind_GetIP, context);
	return context->cursor.reg[RIP_REG_PC];
}

EXPORT _Unwind_Ptr _Unwind_GetIPInfo(struct _Unwind_Context *context, int *ip_before_insn)
{
	IF_OTHERS(_Unwind_GetIPInfo, context, ip_before_insn);
	*ip_before_insn = context->cursor.exact;
	return context->cursor.reg[RIP_REG_PC];
}

EXPORT void _Unwind_SetIP(struct _Unwind_Context *context, _Unwind_Ptr value)
{
	IF_OTHERS(_Unwind_SetIP, context, value);
	context->cursor.reg[RIP_REG_PC] = value;
}

/* What callers compare with a stack pointer: the CFA of the frame below, which is this frame's rsp. */
EXPORT _Unwind_Word _Unwind_GetCFA(struct _Unwind_Context *context)
{
	IF_OTHERS(_Unwind_GetCFA, context);
	return context->cursor.reg[RIP_REG_SP];
}

EXPORT void *_Unwind_GetLanguageSpecificData(struct _Unwind_Context *context)
{
	IF_OTHERS(_Unwind_GetLanguageSpecificData, context);
	return context->at_end ? NULL : (void *)(uintptr_t)context->cursor.frame.lsda;
}

EXPORT _Unwind_Ptr _Unwind_GetRegionStart(struct _Unwind_Context *context)
{
	IF_OTHERS(_Unwind_GetRegionStart, context);
	return context->at_end ? 0 : context->cursor.frame.function;
}

static struct rip_eh_bases bases_of(const struct _Unwind_Context *context)
{
	struct rip_known_module module;
	struct rip_fde fde;

	if (context->at_end || rip_unwind_find(context->cursor.frame.function, &module, &fde) != RIP_OK)
		return (struct rip_eh_bases){ 0, 0 };
	return rip_eh_bases(&module);
}

EXPORT _Unwind_Ptr _Unwind_GetDataRelBase(struct _Unwind_Context *context)
{
	IF_OTHERS(_Unwind_GetDataRelBase, context);
	return bases_of(context).data;
}

EXPORT _Unwind_Ptr _Unwind_GetTextRelBase(struct _Unwind_Context *context)
{
	IF_OTHERS(_Unwind_GetTextRelBase, context);
	return bases_of(context).text;
}

EXPORT void _Unwind_DeleteException(struct _Unwind_Exception *exception)
{
	if (exception->exception_cleanup)
		exception->exception_cleanup(_URC_FOREIGN_EXCEPTION_CAUGHT, exception);
}
