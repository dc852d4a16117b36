/* SPDX-License-Identifier: MIT
 * function: one FDE: reads its instructions, rows and call sites, and runs the analysis over them. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "ripcord/killable.h"

void audit_find(struct audit_function *f, enum audit_kind kind, uint64_t begin, uint64_t end, const char *format, ...)
{
	va_list args;
	struct audit_finding *finding = AUDIT_ADD(*f->findings);
	*finding = (struct audit_finding){ .kind = kind, .begin = begin, .end = end, .function = f->begin };
	va_start(args, format);
	if (vasprintf(&finding->text, format, args) < 0)
		finding->text = NULL;
	va_end(args);
}

uint32_t audit_index_of(const struct audit_function *f, uint64_t pc)
{
	uint64_t offset = pc - f->begin;
	if (pc < f->begin || pc >= f->end)
		return NO_INDEX;
	if (f->at.items[offset])
		return f->at.items[offset] - 1;
	if (offset > 0 && f->at.items[offset - 1]) {
		uint32_t i = f->at.items[offset - 1] - 1;
		if (f->insns.items[i].prefixes)
			return i;
	}
	return NO_INDEX;
}

/* --- Reading --- */

static void read_instructions(struct audit_function *f, const uint8_t *code)
{
	uint64_t size = f->end - f->begin;
	audit_room(&f->at.items, &f->at.room, size + 1, sizeof *f->at.items);
	memset(f->at.items, 0, size * sizeof *f->at.items);
	f->insns.count = 0;
	for (uint64_t offset = 0; offset < size;) {
		struct audit_insn *insn = AUDIT_ADD(f->insns);
		*insn = audit_decode(code + offset, size - offset, f->begin + offset);
		insn->offset = (uint32_t)offset;
		f->at.items[offset] = (uint32_t)f->insns.count;
		offset += insn->length;
	}
	*AUDIT_ADD(f->insns) = (struct audit_insn){ .op = OP_BAD, .offset = (uint32_t)size }; /* the end mark */
	f->insns.count--;
	audit_room(&f->notes.items, &f->notes.room, f->insns.count, sizeof *f->notes.items);
	if (f->insns.count)
		memset(f->notes.items, 0, f->insns.count * sizeof *f->notes.items);
}

/* What `ripcord cc` says of instructions. */
static void note_marks(struct audit_function *f, const uint8_t *code)
{
	static const uint8_t mask[RIP_KILLABLE_MASK_SIZE] = RIP_KILLABLE_MASK;
	for (uint32_t i = 0; i < f->insns.count; i++) {
		const struct audit_insn *insn = &f->insns.items[i];
		uint64_t behind = insn->offset + insn->length;
		if (insn->op == OP_CALL && f->end - f->begin - behind >= sizeof mask &&
		    memcmp(code + behind, mask, sizeof mask) == 0)
			f->notes.items[i].flags |= FLAG_MARKED;
		if (rip_killable_is_poll(code + insn->offset, insn->length))
			f->notes.items[i].flags |= FLAG_POLL;
	}
}

static bool add_row(void *context, const struct rip_cfi_state *row)
{
	struct audit_function *f = context;
	*AUDIT_ADD(f->rows) = *row;
	return true;
}

/* Rows tile the range in order, so one pass finds each instruction's. */
static bool read_rows(struct audit_function *f)
{
	uint32_t row = 0;
	f->rows.count = 0;
	rip_status status = rip_cfi_rows(f->fde, add_row, f);
	if (status != RIP_OK) {
		audit_find(f, FOUND_TABLE, f->begin, f->end, "its unwind table: %s", rip_status_text(status));
		return false;
	}
	for (uint32_t i = 0; i < f->insns.count; i++) {
		while (row + 1 < f->rows.count && f->begin + f->insns.items[i].offset >= f->rows.items[row].pc_end)
			row++;
		f->notes.items[i].row = row;
	}
	return f->rows.count != 0;
}

static void read_site_table(struct audit_function *f, const struct rip_lsda *lsda)
{
	struct rip_reader r = rip_reader_init(&lsda->sites);
	struct rip_site site;
	struct rip_action action;
	uint64_t last_end = lsda->function;
	rip_status status;
	while ((status = rip_lsda_next(&r, lsda, last_end, &site)) == RIP_OK) {
		last_end = site.end;
		/* A forced unwind passes handlers of named types by. */
		if (site.kind == RIP_SITE_PAD && rip_lsda_action(lsda, &site, &action) == RIP_OK &&
		    action.kind == RIP_ACTION_SKIP)
			site.action = UINT64_MAX;
		*AUDIT_ADD(f->sites) = site;
	}
	if (status != RIP_E_END)
		audit_find(f, FOUND_TABLE, f->begin, f->end, "its call-site table: %s", rip_status_text(status));
}

static void note_sites(struct audit_function *f)
{
	uint32_t at = 0;
	for (uint32_t i = 0; i < f->insns.count; i++) {
		uint64_t pc = f->begin + f->insns.items[i].offset;
		while (at < f->sites.count && pc >= f->sites.items[at].end)
			at++;
		if (at < f->sites.count && pc >= f->sites.items[at].begin)
			f->notes.items[i].site = at + 1;
	}
}

