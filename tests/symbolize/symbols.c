/* SPDX-License-Identifier: MIT
 * Names and instructions: static functions, the vDSO, libraries that come and go. */
#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <string.h>
#include <sys/auxv.h>

#include "ripcord/symbolize.h"
#include "tap.h"

/* Kept by its volatile return address; its line is the test's. */
enum { LINE = __LINE__ + 1 };
__attribute__((noinline)) static void *static_function(void) { return __builtin_return_address(0); }

static rip_symbolizer *symbolizer;

static rip_symbol look_up(uintptr_t pc, bool *found_ret)
{
	rip_symbol symbol = {0};
	*found_ret = symbolizer->symbol(symbolizer->context, pc, &symbol);
	return symbol;
}

static bool ends_with(const char *text, const char *end)
{
	size_t size = text ? strlen(text) : 0;
	return size >= strlen(end) && strcmp(text + size - strlen(end), end) == 0;
}

static void test_static_function(void)
{
	bool found;
	rip_symbol symbol = look_up((uintptr_t)static_function, &found);
	tap_ok(found && symbol.function && strcmp(symbol.function, "static_function") == 0,
	       "a static function: %s", symbol.function ? symbol.function : "none");
	tap_equal((long long)symbol.offset, 0, "  at its start");
	tap_ok(ends_with(symbol.file, "symbols.c"), "  file %s", symbol.file ? symbol.file : "none");
	tap_equal(symbol.line, LINE, "  line");
	tap_ok(ends_with(symbol.module, "symbols"), "  module %s", symbol.module ? symbol.module : "none");
	symbol = look_up((uintptr_t)static_function + 1, &found);
	tap_equal((long long)symbol.offset, 1, "  offset");
	symbol = look_up((uintptr_t)static_function(), &found);
	tap_ok(found && symbol.function && strncmp(symbol.function, "main", 4) == 0, "  its caller");
}

static void test_other_places(void)
{
	bool found;
	int on_stack = 0;
	rip_symbol symbol = look_up((uintptr_t)gnu_get_libc_version, &found);
	tap_ok(found && symbol.function && ends_with(symbol.module, "libc.so.6"), "libc: %s",
	       symbol.function ? symbol.function : "none");
	symbol = look_up(getauxval(AT_SYSINFO_EHDR) + 0x40, &found);
	tap_ok(found && symbol.module && strstr(symbol.module, "vdso"), "vDSO: %s",
	       symbol.module ? symbol.module : "none");
	look_up((uintptr_t)&on_stack, &found);
	tap_ok(!found, "the stack has no names");
	look_up(0, &found);
	tap_ok(!found, "nor has NULL");
	look_up(UINTPTR_MAX, &found);
	tap_ok(!found, "nor the last address");
}

/* A time function in the vDSO has a name. */
static void test_vdso_function(void)
{
	bool found = false, named = false;
	uintptr_t base = getauxval(AT_SYSINFO_EHDR);
	for (uintptr_t pc = base + 0x400; !named && pc < base + 0x1000; pc += 0x40) {
		rip_symbol symbol = look_up(pc, &found);
		named = found && symbol.function && strstr(symbol.function, "vdso");
	}
	tap_ok(named, "functions of the vDSO have names");
}

static void test_library(void)
{
	bool found;
	void *library = dlopen("libutil.so.1", RTLD_NOW), *zlib = NULL;
	for (const char *const *name = (const char *const[]){"libz.so.1", "libbz2.so.1.0", NULL}; *name && !zlib; name++)
		zlib = dlopen(*name, RTLD_NOW | RTLD_LOCAL);
	void *function = zlib ? dlsym(zlib, "zlibVersion") : NULL;
	if (!function)
		tap_skip_all("no library to load");
	rip_symbol symbol = look_up((uintptr_t)function, &found);
	tap_ok(found && symbol.function && strcmp(symbol.function, "zlibVersion") == 0,
	       "a library loaded since");
	dlclose(zlib);
	look_up((uintptr_t)function, &found);
	tap_ok(!found || dlopen("libz.so.1", RTLD_NOW | RTLD_NOLOAD), "a library that is gone has no names");
	if (library)
		dlclose(library);
}

static void expect_text(const char *bytes, size_t size, const char *expected)
{
	char text[64] = "";
	bool good = symbolizer->instruction(symbolizer->context, (const uint8_t *)bytes, size, 0x1000,
					    text, sizeof text);
	tap_ok(good == (expected != NULL) && (!expected || strcmp(text, expected) == 0),
	       "instruction: \"%s\"", text);
}

static void test_instructions(void)
{
	char small[4] = "zzz";
	expect_text("\x90", 1, "nop");
	expect_text("\x48\x89\xd8", 3, "mov rax, rbx");
	expect_text("\xc7\x07\x01\x00\x00\x00", 6, "mov dword ptr [rdi], 0x01");
	expect_text("\xe8\x00\x00\x00\x00", 5, "call 0x0000000000001005");
	expect_text("\xe8\x00", 2, NULL);
	expect_text("\x06", 1, NULL);
	expect_text("", 0, NULL);
	symbolizer->instruction(symbolizer->context, (const uint8_t *)"\x0f\x05", 2, 0, small, sizeof small);
	tap_ok(strcmp(small, "sys") == 0, "text that does not fit is cut: %s", small);
	tap_ok(!symbolizer->instruction(symbolizer->context, (const uint8_t *)"\x90", 1, 0, small, 0),
	       "no room at all");
}

int main(void)
{
	tap_equal(rip_symbolizer_create(NULL), RIP_E_ARGUMENT, "NULL");
	rip_symbolizer_destroy(NULL);
	setenv("DEBUGINFOD_URLS", "http://127.0.0.1:9/", 1);
	if (!tap_ok(rip_symbolizer_create(&symbolizer) == RIP_OK, "create"))
		tap_done();
	test_static_function();
	test_other_places();
	test_vdso_function();
	test_library();
	test_instructions();
	rip_symbolizer_destroy(symbolizer);
	tap_done();
}
