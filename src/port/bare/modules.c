/* SPDX-License-Identifier: MIT
 * port/bare: modules, which are the embedder's images. */
#include "port/bare/bare.h"

static const rip_port_image *find_image(uint64_t pc)
{
	const rip_port *port = rip_port_in_use();

	for (uint32_t i = 0; i < port->image_count; i++)
		if (rip_range_holds(&port->images[i].code, pc, 1))
			return &port->images[i];
	return NULL;
}

static void identify(const rip_port_image *image, struct rip_module_identity *identity_ret)
{
	rip_fill(identity_ret, 0, sizeof *identity_ret);
	identity_ret->begin = image->code.begin;
	identity_ret->end = image->code.end;
	identity_ret->handle = image->generation;
	identity_ret->tables = image->eh_frame_hdr.begin;
}

rip_status rip_port_identity_at(uint64_t pc, struct rip_module_identity *identity_ret)
{
	const rip_port_image *image = find_image(pc);

	if (!image)
		return RIP_E_NOFDE;
	identify(image, identity_ret);
	return RIP_OK;
}

/* The generation is as good as a build id. */
bool rip_port_module_unchanged(const struct rip_module_identity *identity)
{
	const rip_port_image *image = find_image(identity->begin);

	return image && image->code.begin == identity->begin && image->code.end == identity->end &&
	       image->generation == identity->handle && image->eh_frame_hdr.begin == identity->tables;
}

static void add_segments(const rip_port_image *image, struct rip_module *module)
{
	const rip_port_range *range = image->readable ? image->readable : &image->code;
	uint32_t count = image->readable ? image->readable_count : 1;

	for (uint32_t i = 0; i < count; i++) {
		module->segments[i].begin = range[i].begin;
		module->segments[i].end = range[i].end;
	}
	module->segment_count = count;
}

/* A table's bytes, as far as they can be read. */
static struct rip_bytes table_bytes(const struct rip_module *module, const rip_port_range *table)
{
	struct rip_bytes bytes = rip_port_module_bytes(module, table->begin);

	if (bytes.size > table->end - table->begin)
		bytes.size = table->end - table->begin;
	return bytes;
}

rip_status rip_port_module_at(uint64_t pc, struct rip_module *module_ret)
{
	const rip_port_image *image = find_image(pc);

	if (!image)
		return RIP_E_NOFDE;
	module_ret->begin = image->code.begin;
	module_ret->end = image->code.end;
	identify(image, &module_ret->identity);
	rip_copy(module_ret->identity.id, &image->generation, sizeof image->generation);
	module_ret->identity.id_size = sizeof image->generation;
	add_segments(image, module_ret);
	module_ret->header = table_bytes(module_ret, &image->eh_frame_hdr);
	return RIP_OK;
}

struct rip_bytes rip_port_module_bytes(const struct rip_module *module, uint64_t address)
{
	struct rip_bytes bytes = { NULL, 0, address };

	for (uint32_t i = 0; i < module->segment_count; i++) {
		if (address < module->segments[i].begin || address >= module->segments[i].end)
			continue;
		bytes.data = (const uint8_t *)(uintptr_t)address;
		bytes.size = module->segments[i].end - address;
	}
	return bytes;
}

uint32_t rip_port_module_tables(const struct rip_module *module,
				struct rip_bytes tables_ret[RIP_MODULE_TABLES])
{
	const rip_port_image *image = find_image(module->begin);

	if (!image)
		return 0;
	tables_ret[0] = table_bytes(module, &image->eh_frame);
	return tables_ret[0].size != 0;
}

/* --- Notes (gABI, note section) --- */

static uint64_t align4(uint32_t size)
{
	return ((uint64_t)size + 3) & ~(uint64_t)3;
}

static bool read_note(struct rip_reader *r, const char *wanted, uint32_t wanted_type,
		      struct rip_bytes *descriptor_ret)
{
	uint32_t name_size = rip_read_u32(r), size = rip_read_u32(r), type = rip_read_u32(r);
	struct rip_bytes name = rip_read_block(r, align4(name_size));

	*descriptor_ret = rip_read_block(r, align4(size));
	if (r->status != RIP_OK || type != wanted_type || name_size == 0 || name.data[name_size - 1] != '\0')
		return false;
	descriptor_ret->size = size;
	return rip_same_text((const char *)name.data, wanted);
}

struct rip_bytes rip_port_module_note(const struct rip_module *module, const char *name, uint32_t type)
{
	struct rip_bytes descriptor, none = { NULL, 0, 0 };
	const rip_port_image *image = find_image(module->begin);

	if (!image)
		return none;
	struct rip_bytes notes = table_bytes(module, &image->notes);
	struct rip_reader r = rip_reader_init(&notes);
	while (r.status == RIP_OK && rip_reader_left(&r) != 0)
		if (read_note(&r, name, type, &descriptor))
			return descriptor;
	return none;
}
