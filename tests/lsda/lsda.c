/* SPDX-License-Identifier: MIT
 * lsda: headers, call sites, actions and types, right ones and damaged ones. */
#include "lsda/lsda.h"
#include "table_builder.h"
#include "tap.h"

enum { FUNCTION = 0x4000 };

static const struct rip_pointer_bases no_bases;

struct parts {
	struct table pad_base, sites, actions, types; /* types: from the last one to the first */
	uint8_t site_encoding, type_encoding;
};

static struct table build(const struct parts *p)
{
	struct table t = { .size = 0 };
	size_t behind;
	tb_append(&t, &p->pad_base);
	tb_u8(&t, p->type_encoding);
	if (p->type_encoding != RIP_PE_OMIT) {
		behind = 2 + (p->sites.size >= 0x80) + p->sites.size;
		tb_uleb(&t, behind + p->actions.size + p->types.size);
	}
	tb_u8(&t, p->site_encoding);
	tb_uleb(&t, p->sites.size);
	tb_append(&t, &p->sites);
	tb_append(&t, &p->actions);
	tb_append(&t, &p->types);
	return t;
}

/* Three sites: [0x10,0x20) no pad, [0x20,0x30) a cleanup, [0x40,0x48) an action. */
static struct parts usual(void)
{
	return (struct parts){ TB(0xff), TB(0x10, 0x10, 0, 0, 0x20, 0x10, 0x60, 0, 0x40, 8, 0x70, 1),
			       TB(1, 0), TB(9, 0, 0, 0), 0x01, 0x03 };
}

static struct table bytes_in_use; /* what the decoded area borrows */

static rip_status decode(const struct parts *p, struct rip_lsda *lsda_ret)
{
	struct rip_bytes bytes;
	bytes_in_use = build(p);
	bytes = tb_view(&bytes_in_use);
	return rip_lsda_read(&bytes, FUNCTION, &no_bases, lsda_ret);
}

static void test_header(void)
{
	struct parts p = usual();
	struct rip_lsda lsda;
	tap_equal(decode(&p, &lsda), RIP_OK, "GCC's usual area");
	tap_ok(lsda.function == FUNCTION && lsda.pad_base == FUNCTION, "pads count from the function");
	tap_ok(lsda.sites.size == 12 && lsda.actions.data[0] == 1, "its tables");
	tap_equal((long long)lsda.type_base, (long long)(TB_ADDRESS + bytes_in_use.size), "its types' end");
	p.pad_base = TB(0x03, 0, 0x80, 0, 0);
	decode(&p, &lsda);
	tap_equal((long long)lsda.pad_base, 0x8000, "a base of the pads' own");
	p.type_encoding = RIP_PE_OMIT;
	tap_equal(decode(&p, &lsda), RIP_OK, "no types");
	tap_equal((long long)lsda.type_base, 0, "have no end");
}

static void test_header_errors(void)
{
	struct parts p = usual();
	struct rip_bytes bytes;
	struct rip_lsda lsda;
	p.site_encoding = 0x1b;
	tap_equal(decode(&p, &lsda), RIP_E_ENCODING, "call sites that count from themselves");
	p.site_encoding = 0x0f;
	tap_equal(decode(&p, &lsda), RIP_OK, "an unknown format shows");
	tap_equal(rip_lsda_site(&lsda, FUNCTION, &(struct rip_site){ 0 }), RIP_E_ENCODING, "at the first entry");
	p = usual();
	p.pad_base = TB(0x83, 0, 0x80, 0, 0);
	tap_equal(decode(&p, &lsda), RIP_E_ENCODING, "an indirect base of the pads");
	bytes_in_use = TB(0xff, 0x03, 3, 0x01, 4, 1, 1, 1, 1);
	bytes = tb_view(&bytes_in_use);
	tap_equal(rip_lsda_read(&bytes, FUNCTION, &no_bases, &lsda), RIP_E_LSDA, "types amid the call sites");
	bytes_in_use = TB(0xff, 0x03, 100, 0x01, 0);
	bytes = tb_view(&bytes_in_use);
	tap_equal(rip_lsda_read(&bytes, FUNCTION, &no_bases, &lsda), RIP_E_TRUNCATED, "types past the end");
	bytes_in_use = TB(0xff, 0xff, 0x01, 5, 0);
	bytes = tb_view(&bytes_in_use);
	tap_equal(rip_lsda_read(&bytes, FUNCTION, &no_bases, &lsda), RIP_E_TRUNCATED, "call sites past it");
	bytes_in_use = TB(0xff, 0x03, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 4, 1, 0);
	bytes = tb_view(&bytes_in_use);
	tap_equal(rip_lsda_read(&bytes, FUNCTION, &no_bases, &lsda), RIP_E_OVERFLOW, "a distance of 65 bits");
}

