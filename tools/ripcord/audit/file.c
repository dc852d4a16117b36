/* SPDX-License-Identifier: MIT
 * file: one file from its bytes to its findings. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit.h"

/* --- Code that no FDE covers --- */

static bool is_padding(const struct audit_insn *insn, const uint8_t *code)
{
	return insn->op == OP_NOP || insn->op == OP_STOP || insn->op == OP_BAD ||
	       (code[0] == 0 && insn->length > 1 && code[1] == 0);
}

static void count_uncovered(const struct rip_bytes *bytes, struct audit_result *result)
{
	for (size_t at = 0; at < bytes->size;) {
		struct audit_insn insn = audit_decode(bytes->data + at, bytes->size - at, bytes->address + at);
		if (!is_padding(&insn, bytes->data + at)) {
			result->counts.all[VERDICT_NONE]++;
			result->counts.faulting[VERDICT_NONE] += insn.fault == FAULT_ANY;
			result->counts.calls[VERDICT_NONE] += insn.op == OP_CALL;
		}
		at += insn.length;
	}
}

static void look_between(const struct audit_section *section, const struct audit_fdes *fdes,
			 struct audit_result *result)
{
	uint64_t at = section->bytes.address, end = at + section->bytes.size;
	for (size_t i = 0; i < fdes->count && at < end; i++) {
		const struct rip_fde *fde = &fdes->items[i];
		uint64_t stop = fde->pc_begin < end ? fde->pc_begin : end;
		if (fde->pc_end <= at)
			continue;
		if (stop > at) {
			struct rip_bytes between = {
				section->bytes.data + (at - section->bytes.address), stop - at, at };
			count_uncovered(&between, result);
		}
		at = fde->pc_end;
	}
	if (at < end) {
		struct rip_bytes rest = { section->bytes.data + (at - section->bytes.address), end - at, at };
		count_uncovered(&rest, result);
	}
}

/* --- All functions --- */

static void add_counts(struct audit_result *result, const struct audit_function *f)
{
	for (unsigned v = 0; v < VERDICTS; v++) {
		result->counts.all[v] += f->counts.all[v];
		result->counts.faulting[v] += f->counts.faulting[v];
		result->counts.calls[v] += f->counts.calls[v];
	}
	result->unverified += f->unverified;
	result->assumed += f->assumed;
}

static bool run_function(struct audit_function *f, const struct rip_fde *fde, bool first, struct audit_result *result)
{
	if (!audit_function_run(f, fde, first))
		return false;
	result->functions++;
	add_counts(result, f);
	return true;
}

static int by_target(const void *a, const void *b)
{
	const struct audit_crossing *x = a, *y = b;
	return (x->target > y->target) - (x->target < y->target);
}

static int by_part(const void *a, const void *b)
{
	const struct audit_doubt *x = a, *y = b;
	if (x->target != y->target)
		return x->target > y->target ? 1 : -1;
	return (x->begin > y->begin) - (x->begin < y->begin);
}

/* Of the jumps to one part: those that disagree are reported, unless another function's agree. */
static void settle_part(struct audit_doubt *doubts, size_t count, struct audit_result *result)
{
	uint64_t owner = 0; /* a function whose jumps agree */
	bool several = false;
	for (size_t i = 0; i < count; i++) {
		if (doubts[i].text)
			continue;
		several |= owner && owner != doubts[i].function;
		owner = doubts[i].function;
	}
	for (size_t i = 0; i < count; i++) {
		if (doubts[i].text && !several && (!owner || owner == doubts[i].function))
			*AUDIT_ADD(result->findings) = (struct audit_finding){
				.kind = FOUND_CFI, .begin = doubts[i].begin, .end = doubts[i].end,
				.function = doubts[i].function, .text = doubts[i].text };
		else
			free(doubts[i].text);
	}
}

static void settle_doubts(struct audit_doubts *doubts, struct audit_result *result)
{
	if (doubts->count)
		qsort(doubts->items, doubts->count, sizeof *doubts->items, by_part);
	for (size_t i = 0, next; i < doubts->count; i = next) {
		for (next = i + 1; next < doubts->count && doubts->items[next].target == doubts->items[i].target;)
			next++;
		settle_part(&doubts->items[i], next - i, result);
	}
	free(doubts->items);
}

