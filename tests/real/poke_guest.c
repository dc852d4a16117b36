/* SPDX-License-Identifier: MIT
 * A guest: Duktape with a native function `poke(n)`, whose n says what kind of harm it does. Runs the scripts
 * in its arguments, each a file's text. Exit status: 0, or 3 for a JavaScript error. */
#include <stdio.h>
#include <stdlib.h>

#include "duktape.h"

static int *volatile nowhere;
static volatile int zero;

__attribute__((noinline)) static duk_ret_t poke(duk_context *js)
{
	switch (duk_get_int(js, 0)) {
	case 0: *nowhere = 1; break;
	case 1: zero = 1 / zero; break;
	case 2: ((void (*volatile)(void))0)(); break;
	case 3: abort();
	case 4: exit(9);
	}
	return 0;
}

int main(int argc, char **argv)
{
	duk_context *js = duk_create_heap_default();
	int failed = 0;

	if (!js)
		return 4;
	duk_push_c_function(js, poke, 1);
	duk_put_global_string(js, "poke");
	for (int i = 1; i < argc; i++) {
		failed |= duk_peval_file(js, argv[i]) != 0;
		if (failed)
			fprintf(stderr, "%s\n", duk_safe_to_string(js, -1));
		duk_pop(js);
	}
	duk_destroy_heap(js);
	return failed ? 3 : 0;
}
