fn main() { testbed::supervise::if_asked(); }