static void read_sites(struct audit_function *f)
{
	struct rip_bytes bytes = audit_bytes_at(f->image, f->fde->lsda.value);
	struct rip_lsda lsda;
	f->sites.count = 0;
	f->has_lsda = f->fde->lsda.value != 0 && !f->fde->lsda.indirect;
	if (!f->has_lsda)
		return;
	rip_status status = rip_lsda_read(&bytes, f->fde->pc_begin, &f->fde->bases, &lsda);
	if (status == RIP_OK)
		read_site_table(f, &lsda);
	else
		audit_find(f, FOUND_TABLE, f->begin, f->end, "its LSDA: %s", rip_status_text(status));
	note_sites(f);
}

/* --- Blocks --- */

static void mark(struct audit_function *f, uint32_t i, uint16_t flags)
{
	if (i < f->insns.count)
		f->notes.items[i].flags |= flags;
}

static bool never_returns(const struct audit_function *f, const struct audit_insn *insn)
{
	const struct audit_symbol *callee = audit_called(f->image, insn);
	return callee && callee->never_returns;
}

static void mark_blocks(struct audit_function *f)
{
	for (uint32_t i = 0; i < f->insns.count; i++) {
		const struct audit_insn *insn = &f->insns.items[i];
		if (insn->op == OP_JUMP || insn->op == OP_BRANCH)
			mark(f, audit_index_of(f, insn->target), FLAG_HEAD);
		if (never_returns(f, insn))
			mark(f, i, FLAG_NO_RETURN);
	}
	for (size_t s = 0; s < f->sites.count; s++)
		if (f->sites.items[s].kind == RIP_SITE_PAD)
			mark(f, audit_index_of(f, f->sites.items[s].pad), FLAG_HEAD | FLAG_PAD);
}

/* --- Results --- */

static int by_index(const void *a, const void *b)
{
	const struct audit_mismatch *x = a, *y = b;
	return (x->index > y->index) - (x->index < y->index);
}

/* Neighbours that are wrong in the same way are one finding. */
static void group_mismatches(struct audit_function *f)
{
	struct audit_mismatch *m = f->mismatches.items;
	size_t count = f->mismatches.count;
	if (count)
		qsort(m, count, sizeof *m, by_index);
	for (size_t i = 0, last; i < count; i = last + 1) {
		for (last = i; last + 1 < count && m[last + 1].index == m[last].index + 1 &&
			       m[last + 1].wrong == m[i].wrong && m[i].wrong != WRONG_JUMP;)
			last++;
		const struct audit_insn *end = &f->insns.items[m[last].index];
		audit_find(f, FOUND_CFI, f->begin + f->insns.items[m[i].index].offset,
			   f->begin + end->offset + end->length, "%s", m[i].text ? m[i].text : "?");
	}
	for (size_t i = 0; i < count; i++)
		free(m[i].text);
	f->mismatches.count = 0;
}

static void count_flags(struct audit_function *f)
{
	for (uint32_t i = 0; i < f->insns.count; i++) {
		f->unverified += (f->notes.items[i].flags & FLAG_UNVERIFIED) != 0;
		f->assumed += (f->notes.items[i].flags & FLAG_ASSUMED) != 0;
	}
}

static void begin(struct audit_function *f, const struct rip_fde *fde, const struct rip_bytes *code)
{
	uint64_t size = fde->pc_end - fde->pc_begin;
	f->fde = fde;
	f->begin = fde->pc_begin;
	f->end = fde->pc_begin + (code->size < size ? code->size : size);
	f->states.count = f->work.count = f->targets.count = f->mismatches.count = 0;
	f->unverified = f->assumed = 0;
	memset(&f->counts, 0, sizeof f->counts);
}

void (*audit_function_hook)(const struct audit_function *function);

bool audit_function_run(struct audit_function *f, const struct rip_fde *fde, bool first)
{
	struct rip_bytes code = audit_bytes_at(f->image, fde->pc_begin);
	size_t before = f->findings->count;
	begin(f, fde, &code);
	if (f->end != fde->pc_end)
		audit_find(f, FOUND_TABLE, fde->pc_begin, fde->pc_end, "its range leaves the section");
	read_instructions(f, code.data);
	note_marks(f, code.data);
	read_sites(f);
	if (read_rows(f)) {
		if (first && f->has_lsda && f->findings->count == before && audit_is_part(f))
			return false;
		mark_blocks(f);
		audit_jump_tables(f);
		audit_flow(f);
		group_mismatches(f);
	}
	audit_verdicts(f);
	count_flags(f);
	if (audit_function_hook)
		audit_function_hook(f);
	return true;
}

void audit_function_deinit(struct audit_function *f)
{
	free(f->insns.items);
	free(f->rows.items);
	free(f->sites.items);
	free(f->at.items);
	free(f->notes.items);
	free(f->states.items);
	free(f->work.items);
	free(f->targets.items);
	free(f->mismatches.items);
	free(f->pads.items);
	free(f->called.items);
	free(f->live.items);
	free(f->ways.items);
	free(f->stamps.items);
}
