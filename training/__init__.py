"""Labels, panel, splits, fitting and judging. Never imported by scoring."""
