/* SPDX-License-Identifier: MIT
 * loader: finds the loader's frames on a stack. */
#include "stop/loader.h"

#include "port/port.h"
#include "stop/cancel.h"
#include "stop/killable.h"

static bool is_system(uint64_t pc)
{
	return rip_port_in_libc(pc) || rip_port_in_loader(pc);
}

/* A run of frames of libc's and the loader's, from the inside out. */
struct run {
	bool any, loader;   /* it has frames; of the loader, too */
	bool first;         /* the innermost frame is the loader's */
	enum rip_port_catch catch; /* by which its innermost frames are */
	uint64_t sp, pc;    /* of the innermost frame of the loader */
	uint64_t cfa;
	uint64_t slot, function; /* of the outermost frame */
};

static void add(struct run *run, const struct rip_cursor *cursor)
{
	bool loaders = rip_port_in_loader(rip_cursor_lookup_pc(cursor));

	run->first |= !run->any && loaders;
	run->any = true;
	if (run->catch == RIP_CATCH_NONE)
		run->catch = rip_port_loader_catch(cursor->reg[RIP_REG_PC]);
	if (!run->loader && loaders) {
		run->loader = true;
		run->sp = cursor->reg[RIP_REG_SP];
		run->pc = cursor->reg[RIP_REG_PC];
		run->cfa = cursor->cfa;
	}
	run->slot = rip_stop_return_slot(cursor);
	run->function = cursor->frame.function;
}

/* What is loaded lazily calls the loader, too, without an end that could tell of an error. Where no error is caught the
 * loader calls constructors, and one may have jumped to a function of libc's as its last act. */
static bool take(const struct run *run, bool innermost, struct rip_loader_way *way_ret)
{
	bool opens = false, loading = run->loader && run->slot && rip_port_is_loading(run->function, &opens);
	bool inside = innermost && run->catch != RIP_CATCH_NOTHING;

	if (!loading || (inside && rip_port_loader_error() == 0) || (innermost && !inside && run->first))
		return false;
	*way_ret = (struct rip_loader_way){ .there = true, .inside = inside, .sp = run->sp, .pc = run->pc,
					    .cfa = run->cfa, .slot = run->slot, .opens = opens };
	return true;
}

void rip_loader_find(const struct rip_stop *stop, const struct rip_context *at, bool exact,
		     struct rip_loader_way *way_ret)
{
	struct rip_memory memory = rip_stop_memory(stop);
	struct rip_cursor cursor;
	bool innermost = true;
	struct run run = { 0 };

	way_ret->there = false;
	if (!rip_port_holds_loader())
		return;
	rip_cursor_init(&cursor, at, exact, &memory);
	while (cursor.reg[RIP_REG_PC] != (uintptr_t)rip_arch_backstop && rip_cursor_load(&cursor) == RIP_OK) {
		if (is_system(rip_cursor_lookup_pc(&cursor))) {
			add(&run, &cursor);
		} else {
			if (run.any && take(&run, innermost, way_ret))
				return;
			innermost = false;
			run = (struct run){ 0 };
		}
		if (rip_cursor_step(&cursor) != RIP_OK)
			return;
	}
	if (run.any)
		take(&run, innermost, way_ret);
}

bool rip_loader_prepare_error(struct rip_stop *stop, const struct rip_cursor *cursor, struct rip_context *context_ret)
{
	return rip_cancel_prepare_call(stop, cursor, rip_port_loader_error(), 0, context_ret);
}

bool rip_loader_prepare_close(struct rip_stop *stop, const struct rip_cursor *cursor, uint64_t handle,
			      struct rip_context *context_ret)
{
	return rip_cancel_prepare_call(stop, cursor, rip_port_loader_closer(), handle, context_ret);
}

/* --- Afterwards --- */

/* Whether the frames of the host, around this guest's stack, or of the guest outside of the segment are some of the
 * loader's. */
static bool is_outside(const struct rip_stop *stop, const struct rip_segment_found *until)
{
	struct rip_context here;
	struct rip_loader_way way = { 0 };

	if (until) {
		here = stop->at;
		here.reg[RIP_REG_SP] = until->sp;
		here.reg[RIP_REG_PC] = (uintptr_t)rip_arch_host_return;
		rip_loader_find(stop, &here, true, &way);
		if (way.there)
			return true;
	}
	rip_arch_capture(&here);
	struct rip_memory memory = rip_memory_here(here.reg[RIP_REG_SP]);
	struct rip_cursor cursor;
	rip_cursor_init(&cursor, &here, false, &memory);
	while (rip_cursor_load(&cursor) == RIP_OK) {
		if (rip_port_in_loader(rip_cursor_lookup_pc(&cursor)))
			return true;
		if (rip_cursor_step(&cursor) != RIP_OK)
			return false;
	}
	return false;
}

bool rip_loader_settle(const struct rip_stop *stop, const struct rip_segment_found *until)
{
	bool held = rip_port_holds_loader() && !is_outside(stop, until);

	rip_port_release_scope();
	if (held)
		rip_port_release_loader();
	return held;
}
