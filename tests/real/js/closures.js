function counter() { var n = 0; return { up: function () { return ++n; }, get: function () { return n; } }; }
var counters = [];
for (var i = 0; i < 10; i++) { counters.push(counter()); for (var j = 0; j < i; j++) counters[i].up(); }
print(counters.map(function (c) { return c.get(); }).join());
function Animal(name) { this.name = name; }
Animal.prototype.speak = function () { return this.name + ' speaks'; };
function Dog(name) { Animal.call(this, name); }
Dog.prototype = Object.create(Animal.prototype, { constructor: { value: Dog } });
print(new Dog('Rex').speak(), new Dog('x') instanceof Animal, Object.keys(new Dog('k')).join());
var memo = {};
function fib(n) { return n < 2 ? n : memo[n] || (memo[n] = fib(n - 1) + fib(n - 2)); }
print(fib(80), (function () { return arguments.length; }).apply(null, [1, 2, 3]));
