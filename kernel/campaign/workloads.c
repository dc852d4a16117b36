/* SPDX-License-Identifier: MIT
 * workloads: messages to and fro, a lock that others want too, and a heap. */
#include "campaign.h"

#include "console.h"
#include "test/tap.h"

static void give_block(void *block)
{
	task_give(*(void **)block);
}

/* --- Messages to and fro --- */

enum { ROUNDS = 8 };

static uint64_t talk_round(struct stage *stage, uint64_t *log, uint64_t round)
{
	struct message message = { { round, round * round, ~round, 1 } }, answer;

	if (channel_send(stage->out, &message) != OK || channel_receive(stage->in, &answer) != OK)
		return 0;
	log[round] = mix(answer.word[0], answer.word[1]);
	return answer.word[3];
}

static uint64_t talk(struct stage *stage)
{
	uint64_t *log CLEANUP(give_block) = task_take(ROUNDS * sizeof *log), hash = HASH_SEED;
	HOLD_GUARD(out);
	HOLD_GUARD(in);

	if (!log || object_hold(&out, &stage->out->object, CHANNEL_SEND) != OK ||
	    object_hold(&in, &stage->in->object, CHANNEL_RECEIVE) != OK)
		return 0;
	for (uint64_t i = 0; i < ROUNDS; i++)
		hash = mix(hash, talk_round(stage, log, i));
	for (uint64_t i = 0; i < ROUNDS; i++)
		hash = mix(hash, log[i]);
	return hash;
}

static intptr_t answer(void *argument)
{
	struct stage *stage = argument;
	struct message message;
	HOLD_GUARD(out);
	HOLD_GUARD(in);

	if (object_hold(&out, &stage->out->object, CHANNEL_RECEIVE) != OK ||
	    object_hold(&in, &stage->in->object, CHANNEL_SEND) != OK)
		return -1;
	while (channel_receive(stage->out, &message) == OK) {
		message.word[0] += message.word[1];
		message.word[3]++;
		if (channel_send(stage->in, &message) != OK)
			break;
	}
	return 0;
}

const struct workload workload_channel = { "channel", talk, answer, 1, 0 };

/* --- A lock that others want too --- */

enum { SECTIONS = 12, RIVALS = 2 };

static void increment(struct stage *stage)
{
	stage->shared[0]++;
	task_yield(); /* so that the others come to wait */
	stage->shared[1]++;
}

static uint64_t contend(struct stage *stage)
{
	uint64_t *log CLEANUP(give_block) = task_take(SECTIONS * sizeof *log), hash = HASH_SEED;

	for (uint64_t i = 0; i < SECTIONS && log; i++) {
		MUTEX_GUARD(guard);
		status status = mutex_lock(&guard, &stage->mutex);
		log[i] = i << 8 | (status == OK && stage->shared[0] == stage->shared[1]);
		increment(stage);
	}
	for (uint64_t i = 0; i < SECTIONS && log; i++)
		hash = mix(hash, log[i]);
	return hash;
}

/* Puts right what a stopped rival has left. */
static intptr_t rival(void *argument)
{
	struct stage *stage = argument;

	for (unsigned i = 0; i < SECTIONS; i++) {
		MUTEX_GUARD(guard);
		if (mutex_lock(&guard, &stage->mutex) == E_POISONED) {
			if (mutex_lock_poisoned(&guard, &stage->mutex) != OK)
				return -1;
			stage->shared[1] = stage->shared[0];
			mutex_mend(&guard);
		}
		increment(stage);
	}
	return 0;
}

const struct workload workload_lock = { "lock", contend, rival, RIVALS, (RIVALS + 1) * SECTIONS };

/* --- A heap --- */

enum { BLOCKS = 24, CHANGES = 60, LARGEST = 300 };

struct churn {
	uint64_t *block[BLOCKS];
	uint32_t words[BLOCKS];
};

static void churn_give(struct churn **churn)
{
	for (unsigned i = 0; *churn && i < BLOCKS; i++)
		task_give((*churn)->block[i]);
	task_give(*churn);
}

static uint64_t churn_drop(struct churn *churn, uint64_t i)
{
	uint64_t hash = HASH_SEED;

	for (uint32_t at = 0; at < churn->words[i]; at += 4)
		hash = mix(hash, churn->block[i][at]);
	task_give(churn->block[i]);
	churn->block[i] = NULL;
	return hash;
}

static bool churn_fill(struct churn *churn, uint64_t i, uint64_t size)
{
	churn->block[i] = task_take(size);
	if (!churn->block[i])
		return false;
	churn->words[i] = (uint32_t)(size / 8);
	for (uint32_t at = 0; at < churn->words[i]; at += 4)
		churn->block[i][at] = i * size + at;
	return true;
}

static uint64_t work(struct stage *stage)
{
	struct churn *churn CLEANUP(churn_give) = task_take(sizeof *churn);
	uint64_t hash = HASH_SEED, seed = 1;

	(void)stage;
	for (unsigned i = 0; churn && i < CHANGES; i++) {
		uint64_t at = test_random(&seed) % BLOCKS;
		if (churn->block[at])
			hash = mix(hash, churn_drop(churn, at));
		else if (!churn_fill(churn, at, 16 + test_random(&seed) % LARGEST))
			return 0;
	}
	return hash;
}

const struct workload workload_heap = { "heap", work, NULL, 0, 0 };
