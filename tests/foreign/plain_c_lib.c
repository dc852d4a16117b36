/* SPDX-License-Identifier: MIT
 * C as most of it is: without -fexceptions, it gives back by hand behind the call. */
void by_hand(void (*function)(void *), void *argument, int times, int *held);

void by_hand(void (*function)(void *), void *argument, int times, int *held)
{
	for (int i = 0; i < times; i++) {
		++*held;
		function(argument);
		--*held;
	}
}