/* --- Call sites --- */

struct site_case {
	uint64_t pc;
	struct rip_site site;
};

static void check_site(const struct rip_lsda *lsda, const struct site_case *c)
{
	struct rip_site got;
	tap_equal(rip_lsda_site(lsda, FUNCTION + c->pc, &got), RIP_OK, "a pc of the function");
	tap_equal(got.kind, c->site.kind, "  its kind");
	tap_ok(got.begin == FUNCTION + c->site.begin && got.end == FUNCTION + c->site.end, "  its range");
	if (c->site.kind == RIP_SITE_PAD) {
		tap_equal((long long)got.pad, (long long)(FUNCTION + c->site.pad), "  its pad");
		tap_equal((long long)got.action, (long long)c->site.action, "  its action");
	}
}

static void test_sites(void)
{
	const struct rip_site first_gap = { RIP_SITE_GAP, 0, 0x10 }, none = { RIP_SITE_NONE, 0x10, 0x20 };
	const struct rip_site cleanup = { RIP_SITE_PAD, 0x20, 0x30, 0x60, 0 };
	const struct rip_site gap = { RIP_SITE_GAP, 0x30, 0x40 };
	const struct rip_site handler = { RIP_SITE_PAD, 0x40, 0x48, 0x70, 1 };
	const struct rip_site last_gap = { RIP_SITE_GAP, 0x48, UINT64_MAX - FUNCTION };
	const struct site_case cases[] = {
		{ 0, first_gap }, { 0x0f, first_gap }, { 0x10, none }, { 0x1f, none }, { 0x20, cleanup },
		{ 0x2f, cleanup }, { 0x30, gap }, { 0x3f, gap }, { 0x40, handler }, { 0x47, handler },
		{ 0x48, last_gap }, { 0x1000, last_gap },
	};
	struct parts p = usual();
	struct rip_lsda lsda;
	struct rip_site got;
	decode(&p, &lsda);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_site(&lsda, &cases[i]);
	tap_equal(rip_lsda_site(&lsda, FUNCTION - 1, &got), RIP_E_ARGUMENT, "a pc before the function");
}

static void test_site_encodings(void)
{
	struct parts p = usual();
	struct rip_lsda lsda;
	struct rip_site got;
	p.site_encoding = 0x03;
	p.sites = TB(0x20, 0, 0, 0, 0x10, 0, 0, 0, 0x60, 0, 0, 0, 3);
	p.pad_base = TB(0x03, 0, 0x80, 0, 0);
	decode(&p, &lsda);
	tap_equal(rip_lsda_site(&lsda, FUNCTION + 0x20, &got), RIP_OK, "call sites as udata4");
	tap_ok(got.kind == RIP_SITE_PAD && got.action == 3, "  their action is a LEB128 all the same");
	tap_equal((long long)got.pad, 0x8060, "  their pad counts from its own base");
	p.sites.size = 0;
	decode(&p, &lsda);
	tap_equal(rip_lsda_site(&lsda, FUNCTION, &got), RIP_OK, "no call sites");
	tap_ok(got.kind == RIP_SITE_GAP && got.begin == FUNCTION && got.end == UINT64_MAX, "  are one gap");
}

struct bad_sites {
	struct table sites;
	rip_status status;
	const char *name;
};

