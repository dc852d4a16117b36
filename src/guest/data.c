/* SPDX-License-Identifier: MIT
 * guest: the embedder's data. */
#include "base/probe.h"
#include "guest/state.h"

static int find(const rip_guest *guest, const rip_type *type)
{
	for (int i = 0; i < DATA_TYPES; i++)
		if (guest->data[i].type == type)
			return i;
	return -1;
}

static rip_status set(rip_guest *guest, const rip_type *type, void *data)
{
	int place = find(guest, type);

	if (place < 0 && !data)
		return RIP_OK;
	if (place < 0)
		place = find(guest, NULL);
	if (place < 0)
		return RIP_E_FULL;
	guest->data[place].type = data ? type : NULL;
	guest->data[place].data = data;
	return RIP_OK;
}

rip_status rip_set_data(rip_guest *guest, const rip_type *type, void *data)
{
	if (!is_guest(guest) || !type)
		return RIP_E_ARGUMENT;
	rip_probe_read(type, sizeof *type); /* it is asked when the guest is destroyed */
	rip_guest *caller = begin_call(SMALL_STACK);
	rip_status status = set(guest, type, data);
	end_busy(caller);
	return status;
}

void *rip_get_data(const rip_guest *guest, const rip_type *type)
{
	int place = is_guest(guest) && type ? find(guest, type) : -1;

	return place < 0 ? NULL : guest->data[place].data;
}

void rip_guest_destroy_data(rip_guest *guest)
{
	for (int i = 0; i < DATA_TYPES; i++) {
		const rip_type *type = guest->data[i].type;

		guest->data[i].type = NULL;
		if (type && type->destroy)
			type->destroy(guest->data[i].data);
	}
}
