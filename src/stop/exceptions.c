/* SPDX-License-Identifier: MIT
 * stop: who owns the exceptions that a guest has thrown, and what becomes of them when it ends. */
#include "stop/stop.h"

#include "ripcord/exception.h"

/* What precedes a C++ exception's unwindHeader, from it (Itanium C++ ABI 2.2.1). Both runtimes agree on
 * these, and each has a count of references in front of them: libstdc++ in the first word, of its 16 bytes
 * otherwise zero, libc++abi in the second. A dependent exception has the address of the primary one's object
 * instead. */
enum {
	AT_REFERENCES = -96, AT_LLVM_PRIMARY = -88, AT_TYPE = -80, AT_NEXT = -48, AT_HANDLERS = -40,
	AT_SELECTOR = -36, AT_PAD = -16, AT_OBJECT = 32,
};

static struct _Unwind_Exception *header_of(const struct rip_cxx_runtime *runtime, const void *caught)
{
	return (struct _Unwind_Exception *)((char *)(uintptr_t)caught + runtime->header_size);
}

static bool read_at(struct rip_stop *stop, const struct _Unwind_Exception *exception, int offset, void *to,
		    size_t size)
{
	struct rip_memory memory = rip_stop_memory(stop);

	return rip_memory_read(&memory, (uintptr_t)exception + (uint64_t)(int64_t)offset, to, size);
}

static uint64_t class_of(struct rip_stop *stop, const struct _Unwind_Exception *exception)
{
	uint64_t class = 0;

	read_at(stop, exception, 0, &class, sizeof class);
	return class;
}

static bool is_cxx(uint64_t class)
{
	enum rip_maker maker = rip_foreign_maker(class);

	return maker == RIP_MAKER_GNU || maker == RIP_MAKER_LLVM;
}

/* --- Owned exceptions --- */

void rip_stop_own(struct rip_stop *stop, struct _Unwind_Exception *exception)
{
	for (uint32_t i = 0; i < stop->owned_count; i++)
		if (stop->owned[i] == exception)
			return;
	if (stop->owned_count < RIP_STOP_OWNED)
		stop->owned[stop->owned_count++] = exception;
}

/* Somebody refers to it. Freed memory has malloc's own notes in place of its count, and of the zeros beside
 * it. */
static bool is_referred_to(struct rip_stop *stop, const struct _Unwind_Exception *exception, bool gnu)
{
	uint64_t words[2];

	return !rip_fiber_is_freed(exception) &&
	       read_at(stop, exception, AT_REFERENCES, words, sizeof words) &&
	       words[gnu] == 0 && words[!gnu] > 0 && words[!gnu] < 1 << 20;
}

/* A primary exception in flight has never been caught. */
static bool is_in_flight(struct rip_stop *stop, const struct _Unwind_Exception *exception, uint64_t class)
{
	bool gnu = rip_foreign_maker(class) == RIP_MAKER_GNU;
	int32_t handlers;
	uint64_t primary;

	if (!read_at(stop, exception, AT_HANDLERS, &handlers, sizeof handlers) || handlers != 0)
		return false;
	if (class & 1) {
		if (!read_at(stop, exception, gnu ? AT_TYPE : AT_LLVM_PRIMARY, &primary, sizeof primary))
			return false;
		exception = (const struct _Unwind_Exception *)(primary - AT_OBJECT);
		if ((class_of(stop, exception) | 1) != class)
			return false;
	}
	return is_referred_to(stop, exception, gnu);
}

static bool may_be_exception(const struct rip_stop *stop, uint64_t word)
{
	return word > UINT16_MAX && word % 16 == 0 && word >> 47 == 0 && !rip_stack_holds(&stop->stack, word);
}

/* An exception that is on its way from its throw to its handler is known to landing pads only, which keep it
 * on the stack or in a register. So all of both is looked at, if the runtime's count says that there is
 * one. */
