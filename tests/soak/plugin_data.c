/* SPDX-License-Identifier: MIT
 * What the soak's guests load: a shared object with a constructor. */
static int ready;

__attribute__((constructor)) static void get_ready(void)
{
	ready = 1;
}

int soak_plugin_work(int number);
int soak_plugin_work(int number)
{
	return number + ready;
}
