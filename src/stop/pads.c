/* SPDX-License-Identifier: MIT
 * pads: landing pads that end the process instead of going on with the unwind: of C++ functions that are
 * noexcept, of Rust's that may not unwind. They are told by what they call, as their tables look like
 * others'. */
#include "stop/pads.h"

#include "layout.h"
#include "port/port.h"
#include "ripcord/killable.h"
#include "stop/foreign.h"
#include "stop/killable.h"

static bool read_code(void *context, uint64_t address, void *to, size_t size)
{
	return rip_memory_read(context, address, to, size);
}

/* --- Functions --- */

enum target {
	TARGET_PLAIN, TARGET_TERMINATES, TARGET_CALLS_TERMINATE, TARGET_RESUMES, TARGET_CATCHES, TARGET_ENDS, TARGET_THROWS,
};

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (rip_same_text(name, *names))
			return true;
	return false;
}

/* What ends a pad one way, and what the other. */
static enum target judge_name(const char *name)
{
	static const char *const resume[] = { "_Unwind_Resume", "__cxa_rethrow", NULL };

	return rip_same_text(name, "_ZSt9terminatev") ? TARGET_TERMINATES :
	       rip_same_text(name, "__cxa_call_terminate") ? TARGET_CALLS_TERMINATE :
	       is_one_of(name, resume) ? TARGET_RESUMES :
	       rip_same_text(name, "__cxa_begin_catch") ? TARGET_CATCHES :
	       rip_same_text(name, "__cxa_end_catch") ? TARGET_ENDS :
	       rip_same_text(name, "__cxa_throw") ? TARGET_THROWS : TARGET_PLAIN;
}

/* Rust's core gives the text of its last words as the first argument. */
static bool is_rust_abort(struct rip_memory *memory, const uint8_t *code, uint64_t pc)
{
	static const char *const texts[] = { "panic in a function that cannot unwind",
					     "panic in a destructor during cleanup" };
	uint64_t address;
	char text[40];

	if (!rip_arch_takes_address(code, RIP_ARCH_STUB, pc, &address) ||
	    !rip_memory_read(memory, address, text, sizeof text))
		return false;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (rip_begins_with(text, sizeof text, texts[i]))
			return true;
	return false;
}

/* Of a program that holds them itself. */
extern __attribute__((weak, visibility("default"))) const char terminate_code[] __asm__("_ZSt9terminatev");
extern __attribute__((weak, visibility("default"))) const char begin_catch_code[]
	__asm__("__cxa_begin_catch");
extern __attribute__((weak, visibility("default"))) const char throw_code[] __asm__("__cxa_throw");
extern __attribute__((weak, visibility("default"))) void __cxa_end_catch(void);

static enum target judge_own(uint64_t function)
{
	if (function == (uintptr_t)terminate_code)
		return TARGET_TERMINATES;
	if (function == (uintptr_t)begin_catch_code)
		return TARGET_CATCHES;
	if (function == (uintptr_t)__cxa_end_catch)
		return TARGET_ENDS;
	if (function == (uintptr_t)throw_code)
		return TARGET_THROWS;
	return function == (uintptr_t)_Unwind_Resume ? TARGET_RESUMES : TARGET_PLAIN;
}

static enum target judge_function(struct rip_memory *memory, uint64_t function, int depth);

/* A slot holds the function, or before the first call the way to find it: so the name says more. */
static enum target judge_slot(struct rip_memory *memory, uint64_t slot, int depth)
{
	const char *name = rip_port_slot_name(slot);
	uint64_t function;

	if (name)
		return judge_name(name);
	return rip_memory_read(memory, slot, &function, sizeof function) ?
		       judge_function(memory, function, depth + 1) : TARGET_PLAIN;
}

static enum target judge_call(struct rip_memory *memory, const struct rip_arch_call *call, int depth)
{
	return call->target ? judge_function(memory, call->target, depth) :
	       call->slot ? judge_slot(memory, call->slot, depth) : TARGET_PLAIN;
}

/* clang's __clang_call_terminate: whatever frame it makes, its one way leads over __cxa_begin_catch to
 * std::terminate. */
static bool calls_terminate(struct rip_memory *memory, uint64_t function, int depth)
{
	enum { CALLS = 2 };
	struct rip_arch_way way = { .pc = function, .read = read_code, .context = memory };
	struct rip_arch_call call;

	for (int i = 0; i < CALLS && rip_arch_next_call(&way, &call) && way.branches == 0; i++)
		if (judge_call(memory, &call, depth + CALLS) == TARGET_TERMINATES)
			return true;
	return false;
}