static void look_for_thrown(struct rip_stop *stop, const uint64_t *word, const uint64_t *end, uint32_t *count)
{
	for (; word < end && *count > 0; word++) {
		struct _Unwind_Exception *exception = (struct _Unwind_Exception *)(uintptr_t)*word;
		if (exception == stop->thrown || !may_be_exception(stop, *word))
			continue;
		uint64_t class = class_of(stop, exception);
		uint32_t owned = stop->owned_count;
		if (is_cxx(class) && is_in_flight(stop, exception, class))
			rip_stop_own(stop, exception);
		*count -= stop->owned_count - owned;
	}
}

void rip_stop_own_in_flight(struct rip_stop *stop, uint32_t count)
{
	uint64_t sp = stop->at.reg[RIP_REG_SP], top = (uintptr_t)stop->stack.top;

	if (count > RIP_STOP_OWNED)
		count = RIP_STOP_OWNED;
	if (sp < (uintptr_t)rip_stack_floor(&stop->stack) || sp > top)
		sp = top;
	look_for_thrown(stop, stop->at.reg, stop->at.reg + RIP_REGS, &count);
	look_for_thrown(stop, (const uint64_t *)((sp + 7) & ~(uint64_t)7), (const uint64_t *)top, &count);
}

void rip_stop_own_thrown(struct rip_stop *stop, const struct rip_segment_found *until)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < stop->foreign.exchanged; i++)
		count += rip_foreign_globals(&stop->foreign, i)->uncaught -
			(until ? until->cxx[i].uncaught : 0);
	if (count > 0 && stop->thrown && is_cxx(class_of(stop, stop->thrown)))
		count--;
	if (count > 0)
		rip_stop_own_in_flight(stop, count);
}

bool rip_stop_taker(struct rip_stop *stop, const struct _Unwind_Exception *exception, uint64_t *pad_ret,
		    int32_t *selector_ret)
{
	return is_cxx(class_of(stop, exception)) &&
	       read_at(stop, exception, AT_PAD, pad_ret, sizeof *pad_ret) &&
	       read_at(stop, exception, AT_SELECTOR, selector_ret, sizeof *selector_ret);
}

/* --- Deleting, on the guest's stack --- */

static intptr_t delete_exception(void *argument)
{
	_Unwind_DeleteException(argument);
	return 0;
}

static rip_panic_catcher panic_catcher;

void rip_set_panic_catcher(rip_panic_catcher catcher)
{
	__atomic_store_n(&panic_catcher, catcher, __ATOMIC_RELAXED);
}

static void throw_on(void *panic)
{
	_Unwind_RaiseException(panic);
}

struct panic {
	rip_panic_catcher catcher;
	void *exception;
};

static intptr_t delete_panic(void *argument)
{
	const struct panic *panic = argument;

	panic->catcher(throw_on, panic->exception);
	return 0;
}

static void discard_panic(struct rip_stop *stop, struct _Unwind_Exception *exception, uint64_t below)
{
	struct panic panic = { .exception = exception };

	*(void **)&panic.catcher = rip_port_loaded_beside((void *)(uintptr_t)exception->exception_cleanup,
							  "rip_catch_panic");
	if (!panic.catcher)
		panic.catcher = __atomic_load_n(&panic_catcher, __ATOMIC_RELAXED);
	/* Rust counts its panics for each thread. */
	if (panic.catcher && stop->thrown_here == &rip_foreign_here)
		rip_stop_aside(stop, delete_panic, &panic, below);
}

static void discard(struct rip_stop *stop, struct _Unwind_Exception *exception, uint64_t below)
{
	if (rip_foreign_maker(class_of(stop, exception)) == RIP_MAKER_RUST)
		discard_panic(stop, exception, below);
	else
		rip_stop_aside(stop, delete_exception, exception, below);
}

void rip_stop_discard(struct rip_stop *stop)
{
	struct _Unwind_Exception *thrown = stop->thrown;

	stop->thrown = NULL;
	if (thrown)
		discard(stop, thrown, (uintptr_t)stop->stack.top);
	rip_stop_settle_exceptions(stop, NULL);
}

void rip_stop_take_thrown(struct rip_stop *stop, struct rip_stop *other)
{
	if (stop->thrown)
		rip_stop_own(stop, stop->thrown);
	stop->thrown = other->thrown;
	stop->thrown_here = other->thrown_here;
	other->thrown = NULL;
}

