/* SPDX-License-Identifier: MIT
 * judge: is everything back, and does everybody else go on? */
#include "campaign.h"

#include "console.h"
#include "page.h"
#include "test/tap.h"

/* --- Witnesses --- */

enum { WITNESSES = 2, PATTERN_WORDS = 1024, PATIENCE = 50, ENTRY_UNUSED = 300 };
static volatile uint64_t witnessed[WITNESSES];
static const char *volatile complaint;
static struct mutex witness_mutex;
static uint64_t *volatile patterns[WITNESSES];

static bool pattern_is_there(const uint64_t *pattern, uint64_t self)
{
	for (uint64_t i = 0; i < PATTERN_WORDS; i++)
		if (pattern[i] != (self << 32 | i))
			return false;
	return true;
}

static intptr_t witness(void *argument)
{
	uint64_t self = (uintptr_t)argument, *pattern = task_take(PATTERN_WORDS * sizeof *pattern);

	for (uint64_t i = 0; i < PATTERN_WORDS; i++)
		pattern[i] = self << 32 | i;
	patterns[self] = pattern;
	for (;;) {
		MUTEX_GUARD(guard);
		if (mutex_lock(&guard, &witness_mutex) != OK)
			complaint = "a witness cannot lock";
		if (!pattern_is_there(pattern, self))
			complaint = "a witness's memory was written to";
		witnessed[self]++;
		mutex_unlock(&guard);
		task_sleep(1);
	}
	return 0;
}

void witnesses_start(void)
{
	mutex_init(&witness_mutex, "witness");
	for (uintptr_t i = 0; i < WITNESSES; i++)
		if (task_spawn("witness", witness, (void *)i, NULL) != OK)
			panic("no memory for witnesses");
	if (witnesses_check())
		panic("witnesses do not begin");
}

const char *witnesses_check(void)
{
	uint64_t end = task_ticks() + PATIENCE, before[WITNESSES];

	for (unsigned i = 0; i < WITNESSES; i++)
		before[i] = witnessed[i];
	for (unsigned i = 0; i < WITNESSES; i++)
		while (witnessed[i] < before[i] + 2) {
			if (task_ticks() > end)
				return "another task does not go on";
			task_sleep(1);
		}
	return complaint;
}

/* --- What there is --- */

/* The kernel's own pages outside of its heap and its data: page tables, above all. And code and constants. */
static bool is_table(const struct page *page)
{
	extern char data_begin[];
	uintptr_t at = (uintptr_t)page_address(page), data = (uintptr_t)data_begin - KERNEL_BASE + DIRECT_MAP;

	return page->owner == OWNER_KERNEL && page->use == PAGE_PLAIN &&
	       (at < data || at >= (uintptr_t)(page_table + page_count));
}

/* But for the bits that the processor sets (accessed, dirty; Intel SDM 3, 4.8). */
static uint64_t hash_tables(void)
{
	const uint64_t set_by_processor = 0x60;
	uint64_t hash = HASH_SEED;

	for (uint32_t i = 0; i < page_count; i++) {
		const uint64_t *word = page_address(&page_table[i]);
		if (!is_table(&page_table[i]))
			continue;
		for (unsigned at = 0; at < PAGE / sizeof *word; at++)
			hash = mix(hash, word[at] & ~set_by_processor);
	}
	return hash;
}

void judge_count(const struct stage *stage, struct inventory *inventory_ret)
{
	*inventory_ret = (struct inventory){
		pages_free(), kernel_heap.blocks, kernel_heap.bytes,
		(uint64_t)stage->object.references + stage->out->object.references +
			stage->in->object.references,
		hash_tables(),
	};
}

static const char *judge_channel(const struct channel *channel)
{
	if (channel->lock.held)
		return "a channel's spinlock is held";
	if (channel->ends[0] || channel->ends[1])
		return "a channel's end is held";
	return channel->waiting[0].first || channel->waiting[1].first ? "somebody waits in a channel" : NULL;
}

static const char *judge_mutex(const struct mutex *mutex)
{
	if (mutex->owner || mutex->lock.held)
		return "a lock is held";
	return mutex->waiting.first ? "somebody waits for a lock" : NULL;
}

static const char *judge_counts(const struct stage *stage, const struct inventory *before)
{
	struct inventory now;

	judge_count(stage, &now);
	if (now.references != before->references)
		return "an object's count of references is off";
	if (now.blocks != before->blocks || now.bytes != before->bytes)
		return "the kernel's heap is not as it was";
	if (now.tables != before->tables)
		return "page tables or code were written to";
	return now.pages != before->pages ? "pages are not as they were" : NULL;
}

const char *judge(const struct stage *stage, const struct inventory *before)
{
	const char *wrong = spin_depth() > 0 ? "a spinlock is held" : NULL;

	wrong = wrong ? wrong : judge_mutex(&stage->mutex);
	wrong = wrong ? wrong : judge_channel(stage->out);
	wrong = wrong ? wrong : judge_channel(stage->in);
	wrong = wrong ? wrong : judge_counts(stage, before);
	wrong = wrong ? wrong : kernel_check();
	return wrong ? wrong : witnesses_check();
}

/* --- The judge's own tests: each damage is found, by its name, and not when it is undone --- */

static struct stage stage;
static void *leaked;
static struct mutex_guard guard;
static struct hold hold;

static void count_up(bool undo)
{
	stage.object.references += undo ? -1u : 1;
}

static void leak_block(bool undo)
{
	if (undo)
		heap_give(&kernel_heap, leaked);
	else
		leaked = heap_take(&kernel_heap, 64);
}

