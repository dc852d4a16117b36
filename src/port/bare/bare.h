/* SPDX-License-Identifier: MIT
 * port/bare: the contract where there is no system: what the embedder said (ripcord/port.h), and nothing
 * else.
 *
 * Invariants: the embedder's struct is read through one pointer, loaded once for each question; what it says
 * was checked when it was given. What the contract has beyond modules, reading and time (mappings, threads,
 * names) is not here: layers that need it are not part of the core. */
#ifndef RIPCORD_PORT_BARE_H
#define RIPCORD_PORT_BARE_H

#include "port/port.h"
#include "ripcord/port.h"

/* Never NULL: without an embedder, one that has nothing. */
const rip_port *rip_port_in_use(void);

/* True if `range` holds all of [address, address + size). */
static inline bool rip_range_holds(const rip_port_range *range, uint64_t address, uint64_t size)
{
	return address >= range->begin && address < range->end && range->end - address >= size;
}

#endif
