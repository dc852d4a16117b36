/* SPDX-License-Identifier: MIT
 * probes: variable-length arrays and alloca.
 *
 * GCC's own probes, by which they take their place page by page, have no landing pad: where the stack ends
 * there, the frame's cleanups would be skipped. So a call goes before, to a function that touches the same
 * pages: calls have pads. It is written beside the code that calls it, in a group of its own of which the
 * linker keeps one. */
#include "ripcord_plugin.h"

#include "output.h"
#include "stringpool.h"

namespace ripcord {

namespace {

const char PROBE_NAME[] = "__ripcord_probe";

/* What is not larger than a page, GCC's probes of the frame have touched. */
enum { SMALL = 4096 };

/* void __ripcord_probe(size_t size). Each call has a declaration of its own, as garbage collection knows
 * nothing of the plugin's. */
tree build_probe_function()
{
	tree type = build_function_type_list(void_type_node, size_type_node, NULL_TREE);
	tree function = build_fn_decl(PROBE_NAME, type);

	TREE_NOTHROW(function) = 0;
	DECL_ARTIFICIAL(function) = 1;
	DECL_VISIBILITY(function) = VISIBILITY_HIDDEN;
	DECL_VISIBILITY_SPECIFIED(function) = 1;
	return function;
}

} // namespace

bool takes_room(const gcall *call)
{
	tree function = gimple_call_fndecl(call);

	if (!function || !fndecl_built_in_p(function, BUILT_IN_NORMAL) ||
	    !ALLOCA_FUNCTION_CODE_P(DECL_FUNCTION_CODE(function)))
		return false;
	tree size = gimple_call_arg(call, 0);
	return TREE_CODE(size) != INTEGER_CST || compare_tree_int(size, SMALL) > 0;
}

gimple *build_probe(const gcall *call)
{
	gimple *probe = gimple_build_call(build_probe_function(), 1, gimple_call_arg(call, 0));

	gimple_set_location(probe, gimple_location(call));
	return probe;
}

/* Whether what was written names it: by a call, one that is a jump, or a load of its address. */
static bool is_named()
{
	tree name = maybe_get_identifier(PROBE_NAME);
	return name && TREE_SYMBOL_REFERENCED(name);
}

/* The stack pointer goes down with the pages, as in GCC's own. The 256 bytes: what GCC adds so that the
 * room, and a type in it, is aligned. */
void write_probe_function()
{
	if (!is_named())
		return;
	fputs("\t.section .text.__ripcord_probe,\"axG\",@progbits,__ripcord_probe,comdat\n"
	      "\t.weak\t__ripcord_probe\n"
	      "\t.hidden\t__ripcord_probe\n"
	      "\t.type\t__ripcord_probe, @function\n"
	      "__ripcord_probe:\n"
	      "\t.cfi_startproc\n"
	      "\tmovq\t%rsp, %r11\n"
	      "\t.cfi_def_cfa_register %r11\n"
	      "\tsubq\t$256, %rsp\n"
	      "0:\tcmpq\t$4096, %rdi\n"
	      "\tjb\t1f\n"
	      "\tsubq\t$4096, %rsp\n"
	      "\torb\t$0, (%rsp)\n"
	      "\tsubq\t$4096, %rdi\n"
	      "\tjmp\t0b\n"
	      "1:\tsubq\t%rdi, %rsp\n"
	      "\torb\t$0, (%rsp)\n"
	      "\tmovq\t%r11, %rsp\n"
	      "\t.cfi_def_cfa_register %rsp\n"
	      "\tret\n"
	      "\t.cfi_endproc\n"
	      "\t.size\t__ripcord_probe, . - __ripcord_probe\n"
	      "\t.text\n", asm_out_file);
}

} // namespace ripcord
