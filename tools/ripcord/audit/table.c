/* SPDX-License-Identifier: MIT
 * table: all FDEs of a file, by address. */
#include <stdlib.h>
#include <string.h>

#include "audit.h"

/* Where one start has two FDEs, the longer one comes first. */
static int by_start(const void *a, const void *b)
{
	const struct rip_fde *x = a, *y = b;
	if (x->pc_begin != y->pc_begin)
		return x->pc_begin > y->pc_begin ? 1 : -1;
	return (x->pc_end < y->pc_end) - (x->pc_end > y->pc_end);
}

static bool is_of_code(const struct audit_image *image, const struct rip_fde *fde)
{
	const struct audit_section *section = audit_section_at(image, fde->pc_begin);
	return section && section->code && fde->pc_begin != fde->pc_end;
}

static rip_status read_section(const struct audit_image *image, const struct audit_section *section,
			       struct audit_fdes *fdes)
{
	struct rip_cfi_section table = { .bytes = section->bytes, .whole = section->number != 0 };
	struct rip_fde fde;
	uint64_t offset = 0;
	rip_status status;
	while ((status = rip_fde_next(&table, &offset, &fde)) == RIP_OK)
		if (is_of_code(image, &fde))
			*AUDIT_ADD(*fdes) = fde;
	return status == RIP_E_END ? RIP_OK : status;
}

/* Keeps the first of those that cover the same code. */
static size_t drop_overlapping(struct audit_fdes *fdes)
{
	size_t kept = 0, count = fdes->count;
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || fdes->items[i].pc_begin >= fdes->items[kept - 1].pc_end)
			fdes->items[kept++] = fdes->items[i];
	fdes->count = kept;
	return count - kept;
}

void audit_fdes_read(const struct audit_image *image, struct audit_fdes *fdes_ret, size_t *overlapping_ret,
		     rip_status *status_ret)
{
	struct audit_fdes fdes = { 0 };
	*status_ret = RIP_OK;
	for (size_t i = 0; i < image->sections.count; i++) {
		const struct audit_section *section = &image->sections.items[i];
		rip_status status = RIP_OK;
		if (strcmp(section->name, ".eh_frame") == 0)
			status = read_section(image, section, &fdes);
		if (status != RIP_OK)
			*status_ret = status;
	}
	if (fdes.count)
		qsort(fdes.items, fdes.count, sizeof *fdes.items, by_start);
	*overlapping_ret = drop_overlapping(&fdes);
	*fdes_ret = fdes;
}

const struct rip_fde *audit_fde_at(const struct audit_fdes *fdes, uint64_t pc)
{
	size_t low = 0, high = fdes->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (fdes->items[middle].pc_begin <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low != 0 && pc < fdes->items[low - 1].pc_end ? &fdes->items[low - 1] : NULL;
}
