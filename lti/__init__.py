"""LTI 1.3 Advantage, the tool's side: values in, values out."""
