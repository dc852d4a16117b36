/* SPDX-License-Identifier: MIT
 * kept: what there is one of in the process, or in a thread, and a guest put something else in the place of:
 * signals' dispositions, interval timers, the host's descriptors, values of its keys, settings of libc's.
 *
 * Each such thing has a list of those guests that changed it, the last one first, and what each of them found
 * there. A guest that ends gives what it found to the one that came after it, or, if nobody did, to the
 * process: so the host's comes back whatever the order in which guests end, and nothing of a guest that is
 * gone ever does.
 *
 * Invariants: one lock for all lists, taken with all signals blocked and never held where a guest can be
 * stopped, so a guest's signal handler may come here too. The memory of records is mapped and never given
 * back; they are used again. */
#ifndef RIPCORD_LEDGER_KEPT_H
#define RIPCORD_LEDGER_KEPT_H

#include "ledger/ledger.h"

struct rip_kept;

/* Whether what there is one of is this kind's. */
bool rip_kept_is(rip_kind kind);

/* Before the ledger's guest changes it: what stands there now is kept, if it is not already, and stays so
 * until rip_kept_put_back. The ledger's table has room for its record. False: there is no memory (errno says
 * so), and it must not be changed. */
bool rip_kept_keep(struct rip_ledger *ledger, rip_kind kind, uint32_t number);
/* After the change: what the guest made of it, to tell later whether somebody else has changed it since. */
void rip_kept_changed(struct rip_ledger *ledger, rip_kind kind, uint32_t number);

/* `kept` is a record's data. False: it could not be put back, and is lost. Frees the record. */
bool rip_kept_put_back(struct rip_kept *kept);
/* As above, but what stands there now stays. */
void rip_kept_forget(struct rip_kept *kept);

/* Such a signal that is pending here, and would end the process, is no longer. */
void rip_kept_discard(int signal);

/* A descriptor of the host's that the guest closed. It is not free, but something stands there with which
 * nothing can be done (EBADF), or another thread's next file would be lost when it comes back. */
bool rip_kept_is_closed(const struct rip_kept *kept);
void rip_kept_set_closed(struct rip_kept *kept, bool closed);

/* Before the descriptor comes back, contained: the standard stream on it, if one is, becomes the host's
 * again. False: it is locked by another thread. */
bool rip_kept_settle_stream(const struct rip_kept *kept, bool flush);

void rip_kept_before_fork(void);
void rip_kept_after_fork(void);

#endif
