/* SPDX-License-Identifier: MIT
 * parser: a workload: text (as in RFC 8259, numbers without sign or point) becomes a tree, and the tree a
 * number. */
#include "campaign.h"

#include "console.h"

static const char text[] = "{\"name\": \"ripcord\", \"list\": [1, 2, [30, 4],"
			   " {\"x\": 5, \"deep\": [[[6]], 70]}],"
			   " \"empty\": {}, \"none\": [],"
			   " \"last\": {\"a\": 8, \"b\": [9, \"ten\", 11]}}";

enum { NODE_NUMBER, NODE_STRING, NODE_LIST, NODE_MAP, NAME = 12, DEPTH = 16 };

struct node {
	uint32_t kind, size;     /* of a string: characters; of a list or map: members */
	uint64_t number;
	char name[NAME];         /* of a string, or of a map's member */
	struct node *first, *next;
};

struct reader {
	const char *at, *end;
	unsigned depth;
};

static void node_give(struct node **node)
{
	struct node *next;

	for (struct node *at = *node; at; at = next) {
		next = at->next;
		node_give(&at->first);
		task_give(at);
	}
}

static char peek(struct reader *reader)
{
	while (reader->at < reader->end && *reader->at == ' ')
		reader->at++;
	return reader->at < reader->end ? *reader->at : 0;
}

static bool accept(struct reader *reader, char c)
{
	if (peek(reader) != c)
		return false;
	reader->at++;
	return true;
}

static bool read_name(struct reader *reader, struct node *node)
{
	if (!accept(reader, '"'))
		return false;
	node->size = 0;
	while (reader->at < reader->end && *reader->at != '"') {
		if (node->size < NAME)
			node->name[node->size++] = *reader->at;
		reader->at++;
	}
	return accept(reader, '"');
}

static bool read_number(struct reader *reader, struct node *node)
{
	char c;

	while (c = peek(reader), c >= '0' && c <= '9') {
		node->number = node->number * 10 + (uint64_t)(c - '0');
		reader->at++;
	}
	return true;
}

static bool read_value(struct reader *reader, struct node *node);

static bool read_members(struct reader *reader, struct node *node, char close)
{
	struct node **at = &node->first;

	if (accept(reader, close))
		return true;
	do {
		if (!(*at = task_take(sizeof **at)))
			return false;
		if (node->kind == NODE_MAP && (!read_name(reader, *at) || !accept(reader, ':')))
			return false;
		if (!read_value(reader, *at))
			return false;
		node->size++;
		at = &(*at)->next;
	} while (accept(reader, ','));
	return accept(reader, close);
}

static bool read_value(struct reader *reader, struct node *node)
{
	bool good;

	if (reader->depth++ == DEPTH)
		return false;
	switch (peek(reader)) {
	case '"':
		node->kind = NODE_STRING;
		good = read_name(reader, node);
		break;
	case '[':
	case '{':
		node->kind = accept(reader, '[') ? NODE_LIST : NODE_MAP;
		good = node->kind == NODE_LIST ? read_members(reader, node, ']') :
						 accept(reader, '{') && read_members(reader, node, '}');
		break;
	default:
		good = read_number(reader, node);
	}
	reader->depth--;
	return good;
}

static uint64_t digest(const struct node *node)
{
	uint64_t hash = mix(HASH_SEED, (uint64_t)node->kind << 32 | node->size);

	for (unsigned i = 0; i < NAME && node->name[i]; i++)
		hash = mix(hash, (uint64_t)node->name[i]);
	hash = mix(hash, node->number);
	for (const struct node *at = node->first; at; at = at->next)
		hash = mix(hash, digest(at));
	return hash;
}

static uint64_t parse(struct stage *stage)
{
	struct reader reader = { text, text + sizeof text - 1, 0 };
	struct node *root CLEANUP(node_give) = task_take(sizeof *root);

	(void)stage;
	return root && read_value(&reader, root) && peek(&reader) == 0 ? digest(root) : 0;
}

const struct workload workload_parser = { "parser", parse, NULL, 0, 0 };
