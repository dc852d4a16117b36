/* SPDX-License-Identifier: MIT
 * stop: may a kill land here? The tables are the modules' own, and are checked like all of a guest's. */
#include "stop/killable.h"

#include "port/port.h"
#include "ripcord/killable.h"
#include "stop/loader.h"
#include "stop/pads.h"
#include "stop/plain.h"
#include "unwind/unwind.h"

enum { STUB_FRAMES = 16 };

/* --- Killable code ----------------------------------------------------------------------------- */

/* The module's table of killable code; size 0 if it has none that can be read. */
static struct rip_bytes find_table(const struct rip_module *module)
{
	struct rip_bytes none = { NULL, 0, 0 };
	struct rip_killable_note note;
	struct rip_bytes descriptor = rip_port_module_note(module, RIP_KILLABLE_NOTE_NAME,
							   RIP_KILLABLE_NOTE_TYPE);

	if (descriptor.size < sizeof note)
		return none;
	__builtin_memcpy(&note, descriptor.data, sizeof note);
	uint64_t begin = descriptor.address + (uint64_t)note.begin,
		 end = descriptor.address + (uint64_t)note.end;
	struct rip_bytes table = rip_port_module_bytes(module, begin);
	if (note.version != RIP_KILLABLE_VERSION || end < begin || end - begin > table.size)
		return none;
	table.size = end - begin;
	return table;
}

static bool covers(const uint8_t *entry, uint64_t pc, uint64_t *begin_ret, uint64_t *size_ret)
{
	struct rip_killable_range range;

	__builtin_memcpy(&range, entry, sizeof range);
	*begin_ret = (uintptr_t)entry + (uint64_t)(int64_t)range.begin;
	*size_ret = range.size;
	return pc - *begin_ret < *size_ret;
}

/* The functions of an unwinder that walk the stack of who called them; of libripcord-unwind.so's
 * _Unwind_Resume the part that does so. */
static const char *const walkers[] = {
	"_Unwind_RaiseException", "_Unwind_Resume", "_Unwind_Resume_or_Rethrow", "_Unwind_ForcedUnwind",
	"_Unwind_Backtrace", "backtrace", "rip_unwind_resume",
};
enum { WALKERS = sizeof walkers / sizeof walkers[0] };
/* Of those, the ones that carry no exception: a forced unwind comes to no handler that looks. */
enum { NO_EXCEPTION = 1 << 3 | 1 << 4 | 1 << 5 };

/* What a walk found of a module: most frames of a deep stack are of few functions of few modules. */
struct memo {
	uint64_t begin, end;   /* the module's addresses */
	struct rip_bytes table;
	uint64_t walkers[WALKERS]; /* those that it exports, else 0 */
	uint64_t range_begin;  /* killable code */
	uint64_t range_size;
	bool catches;          /* handlers look (RIP_KILLABLE_CATCHES_TYPE) */
};

