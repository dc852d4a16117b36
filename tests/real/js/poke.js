// Native code (forEach, sort) calls a script's function, which calls native code that does harm.
[3].forEach(function outer(x) {
	[x, x + 1].sort(function compare(a, b) {
		poke(0);
		return a - b;
	});
});
