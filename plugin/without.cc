/* SPDX-License-Identifier: MIT
 * without: passes of GCC's that lose landing pads, and have no part in functions with landing pads.
 *
 * "bswap" makes one load of several, and "store-merging" makes loads for its stores: without pads. "sink"
 * moves what was computed before a scope into it, where it has no pad. "rtl pre" computes a value before
 * the call that changes it, for the call's pad. Around each the option that it looks at is off. */
#include "ripcord_plugin.h"

#include "options.h"

namespace ripcord {

namespace {

bool has_landing_pads(function *f)
{
	return f->eh && vec_safe_length(f->eh->lp_array) > 1;
}

struct option {
	const char *pass; /* GCC's name of it */
	int *value;       /* what its gate looks at */
	int saved;        /* from before the pass to behind it */
};
option bswap = {"bswap", &flag_expensive_optimizations, 0};
option store_merging = {"store-merging", &flag_store_merging, 0};
option sink = {"sink", &flag_tree_sink, 0};
option pre = {"rtl pre", &flag_gcse, 0};

const pass_data gimple_data = {
	GIMPLE_PASS, "*ripcord_without", OPTGROUP_NONE, TV_NONE, PROP_cfg, 0, 0, 0, 0,
};
const pass_data rtl_data = {
	RTL_PASS, "*ripcord_without", OPTGROUP_NONE, TV_NONE, PROP_cfg, 0, 0, 0, 0,
};

template<class base> class before_pass : public base {
	const pass_data &data;
	option &of;

public:
	before_pass(const pass_data &d, option &o, gcc::context *context) : base(d, context), data(d), of(o) {}
	opt_pass *clone() final override { return new before_pass(data, of, this->m_ctxt); }
	unsigned execute(function *f) final override
	{
		of.saved = *of.value;
		if (has_landing_pads(f))
			*of.value = 0;
		return 0;
	}
};

template<class base> class after_pass : public base {
	const pass_data &data;
	option &of;

public:
	after_pass(const pass_data &d, option &o, gcc::context *context) : base(d, context), data(d), of(o) {}
	opt_pass *clone() final override { return new after_pass(data, of, this->m_ctxt); }
	unsigned execute(function *) final override
	{
		*of.value = of.saved;
		return 0;
	}
};

template<class base>
void insert_around(const char *plugin, option &o, const pass_data &data, gcc::context *context)
{
	insert(plugin, new before_pass<base>(data, o, context), o.pass, PASS_POS_INSERT_BEFORE, 0);
	insert(plugin, new after_pass<base>(data, o, context), o.pass, PASS_POS_INSERT_AFTER, 0);
}

} // namespace

void insert_withouts(const char *plugin, gcc::context *context)
{
	for (option *o : {&bswap, &store_merging, &sink})
		insert_around<gimple_opt_pass>(plugin, *o, gimple_data, context);
	insert_around<rtl_opt_pass>(plugin, pre, rtl_data, context);
}

} // namespace ripcord
