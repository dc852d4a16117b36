/* SPDX-License-Identifier: MIT
 * link: this module's struct rip_link, and the note by which it is found. */
#include <malloc.h>
#include <stddef.h>
#include <string.h>

#include "guest.h"

int main(int, char **, char **) __attribute__((weak, visibility("hidden")));

/* A guest without handlers has no handlers.o. Definitions, since gold gives weak references that are hidden and defined
 * nowhere the module's base as their address, and not NULL. */
__attribute__((weak)) uint64_t rip_youngest_handler(enum rip_handler_list list)
{
	(void)list;
	return 0;
}

__attribute__((weak)) bool rip_run_handler(enum rip_handler_list list, int status)
{
	(void)list, (void)status;
	return false;
}

__attribute__((weak)) void rip_drop_handlers(void)
{
}

__attribute__((weak)) void rip_close_handlers(void)
{
}

__attribute__((weak)) void rip_drop_fork_handlers(void)
{
}

static void drop_handlers(void)
{
	rip_drop_handlers();
	rip_drop_fork_handlers();
}

struct rip_link rip_link = {
	.magic = RIP_LINK_MAGIC,
	.version = RIP_LINK_VERSION,
	.size = sizeof(struct rip_link),
	.main = main,
	.youngest_handler = rip_youngest_handler,
	.run_handler = rip_run_handler,
	.drop_handlers = drop_handlers,
	.close_handlers = rip_close_handlers,
};

/* namesz, descsz, type, name, desc: see link.h. */
__asm__(".pushsection .note.ripcord, \"a\", @note\n"
	".balign 4\n"
	".long 8, 8, 1\n"
	".asciz \"Ripcord\"\n"
	".quad rip_link - .\n"
	".popsection");

/* Likewise: see ripcord/killable.h. */
__asm__(".pushsection .note.ripcord, \"a\", @note\n"
	".weak __start_ripcord_stubs, __stop_ripcord_stubs\n"
	".hidden __start_ripcord_stubs, __stop_ripcord_stubs\n"
	".balign 4\n"
	".long 8, 16, 3\n"
	".asciz \"Ripcord\"\n"
	"0: .quad __start_ripcord_stubs - 0b, __stop_ripcord_stubs - 0b\n"
	".balign 4\n"
	".weak __start_ripcord_parts, __stop_ripcord_parts\n"
	".hidden __start_ripcord_parts, __stop_ripcord_parts\n"
	".long 8, 16, 4\n"
	".asciz \"Ripcord\"\n"
	"1: .quad __start_ripcord_parts - 1b, __stop_ripcord_parts - 1b\n"
	".popsection");

/* --- The library --------------------------------------------------------------------------------- */

/* The library's struct in a segment of notes; NULL if its note is not there. */
static const struct rip_link_library *find_library(const char *notes, size_t size)
{
	while (size >= 3 * sizeof(uint32_t)) {
		uint32_t head[3];
		int64_t distance;
		memcpy(head, notes, sizeof head);
		size_t name = ((size_t)head[0] + 3) & ~(size_t)3, descriptor = ((size_t)head[1] + 3) & ~(size_t)3;
		if (name + descriptor > size - sizeof head)
			return NULL;
		const char *place = notes + sizeof head + name;
		if (head[0] == sizeof RIP_LINK_NOTE_NAME && head[1] == sizeof distance &&
		    head[2] == RIP_LINK_LIBRARY_TYPE &&
		    memcmp(notes + sizeof head, RIP_LINK_NOTE_NAME, sizeof RIP_LINK_NOTE_NAME) == 0) {
			memcpy(&distance, place, sizeof distance);
			return (const void *)(place + distance);
		}
		notes = place + descriptor;
		size -= sizeof head + name + descriptor;
	}
	return NULL;
}

static int meet(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size, (void)unused;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		const struct rip_link_library *library = segment->p_type != PT_NOTE ? NULL :
			find_library((const char *)(info->dlpi_addr + segment->p_vaddr), segment->p_memsz);
		if (library && memcmp(library->magic, RIP_LINK_MAGIC, sizeof library->magic) == 0 &&
		    library->version == RIP_LINK_VERSION)
			library->meet(&rip_link);
	}
	return rip_ledger() != NULL;
}

/* Before all constructors of this module: even their exit() is the guest's end. */
__attribute__((visibility("hidden"), used)) void rip_meet_library(void);
void rip_meet_library(void)
{
	dl_iterate_phdr(meet, NULL);
}
__asm__(".pushsection .init_array.00000, \"aw\", @init_array\n"
	".balign 8\n"
	".quad rip_meet_library\n"
	".popsection");

/* --- Guests -------------------------------------------------------------------------------------- */

void rip_end_guest(enum rip_exit_kind how, int status)
{
	const struct rip_hooks *hooks = __atomic_load_n(&rip_link.hooks, __ATOMIC_ACQUIRE);
	if (hooks)
		hooks->end(how, status);
}

bool rip_active(void)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	return ledger && ledger->active();
}

bool rip_is_programs(void)
{
	const void *owner = __atomic_load_n(&rip_link.owner, __ATOMIC_RELAXED);
	return owner && owner != RIP_LINK_HOST && rip_active();
}

bool rip_begin(enum rip_need need)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	return !ledger || ledger->begin(need);
}

void rip_own(rip_kind kind, const void *object, uint64_t data)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	if (ledger)
		ledger->own(kind, (uintptr_t)object, data);
}

bool rip_disown(rip_kind kind, const void *object, uint64_t *data_ret)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	return ledger && ledger->disown(kind, (uintptr_t)object, data_ret);
}

int rip_own_fd(int fd)
{
	const struct rip_ledger_hooks *ledger = rip_ledger();
	return ledger && fd >= 0 ? ledger->own_descriptor(fd) : fd;
}

bool rip_disown_fd(int fd)
{
	return fd >= 0 && rip_disown(RIP_KIND_DESCRIPTOR, (const void *)(intptr_t)fd, NULL);
}

void *rip_own_memory(void *memory)
{
	if (memory)
		rip_own(RIP_KIND_MEMORY, memory, malloc_usable_size(memory));
	return memory;
}
