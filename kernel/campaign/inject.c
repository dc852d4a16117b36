/* SPDX-License-Identifier: MIT
 * inject: one fault, at one instruction of one task. */
#include "campaign.h"

#include "console.h"
#include "interrupt.h"
#include "page.h"
#include "test/tap.h"

static struct injection *injection; /* in progress */
static struct task *victim;
static bool stepping;
static uint64_t last_rip;

/* --- Code: a bit is flipped only while the victim runs, so that nobody else runs it --- */

static uint8_t *flipped; /* through the direct map; NULL: none */
static uint8_t flip_mask;
static bool flip_is_in;

RIP_NO_POLL static void show_flip(bool in)
{
	if (!flipped || flip_is_in == in)
		return;
	*flipped ^= flip_mask;
	flip_is_in = in;
}

static void flip_code(const struct frame *frame)
{
	enum { NEAR = 64 };
	extern char text_end[];
	uint64_t at = frame->reg[RIP_CORE_RIP] + test_random(&injection->seed) % NEAR;

	if (at >= (uintptr_t)text_end)
		at = frame->reg[RIP_CORE_RIP];
	flipped = (uint8_t *)(at - KERNEL_BASE + DIRECT_MAP);
	flip_mask = (uint8_t)(1u << test_random(&injection->seed) % 8);
	flip_is_in = false;
	injection->target = "code";
	injection->place = at;
	injection->before = *flipped;
	injection->after = *flipped ^ flip_mask;
}

/* --- Registers --- */

static void flip_register(struct frame *frame)
{
	enum { FLAGS = RIP_CORE_REGISTERS, FLAG_BITS = 12 };
	uint64_t number = test_random(&injection->seed) % (FLAGS + 1);
	uint64_t *reg = number == FLAGS ? &frame->flags : &frame->reg[number];

	injection->target = "register";
	injection->place = number;
	injection->before = *reg;
	*reg ^= 1ull << test_random(&injection->seed) % (number == FLAGS ? FLAG_BITS : 64);
	injection->after = *reg;
}

/* --- Words --- */

static bool is_used(const struct page *page, uint32_t block)
{
	return page->use != PAGE_BLOCKS || (page->used[block / 64] >> block % 64 & 1);
}

/* The word of this number in blocks that the task has in use; NULL: there are fewer, *count_ret. */
static uint64_t *heap_word(uint16_t owner, uint64_t number, uint64_t *count_ret)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < page_count; i++) {
		const struct page *page = &page_table[i];
		if (page->owner != owner || page->use == PAGE_PLAIN)
			continue;
		uint32_t size = PAGE;
		if (page->use == PAGE_BLOCKS)
			size = (uint32_t)HEAP_SMALLEST << page->class;
		for (uint32_t block = 0; block < PAGE / size; block++) {
			if (!is_used(page, block))
				continue;
			if (number < count + size / 8)
				return (uint64_t *)((char *)page_address(page) + block * size) + number - count;
			count += size / 8;
		}
	}
	*count_ret = count;
	return NULL;
}

static uint64_t *draw_word(const struct frame *frame)
{
	uint64_t *low = (uint64_t *)(frame->reg[RIP_CORE_RSP] & ~7ull);
	uint64_t *top = (uint64_t *)(victim->slot + SLOT_TOP);
	uint64_t words = 0;

	heap_word(victim->number, UINT64_MAX, &words);
	if (words > 0 && test_random(&injection->seed) % 2 == 0) {
		injection->target = "heap";
		return heap_word(victim->number, test_random(&injection->seed) % words, &words);
	}
	injection->target = "stack";
	return low + test_random(&injection->seed) % (uint64_t)(top - low);
}

/* Half of the values are small: as counts and indices are. */
static void corrupt_word(const struct frame *frame)
{
	uint64_t *word = draw_word(frame), value = test_random(&injection->seed);

	if (test_random(&injection->seed) % 2)
		value &= 0xffff;
	injection->place = (uintptr_t)word;
	injection->before = *word;
	injection->after = *word = value;
}

/* --- Instructions: their addresses, from what objdump says of the first link --- */

static uint64_t length_at(uint64_t rip)
{
	extern const uint32_t instruction_count __attribute__((weak));
	extern const uint32_t instruction_table[] __attribute__((weak));
	uint32_t low = 0, high = &instruction_count ? instruction_count : 0;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (instruction_table[middle] <= (uint32_t)rip)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || low >= instruction_count || instruction_table[low - 1] != (uint32_t)rip)
		panic("no instruction is known at %lx", rip);
	return instruction_table[low] - (uint32_t)rip;
}

static void skip(struct frame *frame)
{
	injection->target = "rip";
	injection->place = RIP_CORE_RIP;
	injection->before = frame->reg[RIP_CORE_RIP];
	injection->after = frame->reg[RIP_CORE_RIP] += length_at(frame->reg[RIP_CORE_RIP]);
}

static void inject(struct frame *frame)
{
	injection->tick = task_ticks();
	injection->rip = frame->reg[RIP_CORE_RIP];
	injection->section = !(frame->flags & FLAG_INTERRUPTS);
	stepping = false;
	if (injection->kind == FAULT_WORD)
		corrupt_word(frame);
	else if (injection->kind == FAULT_SKIP)
		skip(frame);
	else if (test_random(&injection->seed) % 2)
		flip_register(frame);
	else
		flip_code(frame);
	if (injection->tell)
		injection->tell(injection);
}

/* --- At the begin and the end of each interrupt --- */

static void begin(void)
{
	show_flip(false);
}

/* An instruction that repeats itself counts once. */
static void step(struct frame *frame)
{
	bool next = frame->vector == EXCEPTION_DEBUG && frame->reg[RIP_CORE_RIP] != last_rip;

	last_rip = frame->reg[RIP_CORE_RIP];
	if (next && ++injection->steps == injection->at)
		inject(frame);
	if (stepping)
		frame->flags |= FLAG_TRAP;
}

/* If the victim is to be killed, polls trap by now. */
RIP_NO_POLL static void end(struct frame *frame)
{
	if (task_current() != victim)
		return;
	if (stepping && !victim->killed)
		step(frame);
	show_flip(true);
}

void inject_begin(struct injection *which)
{
	bool interrupts = interrupts_disable();
	injection = which;
	victim = task_current();
	stepping = true;
	interrupt_begin_hook = begin;
	interrupt_end_hook = end;
	interrupts_restore(interrupts);
	task_yield();
}

RIP_MASKED void inject_end(struct injection **which)
{
	(void)which;
	inject_undo();
}

void inject_undo(void)
{
	bool interrupts = interrupts_disable();
	show_flip(false);
	flipped = NULL;
	victim = NULL;
	stepping = false;
	interrupts_restore(interrupts);
}
