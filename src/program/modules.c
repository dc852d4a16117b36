/* SPDX-License-Identifier: MIT
 * modules: finds the struct rip_link of loaded modules by their notes.
 *
 * Nothing of a guest runs under the loader's lock: dl_iterate_phdr only finds, the callers act. */
#include <elf.h>
#include <string.h>

#include "program/program.h"

/* --- One module -------------------------------------------------------------------------------- */

static bool in_segment(const struct dl_phdr_info *info, uintptr_t address, size_t size, uint32_t flags)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t offset = address - (info->dlpi_addr + segment->p_vaddr);
		if (segment->p_type == PT_LOAD && (segment->p_flags & flags) == flags &&
		    offset < segment->p_memsz && segment->p_memsz - offset >= size)
			return true;
	}
	return false;
}

static struct rip_link *check_link(const struct dl_phdr_info *info, uintptr_t address)
{
	struct rip_link *link = (struct rip_link *)address;
	if (address % _Alignof(struct rip_link) || !in_segment(info, address, sizeof *link, PF_R | PF_W))
		return NULL;
	if (memcmp(link->magic, RIP_LINK_MAGIC, sizeof link->magic) != 0 ||
	    link->version != RIP_LINK_VERSION || link->size < sizeof *link)
		return NULL;
	return link;
}

/* The descriptor of our note among those of one segment; NULL if it is not there. */
static const uint8_t *find_note(struct rip_reader notes)
{
	while (rip_reader_left(&notes) > 0 && notes.status == RIP_OK) {
		uint32_t name_size = rip_read_u32(&notes), size = rip_read_u32(&notes);
		uint32_t type = rip_read_u32(&notes);
		struct rip_bytes name = rip_read_block(&notes, ((uint64_t)name_size + 3) & ~3ull);
		struct rip_bytes descriptor = rip_read_block(&notes, ((uint64_t)size + 3) & ~3ull);
		if (notes.status == RIP_OK && type == RIP_LINK_NOTE_TYPE && size == sizeof(int64_t) &&
		    name_size == sizeof RIP_LINK_NOTE_NAME &&
		    memcmp(name.data, RIP_LINK_NOTE_NAME, name_size) == 0)
			return descriptor.data;
	}
	return NULL;
}

static struct rip_link *link_of(const struct dl_phdr_info *info)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t address = info->dlpi_addr + segment->p_vaddr;
		if (segment->p_type != PT_NOTE || !in_segment(info, address, segment->p_memsz, PF_R))
			continue;
		struct rip_bytes bytes = { (const uint8_t *)address, segment->p_memsz, address };
		const uint8_t *descriptor = find_note(rip_reader_init(&bytes));
		int64_t distance;
		if (!descriptor)
			continue;
		memcpy(&distance, descriptor, sizeof distance);
		return check_link(info, (uintptr_t)descriptor + (uintptr_t)distance);
	}
	return NULL;
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
	question->link = link_of(info);
	question->has_code = in_segment(info, question->address, 1, PF_X);
	return 1;
}

struct rip_link *rip_module_link(const struct link_map *map)
{
	struct question question = { .map = map };
	dl_iterate_phdr(answer, &question);
	return question.link;
}

bool rip_module_has_code(const struct link_map *map, uintptr_t address)
{
	struct question question = { .map = map, .address = address };
	dl_iterate_phdr(answer, &question);
	return question.has_code;
}

/* --- All of them ------------------------------------------------------------------------------- */

static int claim(struct dl_phdr_info *info, size_t size, void *owner)
{
	struct rip_link *link = link_of(info);
	(void)size;
	if (!link)
		return 0;
	if (!link->owner)
		link->owner = owner;
	__atomic_store_n(&link->hooks, &rip_program_hooks, __ATOMIC_RELEASE);
	return 0;
}

void rip_modules_claim(const rip_program *owner)
{
	dl_iterate_phdr(claim, (void *)owner);
}

struct search {
	const rip_program *owner;
	struct rip_link *after; /* find the first one behind this one */
	struct rip_link *found;
};

static int find_owned(struct dl_phdr_info *info, size_t size, void *context)
{
	struct search *search = context;
	struct rip_link *link = link_of(info);
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
	dl_iterate_phdr(find_owned, &search);
	return search.found;
}

bool rip_modules_run_handler(const rip_program *owner, enum rip_end list)
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
	return youngest && youngest->run_handler(list);
}

void rip_modules_drop_handlers(const rip_program *owner)
{
	for (struct rip_link *link = NULL; (link = next_owned(owner, link));)
		link->drop_handlers();
}

void rip_modules_disown(const rip_program *owner)
{
	for (struct rip_link *link; (link = next_owned(owner, NULL));)
		link->owner = NULL;
}
