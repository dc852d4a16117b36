/* SPDX-License-Identifier: MIT
 * json: results for programs: one object (RFC 8259). Addresses are strings, since numbers of 64 bits are not safe. */
#include <inttypes.h>
#include <string.h>

#include "audit.h"

/* The length of the UTF-8 sequence at `text` (RFC 3629), or 0. */
static unsigned sequence(const unsigned char *text)
{
	unsigned length = *text < 0x80 ? 1 : *text >= 0xc2 && *text < 0xe0 ? 2 : *text >= 0xe0 && *text < 0xf0 ? 3 :
			  *text >= 0xf0 && *text < 0xf5 ? 4 : 0;
	for (unsigned i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if ((*text == 0xe0 && text[1] < 0xa0) || (*text == 0xed && text[1] > 0x9f) ||
	    (*text == 0xf0 && text[1] < 0x90) || (*text == 0xf4 && text[1] > 0x8f))
		return 0;
	return length;
}

/* What is not UTF-8 becomes U+FFFD. */
void audit_write_string(FILE *to, const char *string)
{
	const unsigned char *text = (const unsigned char *)string;
	if (!text) {
		fputs("null", to);
		return;
	}
	fputc('"', to);
	while (*text) {
		unsigned length = sequence(text);
		if (*text < 0x20 || *text == '"' || *text == '\\')
			fprintf(to, "\\u%04x", *text);
		else if (length == 0)
			fputs("\\ufffd", to);
		else
			fwrite(text, 1, length, to);
		text += length ? length : 1;
	}
	fputc('"', to);
}

static void write_counts(FILE *to, const char *name, const uint64_t counts[VERDICTS])
{
	fprintf(to, "\"%s\":{", name);
	for (unsigned v = 0; v < VERDICTS; v++)
		fprintf(to, "%s\"%s\":%" PRIu64, v ? "," : "", audit_verdict_name(v), counts[v]);
	fputs("},", to);
}

static void write_finding(FILE *to, const struct audit_finding *finding)
{
	fprintf(to, "{\"kind\":\"%s\",\"function\":", audit_kind_name(finding->kind));
	audit_write_string(to, finding->name);
	fprintf(to, ",\"address\":\"%#" PRIx64 "\",\"begin\":\"%#" PRIx64 "\",\"end\":\"%#" PRIx64 "\",\"file\":",
		finding->function, finding->begin, finding->end);
	audit_write_string(to, finding->file);
	fprintf(to, ",\"line\":%d,\"text\":", finding->line);
	audit_write_string(to, finding->text);
	fputc('}', to);
}

static void write_result(FILE *to, const struct audit_result *result)
{
	fputs("{\"path\":", to);
	audit_write_string(to, result->path);
	fputs(",\"error\":", to);
	audit_write_string(to, result->error);
	fprintf(to, ",\"functions\":%" PRIu64 ",\"code_bytes\":%" PRIu64 ",", result->functions, result->code_bytes);
	write_counts(to, "instructions", result->counts.all);
	write_counts(to, "can_fault", result->counts.faulting);
	write_counts(to, "calls", result->counts.calls);
	fprintf(to, "\"wrong_functions\":%" PRIu64 ",\"unverified\":%" PRIu64 ",\"assumed\":%" PRIu64 ",\"findings\":[",
		result->wrong_functions, result->unverified, result->assumed);
	for (size_t i = 0; i < result->findings.count; i++) {
		fputs(i ? ",\n" : "\n", to);
		write_finding(to, &result->findings.items[i]);
	}
	fputs("]}", to);
}

void audit_write_json(FILE *to, const struct audit_result *results, size_t count)
{
	fputs("{\"files\":[", to);
	for (size_t i = 0; i < count; i++) {
		fputs(i ? ",\n" : "\n", to);
		write_result(to, &results[i]);
	}
	fputs("]}\n", to);
}
