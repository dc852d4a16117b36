/* SPDX-License-Identifier: MIT
 * guest: what a debugger needs to find the guests of a process, or of its core file, and to name what it
 * finds. It reads memory only: nothing of this is called, and it works without debug information.
 * tools/gdb/ripcord-gdb.py is the reader. */
#include "guest/state.h"
#include "report/causes.h"
#include "stack/pool.h"

/* Where rip_current lies from a thread's pointer (%fs:0). debug.S. */
extern const int64_t rip_debug_current __attribute__((visibility("hidden")));

static const char *const states[] = {
	[RIP_STATE_NEW] = "new", [RIP_STATE_RUNNING] = "running", [RIP_STATE_YIELDED] = "yielded",
	[RIP_STATE_STOPPED] = "stopped", [RIP_STATE_UNWINDING] = "unwinding", [RIP_STATE_ENDED] = "ended",
};

static const char *const causes[] = {
#define ROW(cause, name, text, traits) [RIP_CAUSE_##cause] = name,
	RIP_CAUSE_TABLE(ROW)
#undef ROW
};

enum { STATES = sizeof states / sizeof states[0], CAUSES = sizeof causes / sizeof causes[0] };

/* The reader has the same list of fields, by version. */
enum { VERSION = 1 };

#define OF(type, member) (uint32_t)offsetof(struct type, member)

__attribute__((visibility("default"), used)) const struct rip_debug {
	uint32_t version, size;
	const struct rip_stack_registry *registry;
	const int64_t *current;
	const char *backstop;
	const char *const *states, *const *causes;
	uint32_t state_count, cause_count;
	uint32_t pools, lone, lone_next, lone_block;
	uint32_t pool_next, pool_chunks, pool_chunk_end, pool_stride;
	uint32_t chunk_size, chunk_map, chunk_slots, chunk_made;
	uint32_t block_size, page_size;
	uint32_t state, outer, face, cause, reg, exact, signal, low, top, block;
} rip_debug = {
	VERSION, sizeof(struct rip_debug), &rip_stack_registry, &rip_debug_current, rip_arch_backstop, states,
	causes,
	.state_count = STATES, .cause_count = CAUSES,
	.pools = OF(rip_stack_registry, pools), .lone = OF(rip_stack_registry, lone),
	.lone_next = OF(rip_lone, next), .lone_block = OF(rip_lone, block),
	.pool_next = OF(rip_stack_pool, next), .pool_chunks = OF(rip_stack_pool, chunks),
	.pool_chunk_end = OF(rip_stack_pool, chunk_end), .pool_stride = OF(rip_stack_pool, layout.stride),
	.chunk_size = sizeof(struct rip_chunk), .chunk_map = OF(rip_chunk, map),
	.chunk_slots = OF(rip_chunk, slots),
	.chunk_made = OF(rip_chunk, made),
	.block_size = RIP_STACK_BLOCK, .page_size = RIP_STACK_PAGE,
	.state = OF(rip_guest, kill.state), .outer = OF(rip_guest, kill.outer), .face = OF(rip_guest, public_guest),
	.cause = OF(rip_guest, outcome.cause), .reg = OF(rip_guest, kill.stop.at.reg),
	.exact = OF(rip_guest, kill.stop.exact),
	.signal = OF(rip_guest, kill.fault.signal), .low = OF(rip_guest, kill.stop.stack.low),
	.top = OF(rip_guest, kill.stop.stack.top), .block = OF(rip_guest, kill.stop.stack.block),
};

const char *rip_state_name(rip_state state)
{
	return (unsigned)state < STATES ? states[state] : "unknown";
}
