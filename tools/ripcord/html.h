/* SPDX-License-Identifier: MIT
 * html: what the pages of all commands have in common: one file, light and dark, without scripts, fonts or a network. */
#ifndef RIPCORD_TOOLS_HTML_H
#define RIPCORD_TOOLS_HTML_H

#include <stdio.h>

/* Everything up to the heading. `style`: rules of the page's own. */
void html_begin(FILE *to, const char *title, const char *style);
void html_end(FILE *to);
/* As text or in an attribute. NULL: nothing. */
void html_text(FILE *to, const char *text);

#endif
