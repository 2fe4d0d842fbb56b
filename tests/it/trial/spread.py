#!/usr/bin/env python3
"""Mean and standard deviation of the numbers in a file."""
import statistics
import sys

numbers = [int(line) for line in open(sys.argv[1])]
print(f"{statistics.mean(numbers):.6f} {statistics.stdev(numbers):.6f}")
