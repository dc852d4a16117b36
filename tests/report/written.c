/* SPDX-License-Identifier: MIT
 * Reports as text and JSON, of guests of all kinds; hostile names, failing sinks, deep stacks. */
#include <signal.h>
#include <stdint.h>

#include "run_guest.h"

static char text[1 << 20];
static size_t text_size;

static int to_memory(void *unused, const char *piece, size_t size)
{
	(void)unused;
	if (text_size + size >= sizeof text)
		return 1;
	memcpy(text + text_size, piece, size);
	text_size += size;
	text[text_size] = '\0';
	return 0;
}

static int calls_left;
static int to_nowhere(void *unused, const char *piece, size_t size)
{
	(void)unused, (void)piece, (void)size;
	return calls_left-- <= 0;
}

static int longest_line(void)
{
	int longest = 0, length = 0;
	for (const char *c = text; *c; c++) {
		length = *c == '\n' ? 0 : length + 1;
		longest = length > longest ? length : longest;
	}
	return longest;
}

/* --- A strict RFC 8259 parser, values thrown away --- */

static const char *at;
static int json_value(int depth);

static void space(void) { while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r') at++; }
static int word(const char *w) { size_t n = strlen(w); if (strncmp(at, w, n)) return 0; at += n; return 1; }

static int json_string(void)
{
	if (*at++ != '"')
		return 0;
	for (; *at != '"'; at++) {
		unsigned char c = (unsigned char)*at;
		if (c < 0x20)
			return 0;
		if (c == '\\') {
			at++;
			if (*at == 'u') {
				for (int i = 1; i <= 4; i++)
					if (!strchr("0123456789abcdefABCDEF", at[i]) || !at[i])
						return 0;
				at += 4;
			} else if (!strchr("\"\\/bfnrt", *at) || !*at)
				return 0;
		} else if (c >= 0x80) {
			int more = c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : 0;
			if (!more)
				return 0;
			while (more--)
				if (((unsigned char)*++at & 0xc0) != 0x80)
					return 0;
		}
	}
	at++;
	return 1;
}

static int json_number(void)
{
	if (*at == '-')
		at++;
	if (*at == '0')
		return at++, 1;
	if (*at < '1' || *at > '9')
		return 0;
	while (*at >= '0' && *at <= '9')
		at++;
	return 1;
}

static int json_list(char open, char close, int depth)
{
	at++;
	space();
	if (*at == close)
		return at++, 1;
	for (;;) {
		space();
		if (open == '{') {
			if (!json_string())
				return 0;
			space();
			if (*at++ != ':')
				return 0;
		}
		if (!json_value(depth + 1))
			return 0;
		space();
		if (*at == close)
			return at++, 1;
		if (*at++ != ',')
			return 0;
	}
}

static int json_value(int depth)
{
	space();
	if (depth > 8)
		return 0;
	if (*at == '{')
		return json_list('{', '}', depth);
	if (*at == '[')
		return json_list('[', ']', depth);
	if (*at == '"')
		return json_string();
	return word("true") || word("false") || word("null") || json_number();
}

static int is_json(void)
{
	at = text;
	return json_value(0) && (space(), *at == '\0') && strchr(text, '\n') == text + text_size - 1;
}

/* --- Guests --- */

static int depth_wanted;
NOINLINE static void deep(int depth)
{
	volatile char frame[16];
	frame[0] = (char)depth;
	if (depth > 1)
		deep(depth - 1);
	else
		*null_pointer = 1;
	frame[1] = frame[0];
}

static intptr_t faults(void *unused) { int a HOLD = acquire(1); (void)unused; *null_pointer = 1; return 0; }
static intptr_t goes_deep(void *unused) { (void)unused; deep(depth_wanted); sink = 1; return 0; }
static intptr_t exits(void *unused) { (void)unused; rip_exit(-3); return 0; }
static intptr_t aborts(void *unused) { (void)unused; abort(); }
static intptr_t returns(void *unused) { (void)unused; return INTPTR_MIN; }
static intptr_t calls_null(void *unused) { (void)unused; ((void (*volatile)(void))0)(); return 1; }
static intptr_t smashes(void *unused)
{
	(void)unused;
	((uintptr_t *)__builtin_frame_address(0))[1] = 0x1234;
	__asm__ volatile("" ::: "memory");
	*null_pointer = 1;
	return 0;
}
static void bad_release(int *n) { release(n); *null_pointer = 1; }
static intptr_t fails(void *unused) { __attribute__((cleanup(bad_release), unused)) int a = acquire(1); (void)unused; *null_pointer = 1; return 0; }

static const struct { const char *name; rip_function function; const char *says; } guests[] = {
	{ "fault", faults, "fault: SIGSEGV, address not mapped\n  write of address 0x0\n" },
	{ "exit", exits, "exited, value -3\n" }, { "abort", aborts, "aborted: SIGABRT" },
	{ "return", returns, "returned, value -9223372036854775808\n" },
	{ "call of NULL", calls_null, "where no code can be read" },
	{ "smashed return", smashes, "not all could be unwound" },
	{ "failed cleanup", fails, "[failed]" }, { "deep", goes_deep, "" },
};

static void written(const char *name, const rip_report *report, const rip_symbolizer *symbolizer, const char *says)
{
	text_size = 0;
	tap_equal(rip_report_text(report, symbolizer, to_memory, NULL), RIP_OK, name);
	tap_ok(strstr(text, says) != NULL, "%s: the text says so", name);
	if (!strstr(text, says))
		printf("# %s\n", text);
	if (!symbolizer)
		tap_ok(longest_line() < 80, "%s: lines of at most %d columns", name, longest_line());
	text_size = 0;
	tap_equal(rip_report_json(report, symbolizer, to_memory, NULL), RIP_OK, "JSON");
	if (!tap_ok(is_json(), "%s: JSON in one line", name))
		printf("# %s# here: %.40s\n", text, at);
}

/* --- Frames left out --- */

static void depths(void)
{
	static const int around[] = { 1, RIP_REPORT_INNER - 1, RIP_REPORT_INNER, RIP_REPORT_INNER + 1,
		RIP_REPORT_INNER + RIP_REPORT_OUTER - 1, RIP_REPORT_INNER + RIP_REPORT_OUTER,
		RIP_REPORT_INNER + RIP_REPORT_OUTER + 1, RIP_REPORT_INNER + 2 * RIP_REPORT_OUTER + 7, 1500 };

	for (size_t i = 0; i < sizeof around / sizeof around[0]; i++) {
		rip_report report;
		char expected[64];
		int up = 1, total = around[i] + 1, kept = total < 128 ? total : 128;
		depth_wanted = around[i];
		run_guest(goes_deep, NULL, &report);
		for (uint32_t f = 1; f < report.frame_count; f++)
			up &= report.frames[f].cfa > report.frames[f - 1].cfa;
		tap_ok(report.frames_total == (uint64_t)total && report.frame_count == (uint32_t)kept && up,
		       "%d frames: counted, in order", total);
		text_size = 0;
		rip_report_text(&report, NULL, to_memory, NULL);
		snprintf(expected, sizeof expected, "... %d frames left out\n", total - 128);
		tap_ok((strstr(text, expected) != NULL) == (total > 128), "%d frames: left out, and said so", total);
		snprintf(expected, sizeof expected, "\n  #%-3d", total - 1);
		tap_ok(strstr(text, expected) != NULL, "%d frames: the outermost has its number", total);
	}
}

/* --- Hostile names --- */

static bool bad_names(void *context, uintptr_t pc, rip_symbol *symbol)
{
	static char longest[5000];
	static const char *const names[] = { "\xff\xfe quote\" back\\slash \x01\n", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
		"\xc3", "\xed\xa0\x80\xf4\x90\x80\x80\xc0\x80\xe0\x80\x80", "", longest };
	int *next = context;

	memset(longest, 'x', sizeof longest - 1);
	symbol->function = names[*next % 6];
	symbol->file = names[(*next + 1) % 6];
	symbol->module = names[(*next + 2) % 6];
	symbol->line = -1;
	symbol->offset = pc;
	++*next;
	return *next % 7 != 0;
}

static bool bad_instruction(void *context, const uint8_t *code, size_t size, uintptr_t pc, char *out, size_t out_size)
{
	(void)context, (void)code, (void)size, (void)pc;
	memset(out, 0xff, out_size);
	out[out_size - 1] = '\0';
	return true;
}

static void hostile_names(void)
{
	rip_report report;
	int next = 0;
	rip_symbolizer symbolizer = { &next, bad_names, bad_instruction };

	depth_wanted = 60;
	run_guest(goes_deep, NULL, &report);
	written("hostile names", &report, &symbolizer, "");
	tap_ok(strstr(text, "\\ufffd") && strstr(text, "\xf0\x9f\x98\x80") && !strstr(text, "\xed\xa0"),
	       "what is not UTF-8 becomes U+FFFD, what is stays");
}

static void failing_sinks(void)
{
	rip_report report;
	int wrong = 0, calls;

	run_guest(faults, NULL, &report);
	for (calls = 0; calls < 10000; calls++) {
		calls_left = calls;
		rip_status status = rip_report_text(&report, NULL, to_nowhere, NULL);
		wrong += status != (calls_left < 0 ? RIP_E_SYSTEM : RIP_OK) || calls_left < -1;
		calls_left = calls;
		rip_status json = rip_report_json(&report, NULL, to_nowhere, NULL);
		wrong += json != (calls_left < 0 ? RIP_E_SYSTEM : RIP_OK) || calls_left < -1;
		if (status == RIP_OK && json == RIP_OK)
			break;
	}
	tap_ok(wrong == 0 && calls > 10 && calls < 10000, "a sink that fails at any of %d calls: SYSTEM, and no more calls",
	       calls);
}

int main(void)
{
	depth_wanted = 300;
	for (size_t i = 0; i < sizeof guests / sizeof guests[0]; i++) {
		rip_report report;
		run_guest(guests[i].function, NULL, &report);
		written(guests[i].name, &report, NULL, guests[i].says);
	}
	depths();
	hostile_names();
	failing_sinks();
	tap_done();
}
