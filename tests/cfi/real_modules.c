/* SPDX-License-Identifier: MIT
 * real_modules: every FDE of this program, libc, libstdc++ and whatever else is loaded: found by the
 * search table, rows at its first and last pc that tile its range, and each landing pad inside a function. */
#include <dlfcn.h>
#include <link.h>

#include "cfi/cfi.h"
#include "lsda/lsda.h"
#include "table_builder.h"
#include "tap.h"

struct module {
	const char *name;
	struct rip_cfi_section section;
	struct rip_cfi_header header;
	uint64_t memory_end; /* of the segment that holds .eh_frame */
};

struct counts {
	long fdes, rows, pcs, lsdas, sites, pads, wrong;
};

/* --- One FDE --- */

static void complain(struct counts *n, const struct rip_fde *fde, const char *what, rip_status status)
{
	if (n->wrong++ < 10)
		printf("# FDE %llx at pc %llx: %s: %s\n", (unsigned long long)fde->address,
		       (unsigned long long)fde->pc_begin, what, rip_status_name(status));
}

static void check_found(struct counts *n, const struct module *m, const struct rip_fde *fde, uint64_t pc)
{
	struct rip_fde found;
	uint64_t address = 0;
	rip_status status = rip_cfi_header_find(&m->header, pc, &address);
	if (status == RIP_OK)
		status = rip_fde_at(&m->section, address - m->section.bytes.address, &found);
	n->pcs++;
	if (status != RIP_OK || found.address != fde->address || found.pc_end != fde->pc_end)
		complain(n, fde, "not found by the header", status);
}

/* Rows must follow one another without a hole, and answer alike at both of their ends. */
static void check_rows(struct counts *n, const struct rip_fde *fde)
{
	struct rip_cfi_row row = { .pc_end = fde->pc_begin }, last;
	for (uint64_t pc = fde->pc_begin; pc < fde->pc_end; pc = row.pc_end) {
		rip_status status = rip_cfi_row_at(fde, pc, &row);
		if (status == RIP_OK)
			status = rip_cfi_row_at(fde, row.pc_end - 1, &last);
		n->rows++;
		if (status != RIP_OK) {
			complain(n, fde, "no row", status);
			return;
		}
		if (row.pc_begin != pc || last.pc_begin != pc || last.pc_end != row.pc_end)
			complain(n, fde, "rows do not tile", status);
	}
}

/* The walk over all rows against the question for each. */
struct row_walk {
	const struct rip_fde *fde;
	uint64_t at;
	bool same;
};

static bool check_walked(void *context, const struct rip_cfi_state *walked)
{
	struct row_walk *walk = context;
	struct rip_cfi_row row, asked;
	rip_cfi_row_of(walk->fde, walked, &row);
	walk->same = walk->same && walked->pc_begin == walk->at &&
		     rip_cfi_row_at(walk->fde, walk->at, &asked) == RIP_OK && asked.pc_end == row.pc_end &&
		     asked.cfa_reg == row.cfa_reg && asked.cfa_offset == row.cfa_offset &&
		     asked.args_size == row.args_size;
	for (int column = 0; column < RIP_CFI_COLUMNS; column++)
		walk->same = walk->same && asked.rules[column].kind == row.rules[column].kind &&
			     (row.rules[column].kind != RIP_RULE_OFFSET ||
			      asked.rules[column].offset == row.rules[column].offset);
	walk->at = walked->pc_end;
	return true;
}

static void check_row_walk(struct counts *n, const struct rip_fde *fde)
{
	struct row_walk walk = { fde, fde->pc_begin, true };
	rip_status status = rip_cfi_rows(fde, check_walked, &walk);
	if (status != RIP_OK || !walk.same || walk.at != fde->pc_end)
		complain(n, fde, "the walk over the rows differs", status);
}

static void check_site(struct counts *n, const struct module *m, const struct rip_fde *fde,
		       const struct rip_lsda *lsda, const struct rip_site *site)
{
	struct rip_action action;
	struct rip_fde target;
	uint64_t address = 0;
	rip_status status;
	n->sites++;
	if (site->kind != RIP_SITE_PAD)
		return;
	n->pads++;
	status = rip_lsda_action(lsda, site, &action);
	if (status == RIP_OK)
		status = rip_cfi_header_find(&m->header, site->pad, &address);
	if (status == RIP_OK)
		status = rip_fde_at(&m->section, address - m->section.bytes.address, &target);
	if (status != RIP_OK || site->pad >= target.pc_end || target.lsda.value == 0)
		complain(n, fde, "a pad outside of any function with an LSDA", status);
}

static void check_sites(struct counts *n, const struct module *m, const struct rip_fde *fde,
			const struct rip_lsda *lsda)
{
	struct rip_site site;
	for (uint64_t pc = fde->pc_begin; pc < fde->pc_end; pc = site.end) {
		rip_status status = rip_lsda_site(lsda, pc, &site);
		if (status != RIP_OK || pc < site.begin || pc >= site.end) {
			complain(n, fde, "no site", status);
			return;
		}
		check_site(n, m, fde, lsda, &site);
	}
}

