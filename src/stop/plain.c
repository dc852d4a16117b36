/* SPDX-License-Identifier: MIT
 * plain: frames of code that another compiler has made. */
#include "stop/plain.h"

#include "port/port.h"
#include "stop/foreign.h"
#include "stop/pads.h"

/* --- Modules --- */

enum { ANSWERS = 64, FUNCTIONS_MAX = 1 << 16 };

/* What was found about modules, each by a number made from its identity; bit 0 is the answer. Only those that can be
 * told from others are remembered. */
static uint64_t answers[ANSWERS];

/* FNV-1a, 64 bits. */
static uint64_t number_of(const struct rip_module_identity *identity)
{
	uint64_t number = 0xcbf29ce484222325 ^ identity->tables;

	for (int i = 0; i < identity->id_size; i++)
		number = (number ^ identity->id[i]) * 0x100000001b3;
	return (number ^ number >> 32) << 1;
}

/* Of C's personality alone nothing follows: C without exceptions is linked with C that has them. */
static bool has_exceptions(const struct rip_fde *fde)
{
	const struct rip_pointer *personality = &fde->cie.personality;
	uint64_t address = personality->value;

	if (fde->lsda.value == 0 || address == 0)
		return false;
	if (personality->indirect)
		__builtin_memcpy(&address, (const void *)(uintptr_t)address, sizeof address);
	return !rip_foreign_is_c(address);
}

static bool look_for_exceptions(const struct rip_module *module)
{
	struct rip_cfi_section section = { .whole = false };
	struct rip_cfi_header header;
	struct rip_fde fde;
	uint64_t offset = 0;

	if (rip_cfi_header_read(&module->header, &header) != RIP_OK || header.eh_frame == 0)
		return false;
	section.bytes = rip_port_module_bytes(module, header.eh_frame);
	for (int i = 0; i < FUNCTIONS_MAX && rip_fde_next(&section, &offset, &fde) == RIP_OK; i++)
		if (has_exceptions(&fde))
			return true;
	return false;
}

/* Whether functions of the module that the pc lies in have tables in a language with exceptions. */
static bool is_of_such_a_language(uint64_t pc)
{
	struct rip_module module;

	if (rip_port_module_at(pc, &module) != RIP_OK)
		return false;
	if (module.identity.id_size == 0 && !module.identity.permanent)
		return look_for_exceptions(&module);
	uint64_t number = number_of(&module.identity), *place = &answers[number >> 1 & (ANSWERS - 1)];
	uint64_t found = __atomic_load_n(place, __ATOMIC_RELAXED);
	if ((found & ~(uint64_t)1) == number)
		return found & 1;
	bool answer = look_for_exceptions(&module);
	__atomic_store_n(place, number | answer, __ATOMIC_RELAXED);
	return answer;
}

/* --- Frames --- */

/* Of a program that holds its C++ runtime itself. */
extern __attribute__((weak, visibility("default"))) void __cxa_end_catch(void);

/* A C++ runtime, or the function of one that deletes exceptions, whose destructors may be a guest's: it goes on behind
 * them by hand. A program that was linked with a static runtime exports what its shared objects ask for, and seldom
 * this one of arrays. */
static bool is_of_a_runtime(const struct rip_cursor *cursor)
{
	uint64_t function = cursor->frame.function;

	return function == (uintptr_t)__cxa_end_catch || function == rip_port_exported(function, "__cxa_end_catch") ||
	       function == rip_port_exported(function, "_Unwind_DeleteException") ||
	       rip_port_exported(function, "__cxa_vec_new2") != 0;
}

bool rip_plain_passes(struct rip_cursor *cursor, bool mixed)
{
	uint64_t pc = rip_cursor_lookup_pc(cursor);
	struct rip_entry entry;

	if (cursor->exact || cursor->signal_frame || cursor->kind == RIP_CURSOR_BARE || rip_port_in_library(pc) ||
	    rip_pads_judge(cursor, &entry) != RIP_OK ||
	    (entry.kind != RIP_ENTRY_PAD && entry.kind != RIP_ENTRY_NONE))
		return false;
	return (cursor->frame.lsda != 0 || (!mixed && is_of_such_a_language(pc))) && !is_of_a_runtime(cursor);
}
