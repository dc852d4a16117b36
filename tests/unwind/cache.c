/* SPDX-License-Identifier: MIT
 * The row cache: writers that fight for one line, hints that lead astray, rows that have become stale.
 *
 * The frames are made up: their pcs are in no module, each key's row says how many words its frame has, and a
 * stack is laid out after that. So a walk that ever uses half of one row and half of another, or the row of
 * another key, comes to a word that is no return address. (ThreadSanitizer is of no help here: readers race with
 * writers by design, throw away what they read if it changed meanwhile, and it would report each such read.) */
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "table_builder.h"
#include "tap.h"
#include "unwind/registered.h"
#include "unwind/unwind.h"

/* More keys for each set than it has lines, with those of its neighbour. */
enum { SETS = 1, KEYS_OF_SET = 4 * RIP_ROW_WAYS, KEYS = SETS * KEYS_OF_SET, STACK_WORDS = 4096, SECONDS = 3 };

/* Of this program, and of what was loaded in its place before. */
static uint32_t owner, former_owner;

static uint64_t keys[KEYS];
static uint64_t stack[STACK_WORDS];
static uint64_t expected_rbx[KEYS + 1], expected_rbp[KEYS + 1];
static struct rip_memory memory;

/* --- Frames --- */

static unsigned words_of(unsigned i) { return 4 + (i * 7) % 11; }
static unsigned save_rbx(unsigned i) { return 2 + i % 2; }
static unsigned save_rbp(unsigned i) { return i % 3 == 0 ? 0 : 5 - save_rbx(i); }

/* Keys that fall on the same sets of lines, and so push each other out. */
static void choose_keys(void)
{
	uint64_t key = 0x10010;
	unsigned count = 0;
	uint32_t sets[SETS];

	for (unsigned set = 0; set < SETS; set++)
		sets[set] = rip_row_place(key + 16 * set);
	for (; count < KEYS; key += 16)
		if (rip_row_place(key) == sets[count % SETS])
			keys[count++] = key;
}

static struct rip_row row_of(unsigned i, uint32_t of)
{
	struct rip_row row = { .key = keys[i], .cfa_offset = (int32_t)(8 * words_of(i)) };

	row.save[RIP_ROW_RBX] = (uint8_t)save_rbx(i);
	row.save[RIP_ROW_RBP] = (uint8_t)save_rbp(i);
	row.hot = rip_hot(of, 0, row.save[RIP_ROW_RBP], (uint16_t)words_of(i));
	row.function = keys[i] * 3;
	return row;
}

/* Frame i is key i's; its return address is key i + 1; the last one returns to 0. */
static void lay_out_stack(void)
{
	uint64_t *sp = stack;

	memset(stack, 0xdd, sizeof stack);
	for (unsigned i = 0; i < KEYS; i++) {
		sp += words_of(i);
		sp[-1] = i + 1 < KEYS ? keys[i + 1] : 0;
		sp[-(int)save_rbx(i)] = expected_rbx[i + 1] = 1000 + i;
		expected_rbp[i + 1] = save_rbp(i) ? 2000 + i : expected_rbp[i];
		if (save_rbp(i))
			sp[-(int)save_rbp(i)] = expected_rbp[i + 1];
	}
	memory = (struct rip_memory){ .low = (uintptr_t)stack, .high = (uintptr_t)(stack + STACK_WORDS) };
}

static struct rip_context start(void)
{
	struct rip_context context = { .reg = { [RIP_REG_RIP] = keys[0], [RIP_REG_RSP] = (uintptr_t)stack } };
	return context;
}

static void choose_owners(void)
{
	struct rip_known_module module;

	tap_equal(rip_module_find((uintptr_t)choose_owners, &module), RIP_OK, "this program is found");
	owner = module.owner;
	former_owner = owner - 1;
}

/* Puts the rows of the first two frames: they are on different lines. */
static void put_two(uint32_t of)
{
	for (unsigned i = 0; i < 2; i++) {
		struct rip_row row = row_of(i, of);
		rip_row_put(&row);
	}
}

/* How many callers the walk found; -1 if one was wrong. */
static int walk(void)
{
	void *pcs[KEYS + 1];
	struct rip_context context = start();
	struct rip_memory now = memory;
	uint32_t count = rip_walk(&context, &now, pcs, KEYS + 1);

	for (uint32_t i = 0; i < count; i++)
		if (i + 1 >= KEYS || pcs[i] != (void *)keys[i + 1])
			return -1;
	return (int)count;
}

/* The same by a cursor, with its registers. */
static int step(void)
{
	struct rip_context context = start();
	struct rip_cursor cursor;
	int count = 0;

	rip_cursor_init(&cursor, &context, false, &memory);
	while (rip_cursor_load(&cursor) == RIP_OK) {
		if (cursor.frame.function != keys[count] * 3)
			return -1;
		if (rip_cursor_step(&cursor) != RIP_OK)
			break;
		count++;
		if (count >= KEYS || cursor.reg[RIP_REG_RIP] != keys[count] ||
		    cursor.reg[RIP_REG_RBX] != expected_rbx[count] ||
		    cursor.reg[RIP_REG_RBP] != expected_rbp[count])
			return -1;
	}
	return count;
}

/* --- Fighting for lines --- */

static bool stop;

static uint32_t next_random(uint32_t *state)
{
	return *state = *state * 1664525u + 1013904223u;
}

/* At any time each line has some key's row. */
static void *write_rows(void *seed)
{
	uint32_t random = (uint32_t)(uintptr_t)seed;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		struct rip_row row = row_of((next_random(&random) >> 8) % KEYS, owner);
		rip_row_put(&row);
	}
	return NULL;
}

