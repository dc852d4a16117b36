/* SPDX-License-Identifier: MIT
 * site: the call-site table, which says for each pc where its landing pad is. */
#include "lsda/lsda.h"

/* `base` + `distance`; OVERFLOW past the end of the address space. */
static uint64_t add(struct rip_reader *r, uint64_t base, uint64_t distance)
{
	uint64_t sum;
	if (__builtin_add_overflow(base, distance, &sum))
		rip_reader_fail(r, RIP_E_OVERFLOW);
	return sum;
}

/* A pad at distance 0 is none: that is where the function starts. */
static struct rip_site read_entry(struct rip_reader *r, const struct rip_lsda *lsda)
{
	static const struct rip_pointer_bases no_bases;
	struct rip_site site = { .kind = RIP_SITE_NONE };
	uint64_t begin = rip_pointer_read(r, lsda->site_encoding, &no_bases).value;
	uint64_t size = rip_pointer_read(r, lsda->site_encoding, &no_bases).value;
	uint64_t pad = rip_pointer_read(r, lsda->site_encoding, &no_bases).value;
	site.action = rip_read_uleb(r);
	site.begin = add(r, lsda->function, begin);
	site.end = add(r, site.begin, size);
	if (pad != 0) {
		site.kind = RIP_SITE_PAD;
		site.pad = add(r, lsda->pad_base, pad);
	}
	return site;
}

static struct rip_site gap(uint64_t begin, uint64_t end)
{
	return (struct rip_site){ .kind = RIP_SITE_GAP, .begin = begin, .end = end };
}

/* Entries ascend, as the personalities of GCC and LLVM rely on: the first one that ends above pc decides.
 * `last_end` is where the entries seen so far end. */
static struct rip_site find(struct rip_reader *r, const struct rip_lsda *lsda, uint64_t pc)
{
	uint64_t last_end = lsda->function;
	while (r->status == RIP_OK && rip_reader_left(r) != 0) {
		struct rip_site site = read_entry(r, lsda);
		if (site.begin < last_end)
			rip_reader_fail(r, RIP_E_LSDA);
		if (site.begin == site.end)
			continue;
		if (pc < site.begin)
			return gap(last_end, site.begin);
		if (pc < site.end)
			return site;
		last_end = site.end;
	}
	return gap(last_end, UINT64_MAX);
}

rip_status rip_lsda_next(struct rip_reader *r, const struct rip_lsda *lsda, uint64_t last_end,
			 struct rip_site *site_ret)
{
	struct rip_site site;
	do {
		if (r->status == RIP_OK && rip_reader_left(r) == 0)
			return RIP_E_END;
		site = read_entry(r, lsda);
		if (site.begin < last_end)
			rip_reader_fail(r, RIP_E_LSDA);
	} while (r->status == RIP_OK && site.begin == site.end);
	if (r->status == RIP_OK)
		*site_ret = site;
	return r->status;
}

rip_status rip_lsda_site(const struct rip_lsda *lsda, uint64_t pc, struct rip_site *site_ret)
{
	struct rip_reader r = rip_reader_init(&lsda->sites);
	struct rip_site site;
	if (pc < lsda->function)
		return RIP_E_ARGUMENT;
	site = find(&r, lsda, pc);
	if (r.status == RIP_OK)
		*site_ret = site;
	return r.status;
}

bool rip_lsda_is_pad(const struct rip_lsda *lsda, uint64_t address)
{
	struct rip_reader r = rip_reader_init(&lsda->sites);

	while (r.status == RIP_OK && rip_reader_left(&r) != 0) {
		struct rip_site site = read_entry(&r, lsda);
		if (r.status == RIP_OK && site.kind == RIP_SITE_PAD && site.pad == address)
			return true;
	}
	return false;
}