/* A function of ours that stands in front of the runtime's calls that one first (tools/guest/catches.c). */
static enum target judge_part(struct rip_memory *memory, uint64_t function, int depth)
{
	struct rip_arch_way way = { .pc = function, .read = read_code, .context = memory };
	struct rip_arch_call call;

	return rip_arch_next_call(&way, &call) ? judge_call(memory, &call, depth + 1) : TARGET_PLAIN;
}

static enum target judge_function(struct rip_memory *memory, uint64_t function, int depth)
{
	enum { DEPTH_MAX = 4 };
	uint8_t code[RIP_ARCH_STUB];
	uint64_t next;

	enum target own = judge_own(function);
	if (own != TARGET_PLAIN || depth > DEPTH_MAX ||
	    !rip_memory_read(memory, function, code, sizeof code))
		return own;
	/* a guest's own _Unwind_Resume, or the drop-in's */
	if (rip_arch_loads_word(code, RIP_EXCEPTION_CLASS_WORD))
		return TARGET_RESUMES;
	if (rip_arch_jump_slot(code, function, &next))
		return judge_slot(memory, next, depth);
	if (rip_stop_is_part(function))
		return judge_part(memory, function, depth);
	return is_rust_abort(memory, code, function) || calls_terminate(memory, function, depth) ?
	       TARGET_CALLS_TERMINATE : TARGET_PLAIN;
}

/* --- Pads --- */

/* Behind the mark of a masked region, if one stands there. */
static uint64_t behind_mask(struct rip_memory *memory, uint64_t pc)
{
	uint8_t code[RIP_KILLABLE_MASK_SIZE];

	return rip_memory_read(memory, pc, code, sizeof code) && rip_arch_is_mask(code, sizeof code) ?
		       pc + sizeof code : pc;
}

/* What a destructor throws in a pad ends in std::terminate, wherever the pad leads; and a handler is not what a
 * stop comes to, but where it was entered for one. Such ways do not count. */
enum way { WAY_TERMINATES, WAY_CALLS_TERMINATE, WAY_GOES_ON, WAY_APART };

static enum way follow_one(struct rip_memory *memory, const struct rip_lsda *lsda, struct rip_arch_way *way)
{
	struct rip_arch_call call;

	while (rip_arch_next_call(way, &call)) {
		switch (judge_call(memory, &call, 0)) {
		case TARGET_TERMINATES:
			return WAY_TERMINATES;
		case TARGET_CALLS_TERMINATE:
			return WAY_CALLS_TERMINATE;
		case TARGET_RESUMES:
			return WAY_GOES_ON;
		case TARGET_THROWS:
		case TARGET_CATCHES:
			return WAY_APART;
		case TARGET_PLAIN:
		case TARGET_ENDS:
			break;
		}
		/* Nothing but the unwinder gets to a pad: a call in front of one does not return. */
		if (rip_lsda_is_pad(lsda, behind_mask(memory, call.next)))
			return WAY_GOES_ON;
	}
	return WAY_GOES_ON;
}

/* All ways have to end so: destructors may have a std::terminate of their own (std::thread). To one that is entered for
 * a handler, that is all that std::terminate itself can be: clang's functions that may not be left have a handler for
 * all, which calls a function of clang's. */
static bool follow(struct rip_memory *memory, const struct rip_lsda *lsda, uint64_t pad, bool handler)
{
	struct rip_arch_way way = { .pc = pad, .read = read_code, .context = memory };
	bool terminates = false;

	do {
		enum way found = follow_one(memory, lsda, &way);
		if (found == WAY_GOES_ON && !handler)
			return false;
		terminates |= found == WAY_CALLS_TERMINATE || (found == WAY_TERMINATES && !handler);
	} while (rip_arch_next_branch(&way));
	return terminates;
}

static struct rip_arch_way way_from_pad(struct rip_cursor *cursor)
{
	return (struct rip_arch_way){
		.pc = cursor->frame.function + (uint64_t)(int64_t)cursor->frame.pad,
		.read = read_code, .context = &cursor->memory,
	};
}

/* What the way leads to first, but for handlers that it leaves. A way that is lost may lead anywhere. */
static enum target next_target(struct rip_memory *memory, struct rip_arch_way *way)
{
	struct rip_arch_call call;

	while (rip_arch_next_call(way, &call)) {
		enum target target = judge_call(memory, &call, 0);
		if (target != TARGET_ENDS)
			return target;
	}
	return TARGET_PLAIN;
}

