"""
The whole job once, on the laptop clouds: what `make demo` shows.
"""
