/* SPDX-License-Identifier: MIT
 * keeper: one guest, from its start to its end, with keepers asked in between. */
#include "guest/state.h"
#include "keeper/held.h"
#include "report/causes.h"

void rip_keeping_init(struct rip_keeping *kept, rip_guest *guest, const rip_keep_options *options)
{
	*kept = (struct rip_keeping){ .guest = guest };
	if (options)
		kept->options = *options;
}

/* Kills are somebody's decision already, exits the guest's own. */
static bool is_keepers(const struct rip_keeping *kept, rip_cause cause)
{
	return kept->options.keeper && rip_cause_is(cause, RIP_CAUSE_IS_FAILURE);
}

static bool is_well(const rip_outcome *outcome)
{
	return outcome->cause == RIP_CAUSE_RETURNED || (outcome->cause == RIP_CAUSE_EXITED && outcome->value == 0);
}

/* In a guest, a kill waits until the keepers have decided, or it has become firm. */
static rip_decision ask(struct rip_keeping *kept)
{
	rip_guest *caller = begin_busy();
	rip_decision decision = rip_keepers_ask(kept);

	end_busy(caller);
	return decision;
}

static bool is_stopped(const rip_guest *guest)
{
	return guest->kill.state == RIP_STATE_STOPPED || guest->kill.state == RIP_STATE_YIELDED;
}

/* Goes on with what has stopped, as long as keepers say so. */
static rip_status go_on(struct rip_keeping *kept, rip_outcome *outcome, rip_decision *decision_ret)
{
	rip_status status = RIP_OK;
	rip_decision decision = RIP_DECIDE_UNWIND;

	while (status == RIP_OK && kept->guest->kill.state == RIP_STATE_STOPPED) {
		decision = is_keepers(kept, outcome->cause) ? ask(kept) : RIP_DECIDE_UNWIND;
		if (decision != RIP_DECIDE_RESUME)
			break;
		kept->resumes++;
		status = rip_continue(kept->guest, outcome);
		decision = RIP_DECIDE_UNWIND;
	}
	*decision_ret = decision;
	return is_stopped(kept->guest) ? rip_unwind(kept->guest, outcome) : status;
}

rip_status rip_keeping_run(struct rip_keeping *kept, rip_function function, void *argument, rip_outcome *outcome_ret,
			rip_ending *end_ret)
{
	rip_decision decision;
	rip_outcome outcome;
	rip_status status = rip_run(kept->guest, function, argument, &outcome);

	if (status == RIP_OK)
		status = go_on(kept, &outcome, &decision);
	if (status != RIP_OK)
		return status;
	*outcome_ret = outcome;
	*end_ret = rip_supervise_ending(decision, is_well(&outcome));
	return RIP_OK;
}

rip_status rip_keep(rip_guest *guest, rip_function function, void *argument, const rip_keep_options *options,
		    rip_outcome *outcome_ret, rip_ending *end_ret)
{
	struct rip_keeping kept;
	rip_ending end;

	if (!guest || !function || !outcome_ret || !(guest->options.hold || guest->options.resumable))
		return RIP_E_ARGUMENT;
	if (options && options->keeper && !rip_is_keeper(options->keeper))
		return RIP_E_ARGUMENT;
	rip_keeping_init(&kept, guest, options);
	rip_status status = rip_keeping_run(&kept, function, argument, outcome_ret, &end);
	if (status == RIP_OK && end_ret)
		*end_ret = end;
	return status;
}
