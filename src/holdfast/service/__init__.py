"""Runs operations for whoever asks, writes down what became of them, and says what people should hear."""
