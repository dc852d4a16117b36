/* SPDX-License-Identifier: MIT
 * unwind: unwind tables that the program registered itself. */
#include "unwind/registered.h"

#include "port/lock.h"
#include "unwind/records.h"
#include "unwind/unwind.h"

/* Each level has a quarter of the nodes of the one below: 12 levels serve 16 million. */
enum { LEVELS = 12, BUCKETS = 4096, ARENA = 256 * 1024, TRIES = 16 };

struct registration;

/* `sequence` is even while the node is in the list. */
struct node {
	uint32_t sequence;
	uint32_t levels;
	uint64_t begin, end;
	uint64_t fde;                 /* its address */
	struct registration *owner;
	struct node *sibling;         /* the next of the same registration, or of the free list */
	struct node *next[];          /* `levels` of them */
};

/* `sequence` is odd while it is in the list of all. */
struct registration {
	struct rip_registry_section named;
	uint32_t sequence;
	struct node *nodes;
	struct registration *chain;   /* of its bucket, or of the free list */
	struct registration *newer, *older; /* of all */
};

static struct rip_lock lock = RIP_LOCK_INIT;
static uint64_t head_storage[(sizeof(struct node) + LEVELS * sizeof(struct node *)) / sizeof(uint64_t)];
static struct registration *buckets[BUCKETS], *free_registrations, *newest;
static struct node *free_nodes[LEVELS + 1];
static uint8_t *arena, *arena_end;
static uint64_t version;             /* counts changes; odd during one */
static uint64_t random_state = 0x9e3779b97f4a7c15u;

/* Starts below every pc. */
static struct node *head(void)
{
	return (struct node *)head_storage;
}

/* --- Memory: never given back, so that a late reader finds nodes where nodes were --- */

static void *allocate(size_t size)
{
	if ((size_t)(arena_end - arena) < size) {
		uint8_t *map;
		if (rip_port_reserve(ARENA, &map) != RIP_OK)
			return NULL;
		if (rip_port_open(map, ARENA) != RIP_OK) {
			rip_port_unmap(map, ARENA);
			return NULL;
		}
		arena = map;
		arena_end = map + ARENA;
	}
	void *taken = arena;
	arena += size;
	return taken;
}

static uint32_t random_levels(void)
{
	uint32_t levels = 1;

	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	for (uint64_t bits = random_state; levels < LEVELS && (bits & 3) == 0; bits >>= 2)
		levels++;
	return levels;
}

static struct node *new_node(void)
{
	uint32_t levels = random_levels();
	struct node *node = free_nodes[levels];

	if (node) {
		free_nodes[levels] = node->sibling;
		return node;
	}
	node = allocate(sizeof *node + levels * sizeof node->next[0]);
	if (node) {
		node->sequence = 1;
		node->levels = levels;
	}
	return node;
}

static void free_node(struct node *node)
{
	node->sibling = free_nodes[node->levels];
	free_nodes[node->levels] = node;
}

static struct registration *new_registration(void)
{
	struct registration *registration = free_registrations;

	if (registration)
		free_registrations = registration->chain;
	else
		registration = allocate(sizeof *registration); /* all 0 */
	return registration;
}

static void free_registration(struct registration *registration)
{
	registration->chain = free_registrations;
	free_registrations = registration;
}

/* --- The skip list --- */

static struct node *next_of(const struct node *node, uint32_t level)
{
	return __atomic_load_n(&node->next[level], __ATOMIC_ACQUIRE);
}

/* For each level the last node that starts below `limit`. */
static void find_before(uint64_t limit, struct node *before[LEVELS])
{
	struct node *at = head();

	for (uint32_t level = LEVELS; level-- > 0;) {
		for (struct node *next = next_of(at, level); next && next->begin < limit;
		     next = next_of(at, level))
			at = next;
		before[level] = at;
	}
}

/* Bottom up, so that a reader that comes upon the node finds the rest of the list behind it. Of those that start at one
 * pc the newest comes last, where readers look. */
static void link_node(struct node *node)
{
	struct node *before[LEVELS];

	find_before(node->begin + 1, before);
	for (uint32_t level = 0; level < node->levels; level++)
		node->next[level] = next_of(before[level], level);
	__atomic_store_n(&node->sequence, node->sequence + 1, __ATOMIC_RELEASE);
	for (uint32_t level = 0; level < node->levels; level++)
		__atomic_store_n(&before[level]->next[level], node, __ATOMIC_RELEASE);
}

