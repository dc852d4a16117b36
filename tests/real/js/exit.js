[1].map(function () { poke(4); });
