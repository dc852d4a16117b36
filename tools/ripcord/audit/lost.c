/* SPDX-License-Identifier: MIT
 * lost: calls without a landing pad in the midst of what a pad covers.
 *
 * Such a call has an entry of the call-site table, so the compiler reckoned that it may be stopped; but the entry has no
 * pad. Outside of scopes that is right. (In code that is not compiled to be stopped anywhere, such an entry also holds calls
 * that are known not to throw: that is not looked at. LLVM makes entries of all that lies between two others.) It is a call
 * that has lost its pad if the last entry before it, on the only way there, has one, and the scope of that pad is seen to go
 * on behind the call:
 *   - by a cleanup: a call that `ripcord cc` marked, or one that the pad makes, too; or
 *   - by another entry with the same pad, while nothing was changed in between that the pad reads: the body of a loop may
 *     stand there more than once, and each copy acquire something of its own.
 * Calls that the pad makes somewhere are no such calls, but cleanups that were inlined. */
#include <string.h>

#include "audit.h"

enum { REACH = 64 };

/* The scope of a pad that is looked for, and by what. */
struct scope {
	const struct audit_function *f;
	const struct audit_pad *pad;
	bool by_cleanup;
};

enum sign { SIGN_OPEN, SIGN_NONE, SIGN_END };

/* Runtimes' own functions, which end what they are called in: nobody expects a cleanup there. */
static bool ends_all(const struct audit_function *f, uint32_t i)
{
	static const char *const prefixes[] = { "__cxa_", "_Unwind_", "__stack_chk_fail", "_ZSt9terminate",
						"__clang_call_terminate" };
	const struct audit_symbol *callee = audit_called(f->image, &f->insns.items[i]);
	for (unsigned k = 0; callee && k < sizeof prefixes / sizeof *prefixes; k++)
		if (strncmp(callee->name, prefixes[k], strlen(prefixes[k])) == 0)
			return true;
	return false;
}

/* True if a call at i cleans up. What is marked need not be what the pad calls, since either may have been inlined; a scope
 * that began later would have a poll with a pad of its own before it. Memory may have been handed over, and be given back by
 * hand: that is no cleanup. */
static bool is_cleanup(const struct scope *s, uint32_t i)
{
	const struct audit_symbol *callee = audit_called(s->f->image, &s->f->insns.items[i]);
	if (s->f->notes.items[i].flags & FLAG_MARKED)
		return true;
	if (s->f->insns.items[i].target == 0 || !audit_pad_calls(s->f, s->pad, i, true))
		return false;
	return !callee || (strncmp(callee->name, "_Zd", 3) != 0 && strcmp(callee->name, "free") != 0);
}

/* What an entry with a pad says: the same one, whose cleanup is still to come, or another scope's. */
static enum sign sign_of_entry(const struct scope *s, uint32_t i, bool same)
{
	if (!same || audit_is_cleaning(s->f, i))
		return SIGN_END;
	return !s->by_cleanup && s->pad->calls ? SIGN_OPEN : SIGN_NONE;
}

static enum sign sign_at(const struct scope *s, uint32_t i)
{
	const struct audit_insn *insn = &s->f->insns.items[i];
	uint32_t pad = audit_pad_of(s->f, i);
	bool own = pad != NO_INDEX && &s->f->pads.items[pad] == s->pad;
	if (insn->op == OP_CALL && !own && is_cleanup(s, i))
		return s->by_cleanup ? SIGN_OPEN : SIGN_END;
	if (pad != NO_INDEX)
		return sign_of_entry(s, i, own);
	if (!s->by_cleanup && (insn->writes & s->pad->registers || audit_changes_slot(s->pad, insn)))
		return SIGN_END;
	return insn->op == OP_CALL && audit_pad_calls(s->f, s->pad, i, false) ? SIGN_END : SIGN_NONE;
}

/* The last entry with a pad before i, on the only way there; NO_INDEX where a cleanup has begun since, or none is known. */
static uint32_t entry_before(const struct audit_function *f, uint32_t i)
{
	for (int steps = 0; steps < REACH; steps++) {
		if (f->live.items[i].ways != 1 || f->notes.items[i].flags & FLAG_PAD)
			return NO_INDEX;
		i = f->live.items[i].from;
		if (audit_is_cleaning(f, i))
			return NO_INDEX;
		if (audit_pad_of(f, i) != NO_INDEX)
			return i;
	}
	return NO_INDEX;
}

/* True if nothing between them tells of the scope. */
static bool is_open_before(const struct scope *s, uint32_t entry, uint32_t i)
{
	for (i = s->f->live.items[i].from; i != entry; i = s->f->live.items[i].from)
		if (sign_at(s, i) != SIGN_NONE)
			return false;
	return true;
}

/* True if a way from i leads on in the scope. Only forward in memory: a loop may lead to the scope again. */
static bool is_open_behind(const struct scope *s, uint32_t i)
{
	uint32_t ways[REACH], count = 1, to[2];
	ways[0] = i;
	for (uint32_t at = 0; at < count; at++) {
		enum sign sign = at ? sign_at(s, ways[at]) : SIGN_NONE;
		if (sign == SIGN_OPEN)
			return true;
		for (uint32_t k = sign == SIGN_END ? 0 : audit_successors(s->f, ways[at], to, 2); k-- > 0;)
			if (to[k] > ways[at] && count < REACH)
				ways[count++] = to[k];
	}
	return false;
}

static bool fills_gap(const struct audit_function *f, uint32_t site)
{
	const struct rip_site *s = f->sites.items;
	return site > 0 && site + 1 < f->sites.count && s[site - 1].end == s[site].begin && s[site].end == s[site + 1].begin;
}

bool audit_is_lost(const struct audit_function *f, uint32_t i)
{
	struct scope s = { .f = f };
	uint32_t entry;
	if (f->insns.items[i].op != OP_CALL || f->notes.items[i].site == 0 || audit_pad_of(f, i) != NO_INDEX ||
	    audit_is_cleaning(f, i) || fills_gap(f, f->notes.items[i].site - 1) || (entry = entry_before(f, i)) == NO_INDEX)
		return false;
	s.pad = &f->pads.items[audit_pad_of(f, entry)];
	for (int by = 0; by < 2; by++) {
		s.by_cleanup = by == 0;
		if (is_open_before(&s, entry, i) && is_open_behind(&s, i))
			return !ends_all(f, i) && !audit_pad_calls(f, s.pad, i, false);
	}
	return false;
}
