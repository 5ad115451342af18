"""What is made from finished runs: comparisons, HTML reports, timelines and other people's forms."""