/* Several nodes may start at one pc: the right one is behind the last that starts below. */
static void unlink_node(struct node *node)
{
	struct node *before[LEVELS];

	find_before(node->begin, before);
	for (uint32_t level = node->levels; level-- > 0;) {
		struct node *at = before[level];
		while (next_of(at, level) && next_of(at, level) != node)
			at = next_of(at, level);
		if (next_of(at, level) == node)
			__atomic_store_n(&at->next[level], node->next[level], __ATOMIC_RELEASE);
	}
	__atomic_store_n(&node->sequence, node->sequence + 1, __ATOMIC_RELEASE);
}

static void begin_change(void)
{
	__atomic_store_n(&version, version + 1, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void end_change(void)
{
	__atomic_store_n(&version, version + 1, __ATOMIC_RELEASE);
}

/* --- Registering --- */

static struct registration **bucket_of(const void *name)
{
	return &buckets[((uintptr_t)name * 0x9e3779b97f4a7c15u) >> 52];
}

static void drop_nodes(struct registration *registration)
{
	while (registration->nodes) {
		struct node *node = registration->nodes;
		registration->nodes = node->sibling;
		free_node(node);
	}
}

static rip_status add_node(struct registration *registration, const struct rip_fde *fde)
{
	struct node *node = new_node();

	if (!node)
		return RIP_E_NOMEM;
	node->begin = fde->pc_begin;
	node->end = fde->pc_end;
	node->fde = fde->address;
	node->owner = registration;
	node->sibling = registration->nodes;
	registration->nodes = node;
	return RIP_OK;
}

/* Makes the nodes of all FDEs, not yet linked, up to the end or to what cannot be understood. What begins with an FDE
 * is that one alone, as LLVM's libunwind has it: programs register the next ones as well. Where they do not, as
 * libgcc_s has it, those are found without nodes. */
static rip_status make_nodes(struct registration *registration)
{
	const struct rip_registry_section *named = &registration->named;
	struct rip_cfi_section section;
	struct rip_records walk;
	struct rip_fde fde;
	rip_status status;

	bool alone = rip_records_is_fde((uintptr_t)named->begin);
	rip_records_start(&walk, (uintptr_t)named->begin, &named->bases, UINT32_MAX);
	do {
		status = rip_records_next(&walk, &section, &fde);
		if (status == RIP_OK && add_node(registration, &fde) != RIP_OK)
			return RIP_E_NOMEM;
	} while (status == RIP_OK && !alone);
	return registration->nodes || status == RIP_E_END ? RIP_OK : status;
}

/* Readers look at the list of registrations too, where a node does not tell. */
static void list_registration(struct registration *registration)
{
	registration->newer = NULL;
	registration->older = newest;
	if (newest)
		newest->newer = registration;
	__atomic_store_n(&registration->sequence, registration->sequence + 1, __ATOMIC_RELEASE);
	__atomic_store_n(&newest, registration, __ATOMIC_RELEASE);
}

static void unlist_registration(struct registration *registration)
{
	struct registration *older = registration->older, *newer = registration->newer;

	if (older)
		older->newer = newer;
	__atomic_store_n(newer ? &newer->older : &newest, older, __ATOMIC_RELEASE);
	__atomic_store_n(&registration->sequence, registration->sequence + 1, __ATOMIC_RELEASE);
}

static rip_status add_locked(struct registration *registration)
{
	rip_status status = make_nodes(registration);

	if (status != RIP_OK) {
		drop_nodes(registration);
		return status;
	}
	begin_change();
	for (struct node *node = registration->nodes; node; node = node->sibling)
		link_node(node);
	list_registration(registration);
	end_change();
	struct registration **bucket = bucket_of(registration->named.name);
	registration->chain = *bucket;
	*bucket = registration;
	return RIP_OK;
}

rip_status rip_registry_add(const struct rip_registry_section *section)
{
	rip_lock_take(&lock);
	struct registration *registration = new_registration();
	if (!registration) {
		rip_lock_give(&lock);
		return RIP_E_NOMEM;
	}
	registration->named = *section;
	registration->nodes = NULL;
	rip_status status = add_locked(registration);
	if (status != RIP_OK)
		free_registration(registration);
	rip_lock_give(&lock);
	return status;
}

static void remove_locked(struct registration **link)
{
	struct registration *registration = *link;

	*link = registration->chain;
	begin_change();
	for (struct node *node = registration->nodes; node; node = node->sibling)
		unlink_node(node);
	unlist_registration(registration);
	end_change();
	drop_nodes(registration);
	free_registration(registration);
}

static struct registration **find_named(const void *name)
{
	struct registration **link = bucket_of(name);

	while (*link && (*link)->named.name != name)
		link = &(*link)->chain;
	return link;
}

rip_status rip_registry_remove(const void *name, void **object_ret)
{
	bool found = false, more = true;

	rip_lock_take(&lock);
	while (more) {
		struct registration **link = find_named(name);
		if (!*link)
			break;
		found = true;
		more = (*link)->named.more;
		*object_ret = (*link)->named.object;
		remove_locked(link);
	}
	rip_lock_give(&lock);
	return found ? RIP_OK : RIP_E_NOFDE;
}

/* --- Forks --- */

void rip_registry_before_fork(void)
{
	rip_lock_take(&lock);
}

void rip_registry_after_fork(void)
{
	rip_lock_give(&lock);
}

/* --- Finding --- */

/* The node that starts last at or below pc. Bounded: nodes that are used again under the reader could lead it
 * in circles. */
static struct node *descend(uint64_t pc)
{
	enum { STEPS = 1 << 20 };
	struct node *at = head();
	uint32_t steps = 0;

	for (uint32_t level = LEVELS; level-- > 0;)
		for (struct node *next = next_of(at, level); next && next->begin <= pc && steps++ < STEPS;
		     next = next_of(at, level))
			at = next;
	return at == head() ? NULL : at;
}

/* Copies what the node names. False if it was changed meanwhile or does not cover pc. */
static bool copy_node(const struct node *node, uint64_t pc, uint64_t *fde, struct rip_pointer_bases *bases)
{
	uint32_t sequence = __atomic_load_n(&node->sequence, __ATOMIC_ACQUIRE);

	if ((sequence & 1) || pc < node->begin || pc >= node->end)
		return false;
	*bases = node->owner->named.bases;
	*fde = node->fde;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&node->sequence, __ATOMIC_RELAXED) == sequence;
}

static bool covers(const struct rip_fde *fde, uint64_t pc)
{
	return fde->pc_begin != 0 && pc >= fde->pc_begin && pc < fde->pc_end;
}

/* By the node, if the table still says there what it said when it was registered. */
static bool find_by_node(uint64_t pc, struct rip_cfi_section *section, struct rip_fde *fde)
{
	struct rip_pointer_bases bases;
	struct rip_records walk;
	uint64_t address;

	struct node *node = descend(pc);
	if (!node || !copy_node(node, pc, &address, &bases))
		return false;
	rip_records_start(&walk, address, &bases, 1);
	return rip_records_next(&walk, section, fde) == RIP_OK && covers(fde, pc);
}

static bool copy_registration(const struct registration *registration, uint64_t *begin, struct rip_pointer_bases *bases)
{
	uint32_t sequence = __atomic_load_n(&registration->sequence, __ATOMIC_ACQUIRE);

	*begin = (uintptr_t)registration->named.begin;
	*bases = registration->named.bases;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return (sequence & 1) && __atomic_load_n(&registration->sequence, __ATOMIC_RELAXED) == sequence;
}

/* In the tables as they are now: what was added to them or changed since, or follows an FDE that was registered alone.
 * Bounded, as every walk through code without any table comes here: the newest TABLES, and RECORDS in them. */
static bool find_in_tables(uint64_t pc, struct rip_cfi_section *section, struct rip_fde *fde)
{
	enum { TABLES = 1024, RECORDS = 16384 };
	const struct registration *registration = __atomic_load_n(&newest, __ATOMIC_ACQUIRE);
	uint32_t budget = RECORDS, tables = TABLES;
	struct rip_records walk;
	struct rip_pointer_bases bases;
	uint64_t begin;

	for (; registration && tables-- > 0 && budget > 0;
	     registration = __atomic_load_n(&registration->older, __ATOMIC_ACQUIRE)) {
		if (!copy_registration(registration, &begin, &bases))
			continue;
		rip_records_start(&walk, begin, &bases, budget);
		while (rip_records_next(&walk, section, fde) == RIP_OK)
			if (covers(fde, pc))
				return true;
		budget = walk.budget;
	}
	return false;
}

/* Not by what a reader was misled to: again if anything was changed meanwhile. */
rip_status rip_registry_find(uint64_t pc, struct rip_known_module *module_ret, struct rip_fde *fde_ret)
{
	struct rip_known_module module = { .owner = RIP_OWNER_NONE };
	struct rip_fde fde;

	for (int tries = 0; tries < TRIES; tries++) {
		uint64_t before = __atomic_load_n(&version, __ATOMIC_ACQUIRE);
		if (find_by_node(pc, &module.section, &fde) || find_in_tables(pc, &module.section, &fde)) {
			*module_ret = module;
			*fde_ret = fde;
			return RIP_OK;
		}
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(before & 1) && __atomic_load_n(&version, __ATOMIC_RELAXED) == before)
			return RIP_E_NOFDE;
	}
	return RIP_E_NOFDE;
}
