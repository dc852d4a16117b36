/* SPDX-License-Identifier: MIT
 * stop: the domains on a guest's stack. Their records lie where a stopped guest may have written: each is
 * checked. */
#include "stop/stop.h"

#include "layout.h"

enum rip_event rip_stop_call(struct rip_stop *stop, struct rip_domain *domain, enum rip_domain_kind kind,
			     rip_function function, void *argument)
{
	enum rip_event event = RIP_EVENT_RETURNED;

	domain->kind = kind;
	domain->segment.sp = NULL;
	domain->outer = rip_stop_domain(stop, (uintptr_t)domain);
	stop->domain = domain;
	domain->segment.way = &stop->way;
	rip_foreign_note(&stop->foreign, domain->cxx);
	if (kind == RIP_DOMAIN_GUEST)
		event = rip_arch_call(&domain->segment, function, argument);
	else
		domain->segment.value = rip_arch_hostcall(&domain->segment, function, argument);
	stop->domain = domain->outer;
	return event;
}

/* --- Records ----------------------------------------------------------------------------------- */

static bool is_record(const struct rip_stop *stop, const struct rip_domain *domain)
{
	uint64_t at = (uintptr_t)domain;

	return at % _Alignof(struct rip_domain) == 0 && at >= (uintptr_t)rip_stack_floor(&stop->stack) &&
	       at <= (uintptr_t)stop->stack.top - sizeof *domain;
}

/* The next domain outwards; NULL also where the record is no record, or leads inwards. */
static struct rip_domain *outer_of(const struct rip_stop *stop, const struct rip_domain *domain)
{
	struct rip_domain *outer = domain->outer;

	return outer && outer > domain && is_record(stop, outer) ? outer : NULL;
}

/* The innermost one was taken from a record, too, when the one inside it ended. */
struct rip_domain *rip_stop_domain(const struct rip_stop *stop, uint64_t sp)
{
	struct rip_domain *domain = stop->domain && is_record(stop, stop->domain) ? stop->domain : NULL;

	while (domain && (uintptr_t)domain < sp)
		domain = outer_of(stop, domain);
	return domain;
}

/* --- Which of them are alive ------------------------------------------------------------------- */

/* A longjmp leaves records behind that look alive, once the stack has grown over them. Only a walk tells: it
 * meets the frames of those that are. Where it cannot go on, records are believed. */
struct walk {
	struct rip_cursor cursor;
	bool lost;
};

static void start(struct walk *walk, const struct rip_stop *stop, const struct rip_context *at, bool exact)
{
	struct rip_memory memory = rip_stop_memory(stop);
	uint64_t sp = at->reg[RIP_REG_SP];

	rip_cursor_init(&walk->cursor, at, exact, &memory);
	walk->lost = sp < (uintptr_t)stop->stack.guard || sp > (uintptr_t)stop->stack.top;
}

static bool frame_fits(const struct rip_stop *stop, const struct rip_domain *domain)
{
	uint64_t sp = (uintptr_t)domain->segment.sp;
	uint64_t frame = domain->kind == RIP_DOMAIN_GUEST ? RIP_HOST_FRAME_SIZE : 0;

	return sp % 16 == 0 && sp >= (uintptr_t)rip_stack_floor(&stop->stack) &&
	       sp <= (uintptr_t)domain - frame;
}

static bool is_alive(struct walk *walk, const struct rip_stop *stop, const struct rip_domain *domain)
{
	const uint64_t *reg = walk->cursor.reg, end = (uintptr_t)domain->segment.sp - RIP_SEGMENT_FRAME;

	if (!frame_fits(stop, domain))
		return false;
	while (!walk->lost && reg[RIP_REG_SP] < end)
		walk->lost = rip_cursor_load(&walk->cursor) != RIP_OK ||
			     rip_cursor_step(&walk->cursor) != RIP_OK;
	return walk->lost || (reg[RIP_REG_SP] == end &&
			      (reg[RIP_REG_PC] == (uintptr_t)rip_arch_segment_end ||
			       reg[RIP_REG_PC] == (uintptr_t)rip_arch_hostcall_end));
}

/* `domain`, or the first outside it that is alive. */
static struct rip_domain *alive_from(struct walk *walk, const struct rip_stop *stop,
				     struct rip_domain *domain)
{
	while (domain && !is_alive(walk, stop, domain))
		domain = outer_of(stop, domain);
	return domain;
}

/* A stack pointer that is none says nothing of the records. */
static struct rip_domain *first_of(const struct walk *walk, const struct rip_stop *stop)
{
	return rip_stop_domain(stop, walk->lost ? 0 : walk->cursor.reg[RIP_REG_SP]);
}

struct rip_domain *rip_stop_domain_alive(const struct rip_stop *stop, const struct rip_context *at,
					 bool exact)
{
	struct walk walk;

	if (!stop->domain)
		return NULL;
	start(&walk, stop, at, exact);
	return alive_from(&walk, stop, first_of(&walk, stop));
}

bool rip_stop_in_hostcall(const struct rip_stop *stop, const struct rip_context *at, bool segment)
{
	struct walk walk;

	if (!stop->domain)
		return false;
	start(&walk, stop, at, true);
	struct rip_domain *domain = alive_from(&walk, stop, first_of(&walk, stop));
	while (domain && domain->kind != RIP_DOMAIN_HOST && !segment)
		domain = alive_from(&walk, stop, outer_of(stop, domain));
	return domain && domain->kind == RIP_DOMAIN_HOST;
}

/* --- Segments ---------------------------------------------------------------------------------- */

/* Its saved registers are on the stack, and it returns to code that a table covers. */
static bool is_sound(const struct rip_stop *stop, const struct rip_domain *domain)
{
	uint64_t sp = (uintptr_t)domain->segment.sp;
	struct rip_context context = { .reg[RIP_REG_SP] = sp,
				       .reg[RIP_REG_PC] = (uintptr_t)rip_arch_host_return };
	struct rip_memory memory = rip_stop_memory(stop);
	struct rip_cursor cursor;

	if (domain->kind != RIP_DOMAIN_GUEST)
		return false;
	rip_cursor_init(&cursor, &context, true, &memory);
	return rip_cursor_load(&cursor) == RIP_OK && rip_cursor_step(&cursor) == RIP_OK &&
	       rip_cursor_load(&cursor) == RIP_OK;
}

bool rip_stop_find_segment(const struct rip_stop *stop, struct rip_segment_found *found_ret)
{
	struct walk walk;

	if (!stop->domain)
		return false;
	start(&walk, stop, &stop->at, stop->exact);
	struct rip_domain *domain = alive_from(&walk, stop, first_of(&walk, stop));
	while (domain && domain != stop->base && !is_sound(stop, domain))
		domain = alive_from(&walk, stop, outer_of(stop, domain));
	if (!domain || domain == stop->base)
		return false;
	*found_ret = (struct rip_segment_found){ .domain = domain, .sp = (uintptr_t)domain->segment.sp,
						 .masks = domain->masks };
	rip_copy(found_ret->cxx, domain->cxx, sizeof found_ret->cxx);
	return true;
}

const struct rip_context *rip_stop_segment(struct rip_stop *stop, const struct rip_segment_found *segment,
					   enum rip_event event)
{
	stop->domain = segment->domain;
	stop->catch = stop->at;
	stop->catch.reg[RIP_REG_SP] = segment->sp;
	stop->catch.reg[RIP_REG_PC] = (uintptr_t)rip_arch_host_return;
	stop->catch.reg[RIP_REG_RESULT] = (uint64_t)event;
	return &stop->catch;
}
