"""Tonight's optimum: which contact for whom, under every limit at once, with its proof."""
