/* SPDX-License-Identifier: MIT
 * What a plain host's guests run. */
static volatile long sink;

void spin(void)
{
	for (;;)
		sink++;
}

void spin_for(long polls)
{
	for (long i = 0; i < polls; i++)
		sink++;
}

void calls_back(void (*function)(void *), void *argument)
{
	function(argument);
	sink++;
}