/* As if the linker had sorted the table, which it does unless it is told otherwise. */
static bool guess(struct memo *memo, uint64_t pc)
{
	const size_t size = sizeof(struct rip_killable_range);
	size_t low = 0, high = memo->table.size / size;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (covers(memo->table.data + middle * size, pc, &memo->range_begin, &memo->range_size))
			return true;
		if (pc < memo->range_begin)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

static bool in_table(struct memo *memo, uint64_t pc)
{
	const struct rip_bytes *table = &memo->table;
	const size_t size = sizeof(struct rip_killable_range);

	if (guess(memo, pc))
		return true;
	for (size_t at = 0; at + size <= table->size; at += size)
		if (covers(table->data + at, pc, &memo->range_begin, &memo->range_size))
			return true;
	memo->range_size = 0;
	return false;
}

static bool look_up(struct memo *memo, uint64_t pc)
{
	struct rip_module module;

	if (pc - memo->begin >= memo->end - memo->begin) {
		*memo = (struct memo){ 0 };
		if (rip_port_module_at(pc, &module) != RIP_OK)
			return false;
		*memo = (struct memo){ .begin = module.begin, .end = module.end,
				       .table = find_table(&module),
				       .catches = rip_port_module_note(&module, RIP_KILLABLE_NOTE_NAME,
								       RIP_KILLABLE_CATCHES_TYPE).data != NULL };
		for (int i = 0; i < WALKERS; i++)
			memo->walkers[i] = rip_port_exported(pc, walkers[i]);
	}
	return in_table(memo, pc);
}

struct question {
	struct memo *memo;
	uint64_t pc;
	bool answer;
};

static void look_up_guarded(void *context)
{
	struct question *question = context;

	question->answer = look_up(question->memo, question->pc);
}

/* What cannot be read is not killable. */
static bool is_killable(struct memo *memo, uint64_t pc)
{
	struct question question = { memo, pc, false };

	if (pc - memo->range_begin < memo->range_size)
		return true;
	if (rip_port_guarded(look_up_guarded, &question))
		return question.answer;
	*memo = (struct memo){ 0 };
	return false;
}

bool rip_stop_killable(uint64_t pc)
{
	struct memo memo = { 0 };

	return is_killable(&memo, pc);
}

bool rip_stop_has_table(uint64_t pc)
{
	struct rip_module module;

	return rip_port_module_at(pc, &module) == RIP_OK && find_table(&module).size > 0;
}

bool rip_stop_left_out(uint64_t function)
{
	struct rip_module module;
	struct rip_bytes table = { NULL, 0, 0 };
	uint64_t begin, size;

	if (rip_port_module_at(function, &module) == RIP_OK)
		table = find_table(&module);
	for (size_t at = 0; at + sizeof(struct rip_killable_range) <= table.size;
	     at += sizeof(struct rip_killable_range)) {
		covers(table.data + at, function, &begin, &size);
		if (begin == function)
			return true;
	}
	return false;
}

/* --- Frames ------------------------------------------------------------------------------------ */

static size_t readable_code(uint64_t pc, size_t size)
{
	while (size > 0 && !rip_port_readable(pc, size))
		size--;
	return size;
}

static bool is_poll(uint64_t pc)
{
	return rip_arch_is_poll((const uint8_t *)(uintptr_t)pc, readable_code(pc, RIP_ARCH_POLL_MAX));
}

static bool is_marked(uint64_t return_address)
{
	return rip_arch_is_mask((const uint8_t *)(uintptr_t)return_address,
				readable_code(return_address, RIP_KILLABLE_MASK_SIZE));
}

static bool is_gap(struct rip_cursor *cursor)
{
	struct rip_entry entry;

	return rip_pads_judge(cursor, &entry) != RIP_OK || entry.kind == RIP_ENTRY_GAP ||
	       entry.kind == RIP_ENTRY_NOEXCEPT;
}

static bool is_glue(const struct rip_stop *stop, const struct rip_cursor *cursor)
{
	uint64_t function = cursor->frame.function;

	return function == (uintptr_t)stop->glue[0] || function == (uintptr_t)stop->glue[1];
}

/* A foreign frame that memo's module holds. Unwinders that are linked in, and export nothing, are known by
 * what they keep: only who lands on a pad by __builtin_eh_return saves the registers that the pad gets its
 * arguments in, which any call may change. */
static bool is_unwinder(const struct memo *memo, const struct rip_cursor *cursor, bool *throws_ret)
{
	uint64_t function = cursor->frame.function;

	*throws_ret = true;
	for (int i = 0; i < WALKERS; i++)
		if (function != 0 && function == memo->walkers[i]) {
			*throws_ret = !(NO_EXCEPTION >> i & 1);
			return true;
		}
	return cursor->kind == RIP_CURSOR_FULL && cursor->row.rules[RIP_REG_PAD_EXCEPTION].kind == RIP_RULE_OFFSET &&
	       cursor->row.rules[RIP_REG_PAD_SELECTOR].kind == RIP_RULE_OFFSET;
}

/* The frames of rip_call itself, from the end of its segment on, are the runtime's. */
static rip_status pass_segment(const struct rip_stop *stop, struct rip_cursor *cursor)
{
	const struct rip_domain *domain = rip_stop_domain(stop, cursor->reg[RIP_REG_SP]);
	rip_status status = domain ? RIP_OK : RIP_E_RETURN;

	while (status == RIP_OK && cursor->reg[RIP_REG_SP] < domain->caller_sp) {
		status = rip_cursor_load(cursor);
		if (status == RIP_OK)
			status = rip_cursor_step(cursor);
	}
	return status;
}

/* What was called where `address` is returned to; 0: not known. It may not have been reached yet: the way there leads
 * through the program's linkage table, and the loader the first time. False: there is no code. */
static bool callee_before(uint64_t address, uint64_t *target_ret)
{
	struct rip_callee callee;
	uint64_t target = 0;

	if (!rip_port_readable(address - RIP_ARCH_CALL_MAX, RIP_ARCH_CALL_MAX))
		return false;
	callee = rip_arch_callee((const uint8_t *)(uintptr_t)address);
	if (callee.kind == RIP_CALLEE_DIRECT && rip_port_readable(callee.address, RIP_ARCH_STUB_MAX) &&
	    !rip_port_reads_caller(callee.address))
		callee = rip_arch_stub((const uint8_t *)(uintptr_t)callee.address);
	if (callee.kind == RIP_CALLEE_POINTER && rip_port_readable(callee.address, sizeof target))
		__builtin_memcpy(&target, (const void *)(uintptr_t)callee.address, sizeof target);
	else if (callee.kind == RIP_CALLEE_DIRECT)
		target = callee.address;
	*target_ret = target;
	return true;
}

/* Whether what returns to `address` was called to find out just that: setjmp and its like. */
static bool callee_reads_caller(uint64_t address)
{
	uint64_t target;

	if (!callee_before(address, &target))
		return true;
	if (target == 0)
		return false;
	return rip_port_reads_caller(target) ||
	       (rip_port_readable(target, RIP_ARCH_STUB_MAX) &&
		rip_arch_is_unbound((const uint8_t *)(uintptr_t)target));
}

/* Whether it is setjmp or longjmp: soon over, and their return cannot be hooked, or does not come. */
static bool is_of_jumps(struct rip_memory *memory, uint64_t slot)
{
	uint64_t address, target;

	return slot && rip_memory_read(memory, slot, &address, sizeof address) && !rip_arch_is_hook(address) &&
	       callee_before(address, &target) && rip_port_jumps(target);
}

/* Where the frame's return address lies; 0 if not in its usual place. */
uint64_t rip_stop_return_slot(const struct rip_cursor *cursor)
{
	const struct rip_rule *rule = &cursor->row.rules[RIP_CFI_RA];

	if (cursor->signal_frame)
		return 0;
	if (cursor->kind == RIP_CURSOR_FULL)
		return rule->kind == RIP_RULE_OFFSET ? cursor->cfa + (uint64_t)rule->offset : 0;
	return cursor->cfa - 8;
}

/* The same, if the return address may be replaced. */
static uint64_t hookable(struct rip_memory *memory, uint64_t slot)
{
	uint64_t address;

	if (slot == 0 || !rip_memory_read(memory, slot, &address, sizeof address) ||
	    rip_arch_is_hook(address))
		return slot;
	return callee_reads_caller(address) ? 0 : slot;
}

/* --- Landing ----------------------------------------------------------------------------------- */

enum { MODULES = 4, RETURNS = 8 };

struct judging {
	const struct rip_stop *stop;
	struct rip_cursor cursor;
	struct memo memos[MODULES];
	unsigned memos_used;
	/* Of return addresses in killable code, by the lowest bits: what they were judged. */
	struct { uint64_t pc; enum rip_landing landing; } returns[RETURNS];
	struct rip_judged judged;
	enum rip_landing landing;
	enum rip_landing outermost; /* of the frame judged last */
	uint64_t inner_slot;        /* of the frame further in ... */
	uint64_t inner_slots;       /* ... and of the next one */
	uint64_t slot;
	bool throws;                /* the landing is UNWINDER: it carries an exception */
	bool comes_back;            /* killable code has been found further out than the landing */
	bool seen, catches;         /* the first killable frame; its module's handlers look */
	bool jumping;               /* the innermost frame is longjmp's, whose caller is where it jumps to */
	struct rip_loader_way loader; /* the next one on the way out */
	bool behind_loader;         /* the frame further in is on it */
};

/* That of the pc's module, or one to be used for it. */
static struct memo *memo_for(struct judging *j, uint64_t pc)
{
	for (int i = 0; i < MODULES; i++)
		if (pc - j->memos[i].begin < j->memos[i].end - j->memos[i].begin)
			return &j->memos[i];
	return &j->memos[j->memos_used++ % MODULES];
}

/* Of a module that has killable code, those functions wait that say so (RIP_NO_POLL), and those that `ripcord cc` has
 * linked into it. */
static bool passes(struct judging *j, const struct memo *memo)
{
	bool mixed = memo->table.size > 0;

	if (j->stop->strict || (mixed && (rip_stop_left_out(j->cursor.frame.function) ||
					  rip_stop_is_part(rip_cursor_lookup_pc(&j->cursor)))))
		return false;
	return rip_plain_passes(&j->cursor, mixed);
}

static enum rip_landing judge_foreign(struct judging *j, const struct memo *memo)
{
	bool throws;

	if (!is_unwinder(memo, &j->cursor, &throws))
		return passes(j, memo) ? RIP_LANDING_HERE : RIP_LANDING_FOREIGN;
	if (j->landing != RIP_LANDING_UNWINDER)
		j->throws = throws;
	return RIP_LANDING_UNWINDER;
}

/* Of the instructions, tables only speak of polls; calls are told by their marks too. */
static enum rip_landing judge_killable(struct judging *j)
{
	uint64_t pc = j->cursor.reg[RIP_REG_PC];

	if (j->cursor.exact)
		return is_poll(pc) && is_gap(&j->cursor) ? RIP_LANDING_MASKED : RIP_LANDING_HERE;
	if (j->returns[pc % RETURNS].pc != pc) {
		j->returns[pc % RETURNS].landing = is_gap(&j->cursor) || is_marked(pc) ? RIP_LANDING_MASKED :
										       RIP_LANDING_HERE;
		j->returns[pc % RETURNS].pc = pc;
	}
	return j->returns[pc % RETURNS].landing;
}

static enum rip_landing judge_frame(struct judging *j)
{
	uint64_t pc = rip_cursor_lookup_pc(&j->cursor);

	if (is_glue(j->stop, &j->cursor))
		return RIP_LANDING_HERE;
	struct memo *memo = memo_for(j, pc);
	if (!is_killable(memo, pc))
		return judge_foreign(j, memo);
	if (!j->seen)
		j->catches = memo->catches;
	j->seen = j->comes_back = true;
	return judge_killable(j);
}

/* A foreign frame is over with its own return, a masked call in a frame with the return of what it called.
 * What is further out than an unwinder waits for it. What that has called (its second phase) may never
 * return; what the callee has called does. */
static void note_obstacle(struct judging *j, uint64_t slot)
{
	if (j->outermost == RIP_LANDING_HERE || j->landing == RIP_LANDING_UNWINDER)
		return;
	j->landing = j->outermost;
	j->comes_back = j->landing == RIP_LANDING_MASKED;
	j->slot = j->landing == RIP_LANDING_FOREIGN ? slot :
		  j->landing == RIP_LANDING_MASKED ? j->inner_slot : j->inner_slots;
}

/* The loader's frames are no obstacle where an unwind knows the way through them, nor is the stub that has
 * called it. */
static bool passes_loader(struct judging *j)
{
	uint64_t sp = j->cursor.reg[RIP_REG_SP];

	if (j->loader.there && sp > j->loader.slot) {
		if (j->behind_loader && rip_stop_is_stub(rip_cursor_lookup_pc(&j->cursor)))
			return true;
		j->behind_loader = false;
		rip_loader_find(j->stop, &j->cursor.context, j->cursor.exact, &j->loader);
	}
	if (!j->loader.there || j->loader.inside || sp < j->loader.sp)
		return false;
	j->behind_loader = true;
	return true;
}

static rip_status judge_and_step(struct judging *j)
{
	if (j->cursor.reg[RIP_REG_PC] == (uintptr_t)rip_arch_segment_end)
		return pass_segment(j->stop, &j->cursor);
	/* Interrupted in a hook: its cell is not to be touched. */
	if (j->cursor.exact && rip_arch_is_hook(j->cursor.reg[RIP_REG_PC]))
		return RIP_E_STATE;
	rip_status status = rip_cursor_load(&j->cursor);
	if (status != RIP_OK)
		return status;
	j->outermost = passes_loader(j) ? RIP_LANDING_HERE : judge_frame(j);
	uint64_t slot = rip_stop_return_slot(&j->cursor);
	j->jumping |= j->cursor.exact && j->cursor.kind == RIP_CURSOR_FULL &&
		      j->cursor.row.rules[RIP_CFI_RA].kind == RIP_RULE_REGISTER;
	note_obstacle(j, slot);
	j->inner_slots = j->inner_slot;
	j->inner_slot = slot;
	return rip_cursor_step(&j->cursor);
}

static bool at_end(const struct judging *j)
{
	uint64_t pc = j->cursor.reg[RIP_REG_PC], sp = j->cursor.reg[RIP_REG_SP];

	return pc == (uintptr_t)rip_arch_backstop ||
	       (j->judged.segment && pc == (uintptr_t)rip_arch_segment_end) ||
	       (pc == j->judged.pc && sp == j->judged.sp);
}

/* Hooks are frames of the walk too, and nobody's: the return through one is looked at when it comes. */
static bool is_hooked(const struct judging *j)
{
	return rip_arch_is_hook(j->cursor.reg[RIP_REG_PC]) && !j->cursor.exact;
}

static rip_status pass_hook(struct judging *j)
{
	rip_status status = rip_cursor_load(&j->cursor);

	return status == RIP_OK ? rip_cursor_step(&j->cursor) : status;
}

static rip_status judge_all(struct judging *j)
{
	rip_status status = judge_and_step(j);
	struct rip_judged inner = { j->cursor.reg[RIP_REG_SP], j->cursor.reg[RIP_REG_PC],
				    j->judged.segment };
	enum rip_landing innermost = j->landing;

	if (innermost != RIP_LANDING_UNWINDER)
		j->landing = RIP_LANDING_HERE;
	while (status == RIP_OK && !at_end(j))
		status = is_hooked(j) ? pass_hook(j) : judge_and_step(j);
	if (status == RIP_OK && j->landing == RIP_LANDING_HERE) {
		if (inner.pc == j->judged.pc && inner.sp == j->judged.sp)
			j->outermost = RIP_LANDING_HERE;
		j->judged = inner;
		j->landing = innermost;
	}
	return status;
}

static void look(const struct rip_stop *stop, const struct rip_context *at, bool segment,
		 struct rip_judged *judged, struct rip_look *look_ret)
{
	struct rip_memory memory = rip_stop_memory(stop);
	struct judging j = { .stop = stop, .judged = *judged };

	*look_ret = (struct rip_look){ .landing = RIP_LANDING_MASKED };
	if (rip_stop_in_hostcall(stop, at, segment))
		return;
	if (segment != j.judged.segment)
		j.judged = (struct rip_judged){ .segment = segment };
	rip_cursor_init(&j.cursor, at, true, &memory);
	look_ret->landing = RIP_LANDING_FOREIGN;
	rip_loader_find(stop, at, true, &j.loader);
	/* At its end, an unwinder may have the pad's address stand as a return address. */
	bool whole = judge_all(&j) == RIP_OK;
	if (!whole && j.landing != RIP_LANDING_UNWINDER)
		return;
	if (whole)
		*judged = j.judged;
	*look_ret = (struct rip_look){ j.landing, hookable(&memory, j.slot),
				       whole && j.comes_back && j.outermost != RIP_LANDING_FOREIGN &&
					       j.outermost != RIP_LANDING_UNWINDER, false, false };
	look_ret->throws = j.landing == RIP_LANDING_UNWINDER && j.throws && j.catches;
	look_ret->jumps = whole && j.landing == RIP_LANDING_FOREIGN &&
			  (j.slot ? is_of_jumps(&memory, j.slot) : j.jumping);
	if (j.landing == RIP_LANDING_HERE && !is_poll(at->reg[RIP_REG_PC]))
		look_ret->landing = RIP_LANDING_NEAR;
}

/* The pc of the outermost frame that a soft kill waits for since it is not killable; 0: there is none. */
static uint64_t find_obstacle(const struct rip_stop *stop)
{
	struct rip_memory memory = rip_stop_memory(stop);
	struct judging j = { .stop = stop };
	uint64_t found = 0;
	rip_status status;

	rip_cursor_init(&j.cursor, &stop->at, stop->exact, &memory);
	rip_loader_find(stop, &stop->at, stop->exact, &j.loader);
	do {
		uint64_t pc = j.cursor.reg[RIP_REG_PC];
		j.outermost = RIP_LANDING_HERE;
		status = is_hooked(&j) ? pass_hook(&j) : judge_and_step(&j);
		if (status == RIP_OK && j.outermost == RIP_LANDING_FOREIGN)
			found = pc;
	} while (status == RIP_OK && !at_end(&j));
	return found;
}

static bool in_library(const struct rip_stop *stop, const struct rip_context *at, uint64_t *slot_ret)
{
	struct rip_memory memory = rip_stop_memory(stop);
	struct rip_cursor cursor;
	bool inside = false;

	*slot_ret = 0;
	rip_cursor_init(&cursor, at, true, &memory);
	for (; cursor.reg[RIP_REG_PC] != (uintptr_t)rip_arch_backstop &&
	     rip_cursor_load(&cursor) == RIP_OK;) {
		bool hook = rip_arch_is_hook(cursor.reg[RIP_REG_PC]);
		if (!hook && !rip_port_in_library(rip_cursor_lookup_pc(&cursor)))
			break;
		inside = true;
		if (!hook)
			*slot_ret = rip_stop_return_slot(&cursor);
		if (rip_cursor_step(&cursor) != RIP_OK)
			break;
	}
	*slot_ret = hookable(&memory, *slot_ret);
	return inside;
}

/* --- Stubs and parts --- */

/* Whether the code that the module's note of that type speaks of has the pc. */
static bool is_in_note(uint64_t pc, uint32_t type)
{
	struct rip_module module;
	struct rip_killable_stubs stubs;

	if (rip_port_module_at(pc, &module) != RIP_OK)
		return false;
	struct rip_bytes descriptor = rip_port_module_note(&module, RIP_KILLABLE_NOTE_NAME, type);
	if (descriptor.size < sizeof stubs)
		return false;
	__builtin_memcpy(&stubs, descriptor.data, sizeof stubs);
	return pc - (descriptor.address + (uint64_t)stubs.begin) <
	       (uint64_t)stubs.end - (uint64_t)stubs.begin;
}

struct noted {
	uint64_t pc;
	uint32_t type;
	bool answer;
};

static void look_at_note(void *context)
{
	struct noted *noted = context;

	noted->answer = is_in_note(noted->pc, noted->type);
}

static bool is_noted(uint64_t pc, uint32_t type)
{
	struct noted noted = { pc, type, false };

	return rip_port_guarded(look_at_note, &noted) && noted.answer;
}

bool rip_stop_is_stub(uint64_t pc)
{
	return is_noted(pc, RIP_KILLABLE_STUBS_TYPE);
}

bool rip_stop_is_part(uint64_t pc)
{
	return is_noted(pc, RIP_KILLABLE_STUBS_TYPE) || is_noted(pc, RIP_KILLABLE_PARTS_TYPE);
}

/* What a stub calls has few frames, and none of the guest's; but for dlopen's, which calls constructors: those do not
 * wait for it. */
static bool in_stub(const struct rip_stop *stop, const struct rip_context *at, uint64_t *slot_ret)
{
	struct rip_memory memory = rip_stop_memory(stop);
	struct rip_loader_way loader;
	struct rip_cursor cursor;
	struct memo memo = { 0 };

	*slot_ret = 0;
	rip_loader_find(stop, at, true, &loader);
	rip_cursor_init(&cursor, at, true, &memory);
	for (int frames = 0; frames < STUB_FRAMES; frames++) {
		uint64_t pc = rip_cursor_lookup_pc(&cursor);
		if (cursor.reg[RIP_REG_PC] == (uintptr_t)rip_arch_backstop ||
		    (loader.there && !loader.inside && cursor.reg[RIP_REG_SP] >= loader.sp) ||
		    rip_cursor_load(&cursor) != RIP_OK || is_killable(&memo, pc))
			return false;
		if (rip_stop_is_stub(pc)) {
			*slot_ret = hookable(&memory, rip_stop_return_slot(&cursor));
			return true;
		}
		if (rip_cursor_step(&cursor) != RIP_OK)
			return false;
	}
	return false;
}

/* --- Looks ---
 * Each is guarded as a whole: in a signal handler that takes system calls, which the guards inside do without then. */

struct looking {
	const struct rip_stop *stop;
	const struct rip_context *at;
	bool segment;
	struct rip_judged *judged;
	struct rip_look *look_ret;
	uint64_t *slot_ret;
	bool answer;
};

static void look_guarded(void *context)
{
	struct looking *l = context;

	look(l->stop, l->at, l->segment, l->judged, l->look_ret);
}

void rip_stop_landing(const struct rip_stop *stop, const struct rip_context *at, bool segment,
		      struct rip_judged *judged, struct rip_look *look_ret)
{
	struct looking looking = { .stop = stop, .at = at, .segment = segment, .judged = judged,
				   .look_ret = look_ret };

	if (!rip_port_guarded(look_guarded, &looking))
		*look_ret = (struct rip_look){ .landing = RIP_LANDING_FOREIGN };
}

static void look_for_obstacle(void *context)
{
	struct looking *l = context;

	*l->slot_ret = find_obstacle(l->stop);
}

uint64_t rip_stop_obstacle(const struct rip_stop *stop)
{
	uint64_t pc = 0;
	struct looking looking = { .stop = stop, .slot_ret = &pc };

	return rip_port_guarded(look_for_obstacle, &looking) ? pc : 0;
}

static void look_for_library(void *context)
{
	struct looking *l = context;

	l->answer = in_library(l->stop, l->at, l->slot_ret);
}

bool rip_stop_in_library(const struct rip_stop *stop, const struct rip_context *at, uint64_t *slot_ret)
{
	struct looking looking = { .stop = stop, .at = at, .slot_ret = slot_ret };

	return rip_port_guarded(look_for_library, &looking) && looking.answer;
}

static void look_for_stub(void *context)
{
	struct looking *l = context;

	l->answer = in_stub(l->stop, l->at, l->slot_ret);
}

bool rip_stop_in_stub(const struct rip_stop *stop, const struct rip_context *at, uint64_t *slot_ret)
{
	struct looking looking = { .stop = stop, .at = at, .slot_ret = slot_ret };

	return rip_port_guarded(look_for_stub, &looking) && looking.answer;
}