/* Functions first, then the parts that they jump to. */
static void run_all(const struct audit_image *image, const struct audit_fdes *fdes, struct audit_result *result)
{
	struct audit_crossings crossings = { 0 };
	struct audit_doubts doubts = { 0 };
	struct audit_function f = { .image = image, .fdes = fdes, .findings = &result->findings,
				    .doubts = &doubts, .crossings = &crossings };
	struct { const struct rip_fde **items; size_t count, room; } parts = { 0 };
	for (size_t i = 0; i < fdes->count; i++)
		if (!run_function(&f, &fdes->items[i], true, result))
			*AUDIT_ADD(parts) = &fdes->items[i];
	if (crossings.count)
		qsort(crossings.items, crossings.count, sizeof *crossings.items, by_target);
	f.crossings_known = true;
	for (size_t i = 0; i < parts.count; i++)
		run_function(&f, parts.items[i], false, result);
	settle_doubts(&doubts, result);
	audit_function_deinit(&f);
	free(crossings.items);
	free(parts.items);
}

static void find_table(struct audit_result *result, const char *what, const char *why)
{
	struct audit_finding *finding = AUDIT_ADD(result->findings);
	*finding = (struct audit_finding){ .kind = FOUND_TABLE };
	if (asprintf(&finding->text, "%s%s", what, why) < 0)
		finding->text = NULL;
}

static void run_functions(const struct audit_image *image, struct audit_result *result)
{
	struct audit_fdes fdes;
	size_t overlapping;
	rip_status status;
	audit_fdes_read(image, &fdes, &overlapping, &status);
	if (status != RIP_OK)
		find_table(result, ".eh_frame: ", rip_status_text(status));
	if (overlapping)
		find_table(result, ".eh_frame: two entries cover the same code", "");
	run_all(image, &fdes, result);
	for (size_t i = 0; i < image->sections.count; i++)
		if (image->sections.items[i].code)
			look_between(&image->sections.items[i], &fdes, result);
	free(fdes.items);
}

/* --- Results --- */

static int by_begin(const void *a, const void *b)
{
	const struct audit_finding *x = a, *y = b;
	if (x->begin != y->begin)
		return x->begin > y->begin ? 1 : -1;
	return (x->kind > y->kind) - (x->kind < y->kind);
}

static void name_finding(const struct audit_image *image, struct audit_finding *finding)
{
	const struct audit_symbol *symbol = audit_symbol_at(&image->functions, finding->function);
	const struct audit_section *section = audit_section_at(image, finding->begin);
	if (symbol && symbol->address == finding->function)
		finding->name = strdup(symbol->name);
	if (image->relocatable && section) {
		finding->section = section->number;
		finding->offset = finding->begin - section->bytes.address;
	}
}

static void finish(const struct audit_image *image, struct audit_result *result)
{
	uint64_t last = 0;
	if (result->findings.count)
		qsort(result->findings.items, result->findings.count, sizeof *result->findings.items, by_begin);
	for (size_t i = 0; i < result->findings.count; i++) {
		struct audit_finding *finding = &result->findings.items[i];
		name_finding(image, finding);
		result->found[finding->kind]++;
		result->wrong_functions += finding->kind == FOUND_CFI && finding->function != last;
		last = finding->kind == FOUND_CFI ? finding->function : last;
	}
}

bool audit_elf(Elf *elf, struct audit_result *result_ret, const char **error_ret)
{
	struct audit_image image;
	struct audit_result result = { 0 };
	audit_decode_init();
	if (!audit_image_open(elf, &image, error_ret))
		return false;
	result.code_bytes = image.code_size;
	run_functions(&image, &result);
	finish(&image, &result);
	audit_image_close(&image);
	*result_ret = result;
	return true;
}

static const char *open_file(const char *path, int *fd_ret)
{
	struct stat about;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return strerror(errno);
	if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
		close(fd);
		return "not a regular file";
	}
	*fd_ret = fd;
	return NULL;
}

void audit_path(const char *path, struct audit_result *result_ret)
{
	struct audit_result result = { 0 };
	int fd = -1;
	const char *error = open_file(path, &fd);
	elf_version(EV_CURRENT);
	if (!error) {
		Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
		if (!elf)
			error = "not an ELF file";
		else if (audit_elf(elf, &result, &error) && result.findings.count)
			audit_lines(path, &result);
		elf_end(elf);
		close(fd);
	}
	result.path = strdup(path);
	result.error = error ? strdup(error) : NULL;
	*result_ret = result;
}

void audit_result_deinit(struct audit_result *result)
{
	for (size_t i = 0; i < result->findings.count; i++) {
		free(result->findings.items[i].text);
		free(result->findings.items[i].name);
		free(result->findings.items[i].file);
	}
	free(result->findings.items);
	free(result->path);
	free(result->error);
}
