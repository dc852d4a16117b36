/* SPDX-License-Identifier: MIT
 * files: a workload: a small file system in memory, of directories, names and blocks. */
#include "campaign.h"

#include "console.h"

enum { NODES = 24, NAMES = 6, NAME = 8, FILE_BLOCKS = 4, BLOCK = 64, NONE = 0xff };

struct entry {
	char name[NAME];
	uint8_t node;        /* NONE: it is free */
};

struct node {
	bool used, directory;
	uint32_t size;
	uint8_t *block[FILE_BLOCKS]; /* of a file: NULL is zeros */
	struct entry *entries;       /* of a directory: NAMES of them */
};

struct files {
	struct node node[NODES]; /* the first is the root */
};

static void node_empty(struct node *node)
{
	for (unsigned i = 0; i < FILE_BLOCKS; i++)
		task_give(node->block[i]);
	task_give(node->entries);
	*node = (struct node){ .used = false };
}

static void files_give(struct files **files)
{
	for (unsigned i = 0; *files && i < NODES; i++)
		node_empty(&(*files)->node[i]);
	task_give(*files);
}

static uint8_t make_node(struct files *files, bool directory)
{
	for (uint8_t i = 0; i < NODES; i++) {
		struct node *node = &files->node[i];
		if (node->used)
			continue;
		if (directory && !(node->entries = task_take(NAMES * sizeof *node->entries)))
			return NONE;
		for (unsigned at = 0; directory && at < NAMES; at++)
			node->entries[at].node = NONE;
		node->used = true;
		node->directory = directory;
		return i;
	}
	return NONE;
}

static bool same_name(const char *a, const char *b)
{
	for (unsigned i = 0; i < NAME; i++) {
		if (a[i] != b[i])
			return false;
		if (!a[i])
			break;
	}
	return true;
}

static struct entry *find(struct files *files, uint8_t directory, const char *name)
{
	struct node *node = &files->node[directory];

	for (unsigned i = 0; i < NAMES; i++)
		if (node->entries[i].node != NONE && same_name(node->entries[i].name, name))
			return &node->entries[i];
	return NULL;
}

static uint8_t make(struct files *files, uint8_t parent, const char *name, bool directory)
{
	struct node *node = &files->node[parent];

	for (unsigned i = 0; i < NAMES; i++) {
		struct entry *entry = &node->entries[i];
		if (entry->node != NONE)
			continue;
		for (unsigned c = 0; c < NAME - 1 && name[c]; c++)
			entry->name[c] = name[c];
		return entry->node = make_node(files, directory);
	}
	return NONE;
}

static void drop(struct files *files, uint8_t parent, const char *name)
{
	struct entry *entry = find(files, parent, name);

	if (!entry)
		return;
	node_empty(&files->node[entry->node]);
	*entry = (struct entry){ .node = NONE };
}

static bool write_at(struct files *files, uint8_t number, uint32_t offset, const uint8_t *bytes,
		     uint32_t size)
{
	struct node *node = &files->node[number];

	for (uint32_t i = 0; i < size; i++, offset++) {
		uint8_t **block = &node->block[offset / BLOCK];
		if (offset >= FILE_BLOCKS * BLOCK || (!*block && !(*block = task_take(BLOCK))))
			return false;
		(*block)[offset % BLOCK] = bytes[i];
	}
	node->size = offset > node->size ? offset : node->size;
	return true;
}

static uint64_t digest(struct files *files, uint8_t number)
{
	const struct node *node = &files->node[number];
	uint64_t hash = mix(HASH_SEED, node->size);

	for (uint32_t i = 0; i < node->size; i += 5)
		hash = mix(hash, node->block[i / BLOCK] ? node->block[i / BLOCK][i % BLOCK] : 0);
	for (unsigned i = 0; node->directory && i < NAMES; i++)
		if (node->entries[i].node != NONE)
			hash = mix(mix(hash, (uint64_t)node->entries[i].name[0]),
				   digest(files, node->entries[i].node));
	return hash;
}

static uint64_t fill(struct files *files, uint8_t directory)
{
	static const char *const names[] = { "one", "two", "three", "four" };
	static const uint8_t words[] = "what is written here is read again";

	for (unsigned i = 0; i < 4; i++) {
		uint8_t file = make(files, directory, names[i], false);
		if (file == NONE || !write_at(files, file, i * 50, words, sizeof words))
			return 0;
	}
	drop(files, directory, "two");
	return digest(files, directory);
}

static uint64_t keep(struct stage *stage)
{
	struct files *files CLEANUP(files_give) = task_take(sizeof *files);
	uint64_t hash = HASH_SEED;

	(void)stage;
	if (!files || make_node(files, true) != 0)
		return 0;
	for (char name[] = "a"; name[0] < 'd'; name[0]++) {
		uint8_t directory = make(files, 0, name, true);
		if (directory == NONE)
			return 0;
		hash = mix(hash, fill(files, directory));
	}
	return mix(hash, digest(files, 0));
}

const struct workload workload_files = { "files", keep, NULL, 0, 0 };
