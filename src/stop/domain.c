/* SPDX-License-Identifier: MIT
 * stop: the domains on a guest's stack. Their records lie where a stopped guest may have written: each is checked. */
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
	if (kind == RIP_DOMAIN_GUEST)
		event = rip_arch_call(&domain->segment, function, argument);
	else
		domain->segment.value = function(argument);
	stop->domain = domain->outer;
	return event;
}

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

struct rip_domain *rip_stop_domain(const struct rip_stop *stop, uint64_t sp)
{
	struct rip_domain *domain = stop->domain;

	while (domain && (uintptr_t)domain < sp)
		domain = outer_of(stop, domain);
	return domain;
}

/* Its saved registers are on the stack, and it returns to code that a table covers. */
static bool is_sound(struct rip_stop *stop, struct rip_domain *domain)
{
	uint64_t sp = (uintptr_t)domain->segment.sp;
	struct rip_context context = { .reg[RIP_REG_RSP] = sp, .reg[RIP_REG_RIP] = (uintptr_t)rip_arch_host_return };
	struct rip_memory memory = rip_stop_memory(stop);
	struct rip_cursor cursor;

	if (domain->kind != RIP_DOMAIN_GUEST || sp % 16 != 0 || sp < (uintptr_t)rip_stack_floor(&stop->stack) ||
	    sp + RIP_HOST_FRAME_SIZE > (uintptr_t)domain)
		return false;
	rip_cursor_init(&cursor, &context, true, &memory);
	return rip_cursor_step(&cursor) == RIP_OK && rip_cursor_load(&cursor) == RIP_OK;
}

struct rip_domain *rip_stop_find_segment(struct rip_stop *stop)
{
	struct rip_domain *domain = rip_stop_domain(stop, stop->at.reg[RIP_REG_RSP]);

	while (domain && domain != stop->base && !is_sound(stop, domain))
		domain = outer_of(stop, domain);
	return domain != stop->base ? domain : NULL;
}

const struct rip_context *rip_stop_segment(struct rip_stop *stop, struct rip_domain *segment,
					   enum rip_event event)
{
	stop->domain = segment;
	stop->catch = stop->at;
	stop->catch.reg[RIP_REG_RSP] = (uintptr_t)segment->segment.sp;
	stop->catch.reg[RIP_REG_RIP] = (uintptr_t)rip_arch_host_return;
	stop->catch.reg[RIP_REG_RAX] = (uint64_t)event;
	return &stop->catch;
}
