/* SPDX-License-Identifier: MIT
 * warnings: -Wripcord: what the plugin sees but cannot make whole. */
#include "ripcord_plugin.h"

#include "diagnostic-core.h"

namespace ripcord {

static bool is_memory(tree clobber)
{
	return strcmp(TREE_STRING_POINTER(TREE_VALUE(clobber)), "memory") == 0;
}

/* A store that a fault can stop, and no pad for it: GCC gives inline assembly none. */
static bool may_store(const gasm *assembly)
{
	for (unsigned i = 0; i < gimple_asm_nclobbers(assembly); i++)
		if (is_memory(gimple_asm_clobber_op(assembly, i)))
			return *gimple_asm_string(assembly) != '\0';
	for (unsigned i = 0; i < gimple_asm_noutputs(assembly); i++)
		if (!is_gimple_reg(TREE_VALUE(gimple_asm_output_op(assembly, i))))
			return true;
	return false;
}

static bool is_called(const gcall *call, const char *name)
{
	tree function = gimple_call_fndecl(call);
	return function && DECL_NAME(function) && id_equal(DECL_NAME(function), name);
}

static const char *fault_of_call(const gcall *call)
{
	if (gimple_call_builtin_p(call, BUILT_IN_INIT_TRAMPOLINE))
		return "the address of a nested function is code on the stack, and a guest's stack is "
		       "not executable";
	if (is_called(call, "longjmp") || is_called(call, "siglongjmp") || is_called(call, "_longjmp"))
		return "a jump leaves the cleanups of the frames that it passes undone";
	return NULL;
}

/* Why a stop cannot be whole at this statement, or NULL. */
static const char *fault_of(const gimple *statement, bool in_scope)
{
	if (const gasm *assembly = dyn_cast<const gasm *>(statement))
		return in_scope && may_store(assembly) ?
		       "a fault in this assembly leaves the cleanups of its function undone" : NULL;
	if (const gcall *call = dyn_cast<const gcall *>(statement))
		return fault_of_call(call);
	if (gimple_code(statement) == GIMPLE_OMP_PARALLEL || gimple_code(statement) == GIMPLE_OMP_TASK)
		return "threads of OpenMP are not the guest's, and go on when it is stopped";
	return NULL;
}

void warn_of(const gimple *statement, bool in_scope)
{
	const char *fault = options.warn ? fault_of(statement, in_scope) : NULL;
	if (fault)
		warning_at(gimple_location(statement), 0, "%s (%qs)", fault, "-Wripcord");
}

} // namespace ripcord
