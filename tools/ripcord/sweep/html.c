#include "sweep.h"
void sweep_write_html(FILE *to, const struct sweep_plan *plan, const struct sweep_result *result)
{
	sweep_write_text(to, plan, result);
}
