/* SPDX-License-Identifier: MIT
 * link: finds the struct rip_link of a loaded module by its note, and gives it the ledger. */
#include "ledger/link.h"

#include <elf.h>
#include <string.h>

#include "base/base.h"
#include "ledger/ledger.h"
#include "port/port.h"

const struct rip_hooks *rip_link_hooks;

bool rip_link_in_segment(const struct dl_phdr_info *info, uintptr_t address, size_t size, uint32_t flags)
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
	if (address % _Alignof(struct rip_link) || !rip_link_in_segment(info, address, sizeof *link, PF_R | PF_W))
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
		uint32_t name_size = rip_read_u32(&notes);
		if (name_size == 0) /* what objcopy left of a note that it took out */
			continue;
		uint32_t size = rip_read_u32(&notes);
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

struct rip_link *rip_link_of(const struct dl_phdr_info *info)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t address = info->dlpi_addr + segment->p_vaddr;
		if (segment->p_type != PT_NOTE || !rip_link_in_segment(info, address, segment->p_memsz, PF_R))
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

static void give(struct rip_link *link)
{
	__atomic_store_n(&link->ledger, &rip_ledger_hooks, __ATOMIC_RELEASE);
	if (!__atomic_load_n(&link->hooks, __ATOMIC_ACQUIRE))
		__atomic_store_n(&link->hooks, rip_link_hooks, __ATOMIC_RELEASE);
}

/* In: the module; out: its link, or NULL. */
struct finding {
	const struct dl_phdr_info *info;
	struct rip_link *link;
};

static void find(void *context)
{
	struct finding *finding = context;

	finding->link = rip_link_of(finding->info);
}

/* A module whose file has become shorter is nobody's. */
static int attach(struct dl_phdr_info *info, size_t size, void *unused)
{
	struct finding finding = { .info = info };
	struct rip_link *link = rip_port_guarded(find, &finding) ? finding.link : NULL;

	(void)size, (void)unused;
	if (link)
		give(link);
	return 0;
}

/* Before the first guest there is nothing to give: that one finds all modules which are loaded by then. */
static void meet(struct rip_link *link)
{
	if (rip_ledger_is_attached() && memcmp(link->magic, RIP_LINK_MAGIC, sizeof link->magic) == 0 &&
	    link->version == RIP_LINK_VERSION && link->size >= sizeof *link)
		give(link);
}

extern const char rip_link_note[] __attribute__((visibility("hidden"))); /* note.S */
__attribute__((visibility("hidden"), used)) const struct rip_link_library rip_link_library = {
	.magic = RIP_LINK_MAGIC, .version = RIP_LINK_VERSION, .size = sizeof rip_link_library, .meet = meet,
	.note = rip_link_note,
};

void rip_ledger_attach(void)
{
	rip_port_loader_lock();
	dl_iterate_phdr(attach, NULL);
	rip_port_loader_unlock();
}
