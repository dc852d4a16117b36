/* SPDX-License-Identifier: MIT
 * html: the head of a page, and text in it. */
#include "html.h"

/* On narrow pages each row of a table becomes a block, with the heads of its numbers. */
static const char common[] =
	":root{color-scheme:light dark;--line:#8884}\n"
	"body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:84em;padding:0 1em}\n"
	"h1{font-size:1.4em}h2{font-size:1.1em;margin:2em 0 .4em;overflow-wrap:anywhere}\n"
	"table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25em .7em;vertical-align:top;"
	"border-bottom:1px solid var(--line)}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;"
	"white-space:nowrap}\n"
	"code,pre{font:13px/1.5 ui-monospace,monospace}code{overflow-wrap:anywhere}\n"
	"td code{display:inline-block}td.name code{min-width:16em}td.place code{min-width:12em}"
	"td.text{min-width:14em;overflow-wrap:anywhere}.one{white-space:nowrap}\n"
	"@media(max-width:52em){table.found,.found tbody,.found tr,.found td{display:block;width:auto}"
	".found tr.head{display:none}.found tr{border-bottom:1px solid var(--line);padding:.4em 0}"
	".found td{border:0;padding:.05em .3em;text-align:left;min-width:0}.found td code{min-width:0}"
	".found td[data-head]::before{content:attr(data-head) \": \";opacity:.7}}\n";

void html_begin(FILE *to, const char *title, const char *style)
{
	fprintf(to, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width\"><title>%s</title>\n<style>\n%s%s"
		"</style></head><body>\n<h1>%s</h1>\n", title, common, style, title);
}

void html_end(FILE *to)
{
	fputs("</body></html>\n", to);
}

void html_text(FILE *to, const char *text)
{
	for (; text && *text; text++) {
		switch (*text) {
		case '<': fputs("&lt;", to); break;
		case '>': fputs("&gt;", to); break;
		case '&': fputs("&amp;", to); break;
		case '"': fputs("&quot;", to); break;
		case '\t': fputc('\t', to); break;
		default: fputc((unsigned char)*text < 0x20 ? ' ' : *text, to);
		}
	}
}
