/* SPDX-License-Identifier: MIT
 * What this process has of the system, for tests and benchmarks: C and C++. -1: it cannot be told. */
#ifndef TEST_PROCESS_H
#define TEST_PROCESS_H

#include <dirent.h>
#include <stdio.h>

/* KiB. smaps_rollup is exact; /proc/self/statm lags behind by up to 64 pages (proc(5)). */
__attribute__((unused)) static long process_resident(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	char line[256];
	long kib = -1;

	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "Rss: %ld kB", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib;
}

__attribute__((unused)) static long process_mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	long lines = file ? 0 : -1;

	for (int c; file && (c = getc(file)) != EOF;)
		lines += c == '\n';
	if (file)
		fclose(file);
	return lines;
}

/* The one that this takes, and the folder's own two entries, count too. */
__attribute__((unused)) static long process_descriptors(void)
{
	DIR *list = opendir("/proc/self/fd");
	long count = list ? 0 : -1;

	while (list && readdir(list))
		count++;
	if (list)
		closedir(list);
	return count;
}

#endif
