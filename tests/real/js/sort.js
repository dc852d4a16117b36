var seed = 42;
function random() { seed = (seed * 1103515245 + 12345) % 2147483648; return seed; }
var numbers = [];
for (var i = 0; i < 3000; i++)
	numbers.push(random() % 10000);
var sorted = numbers.slice().sort(function (a, b) { return a - b; });
var ok = true;
for (i = 1; i < sorted.length; i++)
	ok = ok && sorted[i - 1] <= sorted[i];
print(ok, sorted[0], sorted[1500], sorted[2999]);
print(numbers.slice(0, 20).sort().join());
print(sorted.reduce(function (a, b) { return a + b; }, 0), sorted.filter(function (n) { return n % 7 == 0; }).length);
print([3, , 1, undefined, 'x', 'X', null].sort().reverse().join('|'));