static void leak_page(bool undo)
{
	if (undo)
		page_give(leaked);
	else
		leaked = page_take(TASKS);
}

static void hold_lock(bool undo)
{
	if (undo)
		mutex_unlock(&guard);
	else
		mutex_lock(&guard, &stage.mutex);
}

static void hold_others_lock(bool undo)
{
	if (undo)
		mutex_unlock(&guard);
	else
		mutex_lock(&guard, &witness_mutex);
}

static void hold_spinlock(bool undo)
{
	stage.in->lock.held = !undo;
}

static void hold_end(bool undo)
{
	if (undo)
		object_release(&hold);
	else
		object_hold(&hold, &stage.out->object, CHANNEL_SEND);
}

static void damage_descriptor(bool undo)
{
	page_of(stage.out)->count += undo ? -1u : 1;
}

static void damage_state(bool undo)
{
	task_at(TASKS)->state = undo ? TASK_FREE : TASK_READY;
}

static void damage_pattern(bool undo)
{
	patterns[1][7] ^= 1;
	if (undo)
		complaint = NULL;
}

static void damage_table(bool undo)
{
	uint32_t i = page_count - 1;

	(void)undo;
	while (!is_table(&page_table[i]))
		i--;
	((uint64_t *)page_address(&page_table[i]))[ENTRY_UNUSED] ^= 1 << 9; /* ignored by the processor */
}

/* With interrupts off: the kernel's audit does not come between, nor does the scheduler. */
static const char *judge_damage(void (*damage)(bool undo), const struct inventory *before,
				bool interrupts_off)
{
	bool interrupts = interrupts_off ? interrupts_disable() : false;
	damage(false);
	const char *found = judge(&stage, before);
	damage(true);
	interrupts_restore(interrupts);
	return found;
}

/* --- What the kernel mends: it agrees with itself again --- */

static void forget_free_blocks(void)
{
	memset(kernel_heap.pages, 0, sizeof kernel_heap.pages);
	kernel_heap.blocks += 3;
}

static void miscount_page(void)
{
	page_of(stage.out)->count += 2;
}

static void leave_mutex(void)
{
	stage.mutex.lock.held = true;
}

static struct queue *queue_of_ready(void)
{
	for (uint16_t i = 1; i <= TASKS; i++)
		if (task_at(i)->state == TASK_READY)
			return task_at(i)->queue;
	panic("no task is ready");
}

static void cut_queue(void)
{
	queue_of_ready()->first = NULL;
}

static intptr_t go_on(void *unused)
{
	(void)unused;
	return 0;
}

/* One more task is ready meanwhile, and is to run afterwards. */
static const char *judge_mend(void (*damage)(void), const struct inventory *before)
{
	uint64_t id = 0;
	struct task_end end;

	bool interrupts = interrupts_disable();
	status status = task_spawn("ready", go_on, NULL, &id);
	damage();
	kernel_mend();
	interrupts_restore(interrupts);
	if (status != OK || task_join(id, &end) != OK)
		return "the ready task did not run";
	return judge(&stage, before);
}

static const struct {
	const char *name;
	void (*damage)(void);
} mends[] = {
	{ "a heap's lists and counts", forget_free_blocks }, { "a page's count", miscount_page },
	{ "a mutex's spinlock", leave_mutex }, { "the queue of who is ready", cut_queue },
};
enum { MENDS = sizeof mends / sizeof *mends };

static bool test_mends(unsigned number, const struct inventory *before)
{
	bool all = true;

	for (unsigned i = 0; i < MENDS; i++) {
		const char *wrong = judge_mend(mends[i].damage, before);
		print("%sok %u - mended: %s%s%s\n", wrong ? "not " : "", number + i, mends[i].name,
		      wrong ? ": " : "", wrong ? wrong : "");
		all &= !wrong;
	}
	return all;
}

static bool is_same(const char *a, const char *b)
{
	return a && text_equal(a, b);
}

void judge_test(void)
{
	static const struct {
		void (*damage)(bool undo);
		const char *found;
		bool interrupts_off;
	} cases[] = {
		{ count_up, "an object's count of references is off", false },
		{ leak_block, "the kernel's heap is not as it was", false },
		{ leak_page, "pages are not as they were", false },
		{ hold_lock, "a lock is held", false },
		{ hold_spinlock, "a channel's spinlock is held", true },
		{ hold_end, "a channel's end is held", false },
		{ damage_descriptor, "a page's count of blocks is not that of its bits", true },
		{ damage_state, "a ready task is not in the queue", true },
		{ damage_table, "page tables or code were written to", false },
		{ damage_pattern, "a witness's memory was written to", false },
		{ hold_others_lock, "another task does not go on", false },
	};
	enum { CASES = sizeof cases / sizeof *cases };
	struct inventory before;
	bool all = true;

	stage_init(&stage);
	judge_count(&stage, &before);
	for (unsigned i = 0; i < CASES; i++) {
		const char *found = judge_damage(cases[i].damage, &before, cases[i].interrupts_off);
		const char *after = judge(&stage, &before);
		bool good = is_same(found, cases[i].found) && !after;
		print("%sok %u - lost: %s\n", good ? "" : "not ", i + 1, cases[i].found);
		if (!good)
			print("# found: %s; afterwards: %s\n", found ? found : "nothing",
			      after ? after : "nothing");
		all &= good;
	}
	all &= test_mends(CASES + 1, &before);
	print("1..%u\n", CASES + MENDS);
	machine_exit(all ? EXIT_PASSED : EXIT_FAILED);
}
