/* SPDX-License-Identifier: MIT
 * header: the start of a language-specific data area. */
#include "lsda/lsda.h"

/* Landing pads count from the function, unless a base of their own (@LPStart) is given. */
static uint64_t read_pad_base(struct rip_reader *r, const struct rip_lsda *lsda)
{
	uint8_t encoding = rip_read_u8(r);
	struct rip_pointer pointer;
	if (encoding == RIP_PE_OMIT)
		return lsda->function;
	pointer = rip_pointer_read(r, encoding, &lsda->bases);
	if (pointer.indirect)
		rip_reader_fail(r, RIP_E_ENCODING);
	return pointer.value;
}

/* The distance to @TTBase, the end of the type table, counts from behind itself. */
static void read_type_base(struct rip_reader *r, struct rip_lsda *lsda)
{
	uint64_t distance;
	lsda->type_encoding = rip_read_u8(r);
	if (lsda->type_encoding == RIP_PE_OMIT)
		return;
	distance = rip_read_uleb(r);
	if (distance > rip_reader_left(r))
		rip_reader_fail(r, RIP_E_TRUNCATED);
	lsda->type_base = r->address + distance;
}

/* Call sites are lengths and distances: they count from the function, whatever the encoding says, so one
 * that says anything else is refused. */
static void read_sites(struct rip_reader *r, struct rip_lsda *lsda)
{
	lsda->site_encoding = rip_read_u8(r);
	if ((lsda->site_encoding & ~RIP_PE_FORMAT) != 0)
		rip_reader_fail(r, RIP_E_ENCODING);
	lsda->sites = rip_read_block(r, rip_read_uleb(r));
}

/* Call sites, actions and types follow one another; without types nothing ends the actions. */
static void read_actions(struct rip_reader *r, struct rip_lsda *lsda)
{
	if (lsda->type_encoding != RIP_PE_OMIT && lsda->type_base < r->address)
		rip_reader_fail(r, RIP_E_LSDA);
	lsda->actions = rip_read_block(r, rip_reader_left(r));
}

rip_status rip_lsda_read(const struct rip_bytes *bytes, uint64_t function,
			 const struct rip_pointer_bases *bases, struct rip_lsda *lsda_ret)
{
	struct rip_reader r = rip_reader_init(bytes);
	struct rip_lsda lsda = { .function = function, .bytes = *bytes, .bases = *bases };
	lsda.bases.function = function;
	lsda.pad_base = read_pad_base(&r, &lsda);
	read_type_base(&r, &lsda);
	read_sites(&r, &lsda);
	read_actions(&r, &lsda);
	if (r.status == RIP_OK)
		*lsda_ret = lsda;
	return r.status;
}
