/* SPDX-License-Identifier: MIT
 * core: what is not there: exceptions that are thrown, tables that are registered. */
#include "stop/plain.h"
#include "stop/stop.h"
#include "unwind/registered.h"

struct rip_foreign_here rip_foreign_here;

/* All tables are an image's. */
rip_status rip_registry_find(uint64_t pc, struct rip_known_module *module_ret, struct rip_fde *fde_ret)
{
	(void)pc, (void)module_ret, (void)fde_ret;
	return RIP_E_NOFDE;
}

/* Nobody throws, so nothing is in flight, caught or to be deleted. */
void rip_stop_own(struct rip_stop *stop, struct _Unwind_Exception *exception)
{
	(void)stop, (void)exception;
}

void rip_stop_own_thrown(struct rip_stop *stop, const struct rip_segment_found *until)
{
	(void)stop, (void)until;
}

void rip_stop_settle_exceptions(struct rip_stop *stop, const struct rip_segment_found *until)
{
	(void)stop, (void)until;
}

/* All code of a kernel that kills may pass is killable. */
bool rip_plain_passes(struct rip_cursor *cursor, bool mixed)
{
	(void)cursor, (void)mixed;
	return false;
}
