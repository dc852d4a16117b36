/* SPDX-License-Identifier: MIT
 * paging: the kernel's one address space (Intel SDM 3, 4.5). Code can be executed and not written, constants
 * neither, and everything else is not executed; nothing is mapped in the lower half, nor around stacks. */
#include "page.h"

#include "sync.h"

enum {
	ENTRY_PRESENT = 1, ENTRY_WRITE = 2, ENTRY_LARGE = 1 << 7,
	LEVELS = 4, ENTRIES = 512, LARGE_PAGE = 1 << 21,
};
#define ENTRY_NO_EXECUTE (1ull << 63)
#define ENTRY_ADDRESS 0x000ffffffffff000ull

static uint64_t *top;

static uint64_t physical(const void *address)
{
	uint64_t at = (uintptr_t)address;

	return at >= KERNEL_BASE ? at - KERNEL_BASE : at - DIRECT_MAP;
}

static uint64_t *below(uint64_t entry)
{
	return (uint64_t *)(DIRECT_MAP + (entry & ENTRY_ADDRESS));
}

static unsigned index_at(uint64_t address, unsigned level)
{
	return address >> (12 + 9 * (level - 1)) & (ENTRIES - 1);
}

/* The entry for the address at a level, 1 to 4; tables on the way are made if `make` says so. NULL: there is
 * none. */
static uint64_t *entry_at(uint64_t address, unsigned level, bool make)
{
	uint64_t *table = top;

	for (unsigned at = LEVELS; at > level; at--) {
		uint64_t *entry = &table[index_at(address, at)];
		if (*entry & ENTRY_LARGE)
			return NULL;
		if (!(*entry & ENTRY_PRESENT)) {
			void *page = make ? page_take(OWNER_KERNEL) : NULL;
			if (!page)
				return NULL;
			*entry = physical(page) | ENTRY_PRESENT | ENTRY_WRITE;
		}
		table = below(*entry);
	}
	return &table[index_at(address, level)];
}

static void map_image(const char *begin, const char *end, uint64_t rights)
{
	for (const char *at = begin; at < end; at += PAGE) {
		uint64_t *entry = entry_at((uintptr_t)at, 1, true);
		if (!entry)
			panic("no memory for page tables");
		*entry = physical(at) | ENTRY_PRESENT | rights;
	}
}

static void map_direct(void)
{
	for (uint64_t at = 0; at < (uint64_t)page_count * PAGE; at += LARGE_PAGE) {
		uint64_t *entry = entry_at(DIRECT_MAP + at, 2, true);
		if (!entry)
			panic("no memory for page tables");
		*entry = at | ENTRY_PRESENT | ENTRY_WRITE | ENTRY_LARGE | ENTRY_NO_EXECUTE;
	}
}

void paging_init(void)
{
	extern char kernel_begin[], text_end[], constants_begin[], constants_end[], data_begin[], kernel_end[];

	top = page_take(OWNER_KERNEL);
	map_direct();
	map_image(kernel_begin, text_end, 0);
	map_image(constants_begin, constants_end, ENTRY_NO_EXECUTE);
	map_image(data_begin, kernel_end, ENTRY_WRITE | ENTRY_NO_EXECUTE);
	write_cr3(physical(top));
}

bool paging_prepare(uint64_t begin, uint64_t end)
{
	for (uint64_t at = begin; at < end; at += LARGE_PAGE)
		if (!entry_at(at, 1, true))
			return false;
	return true;
}

static uint64_t *prepared(uint64_t address)
{
	uint64_t *entry = entry_at(address, 1, false);

	if (!entry)
		panic("paging: nothing is prepared at %lx", address);
	return entry;
}

void paging_map(uint64_t address, void *page)
{
	*prepared(address) = physical(page) | ENTRY_PRESENT | ENTRY_WRITE | ENTRY_NO_EXECUTE;
}

void *paging_unmap(uint64_t address)
{
	uint64_t *entry = prepared(address);
	void *page = below(*entry);

	*entry = 0;
	forget_page(address);
	return page;
}

void paging_set_open(uint64_t address, bool open)
{
	uint64_t *entry = prepared(address);

	*entry = open ? *entry | ENTRY_PRESENT : *entry & ~(uint64_t)ENTRY_PRESENT;
	forget_page(address);
}

/* The bits that all entries on the way to the page have. */
static uint64_t rights_at(uint64_t address)
{
	uint64_t *table = top, rights = ENTRY_PRESENT | ENTRY_WRITE;

	for (unsigned level = LEVELS; level >= 1 && (rights & ENTRY_PRESENT); level--) {
		uint64_t entry = table[index_at(address, level)];
		rights &= entry;
		if (entry & ENTRY_LARGE)
			break;
		table = below(entry);
	}
	return rights;
}

/* Other addresses have no entry of their own: bits 47 to 63 are to be equal. */
bool paging_is_canonical(uint64_t address)
{
	return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

static bool has_rights(uint64_t address, size_t size, uint64_t rights)
{
	if (size == 0 || address + size < address || !top)
		return false;
	for (uint64_t at = address & ~(uint64_t)(PAGE - 1); at < address + size; at += PAGE)
		if (!paging_is_canonical(at) || (rights_at(at) & rights) != rights)
			return false;
	return true;
}

bool paging_is_mapped(uint64_t address, size_t size)
{
	return has_rights(address, size, ENTRY_PRESENT);
}

bool paging_is_writable(uint64_t address, size_t size)
{
	return has_rights(address, size, ENTRY_PRESENT | ENTRY_WRITE);
}
