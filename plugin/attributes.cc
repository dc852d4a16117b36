/* SPDX-License-Identifier: MIT
 * attributes: what the source says of a function, and which functions are cleanups. */
#include "ripcord_plugin.h"

#include "stringpool.h"
#include "attribs.h"
#include "c-family/c-common.h"
#include "c-family/c-pragma.h"
#include "diagnostic-core.h"

namespace ripcord {

/* DECL_UIDs of functions that some scope of this unit calls when it is left. */
static hash_set<int_hash<unsigned, UINT_MAX>> *cleanups;

/* Nesting of `#pragma ripcord off`. */
static bool pragma_off;

static tree check_function(tree *node, tree name, tree, int, bool *no_add_attrs)
{
	if (TREE_CODE(*node) != FUNCTION_DECL) {
		warning(OPT_Wattributes, "%qE attribute applies to functions only", name);
		*no_add_attrs = true;
	}
	return NULL_TREE;
}

static struct attribute_spec specs[] = {
	{"ripcord_no_poll", 0, 0, true, false, false, false, check_function, NULL},
	{"ripcord_masked", 0, 0, true, false, false, false, check_function, NULL},
	{"ripcord_takes", 0, 0, true, false, false, false, check_function, NULL},
};

void register_attributes(void *, void *)
{
	for (attribute_spec &spec : specs)
		register_attribute(&spec);
}

static bool has(tree function, const char *name)
{
	return lookup_attribute(name, DECL_ATTRIBUTES(function)) != NULL_TREE;
}

/* --- Cleanup functions ------------------------------------------------------------------------ */

static tree note_calls(tree *node, int *, void *)
{
	tree function = TREE_CODE(*node) == CALL_EXPR ? get_callee_fndecl(*node) : NULL_TREE;
	if (function)
		cleanups->add(DECL_UID(function));
	return NULL_TREE;
}

/* C and C++ have different trees for a scope; C++'s has a code of its front end. */
static tree cleanup_of(tree node)
{
	if (TREE_CODE(node) == TRY_FINALLY_EXPR)
		return TREE_OPERAND(node, 1);
	if (strcmp(get_tree_code_name(TREE_CODE(node)), "cleanup_stmt") == 0)
		return TREE_OPERAND(node, 1);
	return NULL_TREE;
}

static tree note_scopes(tree *node, int *, void *)
{
	tree cleanup = cleanup_of(*node);
	if (cleanup)
		walk_tree_without_duplicates(&cleanup, note_calls, NULL);
	return NULL_TREE;
}

/* Each body is seen in full before the first one is lowered: a function is known to be a cleanup wherever
 * in the unit its scope stands. By declaration, so that another function of the same name is none. */
void note_generic_body(void *data, void *)
{
	tree function = (tree)data;
	if (!cleanups)
		cleanups = new hash_set<int_hash<unsigned, UINT_MAX>>;
	walk_tree_without_duplicates(&DECL_SAVED_TREE(function), note_scopes, NULL);
	note_callees(function);
	if (pragma_off && !has(function, "ripcord_no_poll"))
		DECL_ATTRIBUTES(function) = tree_cons(get_identifier("ripcord_no_poll"), NULL_TREE,
						      DECL_ATTRIBUTES(function));
}

/* --- `#pragma ripcord off`, `on` -------------------------------------------------------------- */

/* The front ends for C and C++ have it; link-time optimization has not. */
#pragma weak c_register_pragma
#pragma weak pragma_lex
#pragma weak parse_in
#pragma weak _Z10cpp_defineP10cpp_readerPKc
#pragma weak _Z15cpp_get_optionsP10cpp_reader
#pragma weak _Z17cpp_get_callbacksP10cpp_reader

static void read_pragma(cpp_reader *)
{
	tree word;
	bool name = pragma_lex(&word) == CPP_NAME;
	if (name && strcmp(IDENTIFIER_POINTER(word), "off") == 0)
		pragma_off = true;
	else if (name && strcmp(IDENTIFIER_POINTER(word), "on") == 0)
		pragma_off = false;
	else
		warning(OPT_Wpragmas, "%<#pragma ripcord%> expects %<on%> or %<off%>");
}

/* Not for what is preprocessed already (-save-temps, ccache): nothing looks at macros there, and a definition would be
 * read as a line marker. Debug information for macros (-g3) has no place for one that comes before all files. */
static void define_macro(cpp_reader *reader)
{
	cpp_callbacks *callbacks = cpp_get_callbacks(reader);
	auto define = callbacks->define;

	if (cpp_get_options(reader)->preprocessed)
		return;
	callbacks->define = NULL;
	cpp_define(reader, "__RIPCORD_KILLABLE__=1");
	callbacks->define = define;
}

void register_pragmas(void *, void *)
{
	if (c_register_pragma)
		c_register_pragma(NULL, "ripcord", read_pragma);
	if (&parse_in && parse_in)
		define_macro(parse_in);
}

/* --- Roles ------------------------------------------------------------------------------------ */

/* The C++ ABI's names begin so (Itanium C++ ABI 5.1); extern "C" ones do not. */
bool is_cxx(tree function)
{
	return strncmp(IDENTIFIER_POINTER(DECL_ASSEMBLER_NAME(function)), "_Z", 2) == 0;
}

/* The front end names destructors so, those for whole objects and for parts of others alike. */
static bool is_destructor(tree function)
{
	return DECL_NAME(function) && startswith(IDENTIFIER_POINTER(DECL_NAME(function)), "__dt");
}

/* std::this_thread::sleep_for and sleep_until: they begin their system call again when a signal has
 * interrupted it, so that a guest would sleep on. They hold nothing. */
static bool is_sleep(tree function)
{
	tree place = DECL_CONTEXT(function);
	return place && TREE_CODE(place) == NAMESPACE_DECL && id_equal(DECL_NAME(place), "this_thread") &&
	       (id_equal(DECL_NAME(function), "sleep_for") || id_equal(DECL_NAME(function), "sleep_until"));
}

role role_of(tree function)
{
	if (has(function, "ripcord_no_poll") || has(function, "naked"))
		return ROLE_LEFT_OUT;
	bool noexcept_function = is_cxx(function) && TREE_NOTHROW(function);
	bool cleanup = is_destructor(function) || (cleanups && cleanups->contains(DECL_UID(function)));
	if (has(function, "ripcord_masked") || (cleanup && !is_cxx(function)))
		return ROLE_MASKED;
	if (noexcept_function)
		return ROLE_NOEXCEPT;
	if (cleanup)
		return ROLE_MASKED;
	if (is_cxx(function) && DECL_IN_SYSTEM_HEADER(function) && !is_sleep(function))
		return ROLE_QUIET;
	return ROLE_PLAIN;
}

} // namespace ripcord
