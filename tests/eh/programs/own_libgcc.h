#pragma once
void clean_up_around(void (*function)(int), int argument);
void throw_here(int number);
int catch_here(void (*function)(int), int argument);
