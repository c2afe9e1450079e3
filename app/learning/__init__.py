"""The adaptive engine: content, estimate, choice, score, explanation. Values in, values out."""
