/* SPDX-License-Identifier: MIT
 * fuzz_lsda: bytes as a language-specific data area: look every site up, walk every action chain. */
#include "lsda/lsda.h"

enum { ADDRESS = 0x100000, FUNCTION = 0x4000, SITES_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_site(const struct rip_lsda *lsda, const struct rip_site *site)
{
	struct rip_action action = { RIP_ACTION_CLEANUP, 0 };
	struct rip_pointer type = { 1, false };
	if (site->kind != RIP_SITE_PAD || rip_lsda_action(lsda, site, &action) != RIP_OK)
		return;
	if (action.kind != RIP_ACTION_CATCH_ALL)
		return;
	if (rip_lsda_type(lsda, (uint64_t)action.selector, &type) != RIP_OK || type.value != 0)
		__builtin_trap();
}

/* Sites tile the address space from the function up, and answer alike at both ends. */
static void check_sites(const struct rip_lsda *lsda)
{
	struct rip_site site = { .end = FUNCTION }, last;
	for (int i = 0; i < SITES_MAX && site.end != UINT64_MAX; i++) {
		uint64_t pc = site.end;
		if (rip_lsda_site(lsda, pc, &site) != RIP_OK)
			return;
		if (site.begin != pc || site.end <= pc)
			__builtin_trap();
		if (rip_lsda_site(lsda, site.end - 1, &last) != RIP_OK || last.begin != pc)
			__builtin_trap();
		check_site(lsda, &site);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rip_bytes bytes = { data, size, ADDRESS };
	struct rip_pointer_bases bases = { 0x1000, 0x2000, 0 };
	struct rip_lsda lsda;
	if (rip_lsda_read(&bytes, FUNCTION, &bases, &lsda) != RIP_OK)
		return 0;
	check_sites(&lsda);
	return 0;
}