bool rip_pads_cleans_up(struct rip_cursor *cursor)
{
	struct rip_arch_way way = way_from_pad(cursor);
	enum target target;

	do
		target = next_target(&cursor->memory, &way);
	while (target != TARGET_PLAIN && target != TARGET_THROWS && rip_arch_next_branch(&way));
	return target == TARGET_PLAIN || target == TARGET_THROWS;
}

/* As far as the code goes straight on: destructors that are part of it may branch. */
uint32_t rip_pads_handlers_left(struct rip_cursor *cursor)
{
	enum { CALLS_MAX = 64 };
	struct rip_arch_way way = way_from_pad(cursor);
	struct rip_arch_call call;
	uint32_t left = 0;

	for (int i = 0; i < CALLS_MAX && rip_arch_next_call(&way, &call); i++) {
		enum target target = judge_call(&cursor->memory, &call, 0);
		if (target == TARGET_CATCHES)
			return left;
		left += target == TARGET_ENDS;
		if (target == TARGET_RESUMES || target == TARGET_TERMINATES || target == TARGET_CALLS_TERMINATE)
			return 0;
	}
	return 0;
}

/* Answers that were found, with bit 0 for true. Pads need not be aligned, so they are shifted. */
enum { REMEMBERED = 256 };
static uint64_t remembered[REMEMBERED];

bool rip_pads_terminates(struct rip_memory *memory, const struct rip_lsda *lsda, uint64_t pad, bool handler)
{
	uint64_t *place = &remembered[(pad ^ pad >> 8) % REMEMBERED];
	uint64_t found = __atomic_load_n(place, __ATOMIC_RELAXED);

	if (found >> 1 == pad)
		return found & 1;
	bool terminates = follow(memory, lsda, pad, handler);
	__atomic_store_n(place, pad << 1 | terminates, __ATOMIC_RELAXED);
	return terminates;
}

/* --- Selectors --- */

static uint64_t slot_address(const struct rip_arch_slot *slot, const struct rip_context *context)
{
	return context->reg[slot->base] + (uint64_t)slot->offset;
}

static bool is_at(struct rip_memory *memory, const struct rip_arch_places *places,
		  const struct rip_context *context, int32_t selector)
{
	int32_t value;

	for (int number = 0; number < RIP_REGS; number++)
		if (places->registers >> number & 1 && (int32_t)context->reg[number] != selector)
			return false;
	for (uint32_t i = 0; i < places->slots; i++) {
		uint64_t address = slot_address(&places->slot[i], context);
		if (address < memory->low || address > memory->high - sizeof(uint64_t) ||
		    !rip_memory_read(memory, address, &value, sizeof value) || value != selector)
			return false;
	}
	return places->registers || places->slots;
}

static void clear(const struct rip_arch_places *places, struct rip_context *context)
{
	static const uint64_t zero;

	for (int number = 0; number < RIP_REGS; number++)
		if (places->registers >> number & 1)
			context->reg[number] = 0;
	for (uint32_t i = 0; i < places->slots; i++)
		rip_copy((void *)(uintptr_t)slot_address(&places->slot[i], context), &zero,
			 places->slot[i].wide ? 8 : 4);
}

bool rip_pads_pass_handlers(struct rip_cursor *cursor, uint64_t pad, int64_t selector,
			    struct rip_context *context)
{
	struct rip_arch_way way = { .pc = pad, .read = read_code, .context = &cursor->memory };
	uint64_t next = cursor->reg[RIP_REG_PC];
	struct rip_arch_places places;
	struct rip_lsda lsda;

	if (!rip_arch_track(&way, RIP_REG_PAD_SELECTOR, next, &places) ||
	    !is_at(&cursor->memory, &places, context, (int32_t)selector))
		return false;
	rip_cursor_site(cursor);
	if (rip_cursor_lsda(cursor, &lsda) != RIP_OK || rip_pads_terminates(&cursor->memory, &lsda, next, false))
		return false;
	clear(&places, context);
	return true;
}

/* --- The type of forced unwinds --- */

struct types {
	struct rip_memory *memory;
	bool cxx; /* the language */
};

/* libstdc++ lets code know a forced unwind by this type. A type_info is a pointer to its class's table, and
 * the name (Itanium C++ ABI 2.9.4). */
static bool takes(void *context, const struct rip_pointer *type)
{
	static const char forced_unwind[] = "N10__cxxabiv115__forced_unwindE";
	struct types *types = context;
	uint64_t info = type->value, name;
	char text[sizeof forced_unwind];

	if (!types->cxx || (type->indirect && !rip_memory_read(types->memory, info, &info, sizeof info)))
		return false;
	return rip_memory_read(types->memory, info + sizeof(void *), &name, sizeof name) &&
	       rip_memory_read(types->memory, name, text, sizeof text) &&
	       rip_begins_with(text, sizeof text, forced_unwind) && text[sizeof text - 1] == '\0';
}

