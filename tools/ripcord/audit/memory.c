/* SPDX-License-Identifier: MIT
 * memory: growing arrays. */
#include <stdlib.h>
#include <string.h>

#include "../tool.h"
#include "audit.h"

void audit_room(void *items, size_t *room, size_t count, size_t size)
{
	void *grown;
	size_t more = *room ? *room : 16;
	if (count <= *room)
		return;
	while (more < count)
		more *= 2;
	memcpy(&grown, items, sizeof grown);
	grown = reallocarray(grown, more, size);
	if (!grown) {
		tool_complain("out of memory");
		exit(TOOL_HOST);
	}
	memcpy(items, &grown, sizeof grown);
	*room = more;
}
