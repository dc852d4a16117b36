/* SPDX-License-Identifier: MIT
 * modules: the modules that belong to a program.
 *
 * Nothing of a guest runs under the loader's lock: dl_iterate_phdr only finds, the callers act. */
#include <elf.h>

#include "port/port.h"
#include "program/program.h"

/* Nothing is stopped while it holds the loader's lock. */
static void visit_modules(int (*look)(struct dl_phdr_info *, size_t, void *), void *context)
{
	rip_port_loader_lock();
	dl_iterate_phdr(look, context);
	rip_port_loader_unlock();
}

/* --- By its link map --------------------------------------------------------------------------- */

struct question {
	const struct link_map *map;
	uintptr_t address;
	struct rip_link *link;
	bool has_code;
};

/* Two modules may have the same load bias, but not the same dynamic section. */
static bool is_map(const struct dl_phdr_info *info, const struct link_map *map)
{
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			return info->dlpi_addr + info->dlpi_phdr[i].p_vaddr == (uintptr_t)map->l_ld;
	return false;
}

static int answer(struct dl_phdr_info *info, size_t size, void *context)
{
	struct question *question = context;
	(void)size;
	if (!is_map(info, question->map))
		return 0;
	question->link = rip_link_of(info);
	question->has_code = rip_link_in_segment(info, question->address, 1, PF_X);
	return 1;
}

struct rip_link *rip_module_link(const struct link_map *map)
{
	struct question question = { .map = map };
	visit_modules(answer, &question);
	return question.link;
}

bool rip_module_has_code(const struct link_map *map, uintptr_t address)
{
	struct question question = { .map = map, .address = address };
	visit_modules(answer, &question);
	return question.has_code;
}

/* --- All of them ------------------------------------------------------------------------------- */

static int claim(struct dl_phdr_info *info, size_t size, void *owner)
{
	struct rip_link *link = rip_link_of(info);
	(void)size;
	if (!link)
		return 0;
	if (!link->owner)
		link->owner = owner;
	__atomic_store_n(&link->hooks, &rip_program_hooks, __ATOMIC_RELEASE);
	return 0;
}

void rip_modules_claim(const void *owner)
{
	__atomic_store_n(&rip_link_hooks, &rip_program_hooks, __ATOMIC_RELEASE); /* for those that come later */
	visit_modules(claim, (void *)owner);
	rip_ledger_attach();
}

struct search {
	const rip_program *owner;
	struct rip_link *after; /* find the first one behind this one */
	struct rip_link *found;
};

static int find_owned(struct dl_phdr_info *info, size_t size, void *context)
{
	struct search *search = context;
	struct rip_link *link = rip_link_of(info);
	(void)size;
	if (!link || link->owner != search->owner)
		return 0;
	if (!search->after) {
		search->found = link;
		return 1;
	}
	if (link == search->after)
		search->after = NULL;
	return 0;
}

static struct rip_link *next_owned(const rip_program *owner, struct rip_link *link)
{
	struct search search = { .owner = owner, .after = link };
	visit_modules(find_owned, &search);
	return search.found;
}

bool rip_modules_run_handler(const rip_program *owner, enum rip_handler_list list, int status)
{
	struct rip_link *youngest = NULL;
	uint64_t latest = 0;
	for (struct rip_link *link = NULL; (link = next_owned(owner, link));) {
		uint64_t time = link->youngest_handler(list);
		if (time > latest) {
			latest = time;
			youngest = link;
		}
	}
	return youngest && youngest->run_handler(list, status);
}

void rip_modules_drop_handlers(const rip_program *owner)
{
	for (struct rip_link *link = NULL; (link = next_owned(owner, link));)
		link->drop_handlers();
}

void rip_modules_disown(const rip_program *owner)
{
	for (struct rip_link *link; (link = next_owned(owner, NULL));) {
		link->close_handlers();
		link->owner = NULL;
	}
}
