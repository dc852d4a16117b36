/* SPDX-License-Identifier: MIT
 * keep: tasks that fault, and keepers that say what they see and do. For the shell's `keep`. */
#ifndef KERNEL_KEEP_H
#define KERNEL_KEEP_H

struct keep_kind;

/* NULL at the end, and for a name that is none's. */
const struct keep_kind *keep_kind_at(unsigned number);
const struct keep_kind *keep_kind_find(const char *name);
const char *keep_kind_name(const struct keep_kind *kind);
const char *keep_kind_what(const struct keep_kind *kind);

/* A worker of this kind in a tree, with two keepers, until it is over. Prints all. A task. */
void keep_run(const struct keep_kind *kind);

#endif
