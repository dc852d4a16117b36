/* SPDX-License-Identifier: MIT
 * Duktape: an interpreter, its property tables, strings, regular expressions, sorting and collector. */
#include "duktape.h"
#include "kernel.h"

static const char script[] =
	"function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }\n"
	"var a = []; for (var i = 0; i < 1500; i++) a.push((i * 7919) % 3001);\n"
	"a.sort(function (x, y) { return x - y; });\n"
	"var s = ''; for (i = 0; i < 1500; i++) s += String.fromCharCode(65 + i % 26);\n"
	"var m = s.match(/([A-M]+)([N-Z]+)/g).length;\n"
	"var o = {}; for (i = 0; i < 1500; i++) o['k' + i] = i; var t = 0; for (var k in o) t += o[k];\n"
	"var j = JSON.stringify(o); JSON.parse(j);\n"
	"var p = []; for (i = 2; p.length < 200; i++) { var f = true; for (k = 0; k < p.length && p[k] * p[k] <= i; k++)\n"
	"  if (i % p[k] == 0) { f = false; break; } if (f) p.push(i); }\n"
	"fib(15) + a[10] + m + t + j.length + s.replace(/A/g, 'aa').length + p[199];\n";

uint64_t kernel(void)
{
	duk_context *context = duk_create_heap(host_alloc, host_realloc, host_free, NULL, NULL);

	duk_eval_string(context, script);
	uint64_t result = (uint64_t)duk_get_number(context, -1);
	duk_destroy_heap(context);
	return result;
}
