/* SPDX-License-Identifier: MIT
 * A guest: Duktape with a heap that one cleanup gives back, whatever state the engine is in. Runs the script that is its
 * argument. How a library that knows nothing of stops is made safe: all that it holds, its user holds for it. */
#include <malloc.h>
#include <stddef.h>
#include <string.h>

#include "duktape.h"
#include "ripcord/cleanup.h"

/* A block is freed by the arena's cleanup if it is linked, else by its guard. */
struct block {
	struct block *next, **link;
	max_align_t bytes[];
};
struct arena {
	struct block *first;
};

static void *arena_allocate(void *arena, duk_size_t size)
{
	struct arena *of = arena;
	RIP_AUTO_FREE struct block *block = size ? malloc(sizeof *block + size) : NULL;

	if (!block)
		return NULL;
	block->next = of->first;
	block->link = &of->first;
	if (block->next)
		block->next->link = &block->next;
	of->first = block; /* can fault, and what follows cannot */
	return RIP_TAKE_POINTER(block)->bytes;
}

static void arena_free(void *unused, void *bytes)
{
	RIP_AUTO_FREE struct block *guard = NULL;

	(void)unused;
	if (!bytes)
		return;
	struct block *block = (struct block *)((char *)bytes - offsetof(struct block, bytes)), *next = block->next;
	struct block **link = block->link;
	*link = next;
	guard = block;
	if (next)
		next->link = link;
}

static void *arena_resize(void *arena, void *bytes, duk_size_t size)
{
	void *more = arena_allocate(arena, size);

	if (bytes && (more || size == 0)) {
		struct block *old = (struct block *)((char *)bytes - offsetof(struct block, bytes));
		size_t room = malloc_usable_size(old) - sizeof *old;
		memcpy(more, bytes, size < room ? size : room);
		arena_free(arena, bytes);
	}
	return more;
}

static void drop_arena(struct arena *arena)
{
	while (arena->first) {
		struct block *block = arena->first;
		arena->first = block->next;
		free(block);
	}
}

int main(int argc, char **argv)
{
	RIP_CLEANUP(drop_arena) struct arena arena = { NULL };
	duk_context *js = duk_create_heap(arena_allocate, arena_resize, arena_free, &arena, NULL);

	return !js || (argc > 1 && duk_peval_string(js, argv[1]) != 0);
}
