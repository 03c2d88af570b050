"""What a stage costs: prices with their sources, what a job asks of AWS, and a simulated day of its GPU workers.

For the command line (`callscribe cost`) and the benchmarks `cost` and `sim`; no Lambda has it.
"""
