/* SPDX-License-Identifier: MIT
 * ripcord/unwind.h, function by function: what it gives, and each error that it names. */
#include "ripcord/unwind.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "tap.h"

#define NOINLINE __attribute__((noinline, noclone))

enum { FRAMES = 64 };

static uint64_t registers[RIP_X86_64_REGISTERS];

static volatile int sink;

static bool inside(uint64_t pc, const void *function)
{
	return pc - (uintptr_t)function < 400;
}

/* --- Here, describe, step, get, set --- */

static void release(int *n) { sink += *n; }
static void (*volatile callback)(void);

NOINLINE static void with_cleanup(void)
{
	int held __attribute__((cleanup(release))) = 1;
	callback();
	sink += held;
}

static void look(void)
{
	rip_unwind_cursor cursor, copy;
	rip_unwind_frame frame, second;
	uint64_t pc, sp;

	tap_equal(rip_unwind_here(&cursor), RIP_OK, "rip_unwind_here");
	tap_equal(rip_unwind_describe(&cursor, &frame), RIP_OK, "describe");
	tap_ok(inside(frame.pc, (void *)look) && frame.function == (uintptr_t)look && !frame.exact && !frame.signal_frame,
	       "the first frame is the caller's");
	tap_ok(frame.cfa == (uintptr_t)__builtin_dwarf_cfa(), "its CFA is what the compiler says");
	copy = cursor;
	tap_equal(rip_unwind_step(&cursor), RIP_OK, "step");
	rip_unwind_get(&cursor, RIP_X86_64_RSP, &sp);
	rip_unwind_get(&cursor, RIP_X86_64_RIP, &pc);
	tap_ok(sp == frame.cfa && pc == (uintptr_t)__builtin_return_address(0), "rsp is the CFA, rip the return address");
	tap_equal(rip_unwind_describe(&cursor, &second), RIP_OK, "describe the caller");
	tap_ok(second.function == (uintptr_t)with_cleanup && second.lsda != 0 && second.personality != 0,
	       "it has an LSDA and a personality");
	rip_unwind_get(&copy, RIP_X86_64_RSP, &sp);
	tap_ok(sp < frame.cfa && rip_unwind_step(&copy) == RIP_OK && rip_unwind_get(&copy, RIP_X86_64_RSP, &sp) == RIP_OK &&
	       sp == frame.cfa, "a copy is a cursor of its own");
	uint64_t canary = 77;
	tap_equal(rip_unwind_set(&cursor, RIP_X86_64_RBX, 5), RIP_OK, "set");
	tap_ok(rip_unwind_get(&cursor, RIP_X86_64_RBX, &canary) == RIP_OK && canary == 5, "what was set is got");
	canary = 77;
	tap_equal(rip_unwind_get(&cursor, RIP_X86_64_REGISTERS, &canary), RIP_E_REGISTER, "no such register");
	tap_equal(rip_unwind_set(&cursor, 1000, 1), RIP_E_REGISTER, "nor to set");
	tap_equal(rip_unwind_get(NULL, 0, &canary), RIP_E_ARGUMENT, "get from NULL");
	tap_equal(rip_unwind_get(&cursor, 0, NULL), RIP_E_ARGUMENT, "get to NULL");
	tap_equal(rip_unwind_set(NULL, 0, 0), RIP_E_ARGUMENT, "set in NULL");
	tap_equal(rip_unwind_here(NULL), RIP_E_ARGUMENT, "here NULL");
	tap_equal(rip_unwind_step(NULL), RIP_E_ARGUMENT, "step NULL");
	tap_equal(rip_unwind_describe(NULL, &frame), RIP_E_ARGUMENT, "describe NULL");
	tap_equal(rip_unwind_describe(&cursor, NULL), RIP_E_ARGUMENT, "describe to NULL");
	tap_equal(rip_unwind_context(NULL, &frame), RIP_E_ARGUMENT, "context to NULL");
	tap_equal(rip_unwind_context(&cursor, NULL), RIP_E_ARGUMENT, "context of NULL");
	tap_equal(rip_unwind_registers(&cursor, NULL, false, NULL, NULL), RIP_E_ARGUMENT, "registers NULL");
	tap_equal(rip_unwind_registers(NULL, registers, false, NULL, NULL), RIP_E_ARGUMENT, "registers to NULL");
	tap_equal((int)canary, 77, "failures leave results alone");
}

static void to_the_end(void)
{
	rip_unwind_cursor cursor;
	rip_status status = rip_unwind_here(&cursor);
	uint64_t pc, again;
	int count = 0;

	for (; status == RIP_OK && count < FRAMES; count++)
		status = rip_unwind_step(&cursor);
	tap_ok(status == RIP_E_END && count >= 3, "a walk ends with END");
	rip_unwind_get(&cursor, RIP_X86_64_RIP, &pc);
	tap_equal(rip_unwind_step(&cursor), RIP_E_END, "and again");
	rip_unwind_get(&cursor, RIP_X86_64_RIP, &again);
	tap_ok(pc == again, "the cursor stays where it is");
}

/* --- Backtraces --- */

NOINLINE static int trace_at(int depth, void **pcs, int max)
{
	int count = depth ? trace_at(depth - 1, pcs, max) : rip_backtrace(pcs, max);
	sink++;
	return count;
}

