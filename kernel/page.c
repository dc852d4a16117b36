/* SPDX-License-Identifier: MIT
 * page: who owns each page of physical memory. */
#include "page.h"

#include "sync.h"

/* --- The start info ("x86/HVM direct boot ABI", hvm_start_info and hvm_memmap_table_entry) --- */

struct start_info {
	uint32_t magic, version, flags, modules;
	uint64_t module_list, command_line, rsdp, memory_map;
	uint32_t memory_map_entries, reserved;
};
struct memory_map_entry {
	uint64_t address, size;
	uint32_t type, reserved;
};
enum { START_INFO_MAGIC = 0x336ec578, MEMORY_RAM = 1, COMMAND_LINE_MAX = 128 };
/* What boot.S has mapped, and the PC's memory below 1 MiB, which is left alone. */
enum { MAPPED = 1 << 30, LOW_MEMORY = 1 << 20 };

struct page *page_table;
uint32_t page_count;
uint64_t page_changes;
static uint32_t free_count, next_page;
static struct spinlock page_lock = { .name = "pages", .mends = true };
static char command_line[COMMAND_LINE_MAX];

static void *direct(uint64_t physical)
{
	return (void *)(DIRECT_MAP + physical);
}

static void keep_command_line(const struct start_info *info)
{
	const char *text = info->command_line ? direct(info->command_line) : "";

	for (unsigned i = 0; i + 1 < sizeof command_line && text[i]; i++)
		command_line[i] = text[i];
}

const char *memory_command_line(void)
{
	return command_line;
}

/* The last page's number + 1. */
static uint32_t count_pages(const struct start_info *info)
{
	const struct memory_map_entry *map = direct(info->memory_map);
	uint64_t end = 0;

	for (uint32_t i = 0; i < info->memory_map_entries; i++)
		if (map[i].type == MEMORY_RAM && map[i].address < MAPPED && map[i].address + map[i].size > end)
			end = map[i].address + map[i].size;
	return (uint32_t)((end < MAPPED ? end : MAPPED) / PAGE);
}

static void free_range(uint64_t begin, uint64_t end)
{
	for (uint64_t at = (begin + PAGE - 1) / PAGE; at < end / PAGE && at < page_count; at++) {
		if (page_table[at].owner != OWNER_DEVICE)
			continue;
		page_table[at].owner = OWNER_FREE;
		free_count++;
	}
}

static void own_range(uint64_t begin, uint64_t end)
{
	for (uint64_t at = begin / PAGE; at < (end + PAGE - 1) / PAGE; at++) {
		free_count -= page_table[at].owner == OWNER_FREE;
		page_table[at].owner = OWNER_KERNEL;
	}
}

/* The descriptors lie behind the image. */
void memory_init(uint32_t start_info)
{
	const struct start_info *info = direct(start_info);
	extern char kernel_end[];
	uint64_t image_end = (uintptr_t)kernel_end - KERNEL_BASE;

	if (info->magic != START_INFO_MAGIC)
		panic("the loader's start info is none");
	keep_command_line(info);
	page_count = count_pages(info);
	page_table = direct(image_end);
	const struct memory_map_entry *map = direct(info->memory_map);
	for (uint32_t i = 0; i < page_count; i++)
		page_table[i] = (struct page){ .owner = OWNER_DEVICE };
	for (uint32_t i = 0; i < info->memory_map_entries; i++)
		if (map[i].type == MEMORY_RAM && map[i].address < MAPPED)
			free_range(map[i].address, map[i].address + map[i].size);
	own_range(0, LOW_MEMORY);
	own_range(KERNEL_PHYSICAL, image_end + page_count * sizeof *page_table);
}

/* --- Taking and giving --- */

struct page *page_of(const void *address)
{
	uint64_t number = ((uintptr_t)address - DIRECT_MAP) / PAGE;

	return (uintptr_t)address >= DIRECT_MAP && number < page_count ? &page_table[number] : NULL;
}

void *page_address(const struct page *page)
{
	return direct((uint64_t)(page - page_table) * PAGE);
}

static bool is_free_run(uint32_t first, uint32_t count)
{
	if (first + count > page_count)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (page_table[first + i].owner != OWNER_FREE)
			return false;
	return true;
}

static struct page *take_run(uint16_t owner, uint32_t count)
{
	for (uint32_t tries = 0; tries < page_count; tries++) {
		uint32_t first = next_page;
		next_page = next_page + 1 < page_count ? next_page + 1 : 0;
		if (!is_free_run(first, count))
			continue;
		for (uint32_t i = 0; i < count; i++)
			page_table[first + i] = (struct page){ .owner = owner };
		free_count -= count;
		page_changes++;
		return &page_table[first];
	}
	return NULL;
}

void *page_take_run(uint16_t owner, uint32_t count)
{
	bool interrupts = spin_lock(&page_lock);
	struct page *page = count <= free_count ? take_run(owner, count) : NULL;
	spin_unlock(&page_lock, interrupts);
	if (!page)
		return NULL;
	return memset(page_address(page), 0, (size_t)count * PAGE);
}

void *page_take(uint16_t owner)
{
	return page_take_run(owner, 1);
}

void page_give(void *address)
{
	struct page *page = page_of(address);

	bool interrupts = spin_lock(&page_lock);
	require(page && page->owner != OWNER_FREE && page->owner != OWNER_DEVICE);
	*page = (struct page){ .owner = OWNER_FREE };
	free_count++;
	page_changes++;
	spin_unlock(&page_lock, interrupts);
}

uint32_t pages_free(void)
{
	return free_count;
}

void pages_mend(void)
{
	free_count = 0;
	for (uint32_t i = 0; i < page_count; i++)
		free_count += page_table[i].owner == OWNER_FREE;
	next_page = next_page < page_count ? next_page : 0;
	page_changes++;
}

void pages_give_all(uint16_t owner)
{
	for (uint32_t i = 0; i < page_count; i++)
		if (page_table[i].owner == owner)
			page_give(page_address(&page_table[i]));
}

static bool is_orphan(const struct page *page, bool (*is_owner)(uint16_t owner))
{
	uint16_t owner = page->owner;

	return owner != OWNER_FREE && owner < OWNER_KERNEL && !is_owner(owner);
}

/* The owner may end between the two looks, and its page be another's by now: so it is looked at again when nobody can
 * come between. */
void pages_give_orphans(bool (*is_owner)(uint16_t owner))
{
	for (uint32_t i = 0; i < page_count; i++) {
		if (!is_orphan(&page_table[i], is_owner))
			continue;
		bool interrupts = interrupts_disable();
		if (is_orphan(&page_table[i], is_owner))
			page_give(page_address(&page_table[i]));
		interrupts_restore(interrupts);
	}
}

uint32_t pages_of(uint16_t owner)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < page_count; i++)
		count += page_table[i].owner == owner;
	return count;
}
