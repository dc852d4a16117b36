// Millions of short-lived objects, cycles among them.
var kept = [], total = 0;
for (var i = 0; i < 60000; i++) {
	var a = { number: i, text: 'item ' + i }, b = { other: a };
	a.other = b;
	if (i % 5000 === 0) kept.push(b);
	total += b.other.text.length;
}
Duktape.gc();
print(total, kept.map(function (k) { return k.other.number; }).join());
var buffer = Duktape.Buffer(1000);
for (i = 0; i < 1000; i++) buffer[i] = i * 7;
print(buffer.length, buffer[999], Duktape.enc('base64', 'a text'));
