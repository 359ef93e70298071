"""From an adapter to files that the service loads, with the cards that go along."""
