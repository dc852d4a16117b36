/* SPDX-License-Identifier: MIT
 * port/bare: what can be read, the clock, and what only a system has. */
#include "port/bare/bare.h"

static bool in_image(const rip_port_image *image, uint64_t address, size_t size)
{
	if (!image->readable)
		return rip_range_holds(&image->code, address, size);
	for (uint32_t i = 0; i < image->readable_count; i++)
		if (rip_range_holds(&image->readable[i], address, size))
			return true;
	return false;
}

bool rip_port_readable(uint64_t address, size_t size)
{
	const rip_port *port = rip_port_in_use();

	for (uint32_t i = 0; i < port->memory_count; i++)
		if (rip_range_holds(&port->memory[i], address, size))
			return true;
	for (uint32_t i = 0; i < port->image_count; i++)
		if (in_image(&port->images[i], address, size))
			return true;
	return port->readable && port->readable(port->context, address, size);
}

/* How far apart what can be read may begin and end. */
size_t rip_port_page_size(void)
{
	return 4096;
}

/* 0 without a clock. */
uint64_t rip_port_now(void)
{
	const rip_port *port = rip_port_in_use();

	return port->now ? port->now(port->context) : 0;
}

/* No signals, no loader that fills slots, no libraries. */
bool rip_port_mask_before(uint64_t trampoline_sp, uint64_t *mask_ret)
{
	(void)trampoline_sp, (void)mask_ret;
	return false;
}

struct rip_bytes rip_port_trampoline(const uint8_t code[RIP_TRAMPOLINE_SIZE])
{
	(void)code;
	return (struct rip_bytes){ NULL, 0, 0 };
}

const char *rip_port_slot_name(uint64_t slot)
{
	(void)slot;
	return NULL;
}

uint64_t rip_port_exported(uint64_t member, const char *name)
{
	(void)member, (void)name;
	return 0;
}

bool rip_port_in_library(uint64_t address)
{
	(void)address;
	return false;
}

bool rip_port_reads_caller(uint64_t function)
{
	(void)function;
	return false;
}

bool rip_port_jumps(uint64_t function)
{
	(void)function;
	return false;
}

/* A kill lands at polls only: never in here. */
void rip_port_hold(void)
{
}

void rip_port_let_go(void)
{
}

/* Tables of an embedder are there. */
bool rip_port_guarded(void (*function)(void *argument), void *argument)
{
	function(argument);
	return true;
}
