({ get property() { poke(3); return 1; } }).property;