static void backtraces(void)
{
	void *pcs[FRAMES], *again[FRAMES], *few[4] = { 0 };
	int count = trace_at(10, pcs, FRAMES), agrees = 0;

	tap_ok(count > 12 && trace_at(10, again, FRAMES) == count && memcmp(pcs, again, 11 * sizeof pcs[0]) == 0,
	       "two backtraces agree, the second from the cache");
	for (int i = 0; i < 11; i++)
		agrees += inside((uintptr_t)pcs[i], (void *)trace_at);
	tap_equal(agrees, 11, "eleven frames of one function");
	tap_ok(inside((uintptr_t)pcs[11], (void *)backtraces), "and the caller's");
	tap_ok(trace_at(10, few, 3) == 3 && few[3] == NULL && memcmp(few, pcs, 3 * sizeof pcs[0]) == 0, "no more than asked for");
	tap_equal(rip_backtrace(NULL, 5), 0, "NULL");
	tap_equal(rip_backtrace(pcs, 0), 0, "none");
	tap_equal(rip_backtrace(pcs, -1), 0, "fewer than none");
	errno = 1234;
	trace_at(3, pcs, FRAMES);
	tap_equal(errno, 1234, "errno is left alone");
}

/* --- Contexts and copies --- */

NOINLINE static void from_context(void)
{
	ucontext_t context;
	rip_unwind_cursor cursor;
	rip_unwind_frame frame;
	uint64_t pc;

	getcontext(&context);
	tap_equal(rip_unwind_context(&cursor, &context), RIP_OK, "a context of getcontext");
	tap_ok(rip_unwind_describe(&cursor, &frame) == RIP_OK && frame.exact && frame.function == (uintptr_t)from_context,
	       "its frame is this one");
	rip_unwind_step(&cursor);
	rip_unwind_get(&cursor, RIP_X86_64_RIP, &pc);
	tap_ok(pc == (uintptr_t)__builtin_return_address(0), "and its caller is, too");
}

static struct {
	uint64_t begin, size;
	char bytes[64 * 1024];
	int reads, refused;
} image;

static bool read_image(void *context, uint64_t address, void *to, size_t size)
{
	tap_failed += context != &image;
	image.reads++;
	if (address < image.begin || address - image.begin > image.size || image.size - (address - image.begin) < size) {
		image.refused++;
		return false;
	}
	memcpy(to, image.bytes + (address - image.begin), size);
	return true;
}

static int walk_image(rip_status *end)
{
	rip_unwind_cursor cursor;
	int count = 0;

	*end = rip_unwind_registers(&cursor, registers, false, read_image, &image);
	for (; *end == RIP_OK && count < FRAMES; count++)
		*end = rip_unwind_step(&cursor);
	return count;
}

NOINLINE static void take_image(void)
{
	rip_unwind_cursor cursor;

	rip_unwind_here(&cursor);
	for (unsigned i = 0; i < RIP_X86_64_REGISTERS; i++)
		rip_unwind_get(&cursor, i, &registers[i]);
	image.begin = registers[RIP_X86_64_RSP];
	image.size = 3072; /* the cursor itself takes one KiB */
	memcpy(image.bytes, (void *)image.begin, image.size);
}

NOINLINE static void overwrite_stack(void)
{
	volatile char junk[8192];
	memset((void *)junk, 0x55, sizeof junk);
	sink += junk[100];
}

static void copies(void)
{
	rip_status end;

	trace_at(2, (void *[4]){ 0 }, 4);
	take_image();
	overwrite_stack();
	int count = walk_image(&end);
	printf("# %d frames, %s, %d reads\n", count, rip_status_name(end), image.reads);
	tap_ok(count >= 4 && end == RIP_E_END && image.reads > 0, "a copy of a stack that is gone, by a reader");
	image.size = 40;
	int fewer = walk_image(&end);
	tap_ok(fewer < count && end == RIP_E_MEMORY && image.refused > 0, "what the reader refuses is MEMORY");
}

/* --- Where nothing is --- */

static void nowhere(void)
{
	rip_unwind_cursor cursor;
	rip_unwind_frame frame;
	uint64_t at[RIP_X86_64_REGISTERS] = { 0 };
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	at[RIP_X86_64_RIP] = (uintptr_t)page + 8;
	at[RIP_X86_64_RSP] = (uintptr_t)page + 64;
	for (int exact = 0; exact < 2; exact++) {
		memset(&frame, 0x77, sizeof frame);
		rip_unwind_registers(&cursor, at, exact, NULL, NULL);
		tap_equal(rip_unwind_describe(&cursor, &frame), RIP_E_NOFDE, "a pc in no table");
		tap_ok(frame.pc == at[RIP_X86_64_RIP] && frame.exact == exact && frame.cfa == 0 && frame.function == 0 &&
		       frame.lsda == 0 && frame.personality == 0, "its pc is told, and nothing else");
		tap_equal(rip_unwind_step(&cursor), RIP_E_RETURN, "stepped from: RETURN");
	}
	at[RIP_X86_64_RIP] = (uintptr_t)backtraces + 1;
	at[RIP_X86_64_RSP] = UINT64_MAX - 4;
	rip_unwind_registers(&cursor, at, true, NULL, NULL);
	tap_equal(rip_unwind_step(&cursor), RIP_E_CFA, "rsp at the end of the address space");
	at[RIP_X86_64_RSP] = 64;
	rip_unwind_registers(&cursor, at, true, NULL, NULL);
	tap_equal(rip_unwind_step(&cursor), RIP_E_MEMORY, "rsp near 0");
	munmap(page, 4096);
}

int main(void)
{
	callback = look;
	with_cleanup();
	callback = to_the_end;
	with_cleanup();
	backtraces();
	from_context();
	copies();
	nowhere();
	tap_done();
}
