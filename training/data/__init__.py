"""From sources to rows that a run learns and is measured on."""