/* --- Frames --- */

/* The cleanup, or C++'s handler: catch (...) is one for a stop too, and so is that of the type above. Rust's
 * catch_unwind is one that gives ours back: where cleanups lead into it, they are to run. All others are for
 * exceptions: of their pads, only the cleanup behind them is for us. */
static bool may_enter(const struct rip_lsda *lsda, const struct rip_site *site,
		      const struct rip_action *action, bool cxx)
{
	if (action->kind == RIP_ACTION_CLEANUP || action->kind == RIP_ACTION_SKIP)
		return action->kind == RIP_ACTION_CLEANUP;
	return cxx || rip_lsda_cleans_up(lsda, site);
}

/* A handler of C++'s that comes behind cleanups of its chain is what the pad is entered for: as GCC lays them
 * out, the code goes from one to the other, and never back to an unwinder. */
static rip_status look_behind(struct rip_cursor *cursor, const struct rip_lsda *lsda,
			      const struct rip_site *site, struct rip_action *action)
{
	struct types behind = { &cursor->memory, true };
	struct rip_matcher matcher = { takes, &behind, true };
	struct rip_action found;

	rip_status status = rip_lsda_action_for(lsda, site, &matcher, &found);
	if (status == RIP_OK && found.kind != RIP_ACTION_SKIP)
		*action = found;
	return status;
}

/* Other languages than C have pads that are handlers, or end the process. */
static rip_status judge_pad(struct rip_cursor *cursor, struct rip_entry *landing)
{
	struct rip_lsda lsda;
	struct rip_site site;
	struct rip_action action = { RIP_ACTION_SKIP, 0 };
	struct types types = { &cursor->memory, rip_foreign_is_cxx(cursor->frame.personality) };
	struct rip_matcher matcher = { takes, &types, false };

	rip_status status = rip_cursor_lsda(cursor, &lsda);
	if (status == RIP_OK)
		status = rip_lsda_site(&lsda, rip_cursor_lookup_pc(cursor), &site);
	if (status == RIP_OK)
		status = rip_lsda_action_for(&lsda, &site, &matcher, &action);
	if (status == RIP_OK && types.cxx && site.action != 0 && action.kind == RIP_ACTION_CLEANUP)
		status = look_behind(cursor, &lsda, &site, &action);
	if (status != RIP_OK)
		return status;
	bool enter = may_enter(&lsda, &site, &action, types.cxx);
	if (enter ? rip_pads_terminates(&cursor->memory, &lsda, site.pad, action.selector != 0) :
	    rip_lsda_is_closed(&lsda, &site))
		landing->kind = RIP_ENTRY_NOEXCEPT;
	else if (enter)
		*landing = (struct rip_entry){ RIP_ENTRY_PAD, action.selector };
	return RIP_OK;
}

static rip_status judge(struct rip_cursor *cursor, struct rip_entry *landing_ret)
{
	rip_cursor_site(cursor);
	switch (cursor->frame.site) {
	case RIP_ROW_SITE_BROKEN:
		return RIP_E_LSDA;
	case RIP_ROW_SITE_GAP:
		landing_ret->kind = RIP_ENTRY_GAP;
		return RIP_OK;
	case RIP_ROW_SITE_CLEANUP:
		if (!rip_foreign_is_c(cursor->frame.personality))
			return judge_pad(cursor, landing_ret);
		landing_ret->kind = RIP_ENTRY_PAD;
		return RIP_OK;
	case RIP_ROW_SITE_HANDLER:
		return judge_pad(cursor, landing_ret);
	default:
		return RIP_OK;
	}
}

struct judging {
	struct rip_cursor *cursor;
	struct rip_entry landing;
	rip_status status;
};

static void judge_guarded(void *context)
{
	struct judging *judging = context;

	judging->status = judge(judging->cursor, &judging->landing);
}

rip_status rip_pads_judge(struct rip_cursor *cursor, struct rip_entry *landing_ret)
{
	struct judging judging = { .cursor = cursor, .landing = { RIP_ENTRY_NONE, 0 } };

	bool whole = rip_port_guarded(judge_guarded, &judging);
	*landing_ret = whole ? judging.landing : (struct rip_entry){ RIP_ENTRY_NONE, 0 };
	return whole ? judging.status : RIP_E_MEMORY;
}