static void test_site_errors(void)
{
	const struct bad_sites cases[] = {
		{ TB(0x20, 0x10, 0, 0, 0x10, 0x10, 0, 0), RIP_E_LSDA, "sites in descending order" },
		{ TB(0x10, 0x10, 0, 0, 0x1f, 0x10, 0, 0), RIP_E_LSDA, "sites that overlap" },
		{ TB(0x10, 0x10, 0), RIP_E_TRUNCATED, "a site without its action" },
		{ TB(0x10, 0x80), RIP_E_TRUNCATED, "a site that is cut" },
		{ TB(0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0), RIP_E_OVERFLOW,
		  "a site past the last address" },
		{ TB(0x10, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0), RIP_E_OVERFLOW,
		  "a pad past the last address" },
		{ TB(0x10, 4, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2), RIP_E_OVERFLOW,
		  "an action of 65 bits" },
		{ TB(0x10, 0, 0x30, 0, 0x10, 0x10, 0, 0), RIP_OK, "an empty site is passed over" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct parts p = usual();
		struct rip_lsda lsda;
		struct rip_site got = { .action = 77 };
		p.sites = cases[i].sites;
		decode(&p, &lsda);
		tap_equal(rip_lsda_site(&lsda, FUNCTION + 0x7f, &got), cases[i].status, cases[i].name);
		if (cases[i].status != RIP_OK)
			tap_equal((long long)got.action, 77, "  the result is untouched");
	}
}

/* --- Actions --- */

struct action_case {
	struct table actions;
	uint64_t action;
	enum rip_action_kind kind;
	int64_t selector;
	const char *name;
};

/* Types: 1 is a class, 2 is null. */
static struct parts with_actions(const struct table *actions)
{
	struct parts p = usual();
	p.actions = *actions;
	p.types = TB(0, 0, 0, 0, 9, 0, 0, 0);
	return p;
}

static void check_action(const struct action_case *c)
{
	struct parts p = with_actions(&c->actions);
	struct rip_site site = { .kind = RIP_SITE_PAD, .action = c->action };
	struct rip_lsda lsda;
	struct rip_action got;
	decode(&p, &lsda);
	tap_equal(rip_lsda_action(&lsda, &site, &got), RIP_OK, c->name);
	tap_equal(got.kind, c->kind, "  its kind");
	tap_equal(got.selector, c->selector, "  its selector");
}

static void test_actions(void)
{
	const struct action_case cases[] = {
		{ TB(1, 0), 0, RIP_ACTION_CLEANUP, 0, "no action: a cleanup" },
		{ TB(0, 0), 1, RIP_ACTION_CLEANUP, 0, "filter 0: a cleanup" },
		{ TB(1, 0), 1, RIP_ACTION_SKIP, 0, "a typed handler" },
		{ TB(0x7f, 0), 1, RIP_ACTION_SKIP, 0, "an exception specification" },
		{ TB(2, 0), 1, RIP_ACTION_CATCH_ALL, 2, "a null type" },
		{ TB(1, 1, 2, 0), 1, RIP_ACTION_CATCH_ALL, 2, "a typed handler, then catch-all" },
		{ TB(1, 1, 0, 0), 1, RIP_ACTION_CLEANUP, 0, "a typed handler, then a cleanup" },
		{ TB(2, 1, 0, 0), 1, RIP_ACTION_CATCH_ALL, 2, "catch-all, then a cleanup" },
		{ TB(0x7f, 1, 1, 1, 0, 0), 1, RIP_ACTION_CLEANUP, 0, "a specification, a type, a cleanup" },
		{ TB(0, 0, 1, 0x7d), 3, RIP_ACTION_CLEANUP, 0, "a chain that goes backwards" },
		{ TB(1, 0, 1, 0x7d), 3, RIP_ACTION_SKIP, 0, "and ends in a typed handler" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_action(&cases[i]);
}

struct bad_action {
	struct table actions;
	uint64_t action;
	rip_status status;
	const char *name;
};

static void test_action_errors(void)
{
	const struct bad_action cases[] = {
		{ TB(1, 0x7f), 1, RIP_E_LSDA, "a chain that goes round" },
		{ TB(1, 1, 1, 0x7d), 1, RIP_E_LSDA, "a chain of two that goes round" },
		{ TB(1, 0x70), 1, RIP_E_LSDA, "a chain that leaves the table at its start" },
		{ TB(1, 0x3f), 1, RIP_E_LSDA, "a chain that leaves the table at its end" },
		{ TB(60, 0), 1, RIP_E_LSDA, "a type that is not there" },
		{ TB(1, 0), 1000, RIP_E_TRUNCATED, "an action that is not there" },
		{ TB(1, 0), UINT64_MAX, RIP_E_TRUNCATED, "an action far away" },
		{ TB(1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 4), 1, RIP_E_OVERFLOW,
		  "a distance of 65 bits" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct parts p = with_actions(&cases[i].actions);
		struct rip_site site = { .kind = RIP_SITE_PAD, .action = cases[i].action };
		struct rip_action got = { .selector = 77 };
		struct rip_lsda lsda;
		decode(&p, &lsda);
		tap_equal(rip_lsda_action(&lsda, &site, &got), cases[i].status, cases[i].name);
		tap_equal(got.selector, 77, "  the result is untouched");
	}
}

/* Records that each lead to the next: `count` of typed handlers. */
static rip_status walk_chain(int count)
{
	static uint8_t chain[2 * 4097];
	struct parts p = usual();
	struct rip_site site = { .kind = RIP_SITE_PAD, .action = 1 };
	struct rip_lsda lsda;
	struct rip_action got;
	decode(&p, &lsda);
	memset(chain, 1, sizeof(chain));
	chain[2 * count - 1] = 0;
	lsda.actions = (struct rip_bytes){ chain, sizeof(chain), 0 };
	return rip_lsda_action(&lsda, &site, &got);
}

static void test_limits(void)
{
	struct parts p = usual();
	struct rip_site gap = { .kind = RIP_SITE_GAP };
	struct rip_lsda lsda;
	struct rip_action got;
	decode(&p, &lsda);
	tap_equal(rip_lsda_action(&lsda, &gap, &got), RIP_E_ARGUMENT, "a gap has no action");
	tap_equal(walk_chain(4096), RIP_OK, "a chain of 4,096 records");
	tap_equal(walk_chain(4097), RIP_E_LSDA, "one of 4,097 is too long");
}

/* --- Types --- */

static void test_types(void)
{
	struct parts p = usual();
	struct rip_lsda lsda;
	struct rip_pointer type;
	p.types = TB(0, 0, 0, 0, 9, 0, 0, 0);
	decode(&p, &lsda);
	tap_equal(rip_lsda_type(&lsda, 1, &type), RIP_OK, "type 1");
	tap_equal((long long)type.value, 9, "  is the last of the table");
	tap_equal(rip_lsda_type(&lsda, 2, &type), RIP_OK, "type 2");
	tap_equal((long long)type.value, 0, "  is the one before");
	tap_equal(rip_lsda_type(&lsda, 0, &type), RIP_E_LSDA, "there is no type 0");
	tap_equal(rip_lsda_type(&lsda, UINT64_MAX / 4 + 2, &type), RIP_E_LSDA, "nor one that wraps");
	p.type_encoding = 0x9b;
	decode(&p, &lsda);
	rip_lsda_type(&lsda, 1, &type);
	tap_ok(type.indirect && type.value == lsda.type_base - 4 + 9, "indirect pcrel, as in shared objects");
	p.type_encoding = 0x00;
	p.types = TB(1, 2, 3, 4, 5, 6, 7, 8);
	decode(&p, &lsda);
	rip_lsda_type(&lsda, 1, &type);
	tap_equal((long long)type.value, 0x0807060504030201, "absptr: 8 bytes each");
	p.type_encoding = 0x0a;
	decode(&p, &lsda);
	rip_lsda_type(&lsda, 2, &type);
	tap_equal((long long)type.value, 0x0605, "sdata2: 2 bytes each");
	p.type_encoding = 0x01;
	decode(&p, &lsda);
	tap_equal(rip_lsda_type(&lsda, 1, &type), RIP_E_ENCODING, "uleb128: no size");
	p.type_encoding = RIP_PE_OMIT;
	decode(&p, &lsda);
	tap_equal(rip_lsda_type(&lsda, 1, &type), RIP_E_LSDA, "no types at all");
}

/* --- Questions --- */

static void test_is_pad(void)
{
	struct parts p = usual();
	struct rip_lsda lsda;
	decode(&p, &lsda);
	tap_ok(rip_lsda_is_pad(&lsda, FUNCTION + 0x60) && rip_lsda_is_pad(&lsda, FUNCTION + 0x70), "both pads are");
	tap_ok(!rip_lsda_is_pad(&lsda, FUNCTION) && !rip_lsda_is_pad(&lsda, FUNCTION + 0x20) &&
	       !rip_lsda_is_pad(&lsda, FUNCTION + 0x61), "the function, a call, the middle of a pad are not");
	p.sites = TB(0x10, 0x10, 0x60, 0, 0x08, 0x10, 0x70, 0, 0x40, 8, 0x75, 0);
	decode(&p, &lsda);
	tap_ok(rip_lsda_is_pad(&lsda, FUNCTION + 0x60) && rip_lsda_is_pad(&lsda, FUNCTION + 0x75), "whatever the order");
	p.sites = TB(0x10, 0x10, 0x60);
	decode(&p, &lsda);
	tap_ok(!rip_lsda_is_pad(&lsda, FUNCTION + 0x60), "nor in an entry that is cut off");
}

/* Behind the types, specifications: of type 1 at -1, then an empty one at -3. */
static void check_questions(struct table actions, uint64_t action, bool cleans_up, bool closed, const char *name)
{
	struct parts p = with_actions(&actions);
	struct rip_site site = { .kind = RIP_SITE_PAD, .action = action };
	struct rip_lsda lsda;
	p.type_encoding = 0x03;
	struct table t = build(&p);
	struct table behind = TB(1, 0, 0);
	tb_append(&t, &behind);
	bytes_in_use = t;
	struct rip_bytes bytes = tb_view(&bytes_in_use);
	tap_equal(rip_lsda_read(&bytes, FUNCTION, &no_bases, &lsda), RIP_OK, name);
	tap_equal(rip_lsda_cleans_up(&lsda, &site), cleans_up, "  cleans up");
	tap_equal(rip_lsda_is_closed(&lsda, &site), closed, "  is closed");
}

static void test_questions(void)
{
	check_questions(TB(1, 0), 0, true, false, "no action");
	check_questions(TB(0, 0), 1, true, false, "a cleanup in the table");
	check_questions(TB(1, 0), 1, false, false, "a handler");
	check_questions(TB(1, 1, 0, 0), 1, true, false, "a handler, then a cleanup");
	check_questions(TB(0x7f, 0), 1, false, false, "throw(a class)");
	check_questions(TB(0x7d, 0), 1, false, true, "throw()");
	check_questions(TB(1, 1, 0x7d, 0), 1, false, true, "a handler, then throw()");
	check_questions(TB(0x7d, 1, 0, 0), 1, true, true, "throw(), then a cleanup");
	check_questions(TB(0x41, 0), 1, false, false, "a specification that is not there");
	check_questions(TB(1, 0x7f), 1, false, false, "a chain in a circle");
	check_questions(TB(1, 0), 90, false, false, "an action that is not there");
	struct rip_lsda lsda;
	struct parts p = usual();
	decode(&p, &lsda);
	struct rip_site none = { .kind = RIP_SITE_NONE, .action = 0 };
	tap_ok(!rip_lsda_cleans_up(&lsda, &none) && !rip_lsda_is_closed(&lsda, &none), "no pad: neither");
}

/* --- Truncation --- */

static bool is_allowed(rip_status status)
{
	return status == RIP_OK || status == RIP_E_TRUNCATED || status == RIP_E_LSDA;
}

static int touch(struct rip_bytes bytes)
{
	struct rip_lsda lsda;
	rip_status status = rip_lsda_read(&bytes, FUNCTION, &no_bases, &lsda);
	int wrong = !is_allowed(status);
	for (uint64_t pc = 0; status == RIP_OK && pc < 0x80; pc++) {
		struct rip_site site;
		struct rip_action action;
		wrong += !is_allowed(rip_lsda_site(&lsda, FUNCTION + pc, &site));
		if (site.kind == RIP_SITE_PAD)
			wrong += !is_allowed(rip_lsda_action(&lsda, &site, &action));
	}
	return wrong;
}

static void test_truncation(void)
{
	struct tb_guarded guard = tb_guarded_create();
	int wrong = 0;
	for (int types = 0; types < 2; types++) {
		struct parts p = usual();
		struct table t;
		p.type_encoding = types ? 0x9b : RIP_PE_OMIT;
		t = build(&p);
		for (size_t size = 0; size <= t.size; size++)
			wrong += touch(tb_guarded_copy(&guard, &t, size));
	}
	tap_equal(wrong, 0, "an area cut anywhere is TRUNCATED or shorter");
	tb_guarded_destroy(&guard);
}

int main(void)
{
	test_header();
	test_header_errors();
	test_sites();
	test_site_encodings();
	test_site_errors();
	test_actions();
	test_action_errors();
	test_limits();
	test_types();
	test_is_pad();
	test_questions();
	test_truncation();
	tap_done();
}
