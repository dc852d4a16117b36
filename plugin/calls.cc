/* SPDX-License-Identifier: MIT
 * calls: who calls whom in this unit, for polls at the entry of functions that recurse.
 *
 * A loop has a poll at its back edge. Recursion has its back edges in the call graph: on each circle of
 * direct calls one function at least polls at its entry, the largest first, as it costs least there. There
 * an argument may be in flight: given up by the caller, not yet in a guard of the callee. So a function
 * that takes what it is given has none: one that says so (ripcord_takes), that begins a guard with a
 * parameter, or that hands a parameter on to such a one. Known by declaration, from each function's whole
 * body before the first is lowered. */
#include "ripcord_plugin.h"

#include "stringpool.h"
#include "attribs.h"

namespace ripcord {

namespace {

struct caller {
	vec<tree> callees;
	vec<tree> given;   /* those of them that get one of its parameters as it is */
	bool takes;
	int number, low;   /* Tarjan's: order of the visit, and the earliest one that can be reached */
	bool open, polls;
};

typedef int_hash<unsigned, UINT_MAX, UINT_MAX - 1> uid_hash;
hash_map<uid_hash, caller *> callers;
bool stale;                /* something was noted since polls and takes were computed */

caller *find(tree function)
{
	caller **found = callers.get(DECL_UID(function));
	return found ? *found : NULL;
}

bool is_parameter(tree value)
{
	while (CONVERT_EXPR_P(value) || TREE_CODE(value) == NON_LVALUE_EXPR)
		value = TREE_OPERAND(value, 0);
	return TREE_CODE(value) == PARM_DECL;
}

void note_call(caller *c, tree call)
{
	tree callee = get_callee_fndecl(call);
	call_expr_arg_iterator i;
	tree argument;
	bool given = false;

	if (!callee)
		return;
	FOR_EACH_CALL_EXPR_ARG(argument, i, call)
		given |= is_parameter(argument);
	c->callees.safe_push(callee);
	if (given)
		c->given.safe_push(callee);
}

tree note(tree *node, int *, void *data)
{
	caller *c = (caller *)data;
	if (TREE_CODE(*node) == CALL_EXPR)
		note_call(c, *node);
	else if (VAR_P(*node) && DECL_INITIAL(*node) && is_parameter(DECL_INITIAL(*node)) &&
		 lookup_attribute("cleanup", DECL_ATTRIBUTES(*node)))
		c->takes = true;
	return NULL_TREE;
}

/* --- Circles: Tarjan's strongly connected components, of functions that do not poll yet ------- */

int visits;
bool found;
auto_vec<caller *> path;

bool calls(const caller *c, const caller *other)
{
	tree function;
	unsigned n;
	FOR_EACH_VEC_ELT(c->callees, n, function)
		if (find(function) == other)
			return true;
	return false;
}

bool is_better(const caller *c, const caller *other)
{
	if (!other || c->takes != other->takes)
		return !other || other->takes;
	return c->callees.length() > other->callees.length();
}

/* A whole component is on top of the path. Its largest member polls from now on, if it is a circle; one
 * that takes stays without, if there is no other. */
void close(caller *root)
{
	caller *member, *largest = NULL;
	bool circle = path.last() != root || calls(root, root);
	do {
		member = path.pop();
		member->open = false;
		if (is_better(member, largest))
			largest = member;
	} while (member != root);
	largest->polls = circle;
	found |= circle;
}

void visit(caller *c)
{
	tree function;
	unsigned n;

	c->number = c->low = ++visits;
	c->open = true;
	path.safe_push(c);
	FOR_EACH_VEC_ELT(c->callees, n, function) {
		caller *callee = find(function);
		if (!callee || callee->polls)
			continue;
		if (callee->number == 0)
			visit(callee);
		if (callee->open && callee->low < c->low)
			c->low = callee->low;
	}
	if (c->low == c->number)
		close(c);
}

void break_circles()
{
	do {
		found = false;
		for (auto entry : callers)
			entry.second->number = 0;
		for (auto entry : callers)
			if (entry.second->number == 0 && !entry.second->polls)
				visit(entry.second);
	} while (found);
}

/* --- Who takes: handed on from callee to caller ----------------------------------------------- */

bool says_takes(tree function)
{
	return lookup_attribute("ripcord_takes", DECL_ATTRIBUTES(function)) != NULL_TREE;
}

bool hands_on(const caller *c)
{
	tree function;
	unsigned n;
	FOR_EACH_VEC_ELT(c->given, n, function) {
		const caller *callee = find(function);
		if (says_takes(function) || (callee && callee->takes))
			return true;
	}
	return false;
}

void compute()
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (auto entry : callers)
			if (!entry.second->takes && hands_on(entry.second))
				changed = entry.second->takes = true;
	}
	break_circles();
	stale = false;
}

} // namespace

void note_callees(tree function)
{
	caller *&c = callers.get_or_insert(DECL_UID(function));
	if (c)
		return;
	c = XCNEW(caller);
	c->takes = says_takes(function);
	walk_tree_without_duplicates(&DECL_SAVED_TREE(function), note, c);
	stale = true;
}

bool polls_at_entry(tree function)
{
	if (stale)
		compute();
	const caller *c = find(function);
	return c && c->polls && !c->takes;
}

} // namespace ripcord
