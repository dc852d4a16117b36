/* SPDX-License-Identifier: MIT
 * descriptors: those that a guest opens, closes, and puts in the place of the host's. */
#include "ledger/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "ledger/kept.h"

bool rip_ledger_may_open(const struct rip_ledger *ledger)
{
	if (ledger->descriptors < ledger->descriptor_limit)
		return true;
	errno = EMFILE;
	return false;
}

/* --- Whose one is ----------------------------------------------------------------------------------- */

/* The stream or directory that the descriptor belongs to; false: it belongs to none of them. */
static bool find_stream(const struct rip_ledger *ledger, int fd, rip_kind *kind_ret, uintptr_t *value_ret)
{
	static const rip_kind kinds[] = { RIP_KIND_STREAM, RIP_KIND_DIRECTORY };
	uint64_t data;

	for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
		for (uint32_t i = 0; rip_table_next(&ledger->table, kinds[k], &i, value_ret, &data); i++)
			if (data == (uint64_t)fd + 1) {
				*kind_ret = kinds[k];
				return true;
			}
	return false;
}

/* The stream or directory no longer has one. */
static bool take_from_stream(struct rip_ledger *ledger, int fd)
{
	uintptr_t value;
	rip_kind kind;

	if (!find_stream(ledger, fd, &kind, &value))
		return false;
	rip_ledger_put(ledger, kind, value, 0);
	return true;
}

static struct rip_kept *find_replaced(int fd, struct rip_ledger **owner_ret)
{
	uint64_t data;
	struct rip_ledger *owner = rip_ledger_find(RIP_KIND_REPLACED, (uintptr_t)fd, &data);

	if (owner && owner_ret)
		*owner_ret = owner;
	return owner ? (void *)(uintptr_t)data : NULL;
}

static bool owns(int fd)
{
	uintptr_t value;
	rip_kind kind;

	if (rip_ledger_find(RIP_KIND_DESCRIPTOR, (uintptr_t)fd, NULL))
		return true;
	for (struct rip_ledger *ledger = rip_ledger_current; ledger; ledger = ledger->outer)
		if (find_stream(ledger, fd, &kind, &value))
			return true;
	return false;
}

/* True if a guest owned it: then it is its to close. */
static bool drop(int fd)
{
	struct rip_ledger *owner = rip_ledger_find(RIP_KIND_DESCRIPTOR, (uintptr_t)fd, NULL);

	if (owner) {
		rip_ledger_remove(owner, RIP_KIND_DESCRIPTOR, (uintptr_t)fd);
		return true;
	}
	for (struct rip_ledger *ledger = rip_ledger_current; ledger; ledger = ledger->outer)
		if (take_from_stream(ledger, fd))
			return true;
	return false;
}

void rip_ledger_drop_descriptor(int fd)
{
	if (fd >= 0)
		drop(fd);
}

/* What a guest closes in a child that it forked is closed. */
static bool in_child(const struct rip_ledger *ledger)
{
	return ledger->forks != __atomic_load_n(&rip_ledger_forks, __ATOMIC_RELAXED);
}

/* --- The host's ------------------------------------------------------------------------------------- */

/* Nothing can be done with it, as with one that is not open: EBADF (open(2), O_PATH). */
static bool put_placeholder(int fd)
{
	int placeholder = open("/", O_PATH | O_CLOEXEC), error = errno;
	bool good = placeholder >= 0 && dup3(placeholder, fd, O_CLOEXEC) >= 0;

	if (placeholder >= 0)
		close(placeholder);
	errno = error;
	return good;
}

static void set_closed(struct rip_ledger *owner, struct rip_kept *kept, bool closed)
{
	owner->closed += (uint32_t)closed - (uint32_t)rip_kept_is_closed(kept);
	rip_kept_set_closed(kept, closed);
}

/* Without a placeholder it is closed all the same, and comes back. */
static enum rip_close close_replaced(struct rip_ledger *owner, struct rip_kept *kept, int fd)
{
	if (rip_kept_is_closed(kept))
		return RIP_CLOSE_BAD;
	if (!put_placeholder(fd))
		return RIP_CLOSE_LIBC;
	set_closed(owner, kept, true);
	return RIP_CLOSE_DONE;
}

static enum rip_close close_standard(struct rip_ledger *ledger, int fd)
{
	if (rip_table_reserve(&ledger->table, 1) != RIP_OK || !rip_kept_keep(ledger, RIP_KIND_REPLACED, (uint32_t)fd))
		return RIP_CLOSE_LIBC;
	struct rip_kept *kept = find_replaced(fd, NULL);
	return kept ? close_replaced(ledger, kept, fd) : RIP_CLOSE_LIBC; /* it was not open */
}

