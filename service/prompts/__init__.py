"""What the models are asked, and how their answers are read. Pure; shared with training."""
