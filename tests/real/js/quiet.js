// Prints nothing; fails if anything is wrong.
var text = JSON.stringify([1, 2, 3].map(function (n) { return { n: n * n }; }));
if (text !== '[{"n":1},{"n":4},{"n":9}]')
	throw new Error(text);