static void *mislead(void *seed)
{
	uint32_t random = (uint32_t)(uintptr_t)seed;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		unsigned from = (next_random(&random) >> 8) % KEYS, to = (next_random(&random) >> 8) % KEYS;
		struct rip_row *row = &rip_rows[rip_row_place(keys[from]) + random % RIP_ROW_WAYS];
		uint32_t line = rip_row_place(keys[to]) + (random >> 8) % RIP_ROW_WAYS;
		__atomic_store_n(&row->next, line * (uint32_t)sizeof *row, __ATOMIC_RELAXED);
	}
	return NULL;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fight(void)
{
	pthread_t threads[3];
	long walks = 0, torn = 0, frames = 0;

	for (uintptr_t i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, i < 2 ? write_rows : mislead, (void *)(i + 1));
	for (double end = now() + SECONDS; now() < end;)
		for (int i = 0; i < 1000; i++) {
			/* Copying a line takes longer than reading two words: it is interrupted more often. */
			int by_walk = i % 8 ? 0 : walk(), by_step = step();
			torn += (by_walk < 0) + (by_step < 0);
			frames += (by_walk > 0 ? by_walk : 0) + (by_step > 0 ? by_step : 0);
			walks += 1 + !(i % 8);
		}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	printf("# %ld walks, %ld frames\n", walks, frames);
	tap_equal(torn, 0, "while others rewrite the lines, no walk uses a torn row or another key's");
	tap_ok(frames > walks / 10, "and the lines are used all the same");
}

/* --- Hints --- */

static void set_hints(uint32_t line)
{
	put_two(owner);
	for (unsigned i = 0; i < 2 * RIP_ROW_WAYS; i++)
		rip_rows[rip_row_place(keys[i / RIP_ROW_WAYS]) + i % RIP_ROW_WAYS].next =
			line * (uint32_t)sizeof(struct rip_row);
}

static int walks_with_hint(uint32_t line)
{
	set_hints(line);
	int walked = walk();
	set_hints(line); /* the walk has mended them */
	return walked == 2 && step() == 2;
}

static void wrong_hints(void)
{
	int wrong = 0;

	for (unsigned i = 0; i < KEYS; i++)
		wrong += !walks_with_hint(rip_row_place(keys[i]) + i / SETS % RIP_ROW_WAYS);
	for (uint32_t line = 0; line < RIP_ROWS; line += 997)
		wrong += !walks_with_hint(line);
	tap_equal(wrong, 0, "wrong hints cost time and nothing else");
}

/* What a reader sees if between its two loads the line has held another row, and then the right one again. */
static void strange_hot(void)
{
	struct rip_row *first;

	put_two(owner);
	first = rip_row_find(keys[0], NULL);
	uint64_t own = first->hot;
	for (unsigned i = 1; i < KEYS; i++) {
		first->hot = rip_hot_mix(row_of(i, owner).hot, keys[i]);
		tap_ok(walk() == 0, "the rules of key %u are not used for another", i);
	}
	first->hot = own;
	first->sequence |= 1;
	tap_ok(step() == 0, "a line that is being written is not copied");
	first->sequence++;
	tap_ok(walk() == 2 && step() == 2, "its own rules are used");
}

/* --- Stale rows --- */

static void forgotten(void)
{
	put_two(owner);
	tap_ok(walk() == 2 && step() == 2, "rows of an owner that is valid are used");
	put_two(former_owner);
	tap_ok(walk() == 0 && step() == 0, "and are not when it is gone");
	put_two(owner);
	rip_row_forget_all();
	tap_ok(walk() == 0 && step() == 0, "nor when its number comes again, for which all are forgotten");
}

static void twice(void)
{
	struct rip_row row = row_of(0, former_owner), *found;

	rip_row_put(&row);
	found = rip_row_find(row.key, NULL);
	if (!tap_ok(found != NULL, "a row is found where it was put"))
		return;
	for (unsigned i = 0; i < RIP_ROW_WAYS; i++)
		rip_rows[rip_row_place(row.key) + i] = *found;
	row = row_of(0, owner);
	rip_row_put(&row);
	tap_ok(walk() == 1 && step() == 1, "a new row counts, though other lines had the key, too");
}

static struct table section_with(struct table instructions, uint64_t begin)
{
	struct table t = { .size = 0 };
	struct tb_cie cie = tb_usual_cie();
	struct tb_fde fde = { .cie = tb_cie(&t, &cie), .range = tb_range4((uint32_t)begin, 16),
			      .augmentation = TB(0), .instructions = instructions };
	tb_fde(&t, &fde);
	tb_u32(&t, 0);
	return t;
}

/* Code that was the outermost frame's, and is another function's after it was registered anew. */
static void stale_end(void)
{
	static struct table section;
	struct rip_registry_section registered = { .begin = section.data, .name = section.data };
	struct rip_row first;
	void *object;

	section = section_with(TB(0x0e, 8 * 11, 0x07, 16), keys[1] - 8);
	tap_equal(rip_registry_add(&registered), RIP_OK, "a table with an outermost frame is registered");
	first = row_of(0, owner);
	rip_row_put(&first);
	tap_ok(walk() == 1, "a walk ends there");
	tap_ok(walk() == 1, "and again");
	rip_registry_remove(section.data, &object);
	section = section_with(TB(0x0e, 8 * 11), keys[1] - 8);
	tap_equal(rip_registry_add(&registered), RIP_OK, "another table is registered for the same pc");
	first = row_of(0, owner);
	rip_row_put(&first);
	tap_ok(walk() == 2, "and a walk goes on");
	rip_registry_remove(section.data, &object);
}

int main(void)
{
	choose_keys();
	choose_owners();
	lay_out_stack();
	wrong_hints();
	strange_hot();
	twice();
	stale_end();
	forgotten();
	fight();
	tap_done();
}
