/* SPDX-License-Identifier: MIT
 * cut: finds locks of libc's by the code that takes them. */
#include "stop/cut.h"

#include "port/port.h"

/* The locks that the frame's function may have taken by now. */
static size_t locks_of(const struct rip_cursor *cursor, struct rip_arch_lock *locks, size_t max)
{
	uint64_t begin = cursor->frame.function, offset = rip_cursor_lookup_pc(cursor) + !cursor->exact - begin;
	size_t size = RIP_ARCH_LOCKS_MAX;

	while (size > offset && !rip_port_readable(begin, size))
		size /= 2;
	return offset < size ? rip_arch_locks((const uint8_t *)(uintptr_t)begin, size, offset,
					       rip_port_lock_takers(), locks, max) : 0;
}

bool rip_cut_may_have_locked(const struct rip_cursor *cursor)
{
	struct rip_arch_lock lock;

	return locks_of(cursor, &lock, 1) > 0 && !lock.called;
}

/* What calls leave alone has the same value still; the innermost frame's registers all have. */
static bool is_kept(const struct rip_cursor *cursor, int number)
{
	return cursor->exact || RIP_REGS_KEPT >> number & 1;
}

/* The register that leads to the lock; negative: none does. */
static int base_of(const struct rip_cursor *cursor, const struct rip_arch_lock *lock)
{
	return lock->base < 0 || is_kept(cursor, lock->base) ? lock->base : lock->copy;
}

/* 0: it is not known. */
static uint64_t address_of(const struct rip_stop *stop, const struct rip_cursor *cursor, const struct rip_arch_lock *lock)
{
	struct rip_memory memory = rip_stop_memory(stop);
	uint64_t word;

	if (lock->base == RIP_ARCH_LOCK_FUNCTION)
		return cursor->frame.function + (uint64_t)lock->offset;
	int base = base_of(cursor, lock);
	if (base >= 0)
		return cursor->reg[base] + (uint64_t)lock->offset;
	if (!lock->spilled || !rip_memory_read(&memory, cursor->reg[lock->slot.base] + (uint64_t)lock->slot.offset, &word,
					       sizeof word))
		return 0;
	return word + (uint64_t)lock->offset;
}

/* Whether what is in the register comes from the code that called libc: none of libc's functions has
 * changed it. */
static bool is_callers(const struct rip_cursor *cursor, int number)
{
	struct rip_cursor caller = *cursor;

	if (number < 0 || !(RIP_REGS_KEPT >> number & 1))
		return false;
	while (rip_port_in_libc(rip_cursor_lookup_pc(&caller))) {
		if (rip_cursor_load(&caller) != RIP_OK || rip_cursor_step(&caller) != RIP_OK)
			return false;
		if (caller.reg[number] != cursor->reg[number])
			return false;
	}
	return true;
}

/* A path on which the function takes no lock leaves in the register what its caller has there, which may lead
 * to any number that looks like a lock's. None of libc's is on a guest's stack. */
static bool is_no_lock(const struct rip_cursor *cursor, const struct rip_stop *stop,
		       const struct rip_arch_lock *lock, uint64_t address)
{
	return rip_stack_holds(&stop->stack, address) ||
	       (lock->base != RIP_ARCH_LOCK_FUNCTION && is_callers(cursor, base_of(cursor, lock)));
}

/* Who waits for a lock has its address at hand. */
static bool waits_for(const struct rip_stop *stop, uint64_t address)
{
	for (int i = 0; i < RIP_REG_PC; i++)
		if (stop->at.reg[i] == address)
			return true;
	return false;
}

static void add(struct rip_cut *cut, const struct rip_cursor *cursor, const struct rip_stop *stop, bool killed,
		bool *waits)
{
	struct rip_arch_lock locks[RIP_CUT_LOCKS];
	size_t count = locks_of(cursor, locks, RIP_CUT_LOCKS);
	bool waiting = *waits && count > 0;

	if (waiting) {
		cut->waiting_sp = cursor->reg[RIP_REG_SP];
		cut->waiting_cfa = cursor->cfa;
		*waits = false;
	}
	for (size_t i = 0; i < count; i++) {
		uint64_t address = address_of(stop, cursor, &locks[i]);
		if (address != 0 && !(locks[i].called ? rip_port_is_posix_taken(address) : rip_port_is_taken(address)))
			continue;
		if (address != 0 && is_no_lock(cursor, stop, &locks[i], address))
			continue;
		if (waiting && (address == 0 || waits_for(stop, address)))
			continue;
		cut->function = cursor->frame.function;
		if (address == 0 || cut->count == RIP_CUT_LOCKS)
			cut->unknown = true;
		else if (!killed || !waits_for(stop, address))
			cut->lock[cut->count++] = (struct rip_cut_lock){ address, locks[i].called };
	}
}

void rip_cut_find(const struct rip_stop *stop, bool killed, struct rip_cut *cut_ret)
{
	struct rip_memory memory = rip_stop_memory(stop);
	struct rip_cursor cursor;

	bool waits = killed && rip_port_waits_for_lock(&stop->at);

	*cut_ret = (struct rip_cut){ .count = 0 };
	rip_cursor_init(&cursor, &stop->at, stop->exact, &memory);
	while (rip_port_in_libc(rip_cursor_lookup_pc(&cursor)) && rip_cursor_load(&cursor) == RIP_OK) {
		add(cut_ret, &cursor, stop, killed, &waits);
		if (rip_cursor_step(&cursor) != RIP_OK)
			break;
		cut_ret->end = cursor.reg[RIP_REG_SP];
	}
}

uint32_t rip_cut_release(const struct rip_cut *cut)
{
	uint32_t released = 0;

	for (uint32_t i = 0; i < cut->count; i++)
		released += cut->lock[i].posix ? rip_port_release_posix(cut->lock[i].address) :
						  rip_port_release_taken(cut->lock[i].address);
	return released;
}
