"""The model pool: knows neither web nor database."""
