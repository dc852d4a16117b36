/* SPDX-License-Identifier: MIT
 * fuzz_audit: bytes as an ELF file: audit it, and write the result in all ways. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/ripcord/audit/audit.h"
#include "../../tools/ripcord/tool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the audit says before it ends the command: it does so without memory only. */
void tool_complain(const char *format, ...)
{
	(void)format;
	abort();
}

static void check(const struct audit_result *result)
{
	uint64_t found[KINDS] = { 0 };
	for (size_t i = 0; i < result->findings.count; i++) {
		found[result->findings.items[i].kind]++;
		if (i && result->findings.items[i].begin < result->findings.items[i - 1].begin)
			__builtin_trap();
	}
	for (unsigned kind = 0; kind < KINDS; kind++)
		if (found[kind] != result->found[kind])
			__builtin_trap();
	if (audit_sum(result->counts.faulting) > audit_sum(result->counts.all))
		__builtin_trap();
}

static void write_all(struct audit_result *result)
{
	static FILE *sink;
	if (!sink)
		sink = fopen("/dev/null", "w");
	result->path = strdup("fuzz");
	audit_write_text(sink, result, true);
	audit_write_json(sink, result, 1);
	audit_write_html(sink, result, 1);
	audit_write_diff(sink, result, result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct audit_result result;
	const char *error = NULL;
	char *copy = malloc(size + 1); /* libelf may write to it */
	elf_version(EV_CURRENT);
	memcpy(copy, data, size);
	Elf *elf = elf_memory(copy, size);
	if (elf && audit_elf(elf, &result, &error)) {
		check(&result);
		write_all(&result);
		audit_result_deinit(&result);
	} else if (elf && !error) {
		__builtin_trap();
	}
	elf_end(elf);
	free(copy);
	return 0;
}
