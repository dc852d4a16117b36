/* SPDX-License-Identifier: MIT
 * Float kernels that GCC vectorizes: a x + y, products of matrices, a stencil, a convolution, a
 * histogram's scaling. */
#include <string.h>

#include "kernel.h"

enum { LONG = 1 << 16, SIDE = 128, TAPS = 9 };

static float x[LONG], y[LONG], a[SIDE][SIDE], b[SIDE][SIDE], c[SIDE][SIDE];

static void axpy(float *restrict to, const float *restrict from, float factor, int count)
{
	for (int i = 0; i < count; i++)
		to[i] += factor * from[i];
}

static void product(void)
{
	memset(c, 0, sizeof c);
	for (int i = 0; i < SIDE; i++)
		for (int k = 0; k < SIDE; k++)
			for (int j = 0; j < SIDE; j++)
				c[i][j] += a[i][k] * b[k][j];
}

static void stencil(float *restrict to, const float *restrict from, int count)
{
	for (int i = 1; i < count - 1; i++)
		to[i] = 0.25f * from[i - 1] + 0.5f * from[i] + 0.25f * from[i + 1];
}

static void convolve(float *restrict to, const float *restrict from, const float *restrict taps, int count)
{
	for (int i = 0; i < count - TAPS; i++) {
		float sum = 0;
		for (int j = 0; j < TAPS; j++)
			sum += taps[j] * from[i + j];
		to[i] = sum;
	}
}

static int clamp(const float *from, uint8_t *to, int count)
{
	int sum = 0;

	for (int i = 0; i < count; i++) {
		float v = from[i] < 0 ? 0 : from[i] > 255 ? 255 : from[i];
		to[i] = (uint8_t)v;
	}
	for (int i = 0; i < count; i++)
		sum += to[i];
	return sum;
}

uint64_t kernel(void)
{
	static const float taps[TAPS] = { 0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.4f, 0.3f, 0.2f, 0.1f };
	static uint8_t bytes[LONG];
	uint64_t sum = 0;

	for (int i = 0; i < LONG; i++)
		x[i] = (float)(i % 97), y[i] = (float)(i % 89);
	for (int i = 0; i < SIDE * SIDE; i++)
		(&a[0][0])[i] = (float)(i % 13), (&b[0][0])[i] = (float)(i % 17);
	for (int round = 0; round < 8; round++) {
		axpy(y, x, 0.5f, LONG - round);
		stencil(x, y, LONG);
		convolve(y, x, taps, LONG);
		axpy(&c[0][0], &a[0][0], 0.25f, SIDE * (SIDE - round));
		sum += (uint64_t)clamp(y, bytes, LONG);
	}
	product();
	product();
	for (int i = 0; i < SIDE; i++)
		sum = sum * 31 + (uint64_t)c[i][i];
	return sum;
}