/* The walk over the entries against the question for each of their pcs. */
static void check_site_walk(struct counts *n, const struct rip_fde *fde, const struct rip_lsda *lsda)
{
	struct rip_reader r = rip_reader_init(&lsda->sites);
	struct rip_site site, asked;
	uint64_t last_end = lsda->function;
	rip_status status;
	while ((status = rip_lsda_next(&r, lsda, last_end, &site)) == RIP_OK) {
		if (rip_lsda_site(lsda, site.begin, &asked) != RIP_OK || asked.kind != site.kind ||
		    asked.begin != site.begin || asked.end != site.end || asked.pad != site.pad)
			complain(n, fde, "the walk over the sites differs", RIP_OK);
		last_end = site.end;
	}
	if (status != RIP_E_END)
		complain(n, fde, "the walk over the sites ends badly", status);
}

static void check_lsda(struct counts *n, const struct module *m, const struct rip_fde *fde)
{
	struct rip_bytes bytes = { (const uint8_t *)(uintptr_t)fde->lsda.value, 0, fde->lsda.value };
	struct rip_lsda lsda;
	rip_status status;
	if (fde->lsda.value == 0 || fde->lsda.value >= m->memory_end)
		return;
	n->lsdas++;
	bytes.size = m->memory_end - fde->lsda.value;
	status = rip_lsda_read(&bytes, fde->pc_begin, &fde->bases, &lsda);
	if (status != RIP_OK)
		complain(n, fde, "no LSDA", status);
	else {
		check_sites(n, m, fde, &lsda);
		check_site_walk(n, fde, &lsda);
	}
}

static void check_fde(struct counts *n, const struct module *m, const struct rip_fde *fde)
{
	n->fdes++;
	if (fde->pc_begin == fde->pc_end)
		return;
	check_found(n, m, fde, fde->pc_begin);
	check_found(n, m, fde, fde->pc_end - 1);
	check_rows(n, fde);
	check_row_walk(n, fde);
	check_lsda(n, m, fde);
}

/* --- Modules --- */

static struct counts check_module(const struct module *m)
{
	struct counts n = { 0 };
	struct rip_fde fde;
	uint64_t offset = 0;
	rip_status status;
	while ((status = rip_fde_next(&m->section, &offset, &fde)) == RIP_OK)
		check_fde(&n, m, &fde);
	tap_equal(status, RIP_E_END, "the walk ends well");
	tap_equal(n.wrong, 0, "each FDE is found, has rows and right landing pads");
	tap_equal((long long)m->header.count, n.fdes, "the header lists as many as the walk");
	printf("# %s: %ld FDEs, %ld rows, %ld pcs looked up, %ld LSDAs, %ld sites, %ld pads\n", m->name,
	       n.fdes, n.rows, n.pcs, n.lsdas, n.sites, n.pads);
	return n;
}

static const ElfW(Phdr) *segment_of(const struct dl_phdr_info *info, uint64_t address)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		if (p->p_type == PT_LOAD && address - info->dlpi_addr - p->p_vaddr < p->p_memsz)
			return p;
	}
	return NULL;
}

static const ElfW(Phdr) *find_header(const struct dl_phdr_info *info)
{
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME)
			return &info->dlpi_phdr[i];
	return NULL;
}

static bool open_module(const struct dl_phdr_info *info, struct module *m)
{
	const ElfW(Phdr) *p = find_header(info), *segment;
	struct rip_bytes bytes;
	if (p == NULL)
		return false;
	bytes.address = info->dlpi_addr + p->p_vaddr;
	bytes.data = (const uint8_t *)(uintptr_t)bytes.address;
	bytes.size = p->p_memsz;
	if (!tap_equal(rip_cfi_header_read(&bytes, &m->header), RIP_OK, "the module's .eh_frame_hdr"))
		return false;
	segment = segment_of(info, m->header.eh_frame);
	m->name = info->dlpi_name[0] ? info->dlpi_name : "this program";
	m->memory_end = info->dlpi_addr + segment->p_vaddr + segment->p_memsz;
	m->section.bases = (struct rip_pointer_bases){ 0 };
	m->section.bytes = (struct rip_bytes){ (const uint8_t *)(uintptr_t)m->header.eh_frame,
					       m->memory_end - m->header.eh_frame, m->header.eh_frame };
	return true;
}

static int each_module(struct dl_phdr_info *info, size_t size, void *unused)
{
	struct module m = { 0 };
	struct counts n;
	(void)size;
	(void)unused;
	if (!open_module(info, &m))
		return 0;
	n = check_module(&m);
	if (strstr(m.name, "libc.so") != NULL)
		tap_ok(n.fdes > 2000, "libc has more than 2000 FDEs");
	if (strstr(m.name, "libstdc++.so") != NULL)
		tap_ok(n.fdes > 2000 && n.pads > 1000, "libstdc++ has many FDEs and landing pads");
	return 0;
}

int main(void)
{
	if (dlopen("libstdc++.so.6", RTLD_NOW) == NULL)
		printf("# libstdc++ is not here\n");
	dl_iterate_phdr(each_module, NULL);
	tap_done();
}
