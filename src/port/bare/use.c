/* SPDX-License-Identifier: MIT
 * port/bare: takes what the embedder says, if it can be true. */
#include "port/bare/bare.h"

static const rip_port nothing;
static const rip_port *in_use = &nothing;

const rip_port *rip_port_in_use(void)
{
	return __atomic_load_n(&in_use, __ATOMIC_ACQUIRE);
}

static bool is_empty(const rip_port_range *range)
{
	return range->begin == range->end;
}

static bool lies_in(const rip_port_range *range, const rip_port_range *whole)
{
	return range->begin <= range->end &&
	       (is_empty(range) || (range->begin >= whole->begin && range->end <= whole->end));
}

static bool are_ranges(const rip_port_range *range, uint32_t count)
{
	static const rip_port_range all = { 0, UINT64_MAX };

	for (uint32_t i = 0; i < count; i++)
		if (!lies_in(&range[i], &all))
			return false;
	return count == 0 || range;
}

static bool is_image(const rip_port_image *image)
{
	const rip_port_range *code = &image->code;

	for (uint32_t i = 0; image->readable && i < image->readable_count; i++)
		if (i == RIP_MODULE_SEGMENTS || !lies_in(&image->readable[i], code))
			return false;
	return code->begin < code->end && lies_in(&image->eh_frame_hdr, code) &&
	       lies_in(&image->eh_frame, code) && lies_in(&image->notes, code);
}

rip_status rip_port_use(const rip_port *port)
{
	if (!port)
		port = &nothing;
	if (!are_ranges(port->memory, port->memory_count) || (port->image_count && !port->images))
		return RIP_E_ARGUMENT;
	for (uint32_t i = 0; i < port->image_count; i++)
		if (!is_image(&port->images[i]))
			return RIP_E_ARGUMENT;
	__atomic_store_n(&in_use, port, __ATOMIC_RELEASE);
	return RIP_OK;
}
