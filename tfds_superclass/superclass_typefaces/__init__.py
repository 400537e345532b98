"""Which typeface is this? 253 typefaces of ten scripts, 32x32 grayscale."""
