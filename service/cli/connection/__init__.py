"""How a command reaches a server: one that is named, one that runs here, or one of its own."""
