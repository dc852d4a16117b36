var words = 'the quick brown fox jumps over the lazy dog'.split(' ');
print(words.map(function (w) { return w.charAt(0).toUpperCase() + w.slice(1); }).join(' '));
var text = '';
for (var i = 0; i < 2000; i++)
	text += String.fromCharCode(97 + i % 26) + i.toString(36);
print(text.length, text.indexOf('zz'), text.lastIndexOf('q'), text.substr(1000, 40));
print(encodeURIComponent('\u00e4\u20ac \u4e2d/?'), escape('\u00e4'), decodeURIComponent('%E2%82%AC'));
print([1e21, 1e-7, 0.1 + 0.2, -0, 123456789.123, 5e-324, 1.7976931348623157e308].join(' '));
print((255).toString(2), (1 / 3).toFixed(10), (12345.678).toExponential(3), (0.00001).toPrecision(2));
print(parseInt('0x1fz'), parseFloat('3.14abc'), Number(''), +'12e3', 'b' > 'a', '10' < '9');
