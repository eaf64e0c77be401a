"""What ``tools/benchmark.py`` measures, one module per subcommand, and the data it makes."""