enum rip_close rip_ledger_close(int fd)
{
	struct rip_ledger *ledger = rip_ledger_current, *owner = NULL;

	if (fd < 0 || !ledger || drop(fd) || in_child(ledger))
		return RIP_CLOSE_LIBC;
	struct rip_kept *kept = find_replaced(fd, &owner);
	if (kept)
		return close_replaced(owner, kept, fd);
	return fd <= STDERR_FILENO ? close_standard(ledger, fd) : RIP_CLOSE_LIBC;
}

bool rip_ledger_is_closed(int fd)
{
	struct rip_kept *kept = rip_ledger_current && fd >= 0 ? find_replaced(fd, NULL) : NULL;

	return kept && rip_kept_is_closed(kept);
}

bool rip_ledger_replace(int fd)
{
	struct rip_ledger *ledger = rip_ledger_current, *owner = NULL;
	struct rip_kept *kept = fd >= 0 ? find_replaced(fd, &owner) : NULL;

	if (kept)
		set_closed(owner, kept, false);
	if (!ledger || fd < 0 || kept || owns(fd) || in_child(ledger))
		return true;
	if (fcntl(fd, F_GETFD) < 0) { /* nothing stands there: what comes is the guest's */
		if (rip_ledger_may_open(ledger)) {
			rip_ledger_put(ledger, RIP_KIND_DESCRIPTOR, (uintptr_t)fd, 0);
			return true;
		}
		return false;
	}
	if (!rip_kept_keep(ledger, RIP_KIND_REPLACED, (uint32_t)fd))
		return false;
	errno = find_replaced(fd, NULL) ? errno : EMFILE;
	return find_replaced(fd, NULL) != NULL;
}

/* --- The guest's ------------------------------------------------------------------------------------ */

/* The lowest that the guest closed of the host's, below `fd`; -1: none. */
static int find_closed(int fd)
{
	for (int lower = 0; lower <= STDERR_FILENO && lower < fd; lower++)
		if (rip_ledger_is_closed(lower))
			return lower;
	return -1;
}

int rip_ledger_own_descriptor(int fd)
{
	struct rip_ledger *ledger = rip_ledger_current, *owner = NULL;
	int lower = ledger && ledger->closed ? find_closed(fd) : -1, error = errno;

	if (!ledger)
		return fd;
	if (lower >= 0 && dup3(fd, lower, fcntl(fd, F_GETFD) & FD_CLOEXEC ? O_CLOEXEC : 0) == lower) {
		struct rip_kept *kept = find_replaced(lower, &owner);
		set_closed(owner, kept, false);
		close(fd);
		errno = error;
		return lower;
	}
	rip_ledger_put(ledger, RIP_KIND_DESCRIPTOR, (uintptr_t)fd, 0);
	return fd;
}

/* Those of one ledger, each forgotten before it is closed. */
static void close_owned(struct rip_ledger *ledger, rip_kind kind, unsigned first, unsigned last)
{
	uintptr_t value;
	uint64_t data;

	for (uint32_t i = 0; rip_table_next(&ledger->table, kind, &i, &value, &data);) {
		uint64_t fd = kind == RIP_KIND_DESCRIPTOR ? value : data - 1;
		if ((kind != RIP_KIND_DESCRIPTOR && data == 0) || fd < first || fd > last) {
			i++;
			continue;
		}
		if (kind == RIP_KIND_DESCRIPTOR)
			rip_ledger_remove(ledger, kind, value);
		else
			rip_ledger_put(ledger, kind, value, 0);
		close((int)fd);
	}
}

bool rip_ledger_close_range(unsigned first, unsigned last)
{
	uintptr_t value;
	uint64_t data;

	if (!rip_ledger_current || in_child(rip_ledger_current))
		return false;
	for (struct rip_ledger *ledger = rip_ledger_current; ledger; ledger = ledger->outer) {
		close_owned(ledger, RIP_KIND_DESCRIPTOR, first, last);
		close_owned(ledger, RIP_KIND_STREAM, first, last);
		close_owned(ledger, RIP_KIND_DIRECTORY, first, last);
		for (uint32_t i = 0; rip_table_next(&ledger->table, RIP_KIND_REPLACED, &i, &value, &data); i++)
			if (value >= first && value <= last)
				close_replaced(ledger, (void *)(uintptr_t)data, (int)value);
	}
	for (unsigned fd = first; fd <= last && fd <= STDERR_FILENO; fd++)
		if (!find_replaced((int)fd, NULL))
			close_standard(rip_ledger_current, (int)fd);
	return true;
}
