/* SPDX-License-Identifier: MIT
 * judge: is everything back, and does everybody else go on? */
#include "campaign.h"

#include "console.h"
#include "page.h"
#include "test/tap.h"

/* --- Witnesses --- */

enum { WITNESSES = 2, PATTERN_WORDS = 1024, PATIENCE = 50 };
static volatile uint64_t witnessed[WITNESSES];
static const char *volatile complaint;
static struct mutex witness_mutex;

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

void judge_count(const struct stage *stage, struct inventory *inventory_ret)
{
	*inventory_ret = (struct inventory){
		pages_free(), kernel_heap.blocks, kernel_heap.bytes,
		(uint64_t)stage->object.references + stage->out->object.references + stage->in->object.references,
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
