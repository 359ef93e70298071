"""Records of any source as rows that can be trained on. Knows no tokenizer and no model."""