/* --- What was caught and not yet let go --- */

static intptr_t end_catch(void *argument)
{
	((const struct rip_cxx_runtime *)argument)->end_catch();
	return 0;
}

/* Takes the topmost caught exception off without its runtime. One that was being thrown again is in
 * flight. */
static void pop_caught(struct rip_stop *stop, uint32_t number)
{
	struct rip_cxx_globals *globals = rip_foreign_globals(&stop->foreign, number);
	struct _Unwind_Exception *exception = header_of(&rip_cxx_runtimes[number], globals->caught);
	int32_t handlers = 0;
	void *next = NULL;

	if (is_cxx(class_of(stop, exception))) {
		read_at(stop, exception, AT_NEXT, &next, sizeof next);
		read_at(stop, exception, AT_HANDLERS, &handlers, sizeof handlers);
	}
	globals->caught = next;
	if (handlers < 0 && exception != stop->thrown)
		rip_stop_own(stop, exception);
}

/* Ends one of the handlers that the topmost one is in. */
void rip_stop_end_caught(struct rip_stop *stop, uint32_t number, uint64_t below)
{
	struct rip_cxx_globals *globals = rip_foreign_globals(&stop->foreign, number);
	const void *caught = globals->caught;
	struct _Unwind_Exception *exception = header_of(&rip_cxx_runtimes[number], caught);
	int32_t handlers = 0;

	read_at(stop, exception, AT_HANDLERS, &handlers, sizeof handlers);
	bool ours = exception == (void *)&stop->exception;
	if (ours || (is_cxx(class_of(stop, exception)) && handlers <= 0) ||
	    rip_stop_aside(stop, end_catch, &rip_cxx_runtimes[number], below) !=
		    RIP_EVENT_RETURNED) {
		if (globals->caught == caught)
			pop_caught(stop, number);
	}
}

/* Handlers that one guest can be in; a damaged chain has no end. */
enum { HANDLERS_MAX = 4096 };

static void settle(struct rip_stop *stop, const struct rip_cxx_globals *base, uint64_t below)
{
	for (uint32_t i = 0; i < stop->foreign.exchanged; i++) {
		struct rip_cxx_globals *globals = rip_foreign_globals(&stop->foreign, i);
		for (int n = 0; globals->caught && globals->caught != base[i].caught && n < HANDLERS_MAX; n++)
			rip_stop_end_caught(stop, i, below);
		*globals = base[i];
	}
	for (uint32_t i = 0; i < stop->owned_count; i++)
		discard(stop, stop->owned[i], below);
	stop->owned_count = 0;
}

void rip_stop_settle_exceptions(struct rip_stop *stop, const struct rip_segment_found *until)
{
	static const struct rip_cxx_globals none[RIP_CXX_RUNTIMES];
	struct rip_foreign *foreign = &stop->foreign;

	if (until) {
		settle(stop, until->cxx, until->sp);
	} else if (foreign->inside) {
		settle(stop, none, (uintptr_t)stop->stack.top);
	} else if (foreign->kept || stop->owned_count) {
		settle(stop, none, (uintptr_t)stop->stack.top);
		foreign->kept = false;
	}
}

/* --- Into the host --- */

/* A thrown C++ exception is counted as such until it is caught. */
static unsigned int *uncaught_count(uint64_t class)
{
	const struct rip_cxx_runtime *runtime = rip_foreign_runtime(class);

	return runtime ? &runtime->globals()->uncaught : NULL;
}

rip_status rip_stop_rethrow(struct rip_stop *stop)
{
	struct _Unwind_Exception *exception = stop->thrown;

	if (!exception)
		return RIP_E_STATE;
	uint64_t class = class_of(stop, exception);
	if (rip_foreign_maker(class) == RIP_MAKER_RUST && stop->thrown_here != &rip_foreign_here)
		return RIP_E_STATE;
	unsigned int *count = uncaught_count(class);
	stop->thrown = NULL;
	if (count)
		++*count;
	_Unwind_RaiseException(exception);
	if (count)
		--*count;
	stop->thrown = exception;
	return RIP_E_END;
}
