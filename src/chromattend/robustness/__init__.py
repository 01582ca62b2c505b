"""How little it takes to change what a model says: attacks, their detection, noise that happens, and certificates."""
